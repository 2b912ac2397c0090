"""The request for a KakaoTalk message."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from bongsu_notify.notifications.schemas import NOT_BLANK, ONE_LINE, Body, NotificationIn, Url

MAX_TEXT = 200
"""Characters; Kakao cuts off a longer text."""


Title = Annotated[str, Field(min_length=1, max_length=200), ONE_LINE, NOT_BLANK]


class KakaoTo(Body):
    """The recipient."""

    user_id: UUID = Field(
        description="A user with a linked Kakao account, who gets the message in the chat with themselves: yourself"
    )


class KakaoButton(Body):
    """A button below a message."""

    title: Annotated[str, Field(min_length=1, max_length=14), ONE_LINE, NOT_BLANK]
    link: Url = Field(description="On a domain that is registered for the app at Kakao")


class KakaoFeed(Body):
    """A card. It needs a title, a description or a picture."""

    title: Title | None = None
    description: Annotated[str, Field(min_length=1, max_length=400), NOT_BLANK] | None = None
    image_url: Url | None = None
    link: Url | None = Field(default=None, description="On a domain that is registered for the app at Kakao")
    buttons: Annotated[tuple[KakaoButton, ...], Field(max_length=2)] = ()

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if self.title is None and self.description is None and self.image_url is None:
            raise ValueError("needs `title`, `description` or `image_url`")
        return self


class KakaoContent(Body):
    """Exactly one of `text` and `feed`."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT), NOT_BLANK] | None = Field(
        default=None, examples=["봉수가 올랐습니다"]
    )
    link: Url | None = Field(
        default=None, description="Where the text leads: on a domain that is registered for the app at Kakao"
    )
    feed: KakaoFeed | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.text is None) == (self.feed is None):
            raise ValueError("needs exactly one of `text` and `feed`")
        if self.link is not None and self.text is None:
            raise ValueError("`link` goes with `text`: a feed has its own")
        return self


class KakaoNotificationIn(NotificationIn):
    """A KakaoTalk message to send."""

    channel: Literal["kakao"]
    to: KakaoTo
    content: KakaoContent

    @property
    def recipient(self) -> str:
        return str(self.to.user_id)
