"""Events of SES, as its configuration sets publish them to SNS.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from typing import Any
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from bongsu_notify.channels.email.ses_tags import ATTEMPT, NOTIFICATION_ID


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class Mail(_Part):
    """The mail that an event is about."""

    message_id: str = Field(max_length=128, pattern=r"^[\x21-\x7e]+$")
    tags: dict[str, list[str]] = Field(default_factory=dict)

    @property
    def notification_id(self) -> UUID | None:
        """As the worker tagged the mail; None for a mail of another program."""
        try:
            return UUID(self._tag(NOTIFICATION_ID))
        except ValueError:
            return None

    @property
    def attempt(self) -> int:
        """The attempt of the notification that the mail is of; 0 without the tag."""
        value = self._tag(ATTEMPT)
        return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else 0

    def _tag(self, name: str) -> str:
        return next(iter(self.tags.get(name, [])), "")


class SesEvent(_Part):
    """An event: its type, its mail, and the part that its type has."""

    type: str = Field(validation_alias=AliasChoices("eventType", "notificationType"), max_length=40)
    mail: Mail
    bounce: dict[str, Any] = Field(default_factory=dict)
    complaint: dict[str, Any] = Field(default_factory=dict)
    reject: dict[str, Any] = Field(default_factory=dict)
    failure: dict[str, Any] = Field(default_factory=dict)
    delivery_delay: dict[str, Any] = Field(default_factory=dict)
