"""The form of a message to a channel."""

from typing import Annotated

from pydantic import StringConstraints

from bongsu_dashboard.forms import Attempt, Form


class MessageForm(Form):
    """A message to a channel of a server."""

    channel: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,18}$")]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    attempt: Attempt
