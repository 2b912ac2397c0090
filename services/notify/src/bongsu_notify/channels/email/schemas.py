"""The request for an email."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bongsu_notify.notifications.schemas import NOT_BLANK, ONE_LINE, Body, Email, NotificationIn


class EmailTo(Body):
    """The recipient."""

    email: Email = Field(examples=["someone@example.com"])
    name: Annotated[str, Field(max_length=200), ONE_LINE] | None = None


class EmailFrom(Body):
    """The sender. An address other than the operator's needs a verified domain."""

    email: Email
    name: Annotated[str, Field(max_length=150), ONE_LINE] | None = None


class EmailContent(Body):
    """Subject and body: `text`, `html` or both."""

    subject: Annotated[str, Field(min_length=1, max_length=998), ONE_LINE, NOT_BLANK] = Field(examples=["안녕하세요"])
    text: Annotated[str, Field(min_length=1, max_length=500_000), NOT_BLANK] | None = None
    html: Annotated[str, Field(min_length=1, max_length=1_000_000), NOT_BLANK] | None = None

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
