"""The forms of the theme and language switches."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ThemeForm(BaseModel):
    """A theme."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    theme: Literal["system", "light", "dark"]


class LanguageForm(BaseModel):
    """A language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Literal["ko", "en"]
