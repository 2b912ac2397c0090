from datetime import timedelta
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from bongsu.contracts.notifications import DiscordRecipient, Failure, Status, TopicRecipient, UserRecipient
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


class TestUndo:
    async def test_cancellation_is_undone_on_the_page_that_follows_it(self, stage: Stage) -> None:
        item = a_notification(status="accepted", send_at=now() + timedelta(hours=20))
        stage.notifications.items = [item]
        browser, page = stage.mina(), f"/notifications/{item.id}"
        assert "취소를 되돌릴 수 있습니다" in text_of((await browser.get(f"{page}/cancel")).text)
        assert (await browser.post(f"{page}/cancel")).headers["location"] == page
        cancelled = await browser.get(page)
        assert ("알림을 취소했습니다" in cancelled.text, "취소 되돌리기" in text_of(cancelled.text)) == (True, True)
        assert f'action="{page}/restore"' in cancelled.text
        answers = [await browser.post(f"{page}/restore") for _ in range(2)]
        assert [(one.status_code, one.headers["location"]) for one in answers] == [(303, page)] * 2
        restored = text_of((await browser.get(page)).text)
        assert ("취소를 되돌렸습니다" in restored, "예약됨" in restored) == (True, True)
        assert "되돌릴 수 없습니다" not in restored

    async def test_button_says_that_a_due_notification_is_sent_immediately(self, stage: Stage) -> None:
        item = a_notification(status="cancelled", send_at=now() - timedelta(hours=1))
        stage.notifications.items = [item]
        assert "취소를 되돌리고 바로 보내기" in (await stage.mina().get(f"/notifications/{item.id}")).text

    @pytest.mark.parametrize(
        "values",
        [
            {"template": "welcome"},
            {"guarantee": "at-most-once", "error": Failure(code="outcome_unknown", detail=None)},
        ],
    )
    async def test_cancellation_that_cannot_be_undone_says_so_before(
        self, stage: Stage, values: dict[str, Any]
    ) -> None:
        waiting, cancelled = a_notification(status="retry_wait", **values), a_notification(status="cancelled", **values)
        stage.notifications.items = [waiting, cancelled]
        browser = stage.mina()
        confirmation = text_of((await browser.get(f"/notifications/{waiting.id}/cancel")).text)
        assert "이 알림의 취소는 되돌릴 수 없습니다" in confirmation
        assert "/restore" not in (await browser.get(f"/notifications/{cancelled.id}")).text
        await browser.post(f"/notifications/{cancelled.id}/restore")
        assert "되돌릴 수 없습니다" in text_of((await browser.get(f"/notifications/{cancelled.id}")).text)
        assert stage.notifications.items[1].status == "cancelled"


class TestStory:
    async def test_earlier_attempts_are_folded_and_steps_show_how_long_they_took(self, stage: Stage) -> None:
        item = a_notification(status="failed", error=Failure(code="provider_error", detail="500"))
        stage.notifications.items = [item]
        page = (await stage.mina().get(f"/notifications/{item.id}")).text
        text = text_of(page)
        assert page.count("<details><summary>") == 1
        assert "1번째 시도 재시도 대기 · 2초" in text
        assert "실패 +2초" in text

    @pytest.mark.parametrize(
        ("status", "code", "words"),
        [
            ("failed", "provider_refused", "발송 서비스가 이 메일을 거부했습니다 주소나 내용을 수정해서"),
            ("failed", "something_new", "전달하지 못했습니다 아래 코드를 확인해 주세요"),
            ("bounced", "mailbox_full", "받는 쪽 메일 서버가 메일을 돌려보냈습니다 주소가 맞는지"),
            ("expired", None, "만료 시각까지 보내지 못했습니다"),
        ],
    )
    async def test_page_explains_the_cause_and_the_remedy(
        self, stage: Stage, status: Status, code: str | None, words: str
    ) -> None:
        item = a_notification(status=status, error=Failure(code=code, detail="d") if code else None)
        stage.notifications.items = [item]
        text = text_of((await stage.mina().get(f"/notifications/{item.id}")).text)
        assert words in text
        assert code is None or f"{code} · d" in text

    async def test_mail_is_shown_in_a_frame_that_can_run_and_load_nothing(self, stage: Stage) -> None:
        item = a_notification()
        stage.notifications.items = [item]
        stage.notifications.html = "<script>alert(1)</script><img src='https://evil.example/x'>"
        browser = stage.mina()
        page = (await browser.get(f"/notifications/{item.id}")).text
        assert f'src="/notifications/{item.id}/mail" sandbox ' in page
        assert "alert(1)" not in page
        mail = await browser.get(f"/notifications/{item.id}/mail")
        assert mail.text == stage.notifications.html
        [policy] = mail.headers.get_list("content-security-policy")
        assert policy.startswith("sandbox; default-src 'none';")
        assert (mail.headers["x-frame-options"], mail.headers["x-content-type-options"]) == ("SAMEORIGIN", "nosniff")
        assert (await browser.get(f"/notifications/{uuid4()}/mail")).status_code == 404

    async def test_text_is_shown_without_a_frame_and_a_template_not_at_all(self, stage: Stage) -> None:
        stage.notifications.html = ""
        plain, template = a_notification(), a_notification(template="welcome", subject=None)
        stage.notifications.items = [plain, template]
        browser = stage.mina()
        page = (await browser.get(f"/notifications/{plain.id}")).text
        assert ("<iframe" in page, "내일 뵙겠습니다." in page) == (False, True)
        page = (await browser.get(f"/notifications/{template.id}")).text
        assert ("<iframe" in page, "템플릿 알림의 내용은 표시하지 않습니다" in page) == (False, True)
        assert "/notifications/new?from=" not in page

    async def test_mail_is_sent_again_with_changes(self, stage: Stage) -> None:
        item = a_notification("옛 제목", email="kim@example.com")
        stage.notifications.items = [item]
        browser = stage.mina()
        assert f"/notifications/new?from={item.id}" in (await browser.get(f"/notifications/{item.id}")).text
        form = (await browser.get(f"/notifications/new?from={item.id}")).text
        assert 'value="kim@example.com"' in form
        assert 'value="옛 제목"' in form
        fields: dict[str, str | list[str]] = {
            "email": "kim@example.com",
            "subject": "새 제목",
            "text": "",
            "html": "<p>새 내용</p>",
            "attempt": attempt_of(form),
        }
        assert (await browser.post("/notifications", fields)).status_code == 303
        assert stage.notifications.contents == [{"subject": "새 제목", "html": "<p>새 내용</p>"}]
        refused = await browser.post("/notifications", {**fields, "html": ""})
        assert (refused.status_code, 'id="e-text"' in refused.text) == (422, True)

    @pytest.mark.parametrize(
        ("channel", "to", "wanted"),
        [
            ("discord", TopicRecipient(topic="releases"), ['value="topic" selected', 'value="releases"']),
            ("discord", UserRecipient(user_id=uuid4()), ['value="me" selected']),
            ("kakao", UserRecipient(user_id=uuid4()), []),
        ],
    )
    async def test_message_is_sent_again_with_changes(
        self, stage: Stage, channel: str, to: TopicRecipient | UserRecipient, wanted: list[str]
    ) -> None:
        item = a_notification(None, channel=channel, to=to)
        stage.notifications.items = [item]
        browser = stage.mina()
        address = f"/notifications/new?from={item.id}"
        assert address in (await browser.get(f"/notifications/{item.id}")).text
        form = (await browser.get(address)).text
        assert f'data-open="{channel}"' in form
        assert form.count("봉수가 올랐습니다.\n내일 뵙겠습니다.") == 1
        assert [text for text in wanted if text not in form] == []

    async def test_message_to_a_channel_is_sent_again_by_its_server(self, stage: Stage) -> None:
        item = a_notification(None, channel="discord", to=DiscordRecipient(channel_id="5"))
        stage.notifications.items = [item]
        assert "?from=" not in (await stage.mina().get(f"/notifications/{item.id}")).text

    async def test_form_is_not_filled_from_anothers_notification(self, stage: Stage) -> None:
        assert (await stage.mina().get(f"/notifications/new?from={uuid4()}")).status_code == 404


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


class TestDiscordMessage:
    FIELDS: ClassVar[dict[str, str | list[str]]] = {
        "to": "me",
        "topic": "",
        "text": "봉수가 올랐습니다",
        "attempt": "a" * 24,
    }

    @pytest.mark.parametrize("to", ["me", "topic"])
    async def test_message_goes_to_the_user_or_to_a_topic_once(self, to: str) -> None:
        stage = Stage()
        browser = stage.mina()
        page = await browser.get("/notifications/new?channel=discord")
        assert 'action="/notifications/discord"' in page.text
        fields = self.FIELDS | {"to": to, "topic": "outages" if to == "topic" else ""}
        answers = [await browser.post("/notifications/discord", fields) for _ in range(2)]
        address = f"/notifications/{stage.notifications.items[0].id}"
        assert [(one.status_code, one.headers["location"]) for one in answers] == [(303, address)] * 2
        recipient = "outages" if to == "topic" else str(stage.accounts.users[MINA].id)
        assert stage.notifications.messages == [(recipient, "봉수가 올랐습니다")]

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [({"to": "topic"}, "topic"), ({"text": " "}, "message-text"), ({"to": "everyone"}, "to")],
    )
    async def test_bad_form_names_its_field_and_keeps_the_rest(self, wrong: dict[str, str], field: str) -> None:
        stage = Stage()
        browser = stage.mina()
        await browser.get("/notifications/new?channel=discord")
        answer = await browser.post("/notifications/discord", {**self.FIELDS, "topic": "", **wrong})
        assert answer.status_code == 422
        assert f'id="e-{field}"' in answer.text
        assert stage.notifications.messages == []

    async def test_recipient_that_is_not_allowed_is_an_error_of_its_field(self) -> None:
        stage = Stage()
        stage.notifications.foreign_channels = {str(stage.accounts.users[MINA].id)}
        browser = stage.mina()
        await browser.get("/notifications/new?channel=discord")
        answer = await browser.post("/notifications/discord", self.FIELDS)
        assert answer.status_code == 403
        assert 'id="e-to"' in answer.text
        assert "봉수가 올랐습니다" in answer.text


class TestKakaoMessage:
    FIELDS: ClassVar[dict[str, str | list[str]]] = {
        "text": "봉수가 올랐습니다",
        "link": "https://example.com/a",
        "attempt": "a" * 24,
    }

    async def test_message_goes_to_the_user_once(self) -> None:
        stage = Stage()
        browser = stage.mina()
        page = await browser.get("/notifications/new?channel=kakao")
        assert 'action="/notifications/kakao"' in page.text
        assert 'data-open="kakao"' in page.text
        answers = [await browser.post("/notifications/kakao", self.FIELDS) for _ in range(2)]
        address = f"/notifications/{stage.notifications.items[0].id}"
        assert [(one.status_code, one.headers["location"]) for one in answers] == [(303, address)] * 2
        assert stage.notifications.items[0].recipient == str(stage.accounts.users[MINA].id)
        assert stage.notifications.contents == [{"text": "봉수가 올랐습니다", "link": "https://example.com/a"}]

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [({"text": " "}, "talk-text"), ({"text": "가" * 201}, "talk-text"), ({"link": "javascript:x"}, "talk-link")],
        ids=["blank", "long", "script"],
    )
    async def test_bad_form_names_its_field_and_keeps_the_rest(self, wrong: dict[str, str], field: str) -> None:
        stage = Stage()
        browser = stage.mina()
        await browser.get("/notifications/new?channel=kakao")
        answer = await browser.post("/notifications/kakao", {**self.FIELDS, **wrong})
        assert answer.status_code == 422
        assert f'id="e-{field}"' in answer.text
        assert 'data-open="kakao"' in answer.text
        assert stage.notifications.contents == []
