"""The form of the commands of a server."""

from typing import Annotated

from pydantic import Field, StringConstraints

from bongsu_dashboard.forms import Attempt, Form


class CommandsForm(Form):
    """The commands that are on; every other one is off."""

    on: Annotated[list[Annotated[str, StringConstraints(max_length=65)]], Field(default_factory=list, max_length=100)]
    revision: Annotated[int, Field(ge=0, lt=2**31)]
    """Of the state that the user saw."""
    attempt: Attempt
