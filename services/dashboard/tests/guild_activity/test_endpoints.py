import pytest

from bongsu.contracts.rpc import CommandUse, GuildChange, GuildHistory
from services.dashboard.tests.fake_notifications import a_notification
from services.dashboard.tests.fakes import MINA, FakeBot, FakeDirectory, a_detail, a_guild, a_summary, now
from services.dashboard.tests.stage import Stage, text_of

GUILD, ABSENT = 8 << 22, 9 << 22
CHANNEL = GUILD + 1


@pytest.fixture
def stage() -> Stage:
    """Mina manages two guilds, and the bot is in one, which has a channel."""
    managed = [a_guild(GUILD, "봉수대 개발팀"), a_guild(ABSENT, "Indie Makers")]
    bot = FakeBot(known={GUILD: a_summary(GUILD)}, details={GUILD: a_detail(GUILD)})
    return Stage(directory=FakeDirectory(managed_by={MINA: managed}), bot=bot)


async def activity(stage: Stage, guild_id: int = GUILD, *, htmx: bool = False) -> str:
    answer = await stage.mina().get(f"/guilds/{guild_id}/activity", htmx=htmx)
    assert answer.status_code == 200
    return text_of(answer.text)


class TestActivity:
    async def test_guild_page_loads_the_activity_after_it_is_shown(self, stage: Stage) -> None:
        page = (await stage.mina().get(f"/guilds/{GUILD}")).text
        assert f'hx-get="/guilds/{GUILD}/activity" hx-trigger="load"' in page
        assert f'<noscript><a class="btn" data-variant="outline" href="/guilds/{GUILD}/activity">' in page

    async def test_fragment_has_no_page_around_it(self, stage: Stage) -> None:
        answer = await stage.mina().get(f"/guilds/{GUILD}/activity", htmx=True)
        assert "<html" not in answer.text
        assert 'id="activity"' in answer.text

    async def test_notifications_to_the_channels_of_the_guild_are_listed(self, stage: Stage) -> None:
        here, elsewhere = ({"channel_id": str(CHANNEL)}, {"channel_id": str(CHANNEL + 1)})
        stage.notifications.items = [
            a_notification("배포 완료", channel="discord", to=here),
            a_notification("다른 서버", channel="discord", to=elsewhere),
            a_notification("메일"),
        ]
        text = await activity(stage)
        assert "배포 완료 #general" in text
        assert "다른 서버" not in text
        assert "메일" not in text

    async def test_changes_and_commands_are_listed(self, stage: Stage) -> None:
        stage.bot.histories[GUILD] = GuildHistory(
            changes=(
                GuildChange(at=now(), kind="removed", actor="<b>이하늘"),
                GuildChange(at=now(), kind="of_a_later_version"),
                GuildChange(at=now(), kind="module_on", detail="feed"),
                GuildChange(at=now(), kind="module_off", detail="of_a_later_bot"),
            ),
            commands=(CommandUse(at=now(), command="users block", outcome="refused"),),
        )
        text = await activity(stage)
        assert "/ users block 거부됨" in text.replace("/users", "/ users")
        assert "봇 내보냄 방금 <b>이하늘" in text
        assert "of_a_later_version" in text
        assert "모듈 켬 방금 알림 기록" in text
        assert "모듈 끔 방금 of_a_later_bot" in text

    async def test_empty_parts_say_what_will_be_there(self, stage: Stage) -> None:
        text = await activity(stage)
        assert "이 서버로 보낸 알림이 없습니다" in text
        assert "사용한 명령어가 없습니다" in text
        assert "아직 기록이 없습니다" in text

    async def test_history_is_shown_when_the_bot_is_not_in_the_guild(self, stage: Stage) -> None:
        stage.bot.histories[ABSENT] = GuildHistory(changes=(GuildChange(at=now(), kind="left"),))
        text = await activity(stage, ABSENT)
        assert "봇이 서버에서 나감" in text
        assert "이 서버로 보낸 알림이 없습니다" in text

    async def test_notifications_are_shown_when_the_bot_does_not_know_the_history(self, stage: Stage) -> None:
        stage.bot.silent = True
        assert "지금은 불러올 수 없습니다" in await activity(stage)

    async def test_history_is_shown_when_notify_is_down(self, stage: Stage) -> None:
        stage.notifications.down = True
        text = await activity(stage)
        assert text.count("지금은 불러올 수 없습니다") == 1
        assert "사용한 명령어가 없습니다" in text
