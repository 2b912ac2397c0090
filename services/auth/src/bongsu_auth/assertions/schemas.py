"""Requests and responses of assertions."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from bongsu.identity import assertions
from bongsu_auth.accounts.schemas import Strict


class AssertionIn(Strict):
    """An action: the audience applies the method to the target."""

    audience: Literal["bot"]
    method: Annotated[str, StringConstraints(pattern=f"^{assertions.NAME.pattern}$")] = Field(examples=["guild_leave"])
    target: Annotated[str, StringConstraints(pattern=f"^{assertions.TARGET.pattern}$")] = Field(
        examples=["guild:300000000002228224"]
    )


class AssertionOut(BaseModel):
    """The assertion (`typ: assertion+jwt`), valid for this action."""

    assertion: str
    expires_in: int = Field(description="Lifetime of the assertion, seconds")
