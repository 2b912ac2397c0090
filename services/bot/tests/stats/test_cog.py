from datetime import UTC, datetime, timedelta

import pytest

from services.bot.tests.api_server import ApiServer
from services.bot.tests.discord import JAMES, MINJI, Discord


@pytest.mark.usefixtures("bot")
class TestStats:
    async def test_stats_adds_the_buckets_of_the_period_up(self, discord: Discord, api_server: ApiServer) -> None:
        bucket = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}
        counts = [{"sent": 1200, "failed": 1}, {"sent": 34, "bounced": 2}]
        items = [bucket | {"total": sum(one.values()), "statuses": one} for one in counts]
        api_server.answers["GET /v1/stats"] = (200, {"items": items, "next": None})
        options = {"period": "week"}
        answered = await discord.give("stats", user_id=str(MINJI), unregistered=True, options=options)
        (embed,) = answered["answers"][0]["embeds"]
        assert (embed["title"], embed["description"]) == ("최근 7일", "알림 1,237건")
        fields = [(field["name"], field["value"]) for field in embed["fields"]]
        assert fields == [("보냄", "1,234"), ("반송됨", "2"), ("실패", "1")]
        start = datetime.fromisoformat(api_server.requests[0].url.params["from"])
        assert timedelta(days=7) <= datetime.now(UTC) - start < timedelta(days=7, minutes=5)

    async def test_stats_is_refused_without_the_role(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.role = "user"
        answered = await discord.give("stats", user_id=str(JAMES), unregistered=True)
        assert "Your role doesn't allow" in str(answered["answers"])
        assert api_server.requests == []
