"""A mail as its recipient has it."""

from pydantic import BaseModel, ConfigDict, Field

from bongsu_sandbox.times import Timestamp


class Attachment(BaseModel):
    """A file that came with a mail; its content has its own address."""

    model_config = ConfigDict(frozen=True)

    filename: str
    content_type: str
    size_bytes: int
    content_id: str | None = None


class Mail(BaseModel):
    """One copy of a message, in the mailbox of one recipient (`to`: the bare address, also of Cc and Bcc)."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True, populate_by_name=True)

    id: str
    message_id: str
    to: str
    sender: str = Field(alias="from")
    subject: str
    text: str | None
    html: str | None
    headers: dict[str, str]
    tags: dict[str, str]
    received_at: Timestamp
    attachments: tuple[Attachment, ...] = ()
