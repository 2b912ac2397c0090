"""The forms about guilds."""

from typing import Annotated

from pydantic import StringConstraints

from bongsu_dashboard.forms import Form


class RemoveForm(Form):
    """The typed confirmation of a removal."""

    name: Annotated[str, StringConstraints(max_length=200)]
    attempt: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    """Made with the page, so that a form that is sent twice removes the bot once."""
