import json

import pytest

from bongsu.contracts.jobs import variables_context
from bongsu.identity.vault import Vault
from bongsu.mixins import uuid7
from bongsu_notify.channels.channel import Content
from bongsu_notify.channels.email.channel import EmailChannel, EmailMessage
from bongsu_notify.channels.port import Refused
from bongsu_notify.notifications.models import Notification
from bongsu_notify.settings import NotifySettings
from services.notify.tests.rows import email_row

SENDER = "봉수 <no-reply@bongsu.test>"


def _notification(**values: object) -> Notification:
    given: dict[str, object] = {
        "id": uuid7(),
        "locale": "ko",
        "attempt": 1,
    }
    return email_row(**(given | values))


def _seal(vault: Vault, one: Notification, variables: object) -> str:
    return vault.seal(json.dumps(variables), aad=variables_context(one.id))


def _render(vault: Vault, one: Notification) -> EmailMessage | Refused:
    settings = NotifySettings(NOTIFY_FROM=SENDER)
    return EmailChannel(settings).render(one, Content(one.content or {}, one.sealed_variables), vault)


class TestRender:
    def test_render_keeps_given_content_verbatim(self, vault: Vault) -> None:
        one = _notification(subject="제목 🔥", content={"text": "{{ not a template }}", "html": "<p>a</p>"})
        out = _render(vault, one)
        assert isinstance(out, EmailMessage)
        assert (out.subject, out.text, out.html) == ("제목 🔥", "{{ not a template }}", "<p>a</p>")
        assert out.sender == SENDER

    def test_render_keeps_the_sender_of_the_notification(self, vault: Vault) -> None:
        out = _render(vault, _notification(subject="x", sender="a@b.test"))
        assert isinstance(out, EmailMessage)
        assert out.sender == "a@b.test"

    @pytest.mark.parametrize(
        ("priority", "guarantee", "is_alone"),
        [
            ("high", "at-least-once", True),
            ("normal", "at-least-once", False),
            ("bulk", "at-least-once", False),
            ("bulk", "at-most-once", True),
        ],
    )
    def test_render_keeps_high_priority_and_at_most_once_out_of_shared_calls(
        self, vault: Vault, priority: str, guarantee: str, is_alone: bool
    ) -> None:
        out = _render(vault, _notification(subject="x", priority=priority, guarantee=guarantee))
        assert isinstance(out, EmailMessage)
        assert out.is_alone is is_alone

    @pytest.mark.parametrize(("locale", "words"), [("ko", "인증"), ("en", "Verify")])
    def test_render_fills_the_template_with_sealed_variables(self, vault: Vault, locale: str, words: str) -> None:
        one = _notification(template="verify-email", locale=locale)
        one.sealed_variables = _seal(vault, one, {"link": "http://x/verify?token=a&b=c"})
        out = _render(vault, one)
        assert isinstance(out, EmailMessage)
        assert words in out.subject
        assert "http://x/verify?token=a&b=c" in (out.text or "")
        assert 'href="http://x/verify?token=a&amp;b=c"' in (out.html or "")

    def test_render_refuses_when_the_variables_belong_to_another_notification(self, vault: Vault) -> None:
        other, one = _notification(), _notification(template="verify-email")
        one.sealed_variables = _seal(vault, other, {"link": "x"})
        out = _render(vault, one)
        assert isinstance(out, Refused)
        assert out.code == "variables_unreadable"

    @pytest.mark.parametrize(
        ("template", "variables", "fault"),
        [("verify-email", {}, "link"), ("no-such", {"link": "x"}, "no-such"), ("verify-email", ["x"], "not an object")],
    )
    def test_render_refuses_and_names_the_fault_of_a_template(
        self, vault: Vault, template: str, variables: object, fault: str
    ) -> None:
        one = _notification(template=template)
        one.sealed_variables = _seal(vault, one, variables)
        out = _render(vault, one)
        assert isinstance(out, Refused)
        assert out.code == "template_fault"
        assert fault in out.detail
