"""Every route of guilds shows the prompt to link Discord while the account has no usable link."""

import asyncio

import pytest

from bongsu.runtime.errors import Conflict, ServiceError
from bongsu_dashboard.errors import DiscordNotLinked
from services.dashboard.tests.fakes import MINA, a_guild
from services.dashboard.tests.stage import Stage, text_of

GUILD = 8 << 22
ATTEMPT = "a" * 24


class TestWithoutALink:
    @pytest.mark.parametrize(
        "path", ["/guilds", f"/guilds/{GUILD}", f"/guilds/{GUILD}/added", f"/guilds/{GUILD}/state"]
    )
    @pytest.mark.parametrize("again", [False, True])
    async def test_page_shows_prompt(self, stage: Stage, path: str, again: bool) -> None:
        stage.directory.raises = DiscordNotLinked(again=again)
        answer = await stage.mina().get(path)
        words = "Discord 계정을 다시 연결해 주세요" if again else "Discord 계정을 연결해 주세요"
        assert (answer.status_code, words in text_of(answer.text)) == (200, True)
        assert 'action="/account/link/discord"' in answer.text

    async def test_no_request_is_left_behind_the_prompt(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        asked, ended = asyncio.Event(), asyncio.Event()

        async def count_for_ever(*_: object, **__: object) -> None:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async def not_linked(*_: object, **__: object) -> None:
            await asked.wait()
            raise DiscordNotLinked

        monkeypatch.setattr(stage.notifications, "count", count_for_ever)
        monkeypatch.setattr(stage.directory, "list_managed", not_linked)
        await stage.mina().get("/guilds")
        assert ended.is_set()

    @pytest.mark.parametrize("path", [f"/guilds/{GUILD}/bot", f"/guilds/{GUILD}/bot/remove"])
    async def test_form_leads_to_prompt(self, stage: Stage, path: str) -> None:
        browser = stage.mina()
        await browser.get("/account")
        stage.directory.raises = DiscordNotLinked()
        fields: dict[str, str | list[str]] = {"name": "x", "attempt": ATTEMPT} if path.endswith("remove") else {}
        answer = await browser.post(path, fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/guilds")

    async def test_fragment_leads_to_prompt(self, stage: Stage) -> None:
        stage.directory.raises = DiscordNotLinked()
        answer = await stage.mina().get(f"/guilds/{GUILD}/state", htmx=True)
        assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/guilds")

    @pytest.mark.parametrize("code", ["discord_not_linked", "discord_relink_needed"])
    async def test_link_revoked_before_install_leads_to_prompt(self, stage: Stage, code: str) -> None:
        stage.directory.managed_by[MINA] = [a_guild(GUILD, "봉수대")]
        error: ServiceError = Conflict("Link Discord", code=code)
        stage.directory.install_raises = error
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post(f"/guilds/{GUILD}/bot")
        assert (answer.status_code, answer.headers["location"]) == (303, "/guilds")
