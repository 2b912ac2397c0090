"""What goes over HTTP about adding the bot."""

from typing import Annotated

from pydantic import Field, StringConstraints

from bongsu_auth.accounts.schemas import Strict
from bongsu_auth.oauth.schemas import NextPath

Snowflake = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,20}$"),
    Field(description="Discord's id; as text, since a script's numbers are too small for it"),
]


class InstallIn(Strict):
    """Where to add the bot."""

    guild_id: Snowflake
    next: NextPath = "/"
