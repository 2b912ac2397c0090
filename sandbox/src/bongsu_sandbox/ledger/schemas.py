"""The entries of the ledger."""

from pydantic import BaseModel, ConfigDict

from bongsu_sandbox.times import Timestamp


class LedgerEntry(BaseModel):
    """One accepted send. `rendering_failure` is the reason why it never reached the mailbox."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    to: tuple[str, ...]
    subject: str
    tags: dict[str, str]
    accepted_at: Timestamp
    rendering_failure: str | None = None
