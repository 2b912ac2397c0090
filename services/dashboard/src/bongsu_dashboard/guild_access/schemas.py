"""The form of the access to modules."""

from typing import Annotated

from pydantic import Field, StringConstraints

from bongsu_dashboard.forms import Attempt, Form


class AccessForm(Form):
    """The role that may manage the modules of a server; empty for none."""

    role: Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,18})?$")]
    revision: Annotated[int, Field(ge=0, lt=2**31)]
    """Of the state that the user saw."""
    attempt: Attempt
