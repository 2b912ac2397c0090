"""The request for an email."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bongsu_notify.notifications.schemas import Body, Email, Line, NotificationIn


class EmailTo(Body):
    """The recipient."""

    email: Email = Field(examples=["someone@example.com"])
    name: Line | None = Field(default=None, max_length=200)


class EmailFrom(Body):
    """The sender. An address other than the operator's needs a verified domain."""

    email: Email
    name: Line | None = Field(default=None, max_length=150)


class EmailContent(Body):
    """Subject and body: `text`, `html` or both."""

    subject: Line = Field(min_length=1, max_length=998, examples=["안녕하세요"])
    text: str | None = Field(default=None, min_length=1, max_length=500_000)
    html: str | None = Field(default=None, min_length=1, max_length=1_000_000)

    @model_validator(mode="after")
    def _has_a_body(self) -> Self:
        if self.text is None and self.html is None:
            raise ValueError("needs `text`, `html` or both")
        return self


class EmailNotificationIn(NotificationIn):
    """An email to send."""

    channel: Literal["email"]
    to: EmailTo
    content: EmailContent
    sender: EmailFrom | None = Field(default=None, alias="from")
    reply_to: Email | None = None

    @property
    def recipient(self) -> str:
        return self.to.email
