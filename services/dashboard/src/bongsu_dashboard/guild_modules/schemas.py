"""The form of a module."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from bongsu.contracts.rpc import ModuleName
from bongsu_dashboard.forms import Attempt, Form


class ModuleForm(Form):
    """A module as the user wants it."""

    module: ModuleName
    act: Literal["on", "off"]
    channel: Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,18})?$")] = ""
    revision: Annotated[int, Field(ge=0, lt=2**31)]
    """Of the state that the user saw."""
    attempt: Attempt
    confirmed: bool = False
    """Whether the user has seen what changes."""
