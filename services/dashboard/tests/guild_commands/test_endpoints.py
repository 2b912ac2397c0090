import pytest

from bongsu_dashboard.errors import BotSilent
from services.dashboard.tests.fakes import MINA, FakeBot, FakeDirectory, a_guild, a_summary
from services.dashboard.tests.stage import Stage, text_of

GUILD, ABSENT = 8 << 22, 9 << 22
PATH = f"/guilds/{GUILD}/commands"
ALL = ["ping", "users block", "users find"]


def fields(*on: str, **changed: str) -> dict[str, str | list[str]]:
    return {"on": list(on), "revision": "0", "attempt": "a" * 24, **changed}


def checked(page: str) -> list[str]:
    return [name for name in ALL if f'value="{name}" checked' in page]


@pytest.fixture
def stage() -> Stage:
    """Mina manages two servers; the bot is in one."""
    managed = [a_guild(GUILD, "봉수대 개발팀"), a_guild(ABSENT, "Indie Makers")]
    return Stage(directory=FakeDirectory(managed_by={MINA: managed}), bot=FakeBot(known={GUILD: a_summary(GUILD)}))


class TestSetting:
    async def test_server_page_leads_to_the_commands_which_are_all_on(self, stage: Stage) -> None:
        browser = stage.mina()
        assert f'href="{PATH}"' in (await browser.get(f"/guilds/{GUILD}")).text
        page = (await browser.get(PATH)).text
        assert checked(page) == ALL
        assert 'value="users"' not in page  # a group

    async def test_commands_that_are_not_checked_are_switched_off(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        answers = [await browser.post(PATH, fields("ping", "users find")) for _ in range(2)]
        assert [(one.status_code, one.headers["location"]) for one in answers] == [(303, PATH)] * 2
        assert (stage.bot.commands_off[GUILD], stage.bot.commands_revision[GUILD]) == (("users block",), 1)
        page = (await browser.get(PATH)).text
        assert checked(page) == ["ping", "users find"]
        await browser.post(PATH, fields(*ALL, revision="1", attempt="b" * 24))
        assert stage.bot.commands_off[GUILD] == ()

    async def test_every_command_can_be_off(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        assert (await browser.post(PATH, fields())).status_code == 303
        assert stage.bot.commands_off[GUILD] == tuple(ALL)

    async def test_other_change_is_shown_in_place_of_this_one(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        stage.bot.commands_off[GUILD], stage.bot.commands_revision[GUILD] = ("ping",), 1
        answer = await browser.post(PATH, fields("ping"))
        assert answer.status_code == 409
        assert "그사이 다른 사람이 명령어를 변경했습니다" in text_of(answer.text)
        assert checked(answer.text) == ["users block", "users find"]
        assert 'name="revision" value="1"' in answer.text

    async def test_choice_stays_when_the_bot_does_not_answer_the_change(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fall_silent(*_arguments: object, **_options: object) -> None:
            raise BotSilent

        browser = stage.mina()
        await browser.get(PATH)
        monkeypatch.setattr(stage.bot, "put_commands", fall_silent)
        answer = await browser.post(PATH, fields("ping"))
        assert (answer.status_code, checked(answer.text)) == (503, ["ping"])

    async def test_page_without_the_bot_says_so(self, stage: Stage) -> None:
        assert "봇이 이 서버에 없습니다" in text_of((await stage.mina().get(f"/guilds/{ABSENT}/commands")).text)
        stage.bot.silent = True
        page = (await stage.mina().get(PATH)).text
        assert "<form" not in page.partition("<main")[2].partition("</main")[0]
