import re
from datetime import timedelta

import pytest

from bongsu.identity.scopes import Role
from services.dashboard.tests.fake_notifications import a_notification
from services.dashboard.tests.fakes import MINA, a_guild, a_summary, a_user, now
from services.dashboard.tests.stage import Stage, text_of


class TestHome:
    async def test_new_user_sees_the_first_steps(self, stage: Stage) -> None:
        stage.directory.linked = False
        text = text_of((await stage.mina().get("/")).text)
        assert "시작하기" in text
        assert "Discord 연결하기" in text
        assert "서버에 봇 추가하기 (완료)" not in text

    async def test_guide_is_hidden_when_every_step_is_done(self, stage: Stage) -> None:
        stage.directory.managed_by[MINA] = [a_guild(5, "x")]
        stage.bot.known[5] = a_summary(5)
        stage.notifications.items = [a_notification()]
        assert "시작하기" not in text_of((await stage.mina().get("/")).text)

    async def test_scheduled_notifications_do_not_count_as_waiting(self, stage: Stage) -> None:
        stage.notifications.items = [a_notification("내일", "accepted", minutes=11, send_at=now() + timedelta(days=1))]
        text = text_of((await stage.mina().get("/")).text)
        assert "대기 중 0 예약 1건" in text

    async def test_figures_are_compared_with_the_day_before_and_lead_to_their_list(self, stage: Stage) -> None:
        stage.notifications.items = [
            a_notification(minutes=30),
            a_notification(minutes=90),
            a_notification(minutes=91, status="bounced"),
            a_notification(status="queued"),
            *[a_notification(minutes=60 * 30) for _ in range(5)],
        ]
        page = (await stage.mina().get("/")).text
        text = text_of(page)
        assert "전송 · 지난 24시간 2 전날보다 3건 적음" in text
        assert "전송 성공률 66.7% 실패 1건 · 전날보다 1건 많음" in text
        for query in ("status=done&amp;period=24h", "status=undelivered&amp;period=24h", "status=waiting"):
            assert f'href="/notifications?{query}"' in page
        points = re.findall(r"[\d.]+ [\d.]+", re.findall(r'<path d="M(100|[\dL .]+)"', page)[-1])
        assert (len(points), points[-2:]) == (24, ["95.7 2.0", "100.0 2.0"])

    @pytest.mark.parametrize(("role", "words"), [(Role.USER, "한눈에 확인하세요"), (Role.STAFF, "모든 사용자의 알림")])
    async def test_page_names_the_scope_of_its_figures(self, stage: Stage, role: Role, words: str) -> None:
        stage.accounts.users[MINA] = a_user(role=role)
        assert words in text_of((await stage.mina().get("/")).text)

    async def test_page_does_not_say_that_the_bot_is_missing_when_it_does_not_answer(self, stage: Stage) -> None:
        stage.directory.managed_by[MINA] = [a_guild(8 << 22, "봉수대 개발팀")]
        stage.notifications.items = [a_notification()]
        assert "서버에 봇 추가하기" in text_of((await stage.mina().get("/")).text)
        stage.bot.silent = True
        assert "서버에 봇 추가하기" not in text_of((await stage.mina().get("/")).text)

    async def test_every_part_may_be_down(self, stage: Stage) -> None:
        stage.directory.down = stage.notifications.down = stage.bot.silent = True
        answer = await stage.mina().get("/")
        text = text_of(answer.text)
        assert answer.status_code == 200
        assert "알림 서비스가 응답하지 않습니다" in text
        assert "서버 목록을 불러오지 못했습니다" in text
        assert "봇이 응답하지 않습니다" in text
