import pytest

from bongsu.contracts.rpc import GuildChannel
from services.dashboard.tests.fakes import MINA, FakeBot, FakeDirectory, a_detail, a_guild, a_summary
from services.dashboard.tests.stage import Stage, text_of

GUILD = 8 << 22
GENERAL, SECRET = GUILD + 1, GUILD + 2
PATH = f"/guilds/{GUILD}/messages"


def fields(**changed: str) -> dict[str, str | list[str]]:
    return {"channel": str(GENERAL), "text": "봉수가 올랐습니다", "attempt": "a" * 24, **changed}


@pytest.fixture
def stage() -> Stage:
    """Mina manages a guild, in which the bot may write in one channel of two."""
    channels = (
        GuildChannel(id=SECRET, name="secret", missing=("send_messages",)),
        GuildChannel(id=GENERAL, name="general"),
    )
    bot = FakeBot(known={GUILD: a_summary(GUILD)}, details={GUILD: a_detail(GUILD, *channels)})
    return Stage(directory=FakeDirectory(managed_by={MINA: [a_guild(GUILD, "봉수대 개발팀")]}), bot=bot)


class TestForm:
    async def test_channels_in_which_the_bot_may_write_are_offered(self, stage: Stage) -> None:
        page = (await stage.mina().get(f"{PATH}/new?channel={GENERAL}")).text
        assert f'<option value="{GENERAL}" selected>#general</option>' in page
        assert "secret" not in page

    async def test_channel_of_the_guild_page_leads_to_the_form(self, stage: Stage) -> None:
        page = (await stage.mina().get(f"/guilds/{GUILD}")).text
        assert f'href="{PATH}/new?channel={GENERAL}"' in page
        assert f"channel={SECRET}" not in page

    async def test_page_without_a_channel_says_why(self, stage: Stage) -> None:
        stage.bot.details[GUILD] = a_detail(GUILD, missing=("send_messages",))
        assert "메시지를 보낼 수 있는 채널이 없습니다" in text_of((await stage.mina().get(f"{PATH}/new")).text)
        stage.bot.details.clear()
        assert "메시지를 보낼 수 있는 채널이 없습니다" not in text_of((await stage.mina().get(f"{PATH}/new")).text)


class TestSend:
    async def test_message_is_sent_once_and_followed(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(f"{PATH}/new")
        answers = [await browser.post(PATH, fields()) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [303, 303]
        assert answers[0].headers["location"] == f"/notifications/{stage.notifications.items[0].id}"
        assert stage.notifications.messages == [(str(GENERAL), "봉수가 올랐습니다")]

    @pytest.mark.parametrize("channel", [str(SECRET), "77", "0", "general", ""])
    async def test_other_channels_are_refused(self, stage: Stage, channel: str) -> None:
        browser = stage.mina()
        await browser.get(f"{PATH}/new")
        answer = await browser.post(PATH, fields(channel=channel), htmx=True)
        assert answer.status_code in {409, 422}
        assert 'aria-describedby="e-channel"' in answer.text
        assert "봉수가 올랐습니다" in answer.text
        assert stage.notifications.messages == []

    async def test_channel_that_notify_refuses_is_named(self, stage: Stage) -> None:
        stage.notifications.foreign_channels = {str(GENERAL)}
        browser = stage.mina()
        await browser.get(f"{PATH}/new")
        answer = await browser.post(PATH, fields())
        assert answer.status_code == 409
        assert "봇이 이 채널에 메시지를 보낼 수 없습니다" in text_of(answer.text)

    @pytest.mark.parametrize("text", ["", "   ", "가" * 2001])
    async def test_text_that_discord_refuses_is_refused(self, stage: Stage, text: str) -> None:
        browser = stage.mina()
        await browser.get(f"{PATH}/new")
        answer = await browser.post(PATH, fields(text=text))
        assert answer.status_code == 422
        assert 'id="e-text"' in answer.text
        assert stage.notifications.messages == []

    async def test_changed_message_gets_another_attempt(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(f"{PATH}/new")
        await browser.post(PATH, fields())
        answer = await browser.post(PATH, fields(text="다른 글"))
        assert answer.status_code == 409
        assert "다른 글" in answer.text
        assert f'value="{"a" * 24}"' not in answer.text
