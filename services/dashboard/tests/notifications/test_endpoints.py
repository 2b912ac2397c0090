from datetime import timedelta
from uuid import uuid4

import pytest

from bongsu.contracts.notifications import Failure, Status
from services.dashboard.tests.fake_notifications import a_notification
from services.dashboard.tests.fakes import MINA, now
from services.dashboard.tests.notifications.attempts import attempt_of
from services.dashboard.tests.stage import Stage, text_of


class TestDetail:
    async def test_detail_shows_the_history_and_the_error(self, stage: Stage) -> None:
        item = a_notification(status="failed", error=Failure(code="mailbox_full", detail="552"))
        stage.notifications.items = [item]
        text = text_of((await stage.mina().get(f"/notifications/{item.id}")).text)
        assert "접수됨" in text
        assert "mailbox_full · 552" in text

    async def test_page_polls_while_the_status_moves(self, stage: Stage) -> None:
        moving, ended = a_notification(status="queued"), a_notification(status="delivered")
        stage.notifications.items = [moving, ended]
        browser = stage.mina()
        assert "data-poll" in (await browser.get(f"/notifications/{moving.id}")).text
        assert "data-poll" not in (await browser.get(f"/notifications/{ended.id}", htmx=True)).text

    async def test_page_of_a_scheduled_notification_does_not_poll(self, stage: Stage) -> None:
        item = a_notification(status="accepted", send_at=now() + timedelta(hours=20))
        stage.notifications.items = [item]
        page = await stage.mina().get(f"/notifications/{item.id}")
        assert "data-poll" not in page.text
        assert 'http-equiv="refresh"' not in page.text
        assert "예약됨" in text_of(page.text)

    async def test_poll_is_answered_with_204_until_something_changes(self, stage: Stage) -> None:
        item = a_notification(status="queued")
        stage.notifications.items = [item]
        browser = stage.mina()
        path = f"/notifications/{item.id}?seen={item.version}"
        assert (await browser.get(path, htmx=True)).status_code == 204
        stage.notifications.items = [item.model_copy(update={"status": "sending"})]
        assert (await browser.get(path, htmx=True)).status_code == 200

    async def test_anothers_is_not_there(self, stage: Stage) -> None:
        assert (await stage.mina().get(f"/notifications/{uuid4()}")).status_code == 404

    @pytest.mark.parametrize(
        ("status", "act", "after"), [("queued", "cancel", "cancelled"), ("failed", "retry", "queued")]
    )
    async def test_detail_offers_the_action_for_the_status(
        self, stage: Stage, status: Status, act: str, after: str
    ) -> None:
        item = a_notification(status=status)
        stage.notifications.items = [item]
        browser = stage.mina()
        assert f"/notifications/{item.id}/{act}" in (await browser.get(f"/notifications/{item.id}")).text
        answer = await browser.post(f"/notifications/{item.id}/{act}")
        assert (answer.status_code, stage.notifications.items[0].status) == (303, after)

    @pytest.mark.parametrize(("act", "words"), [("cancel", "취소할 수 없습니다"), ("retry", "다시 보낼 수 없")])
    async def test_page_shows_an_error_when_the_action_is_too_late(self, stage: Stage, act: str, words: str) -> None:
        item = a_notification(status="delivered")
        stage.notifications.items = [item]
        browser = stage.mina()
        await browser.get(f"/notifications/{item.id}")
        await browser.post(f"/notifications/{item.id}/{act}")
        assert words in text_of((await browser.get(f"/notifications/{item.id}")).text)


class TestSending:
    async def test_a_test_goes_out_and_is_followed(self, stage: Stage) -> None:
        browser = stage.mina()
        page = (await browser.get("/notifications/new")).text
        attempt = attempt_of(page)
        assert 'value="mina@example.com"' in page
        fields: dict[str, str | list[str]] = {
            "email": "mina@example.com",
            "subject": "안녕, 쉼표",
            "text": "첫 줄\r\n둘째 줄",
            "attempt": attempt,
        }
        answers = [await browser.post("/notifications", fields) for _ in range(2)]
        made = stage.notifications.items[0]
        assert [answer.headers["location"] for answer in answers] == [f"/notifications/{made.id}"] * 2
        assert stage.notifications.sent == [("mina@example.com", "안녕, 쉼표", "첫 줄\r\n둘째 줄")]

    async def test_subject_with_joined_emoji_is_sent(self, stage: Stage) -> None:
        browser = stage.mina()
        attempt = attempt_of((await browser.get("/notifications/new")).text)
        subject = "가족 모임 👩‍👩‍👧"
        fields: dict[str, str | list[str]] = {"email": "a@b.example", "subject": subject, "text": "t"}
        answer = await browser.post("/notifications", fields | {"attempt": attempt})
        assert (answer.status_code, stage.notifications.sent) == (303, [("a@b.example", subject, "t")])

    async def test_form_shows_the_error_at_its_field_and_keeps_the_rest(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/notifications/new")
        fields: dict[str, str | list[str]] = {"email": "x", "subject": "제목", "text": "", "attempt": "a" * 24}
        answer = await browser.post("/notifications", fields, htmx=True)
        assert answer.status_code == 422
        assert 'id="e-email"' in answer.text
        assert 'id="e-text"' in answer.text
        assert 'value="제목"' in answer.text
        assert stage.notifications.sent == []

    async def test_notification_is_refused_with_an_explanation_in_trial_mode(self, stage: Stage) -> None:
        stage.notifications.on_trial = True
        browser = stage.mina()
        await browser.get("/notifications/new")
        fields: dict[str, str | list[str]] = {"email": "a@b.example", "subject": "s", "text": "t", "attempt": "a" * 24}
        answer = await browser.post("/notifications", fields)
        assert answer.status_code == 403
        assert "체험 계정" in text_of(answer.text)

    async def test_a_form_that_changed_after_it_was_sent_can_be_sent_as_another(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/notifications/new")
        fields: dict[str, str | list[str]] = {"email": "a@b.example", "subject": "s", "text": "t", "attempt": "a" * 24}
        await browser.post("/notifications", fields)
        answer = await browser.post("/notifications", {**fields, "subject": "other"})
        assert answer.status_code == 409
        assert attempt_of(answer.text) != "a" * 24

    async def test_sending_needs_a_session(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/notifications/new")
        stage.accounts.users.pop(MINA)
        fields: dict[str, str | list[str]] = {"email": "a@b.example", "subject": "s", "text": "t", "attempt": "a" * 24}
        assert (await browser.post("/notifications", fields)).headers["location"].startswith("/auth/session/renew")
