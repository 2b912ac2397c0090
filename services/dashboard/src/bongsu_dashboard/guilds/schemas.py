"""The forms about guilds."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints


class AddForm(BaseModel):
    """An empty form: only the CSRF token is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RemoveForm(BaseModel):
    """The typed confirmation of a removal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(max_length=200)]
    attempt: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    """Made with the page, so that a form that is sent twice removes the bot once."""
