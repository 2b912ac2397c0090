"""Confirmations belong to the page that an action leads to, not to the browser."""

from services.dashboard.tests.fakes import MINA, a_guild, a_session, a_summary
from services.dashboard.tests.stage import Stage, text_of

ADDED = "봇을 추가했습니다"
SAVED = "변경 내용을 저장했습니다"
GUILDS = [number << 22 for number in range(8, 28)]


class TestFlash:
    async def test_other_page_neither_shows_nor_consumes_the_flash(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        await browser.post("/account/profile", {"name": "이하늘", "locale": "ko"})
        assert SAVED not in text_of((await browser.get("/notifications")).text)
        assert SAVED in text_of((await browser.get("/account")).text)
        assert SAVED not in text_of((await browser.get("/account")).text)

    async def test_page_below_neither_shows_nor_consumes_the_flash(self, stage: Stage) -> None:
        stage.directory.managed_by[MINA] = [a_guild(GUILDS[0], "봉수대")]
        stage.bot.known[GUILDS[0]] = a_summary(GUILDS[0])
        browser = stage.mina()
        await browser.get("/account")
        await browser.post(f"/guilds/{GUILDS[0]}/bot/remove", {"name": "봉수대", "attempt": "a" * 24})
        assert "봇을 내보냈습니다" not in text_of((await browser.get(f"/guilds/{GUILDS[0]}")).text)
        assert "봇을 내보냈습니다" in text_of((await browser.get("/guilds")).text)

    async def test_two_tabs_get_one_confirmation_each(self, stage: Stage) -> None:
        session = a_session()
        stage.accounts.open_sessions = [a_session(current=True), session]
        browser = stage.mina()
        await browser.get("/account")
        await browser.post("/account/profile", {"name": "이하늘", "locale": "ko"})
        await browser.post(f"/account/sessions/{session.id}/end")
        text = text_of((await browser.get("/account")).text)
        assert (SAVED in text, "해당 기기에서 로그아웃했습니다" in text) == (True, True)

    async def test_forged_cookie_shows_nothing(self, stage: Stage) -> None:
        browser = stage.mina()
        browser.client.cookies.set("flash-80-1", "ok.<script>|%2Faccount")
        assert "<script>" not in (await browser.get("/account")).text


class TestAdding:
    async def test_every_addition_is_confirmed_once_when_the_bot_joins_at_any_moment(self, stage: Stage) -> None:
        stage.directory.managed_by[MINA] = [a_guild(guild_id, f"서버 {guild_id}") for guild_id in GUILDS]
        confirmations = []
        for place, guild_id in enumerate(GUILDS):
            browser = stage.mina()
            moments = [f"/guilds/{guild_id}/added", f"/guilds/{guild_id}", f"/guilds/{guild_id}/state"]
            shown = 0
            for moment, path in enumerate([*moments, f"/guilds/{guild_id}", f"/guilds/{guild_id}"]):
                if moment == place % 4:
                    stage.bot.known[guild_id] = a_summary(guild_id)
                answer = await browser.get(path, htmx=path.endswith("/state"))
                shown += ADDED in text_of(answer.text)
            confirmations.append(shown)
        assert confirmations == [1] * 20
