"""The forms about the block list."""

from typing import Annotated

from pydantic import StringConstraints

from bongsu_dashboard.forms import Attempt, Form


class BlockForm(Form):
    """A server to block, by the ID that Discord shows, and why."""

    guild_id: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[1-9][0-9]{14,18}$")]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    attempt: Attempt


class UnblockForm(Form):
    """Takes a server off the block list."""

    attempt: Attempt
