"""The forms that change an account."""

from typing import Annotated

from pydantic import Field, StringConstraints

from bongsu_dashboard.accounts.user import Locale
from bongsu_dashboard.forms import Form


class LinkForm(Form):
    """A request to link a provider's account."""

    next: str = "/guilds"


class ProfileForm(Form):
    """The profile. An empty name removes the name."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    locale: Locale = Field(default="ko")
