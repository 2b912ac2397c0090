from datetime import timedelta

from services.dashboard.tests.fake_notifications import a_notification
from services.dashboard.tests.fakes import MINA, a_guild, a_summary, now
from services.dashboard.tests.stage import Stage, text_of


class TestHome:
    async def test_new_user_sees_the_first_steps(self, stage: Stage) -> None:
        stage.directory.linked = False
        text = text_of((await stage.mina().get("/")).text)
        assert "시작하기" in text
        assert "Discord 연결하기" in text

    async def test_guide_is_hidden_when_every_step_is_done(self, stage: Stage) -> None:
        stage.directory.managed_by[MINA] = [a_guild(5, "x")]
        stage.bot.known[5] = a_summary(5)
        stage.notifications.items = [a_notification()]
        assert "시작하기" not in text_of((await stage.mina().get("/")).text)

    async def test_scheduled_notifications_do_not_count_as_waiting(self, stage: Stage) -> None:
        stage.notifications.items = [a_notification("내일", "accepted", minutes=11, send_at=now() + timedelta(days=1))]
        text = text_of((await stage.mina().get("/")).text)
        assert "대기 중 0 예약 1건" in text

    async def test_every_part_may_be_down(self, stage: Stage) -> None:
        stage.directory.down = stage.notifications.down = stage.bot.silent = True
        answer = await stage.mina().get("/")
        text = text_of(answer.text)
        assert answer.status_code == 200
        assert "알림 서비스가 응답하지 않습니다" in text
        assert "서버 목록을 불러오지 못했습니다" in text
        assert "봇이 응답하지 않습니다" in text
