"""Client of the Bongsu API: signed requests, safe retries, notifications."""

from bongsu_client.client import AsyncBongsuClient, BongsuClient
from bongsu_client.errors import ApiError, BongsuError, UnexpectedAnswer, Unreachable
from bongsu_client.notifications import Failure, Notification, NotificationDetail, TimelineEntry
from bongsu_client.retries import Retries
from bongsu_client.signing import RequestSigner

__all__ = [
    "ApiError",
    "AsyncBongsuClient",
    "BongsuClient",
    "BongsuError",
    "Failure",
    "Notification",
    "NotificationDetail",
    "RequestSigner",
    "Retries",
    "TimelineEntry",
    "UnexpectedAnswer",
    "Unreachable",
]
