"""What SES's answers mean for a mail: sent, refused, to be tried later, or unknown."""

import socket
from collections.abc import Mapping
from typing import Any

from aiohttp import ClientConnectorError
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)

from bongsu.runtime.logging import get_logger
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Refused, Sent, TryLater

log = get_logger(__name__)

THROTTLING_ERRORS = frozenset({"TooManyRequestsException", "Throttling", "ThrottlingException", "RequestThrottled"})
OPERATOR_ERRORS = frozenset(
    {
        "AccountSuspendedException",
        "SendingPausedException",
        "MailFromDomainNotVerifiedException",
        "ConfigurationSetDoesNotExist",
        "ConfigurationSetSendingPausedException",
        "NotFoundException",
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "ExpiredTokenException",
    }
)
"""The operator's account or settings are at fault, not the message: it waits until the operator fixes them."""
OPERATOR_STATUSES = frozenset(
    {
        "MAIL_FROM_DOMAIN_NOT_VERIFIED",
        "CONFIGURATION_SET_NOT_FOUND",
        "CONFIGURATION_SET_SENDING_PAUSED",
        "ACCOUNT_SUSPENDED",
        "ACCOUNT_SENDING_PAUSED",
        "INVALID_SENDING_POOL_NAME",
    }
)
"""The same, as results of single entries of a bulk call."""
OPERATOR_ERROR = "provider_not_configured"
"""The code of a mail that waits for the operator."""
_QUOTA_PAUSE_S = 900.0
_OPERATOR_PAUSE_S = 120.0


def read_entry(result: Mapping[str, Any]) -> Outcome:  # noqa: PLR0911 - one for each kind of answer
    """The outcome of one entry of a bulk call."""
    status, text = str(result.get("Status")), str(result.get("Error", ""))[:300]
    if status == "SUCCESS" and result.get("MessageId"):
        return Sent(result["MessageId"])
    if status == "ACCOUNT_THROTTLED":
        return _throttled(text)
    if status == "ACCOUNT_DAILY_QUOTA_EXCEEDED":
        return _quota_exceeded(text)
    if status in OPERATOR_STATUSES or _is_unverified(status, text):
        return _operator_error(status, text)
    if status in ("MESSAGE_REJECTED", "INVALID_PARAMETER"):
        return Refused("provider_refused", f"{status}: {text}")
    if status in ("TRANSIENT_FAILURE", "FAILED", "TEMPLATE_NOT_FOUND"):
        return TryLater("provider_error", f"{status}: {text}")
    return OutcomeUnknown(f"SES reported {status}")


def read_error(error: Exception) -> Outcome:
    """The outcome of a call that failed."""
    match error:
        case ClientError():
            return _classify(error)
        case ConnectTimeoutError():
            return TryLater("provider_unreachable", type(error).__name__)
        # aiobotocore raises the same error for a connection that was reset after the request had gone out.
        case EndpointConnectionError() if isinstance(error.__context__, (ClientConnectorError, socket.gaierror)):
            return TryLater("provider_unreachable", type(error).__name__)
        case NoCredentialsError() | PartialCredentialsError():
            return _operator_error("NoCredentials", "SES credentials are missing")
        case _:
            # A time-out or a reset after the request went out: SES may have accepted it.
            return OutcomeUnknown(type(error).__name__)


def _classify(error: ClientError) -> Outcome:
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    text = str(error.response.get("Error", {}).get("Message", ""))[:300]
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
    if code == "LimitExceededException" or "Daily message quota exceeded" in text:
        return _quota_exceeded(text)
    if code in THROTTLING_ERRORS or "Maximum sending rate exceeded" in text or status == 429:
        return _throttled(text)
    if code in OPERATOR_ERRORS or status in (401, 403) or _is_unverified(code, text):
        return _operator_error(code, text)
    if status == 503:
        return TryLater("provider_error", f"{code} ({status})")
    if status >= 500:
        # SES was processing the request, or a gateway lost the answer: SES may have accepted it.
        return OutcomeUnknown(f"{code} ({status})")
    return Refused("provider_refused", f"{code}: {text}")


def _is_unverified(code: str, text: str) -> bool:
    """Whether the sender is not verified yet, and not the message at fault."""
    return code in ("MessageRejected", "MESSAGE_REJECTED") and "not verified" in text


def _throttled(text: str) -> TryLater:
    return TryLater("provider_throttled", text, delay_s=1.0, spends_attempt=False, is_throttled=True)


def _quota_exceeded(text: str) -> TryLater:
    log.warning("ses.quota_exceeded")
    return TryLater("provider_quota", text, delay_s=_QUOTA_PAUSE_S, spends_attempt=False)


def _operator_error(code: str, text: str) -> TryLater:
    log.error("ses.operator_error", code=code)
    return TryLater(OPERATOR_ERROR, f"{code}: {text}", delay_s=_OPERATOR_PAUSE_S, spends_attempt=False)
