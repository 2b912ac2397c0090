"""How the outcome of a call changes a notification and its timeline."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bongsu.contracts.notifications import Status
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Refused, Sent, TryLater
from bongsu_notify.notifications.claimed import ClaimedNotification

BACKOFF_S = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
UNKNOWN_BACKOFF_S = (30.0, 600.0)
"""The shortest and longest wait of a delivery whose outcome is unknown before it is sent again."""
UNKNOWN_ENDS_S = 570.0
"""How long a delivery that is not sent again waits for an event of the provider: then it fails, within 10 minutes."""
BACKOFF_FRACTION = 0.25
"""A deferred delivery waits for this fraction of its notification's age: briefly at first, then longer."""
MAX_DEFERRAL_S = 15.0
"""The longest wait of a deferred delivery, where its provider asks for no longer one."""
DETAIL_LENGTH = 500
MESSAGE_ID_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one notification.

    :param shared: column values that many notifications of a transaction have in common.
    :param message_id: the provider's id of the message.
    :param events: new timeline entries: status and detail. None for a deferral for the same reason as the last.
    :param wake_after_s: None when it ended.
    """

    shared: Mapping[str, object]
    message_id: str | None
    events: Sequence[tuple[Status, str | None]]
    wake_after_s: float | None


def change(row: ClaimedNotification, outcome: Outcome, max_attempts: int, now: datetime) -> Change:
    """How an outcome changes a claimed row.

    :param now: the database's time.
    """
    entries: list[tuple[Status, str | None]]
    code: str | None = None
    detail: str | None = None
    message_id: str | None = None
    attempt = row.attempt
    tried = attempt - row.attempts_before
    wake_after_s: float | None = None
    match outcome:
        case Sent(message_id, status, note):
            entries = [("sent", note)] if status == "sent" else [("sent", None), (status, note)]
        case Refused(code, detail):
            entries = [("failed", f"{code}: {detail}")]
        case OutcomeUnknown(detail):
            code, entries = "outcome_unknown", [("unknown", detail)]
            may_repeat = row.guarantee == "at-least-once" and tried < max_attempts
            wake_after_s = _unknown_backoff(tried) if may_repeat else UNKNOWN_ENDS_S
        case TryLater(code, detail, _, spends) if spends and tried >= max_attempts:
            entries = [("failed", f"attempts_exhausted: {code}")]
        case TryLater(code, detail, delay_s, spends):
            entries = [("retry_wait", f"{code}: {detail}")]
            wake_after_s = delay_s if delay_s is not None else _backoff(tried)
            if not spends:
                attempt -= 1
                wake_after_s = max(wake_after_s, deferral_delay(row, now))
            wake_after_s = _jitter(wake_after_s)
    is_news = attempt == row.attempt or code != row.error_code
    # Secrets are kept no longer than they can be needed.
    secrets: dict[str, object] = {"sealed_variables": None} if wake_after_s is None else {}
    return Change(
        shared={
            **secrets,
            "status": entries[-1][0],
            "attempt": attempt,
            "error_code": code,
            "error_detail": clean_detail(detail) if detail else None,
            "lease_owner": None,
            "lease_until": None,
        },
        message_id=_clean_message_id(message_id) if message_id else None,
        events=[(entry, clean_detail(note) if note else None) for entry, note in entries] if is_news else [],
        wake_after_s=wake_after_s,
    )


def _clean_message_id(text: str) -> str:
    """Printable ASCII, as the column requires: an odd id must not fail the row of a mail that was sent."""
    return re.sub(r"[^\x21-\x7e]", "?", text)[:MESSAGE_ID_LENGTH]


def clean_detail(text: str) -> str:
    """Without lone surrogates and NUL, which the column cannot hold."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:DETAIL_LENGTH]


def _backoff(attempt: int) -> float:
    return BACKOFF_S[min(attempt, len(BACKOFF_S)) - 1]


def deferral_delay(row: ClaimedNotification, now: datetime) -> float:
    """How long a delivery that spent no attempt waits: a fraction of its age, bounded."""
    age = max(now - max(row.created_at, row.send_at or row.created_at), timedelta())
    return min(age.total_seconds() * BACKOFF_FRACTION, MAX_DEFERRAL_S)


def _unknown_backoff(attempt: int) -> float:
    # Short at first. Then longer: the provider may be accepting every copy and only failing to report it.
    shortest_s, longest_s = UNKNOWN_BACKOFF_S
    return min(max(_backoff(attempt), shortest_s), longest_s)


def _jitter(seconds: float) -> float:
    """Within a fifth of it, so that deliveries that failed together do not return together."""
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
