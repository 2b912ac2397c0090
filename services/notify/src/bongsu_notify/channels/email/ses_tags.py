"""The tags of a mail, by which the events of SES name the notification: they may come before its message ID."""

from typing import Final

NOTIFICATION_ID: Final = "notification_id"
ATTEMPT: Final = "attempt"
