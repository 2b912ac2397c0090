"""The provider of KakaoTalk messages: Kakao's message API, with the token of the recipient."""

import hashlib
import json
from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from bongsu.mixins import MixinError
from bongsu.runtime.errors import ServiceError, Unavailable
from bongsu.runtime.logging import get_logger
from bongsu_notify.auth_client import AuthClient
from bongsu_notify.channels.kakao.answers import REJECTED_TOKEN, read_answer, read_code
from bongsu_notify.channels.kakao.message import KakaoMessage
from bongsu_notify.channels.port import OneByOne, Outcome, OutcomeUnknown, Refused, TryLater
from bongsu_notify.channels.recipients import may_message
from bongsu_notify.settings import NotifySettings

log = get_logger(__name__)

TOKENS: Final = "/internal/kakao/tokens"
SEND: Final = "/v2/api/talk/memo/default/send"
REFUSALS: Final = frozenset(
    {"kakao_not_linked", "kakao_consent_missing", "kakao_relink_needed", "account_blocked", "provider_not_found"}
)
"""Codes of auth after which a repetition fails as well, until the user or the operator changes something."""
AWAY_DELAY_S: Final = 2.0
CONNECT_TIMEOUT_S: Final = 3.0


class _Token(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    access_token: str
    api_url: str


class KakaoProvider(OneByOne[KakaoMessage]):
    """Sends messages by Kakao's "send to me".

    :param auth: gives the tokens; None in a process that cannot reach it: every message waits.
    :param transport: replaces the network to Kakao, in tests.
    """

    max_rate: float | None = None

    def __init__(
        self, settings: NotifySettings, auth: AuthClient | None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._auth = auth
        timeout = httpx.Timeout(settings.send_timeout_s, connect=CONNECT_TIMEOUT_S)
        limits = httpx.Limits(max_connections=settings.concurrency)
        headers = {"User-Agent": "bongsu"}
        self._http = httpx.AsyncClient(transport=transport, timeout=timeout, limits=limits, headers=headers)

    async def open(self) -> None:
        """Nothing to open: the client connects with the first call."""

    async def is_ready(self) -> bool:
        """It always is: whether Kakao is set up is auth's to know."""
        return True

    async def send_one(self, message: KakaoMessage) -> Outcome:  # noqa: PLR0911 - one for each cause
        """Send a message."""
        try:
            if not await may_message(message.sender_id, message.to_user_id):
                return Refused("forbidden", "Only staff may send messages to other users")
        except (SQLAlchemyError, MixinError, OSError) as error:
            log.warning("kakao.database_unavailable", error=type(error).__name__)
            return TryLater("database_unavailable", "The database does not answer", AWAY_DELAY_S, spends_attempt=False)
        if self._auth is None:
            return TryLater("auth_unavailable", "auth is not configured", AWAY_DELAY_S, spends_attempt=False)
        try:
            return await self._send(self._auth, message)
        except Unavailable as error:
            return TryLater(error.code, error.detail, error.retry_after_s or AWAY_DELAY_S, spends_attempt=False)
        except ServiceError as error:
            if error.code in REFUSALS:
                return Refused(error.code, error.detail)
            log.error("kakao.token_refused", code=error.code, hint="auth and notify may be of different versions")
            return TryLater("auth_unavailable", error.detail)

    async def _send(self, auth: AuthClient, message: KakaoMessage) -> Outcome:
        token = await _fetch_token(auth, message)
        response = await self._post(token, message)
        if isinstance(response, httpx.Response) and read_code(response) == REJECTED_TOKEN:
            # The user may have signed in elsewhere, which ends older tokens. Nothing was sent.
            token = await _fetch_token(auth, message, rejected=token.access_token)
            response = await self._post(token, message)
        if isinstance(response, httpx.Response):
            return read_answer(response, f"kakao-{message.notification_id}-{message.attempt}")
        return response

    async def _post(self, token: _Token, message: KakaoMessage) -> httpx.Response | Outcome:
        try:
            return await self._http.post(
                f"{token.api_url}{SEND}",
                data={"template_object": json.dumps(message.template, ensure_ascii=False)},
                headers={"Authorization": f"Bearer {token.access_token}"},
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return TryLater("provider_unreachable", type(error).__name__)
        except httpx.HTTPError as error:
            # A time-out or a reset after the request went out: Kakao may have sent the message.
            return OutcomeUnknown(type(error).__name__)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


async def _fetch_token(auth: AuthClient, message: KakaoMessage, *, rejected: str | None = None) -> _Token:
    body: dict[str, str] = {"user_id": str(message.to_user_id), "notification_id": str(message.notification_id)}
    if rejected is not None:
        body["rejected_sha256"] = hashlib.sha256(rejected.encode()).hexdigest()
    try:
        return _Token.model_validate_json(await auth.post(TOKENS, body))
    except ValidationError as error:
        raise Unavailable("auth sent a malformed response", code="auth_unavailable") from error
