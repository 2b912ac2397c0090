"""What goes over HTTP about assertions."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from bongsu.identity import assertions
from bongsu_auth.accounts.schemas import Strict


class AssertionIn(Strict):
    """For which action: the audience does the method to the target."""

    audience: Literal["bot"]
    method: Annotated[str, StringConstraints(pattern=f"^{assertions.NAME.pattern}$")] = Field(examples=["guild_leave"])
    target: Annotated[str, StringConstraints(pattern=f"^{assertions.TARGET.pattern}$")] = Field(
        examples=["guild:300000000002228224"]
    )


class AssertionOut(BaseModel):
    """The assertion (`typ: assertion+jwt`), which is good for this action, and for a minute."""

    assertion: str
    expires_in: int = Field(description="Seconds for which it is good")
