"""The module of announcements: topics that are relayed to channels of a server."""

import pytest

from bongsu.contracts.rpc import GuildChannel
from services.dashboard.tests.fake_subscriptions import MINE, THEIRS, a_subscription
from services.dashboard.tests.fakes import MINA, FakeBot, FakeDirectory, a_detail, a_guild, a_summary
from services.dashboard.tests.stage import FakeBrowser, Stage, text_of

GUILD = 8 << 22
GENERAL, SECRET = GUILD + 1, GUILD + 2
PAGE = f"/guilds/{GUILD}/modules"
ON, OFF = f"{PAGE}/announcements", f"{PAGE}/announcements/off"


def fields(**changed: str) -> dict[str, str | list[str]]:
    return {"topic": "releases", "owner": "", "channel": str(GENERAL), **changed}


@pytest.fixture
def stage() -> Stage:
    """Mina manages a server; the bot may write in one channel of two there."""
    channels = (
        GuildChannel(id=SECRET, name="secret", missing=("send_messages",)),
        GuildChannel(id=GENERAL, name="general"),
    )
    stage = Stage(
        directory=FakeDirectory(managed_by={MINA: [a_guild(GUILD, "봉수대 개발팀")]}),
        bot=FakeBot(known={GUILD: a_summary(GUILD)}, details={GUILD: a_detail(GUILD, *channels)}),
    )
    stage.accounts.users[MINA] = stage.accounts.users[MINA].model_copy(update={"id": MINE})
    return stage


@pytest.fixture
async def browser(stage: Stage) -> FakeBrowser:
    browser = stage.mina()
    await browser.get(PAGE)
    return browser


async def card(browser: FakeBrowser) -> str:
    """The HTML of the card of the announcements."""
    page = await browser.get(PAGE)
    assert page.status_code == 200
    _, found, after = page.text.partition('<section class="card" id="module-announcements"')
    assert found
    return after.partition('<section class="card" id="module-')[0]


class TestSwitchOn:
    async def test_topic_is_relayed_to_a_channel_from_the_post_on(self, stage: Stage, browser: FakeBrowser) -> None:
        assert "꺼짐" in text_of(await card(browser))
        answer = await browser.post(ON, fields())
        assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
        (made,) = stage.subscriptions.of_guild[GUILD]
        assert (made.topic, made.owner, made.channel_id) == ("releases", MINE, GENERAL)
        shown = text_of(await card(browser))
        assert "켜짐" in shown
        assert "releases #general · 내 토픽" in shown

    async def test_topic_of_another_user_is_named_by_the_owners_id(self, browser: FakeBrowser) -> None:
        assert (await browser.post(ON, fields(owner=str(THEIRS)))).status_code == 303
        assert str(THEIRS) in await card(browser)

    async def test_form_that_is_posted_twice_makes_one_subscription(self, stage: Stage, browser: FakeBrowser) -> None:
        assert [(await browser.post(ON, fields())).status_code for _ in range(2)] == [303, 303]
        assert len(stage.subscriptions.of_guild[GUILD]) == 1

    @pytest.mark.parametrize(
        ("wrong", "status", "field"),
        [
            ({"topic": "Not A Topic"}, 422, "topic"),
            ({"topic": ""}, 422, "topic"),
            ({"owner": "mina"}, 422, "owner"),
            ({"owner": "0197c2a4-1f00-7000-8000-000000000000"}, 422, "owner"),
            ({"channel": str(SECRET)}, 409, "channel"),
            ({"channel": "77"}, 409, "channel"),
            ({"channel": ""}, 422, "channel"),
        ],
    )
    async def test_wrong_field_is_named_and_keeps_what_was_typed(
        self, stage: Stage, browser: FakeBrowser, wrong: dict[str, str], status: int, field: str
    ) -> None:
        answer = await browser.post(ON, fields(**wrong))
        assert answer.status_code == status
        assert f'id="e-announce-{field}"' in answer.text
        assert 'id="e-channel-feed"' not in answer.text
        assert f'name="topic" type="text" autocomplete="off" value="{wrong.get("topic", "releases")}"' in answer.text
        assert stage.subscriptions.of_guild.get(GUILD, []) == []

    async def test_full_server_is_an_alert(self, stage: Stage, browser: FakeBrowser) -> None:
        stage.subscriptions.limit = 0
        answer = await browser.post(ON, fields())
        assert answer.status_code == 409
        assert 'role="alert"' in answer.text

    async def test_silent_bot_is_an_alert(self, stage: Stage, browser: FakeBrowser) -> None:
        stage.subscriptions.bot_is_silent = True
        answer = await browser.post(ON, fields())
        assert answer.status_code == 503
        assert "봇이 응답하지 않습니다" in answer.text


class TestSwitchOff:
    async def test_topic_is_relayed_no_longer(self, stage: Stage, browser: FakeBrowser) -> None:
        one, other = a_subscription(GENERAL), a_subscription(GENERAL, "news")
        stage.subscriptions.of_guild[GUILD] = [one, other]
        assert "releases #general" in text_of(await card(browser))
        for _ in range(2):
            answer = await browser.post(OFF, {"subscription": str(one.id)})
            assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
        assert stage.subscriptions.of_guild[GUILD] == [other]
        assert "releases #general" not in text_of(await card(browser))


class TestDiagnosis:
    async def test_missing_permission_is_named_beside_what_grants_it(self, stage: Stage, browser: FakeBrowser) -> None:
        stage.subscriptions.of_guild[GUILD] = [a_subscription(SECRET)]
        in_channel = await card(browser)
        assert "권한 부족" in text_of(in_channel)
        assert "메시지 보내기" in text_of(in_channel)
        assert f'/channels/{GUILD}/{SECRET}"' in in_channel
        stage.bot.details[GUILD] = stage.bot.details[GUILD].model_copy(update={"missing": ("send_messages",)})
        assert f'action="/guilds/{GUILD}/permissions"' in await card(browser)

    async def test_channel_that_is_gone_is_named_as_it_was(self, stage: Stage, browser: FakeBrowser) -> None:
        stage.subscriptions.of_guild[GUILD] = [a_subscription(GUILD + 9).model_copy(update={"channel_name": "옛날"})]
        shown = text_of(await card(browser))
        assert "채널 없음" in shown
        assert "#옛날 채널은 삭제되었거나" in shown

    @pytest.mark.parametrize("trouble", ["down", "bot_is_silent", "forbids"])
    async def test_page_works_while_the_subscriptions_are_not_known(
        self, stage: Stage, browser: FakeBrowser, trouble: str
    ) -> None:
        setattr(stage.subscriptions, trouble, True)
        shown = await card(browser)
        assert "<form" not in shown
        assert "알림 서비스가 응답하지 않습니다" in text_of(shown)


async def test_delegate_of_the_modules_sees_no_announcements(stage: Stage, browser: FakeBrowser) -> None:
    stage.subscriptions.of_guild[GUILD] = [a_subscription(GENERAL)]
    stage.directory.others_of[MINA] = stage.directory.managed_by.pop(MINA)
    stage.bot.delegates[MINE] = {GUILD}
    shown = await card(browser)
    assert "releases #general" not in text_of(shown)
    assert "서버 관리 권한이 있는 사람만" in text_of(shown)
    assert (await browser.post(ON, fields())).status_code == 404
    assert stage.subscriptions.changes == []
