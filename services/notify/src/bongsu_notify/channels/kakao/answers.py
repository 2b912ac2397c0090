"""What Kakao's answers mean for a message (https://developers.kakao.com/docs/latest/en/rest-api/error-code)."""

from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from bongsu.runtime.logging import get_logger
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Refused, Sent, TryLater

log = get_logger(__name__)

REJECTED_TOKEN: Final = -401
CONSENT_MISSING: Final = -402
RETRYABLE: Final = frozenset({-1, -7, -603, -9798})
QUOTAS: Final = frozenset({-10, -531, -532, -533, -536})
"""Kakao's daily limits of an app, a sender, a recipient and a pair."""
QUOTA_PAUSE_S: Final = 900.0


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    result_code: int | None = None
    code: int | None = None
    msg: str = ""


def read_code(response: httpx.Response) -> int | None:
    """Return Kakao's code of an error, or None."""
    return _parse(response).code


def read_answer(response: httpx.Response, message_id: str) -> Outcome:  # noqa: PLR0911 - one for each kind of answer
    """The outcome of a response.

    :param message_id: ours: Kakao has none.
    """
    answer = _parse(response)
    text = f"{answer.code}: {answer.msg[:300]}" if answer.code is not None else f"HTTP {response.status_code}"
    if response.is_success:
        return (
            Sent(message_id, "delivered") if answer.result_code == 0 else OutcomeUnknown("Kakao's answer is malformed")
        )
    if answer.code == REJECTED_TOKEN:
        return Refused("kakao_relink_needed", "Kakao no longer accepts the consent: the account must be linked again")
    if answer.code == CONSENT_MISSING:
        return Refused("kakao_consent_missing", "The user did not consent to messages (`talk_message`)")
    if answer.code in QUOTAS:
        log.warning("kakao.quota_exceeded", code=answer.code)
        return TryLater("provider_quota", text, delay_s=QUOTA_PAUSE_S, spends_attempt=False)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return TryLater("provider_throttled", text, spends_attempt=False, is_throttled=True)
    if answer.code in RETRYABLE or response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return TryLater("provider_error", text)
    if response.is_server_error:
        # A gateway lost the answer: Kakao may have sent the message.
        return OutcomeUnknown(text)
    return Refused("kakao_refused", text)


def _parse(response: httpx.Response) -> _Answer:
    try:
        return _Answer.model_validate_json(response.content)
    except ValidationError:
        return _Answer()
