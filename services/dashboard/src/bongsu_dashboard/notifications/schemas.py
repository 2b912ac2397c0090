"""The forms about notifications."""

import re
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from bongsu.contracts.text import require_single_line
from bongsu.identity.emails import normalise_email
from bongsu_dashboard.forms import Attempt, Form

MAX_BODY: Final = 100_000
WEB_ADDRESS: Final = re.compile(r"https?://[^\s]+")


def _is_needed_without_html(text: str, others: ValidationInfo) -> str:
    if not text and not others.data.get("html"):
        raise PydanticCustomError("missing", "needed without HTML")
    return text


class SendForm(Form):
    """A mail, most likely to the user."""

    email: Annotated[str, StringConstraints(max_length=320), AfterValidator(normalise_email)]
    subject: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(require_single_line)
    ]
    html: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_BODY)] = ""
    """Only of a mail that is sent again with changes."""
    text: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=MAX_BODY), AfterValidator(_is_needed_without_html)
    ]
    attempt: Attempt

    @property
    def content(self) -> dict[str, str]:
        """What the mail says, without the parts that are empty."""
        parts = {"subject": self.subject, "text": self.text, "html": self.html}
        return {name: part for name, part in parts.items() if part}


def _is_web_address(link: str) -> str:
    if link and not WEB_ADDRESS.fullmatch(link):
        raise PydanticCustomError("web_address", "must start with https:// or http://")
    return link


def _is_needed_for_topic(topic: str, others: ValidationInfo) -> str:
    if not topic and others.data.get("to") == "topic":
        raise PydanticCustomError("missing", "needed for a topic")
    return topic


class MessageForm(Form):
    """A Discord message to the user, or to the channels that subscribed to a topic of the user."""

    to: Literal["me", "topic"]
    topic: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=100), AfterValidator(_is_needed_for_topic)
    ] = Field(default="", validate_default=True)
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    attempt: Attempt


class KakaoForm(Form):
    """A KakaoTalk message to the user."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    link: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2048), AfterValidator(_is_web_address)] = (
        ""
    )
    attempt: Attempt

    @property
    def content(self) -> dict[str, str]:
        """The text, and the link where there is one."""
        return {"text": self.text} | ({"link": self.link} if self.link else {})


class SelectedForm(Form):
    """What to do with the notifications that are selected in the list."""

    act: Literal["cancel", "restore", "retry"]
    id: Annotated[list[UUID], Field(default_factory=list, max_length=100)]
    confirmed: bool = False
