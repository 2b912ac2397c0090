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


def _sealed(vault: Vault, one: Notification, variables: object) -> str:
    return vault.seal(json.dumps(variables), aad=variables_context(one.id))


def _rendered(vault: Vault, one: Notification) -> EmailMessage | Refused:
    settings = NotifySettings(NOTIFY_FROM=SENDER)
    return EmailChannel(settings).render(one, Content(one.content or {}, one.sealed_variables), vault)


class TestRender:
    def test_given_content_goes_out_as_it_is(self, vault: Vault) -> None:
        one = _notification(subject="제목 🔥", content={"text": "{{ not a template }}", "html": "<p>a</p>"})
        out = _rendered(vault, one)
        assert isinstance(out, EmailMessage)
        assert (out.subject, out.text, out.html) == ("제목 🔥", "{{ not a template }}", "<p>a</p>")
        assert out.sender == SENDER

    def test_a_sender_of_its_own_is_kept(self, vault: Vault) -> None:
        out = _rendered(vault, _notification(subject="x", sender="a@b.test"))
        assert isinstance(out, EmailMessage)
        assert out.sender == "a@b.test"

    @pytest.mark.parametrize(("priority", "urgent"), [("high", True), ("normal", False), ("bulk", False)])
    def test_what_has_high_priority_is_urgent(self, vault: Vault, priority: str, urgent: bool) -> None:
        out = _rendered(vault, _notification(subject="x", priority=priority))
        assert isinstance(out, EmailMessage)
        assert out.urgent is urgent

    @pytest.mark.parametrize(("locale", "words"), [("ko", "확인"), ("en", "Confirm")])
    def test_sealed_variables_are_opened_into_the_template(self, vault: Vault, locale: str, words: str) -> None:
        one = _notification(template="verify-email", locale=locale)
        one.sealed_variables = _sealed(vault, one, {"link": "http://x/verify?token=a&b=c"})
        out = _rendered(vault, one)
        assert isinstance(out, EmailMessage)
        assert words in out.subject
        assert "http://x/verify?token=a&b=c" in (out.text or "")
        assert 'href="http://x/verify?token=a&amp;b=c"' in (out.html or "")

    def test_variables_of_another_notification_do_not_open(self, vault: Vault) -> None:
        other, one = _notification(), _notification(template="verify-email")
        one.sealed_variables = _sealed(vault, other, {"link": "x"})
        out = _rendered(vault, one)
        assert isinstance(out, Refused)
        assert out.code == "variables_unreadable"

    @pytest.mark.parametrize(
        ("template", "variables", "told"),
        [("verify-email", {}, "link"), ("no-such", {"link": "x"}, "no-such"), ("verify-email", ["x"], "not an object")],
    )
    def test_what_cannot_be_rendered_is_refused_by_name(
        self, vault: Vault, template: str, variables: object, told: str
    ) -> None:
        one = _notification(template=template)
        one.sealed_variables = _sealed(vault, one, variables)
        out = _rendered(vault, one)
        assert isinstance(out, Refused)
        assert out.code == "template_fault"
        assert told in out.detail
