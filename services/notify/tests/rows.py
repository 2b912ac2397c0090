"""Rows of notifications, as the API stores them."""

from bongsu_notify.notifications.models import Notification


def email_row(**values: object) -> Notification:
    """A mail to someone@example.com that is not saved yet."""
    recipient = values.get("recipient", "someone@example.com")
    given: dict[str, object] = {
        "principal": "user:1",
        "channel": "email",
        "recipient": recipient,
        "to": {"email": recipient, "name": None},
        "subject": "안녕",
        "content": {"text": "봉수"},
    }
    return Notification(**(given | values))
