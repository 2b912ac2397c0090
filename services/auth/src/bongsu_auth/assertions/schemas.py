"""Requests and responses of assertions."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from bongsu.contracts.text import Matching
from bongsu.identity import assertions
from bongsu_auth.accounts.schemas import Strict


class AssertionIn(Strict):
    """An action: the audience applies the method to the target."""

    audience: Literal["bot"]
    method: Annotated[
        str, Matching(f"^{assertions.NAME.pattern}$", "must be the name of a method, such as guild_leave")
    ] = Field(examples=["guild_leave"])
    target: Annotated[
        str,
        Matching(
            f"^{assertions.TARGET.pattern}$",
            "must name what the method is applied to, such as guild:300000000002228224",
        ),
    ] = Field(examples=["guild:300000000002228224"])


class AssertionOut(BaseModel):
    """The assertion (`typ: assertion+jwt`), valid for this action."""

    assertion: str
    expires_in: int = Field(description="Lifetime of the assertion, seconds")
