"""The forms of modules."""

from typing import Annotated, Literal
from uuid import UUID

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


class AnnouncementForm(Form):
    """A topic that is relayed to a channel. `owner` is the user whose topic it is; None for the user."""

    topic: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    owner: UUID | None = None
    channel: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,18}$")]


class AnnouncementOffForm(Form):
    """A subscription to remove."""

    subscription: UUID
