"""The messages that the app sent to people's own KakaoTalk."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bongsu_sandbox.line_file import LineFile
from bongsu_sandbox.people import Person
from bongsu_sandbox.times import Timestamp

SCOPE: Final = "talk_message"


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")


class Link(_Part):
    """Where a tap leads; Kakao opens it only on a domain that is registered for the app."""

    web_url: str | None = None
    mobile_web_url: str | None = None


class Button(_Part):
    title: Annotated[str, Field(min_length=1)]
    link: Link


class FeedContent(_Part):
    title: str | None = None
    description: str | None = None
    image_url: str | None = None
    link: Link


class TextTemplate(_Part):
    object_type: Literal["text"]
    text: Annotated[str, Field(min_length=1, max_length=200)]
    link: Link
    button_title: str | None = None
    buttons: Annotated[list[Button], Field(max_length=2)] = Field(default_factory=list)


class FeedTemplate(_Part):
    object_type: Literal["feed"]
    content: FeedContent
    button_title: str | None = None
    buttons: Annotated[list[Button], Field(max_length=2)] = Field(default_factory=list)


Template = Annotated[TextTemplate | FeedTemplate, Field(discriminator="object_type")]
_TEMPLATE: TypeAdapter[TextTemplate | FeedTemplate] = TypeAdapter(Template)


class TalkMessage(BaseModel):
    """A message, in the chat of the person with themselves."""

    id: UUID = Field(default_factory=uuid4)
    user_id: int
    name: str
    template: Template
    sent_at: Timestamp = Field(default_factory=lambda: datetime.now(UTC))


class Messages:
    """Keeps every message in a file."""

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)

    def send(self, user_id: int, person: Person, template_object: str) -> TalkMessage:
        """Keep a message.

        :raises ValueError: the template is malformed.
        """
        try:
            template = _TEMPLATE.validate_python(_parse(template_object))
        except ValidationError as error:
            [first, *_] = error.errors()
            raise ValueError(f"template_object: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        message = TalkMessage(user_id=user_id, name=person.name, template=template)
        self._file.append(message.model_dump_json(exclude_none=True).encode())
        return message

    def list_newest(self, limit: int, user_id: int | None = None) -> list[TalkMessage]:
        """List messages, newest first, of one person or of all."""
        found = (message for _, message in self._file.entries(TalkMessage.model_validate_json, newest_first=True))
        return [message for message in found if user_id in (None, message.user_id)][:limit]

    def close(self) -> None:
        self._file.close()


def _parse(text: str) -> Any:  # noqa: ANN401 - validated by the caller
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("template_object must be JSON") from None
