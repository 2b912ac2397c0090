import pytest

from bongsu.contracts.security import SECURITY_EVENTS, SECURITY_NOTICE
from bongsu_notify.templates.service import TemplateFault, render


@pytest.mark.parametrize("locale", ["ko", "en"])
@pytest.mark.parametrize("name", ["verify-email", "account-exists", "reset-password", "confirm-email"])
class TestRender:
    def test_every_template_exists_in_every_language(self, name: str, locale: str) -> None:
        made = render(name, locale, {"link": "https://bongsu.test/x"})
        assert made.subject
        assert "https://bongsu.test/x" in (made.text or "")
        assert f'lang="{locale}"' in (made.html or "")

    def test_render_escapes_markup_in_variables(self, name: str, locale: str) -> None:
        made = render(name, locale, {"link": '"><script>alert(1)</script>'})
        assert "<script>" not in (made.html or "")

    def test_render_names_the_missing_variable(self, name: str, locale: str) -> None:
        with pytest.raises(TemplateFault, match="link"):
            render(name, locale, {})


@pytest.mark.parametrize("locale", ["ko", "en"])
class TestSecurityNotice:
    @pytest.mark.parametrize("event", SECURITY_EVENTS)
    def test_every_event_has_a_text_of_its_own(self, event: str, locale: str) -> None:
        variables = {
            "event": event,
            "at": "2026-11-28 10:20 UTC",
            "address": "192.0.2.1",
            "subject": "Firefox & co",
            "link": "https://bongsu.test/account",
        }
        made, other = (render(SECURITY_NOTICE, locale, {**variables, "event": one}) for one in (event, "email.changed"))
        assert event == "email.changed" or made.subject != other.subject
        for part in (made.text or "", made.html or ""):
            assert made.subject in part
            assert all(value in part for value in ("2026-11-28 10:20 UTC", "192.0.2.1", "https://bongsu.test/account"))
        assert f'lang="{locale}"' in (made.html or "")
        assert "Firefox & co" not in (made.html or "")

    def test_unknown_address_is_left_out(self, locale: str) -> None:
        variables = {"event": "mfa.disabled", "at": "now", "address": "", "subject": "", "link": "x"}
        assert "IP" not in (render(SECURITY_NOTICE, locale, variables).text or "")

    def test_unknown_event_is_a_fault(self, locale: str) -> None:
        variables = {"event": "x", "at": "now", "address": "", "subject": "", "link": "x"}
        with pytest.raises(TemplateFault):
            render(SECURITY_NOTICE, locale, variables)
