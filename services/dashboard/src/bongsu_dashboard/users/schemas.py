"""The form that changes an account."""

from typing import Literal

from bongsu.identity.scopes import Role
from bongsu_dashboard.forms import Form


class AccountForm(Form):
    """One change: the button or field that was used."""

    status: Literal["active", "blocked"] | None = None
    role: Role | None = None
    sending: Literal["trial", "live"] | None = None
