"""The forms about guilds."""

from typing import Annotated

from pydantic import StringConstraints

from bongsu_dashboard.forms import Attempt, Form


class RemoveForm(Form):
    """The typed confirmation of a removal."""

    name: Annotated[str, StringConstraints(max_length=200)]
    attempt: Attempt
