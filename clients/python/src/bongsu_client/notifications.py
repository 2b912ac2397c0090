"""The calls of `/v1/notifications`, and the shapes of their answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict
from urllib.parse import quote
from uuid import uuid4

PATH = "/v1/notifications"


class Failure(TypedDict):
    """Why the last attempt failed."""

    code: str
    detail: str | None


class TimelineEntry(TypedDict):
    """A status of the notification, and when it began (RFC 3339)."""

    status: str
    at: str
    attempt: int
    detail: str | None


class Notification(TypedDict):
    """A notification. Times are RFC 3339 in UTC. A newer API may have more members."""

    id: str
    status: str
    channel: str
    mode: str
    to: dict[str, Any]
    subject: str | None
    template: str | None
    category: str
    topic: str | None
    priority: str
    guarantee: str
    send_at: str | None
    expires_at: str | None
    metadata: dict[str, Any]
    attempt: int
    next_attempt_at: str | None
    provider_message_id: str | None
    error: Failure | None
    created_at: str
    updated_at: str


class NotificationDetail(Notification):
    """A notification with its timeline, oldest first."""

    timeline: list[TimelineEntry]


class NotificationPage(TypedDict):
    """A page of notifications, and the cursor of the next."""

    items: list[Notification]
    next: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the API.

    :param is_repeatable: whether processing it twice has the effect of once.
    :param members: the answer has at least these.
    """

    method: str
    path: str
    is_repeatable: bool
    members: tuple[str, ...]
    params: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


def send(notification: Mapping[str, Any], idempotency_key: str | None) -> Call:
    return Call("POST", PATH, True, ("id", "status"), headers=_idempotency(idempotency_key), body=notification)


def get(notification_id: str) -> Call:
    return Call("GET", _path_of(notification_id), True, ("status", "error"))


def list_page(filters: Mapping[str, str | int | None], after: str | None) -> Call:
    params = {name: value for name, value in {**filters, "after": after}.items() if value is not None}
    return Call("GET", PATH, True, ("items", "next"), params=params)


def cancel(notification_id: str) -> Call:
    return Call("POST", f"{_path_of(notification_id)}/cancel", False, ("id", "status"))


def retry(notification_id: str, idempotency_key: str | None) -> Call:
    path = f"{_path_of(notification_id)}/retry"
    return Call("POST", path, True, ("id", "status"), headers=_idempotency(idempotency_key))


def _path_of(notification_id: str) -> str:
    return f"{PATH}/{quote(notification_id, safe='')}"


def _idempotency(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": key or str(uuid4())}
