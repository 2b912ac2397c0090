from typing import Any

import pytest

from bongsu_bot.shards.runner import Runner
from services.bot.tests.api_server import ApiServer
from services.bot.tests.discord import JAMES, MINJI, Discord

ID = "0197c2a4-1f00-7000-8000-000000000001"
OTHER_ID = "0197c2a4-1f00-7000-8000-000000000002"


def notification(**changes: object) -> dict[str, Any]:
    given = {
        "id": ID,
        "status": "failed",
        "channel": "email",
        "mode": "live",
        "to": {"email": "jiwoo_kim@example.com", "name": None},
        "subject": "*봉수* 안내",
        "template": None,
        "category": "transactional",
        "topic": None,
        "priority": "normal",
        "guarantee": "at-least-once",
        "send_at": None,
        "expires_at": None,
        "metadata": {},
        "attempt": 8,
        "next_attempt_at": None,
        "provider_message_id": None,
        "error": {"code": "rejected", "detail": "No such mailbox"},
        "created_at": "2026-11-01T00:00:00Z",
        "updated_at": "2026-11-01T00:00:00Z",
    }
    return given | changes


async def run(discord: Discord, command: str, *, user: int = JAMES, **options: str) -> dict[str, Any]:
    return await discord.give(f"notifications {command}", user_id=str(user), unregistered=True, options=options)


def shown(answered: dict[str, Any]) -> str:
    assert answered["deferred"]
    assert answered["ephemeral"]
    return str(answered["answers"][0])


@pytest.fixture(autouse=True)
def running(bot: Runner) -> None:
    del bot


class TestSearch:
    async def test_search_lists_a_recipient_page_by_page(self, discord: Discord, api_server: ApiServer) -> None:
        first = {"items": [notification()], "next": ID}
        last = {"items": [notification(id=OTHER_ID, status="sent")], "next": None}
        api_server.answers["GET /v1/notifications"] = [(200, first), (200, last), (200, first)]
        answered = await run(discord, "search", recipient="jiwoo_kim@example.com", status="failed")
        assert "**Failed** jiwoo\\\\_kim@example.com" in shown(answered)
        turned = await discord.press(answered, "Next")
        assert OTHER_ID in shown_after(turned)
        back = await discord.press(turned, "Previous")
        assert ID in shown_after(back)
        queries = [dict(request.url.params) for request in api_server.requests]
        filters = {"to": "jiwoo_kim@example.com", "status": "failed", "limit": "5"}
        assert queries == [filters, filters | {"after": ID}, filters]
        assert {request.headers["authorization"] for request in api_server.requests} == {f"Bearer token of {JAMES}"}

    async def test_turning_a_page_is_refused_when_the_role_was_taken_away(
        self, discord: Discord, api_server: ApiServer
    ) -> None:
        api_server.answers["GET /v1/notifications"] = (200, {"items": [notification()], "next": ID})
        answered = await run(discord, "search")
        api_server.role = "user"
        refused = await discord.press(answered, "Next")
        assert "Your role doesn't allow" in str(refused["answers"])
        assert len(api_server.requests) == 1

    async def test_search_says_so_when_nothing_matches(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.answers["GET /v1/notifications"] = (200, {"items": [], "next": None})
        answered = await run(discord, "search", user=MINJI)
        assert "조건에 맞는 알림이 없습니다." in shown(answered)
        assert answered["answers"][0]["components"] == []


def shown_after(pressed: dict[str, Any]) -> str:
    return str(pressed["answers"][0]["embeds"])


class TestShow:
    async def test_show_lists_the_timeline(self, discord: Discord, api_server: ApiServer) -> None:
        timeline = [
            {"status": "accepted", "at": "2026-11-01T00:00:00Z", "attempt": 0, "detail": None},
            {"status": "failed", "at": "2026-11-01T00:00:09Z", "attempt": 1, "detail": "rejected"},
        ]
        api_server.answers[f"GET /v1/notifications/{ID}"] = (200, notification(timeline=timeline))
        answered = await run(discord, "show", user=MINJI, notification_id=ID)
        assert "접수됨" in shown(answered)
        assert "실패: rejected" in shown(answered)
        assert "No such mailbox" in shown(answered)


class TestRetry:
    async def test_retry_sends_the_interaction_as_the_key(self, discord: Discord, api_server: ApiServer) -> None:
        api_server.answers[f"POST /v1/notifications/{ID}/retry"] = (202, notification(status="queued", error=None))
        answered = await run(discord, "retry", notification_id=ID)
        assert "Queued" in shown(answered)
        (request,) = api_server.requests
        assert request.headers["idempotency-key"] == f"discord-{answered['id']}"

    @pytest.mark.parametrize(
        ("status", "body", "reply"),
        [
            (409, {"code": "not_retryable", "detail": "x"}, "Only failed and expired"),
            (404, {"code": "notification_not_found", "detail": "x"}, "There is no notification with this ID"),
            (503, {"code": "database_unavailable", "detail": "db-7"}, "The service isn't available"),
            (500, {}, "The service isn't available"),
            (200, {"shape": "another"}, "The service isn't available"),
        ],
    )
    async def test_a_problem_is_a_clear_reply(
        self, discord: Discord, api_server: ApiServer, status: int, body: dict[str, str], reply: str
    ) -> None:
        api_server.answers[f"POST /v1/notifications/{ID}/retry"] = (status, body)
        assert reply in shown(await run(discord, "retry", notification_id=ID))


class TestCancel:
    async def test_cancel_shows_the_cancelled_notification(self, discord: Discord, api_server: ApiServer) -> None:
        cancelled = (200, notification(status="cancelled", error=None))
        api_server.answers[f"POST /v1/notifications/{ID}/cancel"] = cancelled
        assert "알림을 취소했습니다." in shown(await run(discord, "cancel", user=MINJI, notification_id=ID))


class TestAuthority:
    @pytest.mark.parametrize(
        ("role", "reply"), [("user", "Your role doesn't allow"), (None, "isn't linked to a Bongsu account")]
    )
    async def test_each_command_is_refused_without_the_role(
        self, discord: Discord, api_server: ApiServer, role: str | None, reply: str
    ) -> None:
        api_server.role = role
        assert reply in shown(await run(discord, "search"))
        for command in ("show", "retry", "cancel"):
            assert reply in shown(await run(discord, command, notification_id=ID))
        assert api_server.requests == []

    async def test_a_wrong_id_and_an_outage_are_clear_replies(self, discord: Discord, api_server: ApiServer) -> None:
        assert "That isn't an ID" in shown(await run(discord, "show", notification_id="x" * 36))
        api_server.down = True
        assert "The service isn't available" in shown(await run(discord, "show", notification_id=ID))
