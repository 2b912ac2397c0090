import pytest

from bongsu.contracts.rpc import GuildChannel, ModuleState
from services.dashboard.tests.fakes import MINA, FakeBot, FakeDirectory, a_detail, a_guild, a_summary
from services.dashboard.tests.stage import Stage, text_of

GUILD, ABSENT = 8 << 22, 9 << 22
GENERAL, SECRET = GUILD + 1, GUILD + 2
PATH = f"/guilds/{GUILD}/modules"


def fields(**changed: str) -> dict[str, str | list[str]]:
    wanted = {"module": "feed", "act": "on", "channel": str(GENERAL), "revision": "0", "attempt": "a" * 24}
    return {**wanted, "confirmed": "true", **changed}


@pytest.fixture
def stage() -> Stage:
    """Mina manages two guilds; the bot is in one, and may write in one channel of two there."""
    channels = (
        GuildChannel(id=SECRET, name="secret", missing=("send_messages",)),
        GuildChannel(id=GENERAL, name="general"),
    )
    bot = FakeBot(known={GUILD: a_summary(GUILD)}, details={GUILD: a_detail(GUILD, *channels)})
    managed = [a_guild(GUILD, "봉수대 개발팀"), a_guild(ABSENT, "Indie Makers")]
    return Stage(directory=FakeDirectory(managed_by={MINA: managed}), bot=bot)


async def shown(stage: Stage, path: str = PATH) -> str:
    answer = await stage.mina().get(path)
    assert answer.status_code == 200
    return answer.text


class TestPage:
    async def test_guild_page_leads_to_every_module(self, stage: Stage) -> None:
        assert f'href="{PATH}"' in await shown(stage, f"/guilds/{GUILD}")
        page = await shown(stage)
        assert text_of(page).count("꺼짐") == 3
        assert "secret" not in page

    @pytest.mark.parametrize(
        ("state", "text"),
        [
            ({}, "켜짐"),
            ({"missing": None}, "켜짐"),
            ({"missing": ("send_messages",)}, "권한 부족"),
            ({"is_channel_gone": True}, "채널 없음"),
        ],
    )
    async def test_page_says_what_keeps_a_module_from_working(
        self, stage: Stage, state: dict[str, object], text: str
    ) -> None:
        one = ModuleState.model_validate(
            {"module": "log", "enabled": True, "channel_id": GENERAL, "revision": 3, **state}
        )
        stage.bot.modules[GUILD] = {"log": one}
        assert text in text_of(await shown(stage))

    async def test_missing_permission_is_named_beside_what_grants_it(self, stage: Stage) -> None:
        stage.bot.modules[GUILD] = {
            "log": ModuleState(module="log", enabled=True, channel_id=SECRET, revision=3, missing=("send_messages",))
        }
        in_channel = await shown(stage)
        assert "메시지 보내기" in text_of(in_channel)
        assert f'/channels/{GUILD}/{SECRET}"' in in_channel
        assert f'action="/guilds/{GUILD}/permissions"' not in in_channel
        stage.bot.details[GUILD] = stage.bot.details[GUILD].model_copy(update={"missing": ("send_messages",)})
        in_server = await shown(stage)
        assert f'action="/guilds/{GUILD}/permissions"' in in_server
        assert f'/channels/{GUILD}/{SECRET}"' not in in_server
        stage.bot.shards = ("connecting",)
        assert f'action="/guilds/{GUILD}/permissions"' not in await shown(stage)

    async def test_page_without_the_bot_says_so(self, stage: Stage) -> None:
        assert "봇이 이 서버에 없습니다" in text_of(await shown(stage, f"/guilds/{ABSENT}/modules"))
        stage.bot.silent = True
        page = await shown(stage)
        assert "<form" not in page.partition("<main")[2].partition("</main")[0]


class TestReview:
    async def test_form_shows_what_changes_before_it_is_saved(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        page = await browser.post(PATH, fields(confirmed=""))
        assert (page.status_code, stage.bot.modules, stage.directory.assertions) == (200, {}, [])
        shown = text_of(page.text)
        assert "상태 현재: 꺼짐 저장 후: 켜짐" in shown
        assert "채널 현재: 채널 없음 저장 후: #general" in shown
        for name, value in fields().items():
            assert f'name="{name}" value="{value}"' in page.text

    async def test_only_what_differs_is_shown(self, stage: Stage) -> None:
        stage.bot.modules[GUILD] = {"feed": ModuleState(module="feed", enabled=True, channel_id=GENERAL, revision=1)}
        browser = stage.mina()
        await browser.get(PATH)
        page = text_of((await browser.post(PATH, fields(act="off", revision="1", confirmed=""))).text)
        assert "상태 현재: 켜짐 저장 후: 꺼짐" in page
        assert "#general" not in page

    async def test_form_that_changes_nothing_saves_nothing(self, stage: Stage) -> None:
        stage.bot.modules[GUILD] = {"feed": ModuleState(module="feed", enabled=True, channel_id=GENERAL, revision=1)}
        browser = stage.mina()
        await browser.get(PATH)
        answer = await browser.post(PATH, fields(revision="1", confirmed=""))
        assert (answer.status_code, answer.headers["location"]) == (303, PATH)
        assert "저장할 내용이 없습니다" in text_of((await browser.get(PATH)).text)
        assert stage.bot.modules[GUILD]["feed"].revision == 1


class TestChange:
    async def test_module_is_switched_on_and_off(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        on = await browser.post(PATH, fields())
        assert (on.status_code, on.headers["location"]) == (303, PATH)
        assert "모듈을 켰습니다" in text_of((await browser.get(PATH)).text)
        off = await browser.post(PATH, fields(act="off", revision="1", attempt="b" * 24))
        assert off.status_code == 303
        state = stage.bot.modules[GUILD]["feed"]
        assert (state.enabled, state.channel_id, state.revision) == (False, GENERAL, 2)

    async def test_form_that_is_posted_twice_makes_one_change(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        assert [(await browser.post(PATH, fields())).status_code for _ in range(2)] == [303, 303]
        assert stage.bot.modules[GUILD]["feed"].revision == 1

    @pytest.mark.parametrize("confirmed", ["", "true"])
    async def test_other_change_is_shown_beside_the_one_that_was_not_saved(self, stage: Stage, confirmed: str) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        stage.bot.modules[GUILD] = {"feed": ModuleState(module="feed", enabled=True, channel_id=GENERAL, revision=1)}
        answer = await browser.post(PATH, fields(act="off", confirmed=confirmed))
        assert answer.status_code == 409
        assert "알림 기록 변경을 저장하지 않았습니다 설정하려던 값은" in text_of(answer.text)
        assert "상태 꺼짐 채널 #general" in text_of(answer.text)
        assert "다른 사람이 이 모듈을 변경했습니다" in text_of(answer.text)
        assert 'name="revision" value="1"' in answer.text
        assert f'value="{"a" * 24}"' not in answer.text

    @pytest.mark.parametrize("channel", [str(SECRET), "77", "", "general", "9" * 30])
    async def test_channel_that_cannot_take_it_is_refused(self, stage: Stage, channel: str) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        answer = await browser.post(PATH, fields(channel=channel))
        assert answer.status_code in {409, 422}
        assert 'id="e-channel-feed"' in answer.text
        assert 'id="e-channel-log"' not in answer.text
        assert stage.bot.modules == {}

    @pytest.mark.parametrize("wrong", [{"module": "music"}, {"act": "maybe"}, {"revision": "-1"}, {"attempt": "short"}])
    async def test_a_form_of_no_page_is_refused(self, stage: Stage, wrong: dict[str, str]) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        assert (await browser.post(PATH, fields(**wrong))).status_code == 422
        assert stage.bot.modules == {}

    async def test_silent_bot_is_an_alert(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        stage.bot.silent = True
        answer = await browser.post(PATH, fields(act="off"))
        assert answer.status_code == 503
        assert 'role="alert"' in answer.text
        assert "봇이 응답하지 않습니다. 잠시 후 다시 시도해 주세요." in answer.text
