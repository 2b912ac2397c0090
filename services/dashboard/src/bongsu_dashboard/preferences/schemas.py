"""The forms of the theme and language switches."""

from typing import Literal

from bongsu_dashboard.forms import Form


class ThemeForm(Form):
    theme: Literal["system", "light", "dark"]


class LanguageForm(Form):
    language: Literal["ko", "en"]
