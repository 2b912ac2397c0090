"""The forms about notifications."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from bongsu.contracts.text import require_single_line
from bongsu.identity.emails import normalise_email
from bongsu_dashboard.forms import Form


class SendForm(Form):
    """A mail, most likely to the user."""

    email: Annotated[str, StringConstraints(max_length=320), AfterValidator(normalise_email)]
    subject: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(require_single_line)
    ]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
    attempt: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    """Made with the page: a form that is posted twice sends one mail."""


class SelectedForm(Form):
    """What to do with the notifications that are selected in the list."""

    act: Literal["cancel", "retry"]
    id: Annotated[list[UUID], Field(default_factory=list, max_length=100)]
    confirmed: bool = False
