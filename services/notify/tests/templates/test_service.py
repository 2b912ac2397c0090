import pytest

from bongsu_notify.templates.service import TemplateFault, render


@pytest.mark.parametrize("locale", ["ko", "en"])
@pytest.mark.parametrize("name", ["verify-email", "account-exists"])
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
