"""The form of the access to modules."""

from typing import Annotated

from pydantic import Field, StringConstraints

from bongsu_dashboard.forms import Form


class AccessForm(Form):
    """The role that may manage the modules of a server; empty for none."""

    role: Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,18})?$")]
    revision: Annotated[int, Field(ge=0, lt=2**31)]
    """Of the state that the user saw."""
    attempt: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    """Made with the page: a form that is posted twice makes one change."""
