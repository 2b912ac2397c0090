"""The request for a Discord message."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from bongsu.contracts.text import Matching
from bongsu_notify.notifications.schemas import NOT_BLANK, ONE_LINE, Body, NotificationIn, Topic, Url

MAX_EMBED_CHARS = 6000


def _require_snowflake(value: str) -> str:
    if int(value) >= 2**63:
        raise ValueError("must be a Discord ID")
    return value


DiscordId = Annotated[str, Matching(r"^[1-9][0-9]{0,18}$", "must be a Discord ID"), AfterValidator(_require_snowflake)]
"""A Discord ID as text: as a number, JSON parsers round it."""


class DiscordTo(Body):
    """The recipient: exactly one of `channel_id`, `user_id` and `topic`."""

    channel_id: DiscordId | None = Field(
        default=None,
        examples=["300000000006422539"],
        description="A channel of a server that you manage, or of one that subscribed to the notification's topic",
    )
    user_id: UUID | None = Field(
        default=None, description="A user with a linked Discord account, who gets a direct message: yourself"
    )
    topic: Topic | None = Field(
        default=None, description="Every channel that subscribed to this topic of yours when the notification is sent"
    )

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if sum(one is not None for one in (self.channel_id, self.user_id, self.topic)) != 1:
            raise ValueError("needs exactly one of `channel_id`, `user_id` and `topic`")
        return self


class EmbedField(Body):
    """A field of an embed."""

    name: Annotated[str, Field(min_length=1, max_length=256), NOT_BLANK]
    value: Annotated[str, Field(min_length=1, max_length=1024), NOT_BLANK]
    inline: bool = False


class EmbedFooter(Body):
    """The footer of an embed."""

    text: Annotated[str, Field(min_length=1, max_length=2048), NOT_BLANK]


class Embed(Body):
    """A card below the text. It needs a title, a description or fields."""

    title: Annotated[str, Field(min_length=1, max_length=256), ONE_LINE, NOT_BLANK] | None = None
    description: Annotated[str, Field(min_length=1, max_length=4096), NOT_BLANK] | None = None
    url: Url | None = None
    color: Annotated[int, Field(ge=0, le=0xFFFFFF)] | None = None
    fields: Annotated[tuple[EmbedField, ...], Field(min_length=1, max_length=25)] | None = None
    footer: EmbedFooter | None = None

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if self.title is None and self.description is None and self.fields is None:
            raise ValueError("needs `title`, `description` or `fields`")
        texts = [self.title or "", self.description or "", self.footer.text if self.footer else ""]
        texts += [text for field in self.fields or () for text in (field.name, field.value)]
        if sum(map(len, texts)) > MAX_EMBED_CHARS:
            raise ValueError(f"must have at most {MAX_EMBED_CHARS:,} characters in all")
        return self


class DiscordContent(Body):
    """`text`, `embed` or both. Markdown works; mentions send no notification."""

    text: Annotated[str, Field(min_length=1, max_length=2000), NOT_BLANK] | None = Field(
        default=None, examples=["봉수가 올랐습니다"]
    )
    embed: Embed | None = None

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if self.text is None and self.embed is None:
            raise ValueError("needs `text`, `embed` or both")
        return self


class DiscordNotificationIn(NotificationIn):
    """A Discord message to send."""

    channel: Literal["discord"]
    to: DiscordTo
    content: DiscordContent

    @model_validator(mode="after")
    def _has_one_topic(self) -> Self:
        if self.to.topic is not None and self.topic not in (None, self.to.topic):
            raise ValueError("`topic` must equal `to.topic`, or be left out")
        return self

    @property
    def recipient(self) -> str:
        if self.to.topic is not None:
            return f"topic:{self.to.topic}"
        return self.to.channel_id or str(self.to.user_id)
