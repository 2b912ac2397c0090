"""The rules by which notify gets the Kakao token of a linked user."""

from datetime import UTC, datetime

from bongsu.identity import audit
from bongsu.identity.models import LinkedAccount, User
from bongsu.mixins import Database
from bongsu.runtime.errors import ServiceError, Unavailable
from bongsu.runtime.logging import get_logger
from bongsu_auth.errors import (
    AccountBlocked,
    KakaoConsentMissing,
    KakaoNotLinked,
    KakaoRelinkNeeded,
    ProviderNotFound,
)
from bongsu_auth.kakao_tokens.schemas import KakaoTokenIn, KakaoTokenOut
from bongsu_auth.oauth.grants import GrantLost, Grants
from bongsu_auth.oauth.port import Provider, ProviderFailed, ProviderUnavailable

log = get_logger(__name__)

PROVIDER = "kakao"
SCOPE = "talk_message"
WAIT_S = 5.0
"""How long notify waits after a failure that does not say."""


class KakaoTokens:
    """Issues tokens, and records each in the audit log. Its methods open their own units of work.

    :param kakao: None if it is not configured.
    :param api_url: of Kakao's API, for notify.
    """

    def __init__(self, database: Database, kakao: Provider | None, grants: Grants, *, api_url: str) -> None:
        self._database = database
        self._kakao = kakao
        self._grants = grants
        self._api_url = api_url

    async def issue(self, wanted: KakaoTokenIn) -> KakaoTokenOut:
        """Return a user's token, renewed if it is due.

        :raises KakaoNotLinked: the user does not exist, or has no linked account.
        :raises AccountBlocked: the user is blocked.
        :raises KakaoConsentMissing: the user did not consent to messages.
        :raises KakaoRelinkNeeded: Kakao no longer accepts the user's tokens.
        :raises ProviderNotFound: Kakao is not configured.
        :raises Unavailable: Kakao does not answer, or throttles.
        """
        user = await User.get_or_none(wanted.user_id)
        try:
            linked = await _require_linked(user)
            token = await self._fetch(linked, wanted.rejected_sha256)
        except ServiceError as refused:
            await self._record(user, wanted, refused.code)
            raise
        await self._record(user, wanted)
        return token

    async def _fetch(self, linked: LinkedAccount, rejected_sha256: str | None) -> KakaoTokenOut:
        if self._kakao is None:
            raise ProviderNotFound
        try:
            token, expires_at = await self._grants.fetch(linked, self._kakao, rejected_sha256=rejected_sha256)
        except GrantLost:
            raise KakaoRelinkNeeded from None
        except ProviderFailed as failure:
            log.warning("oauth.provider_failed", provider=PROVIDER, reason=str(failure))
            wait_s = failure.retry_after_s if isinstance(failure, ProviderUnavailable) else None
            raise Unavailable(
                "Kakao does not answer. Try again later.", code="kakao_unavailable", retry_after_s=wait_s or WAIT_S
            ) from failure
        left_s = (expires_at - datetime.now(UTC)).total_seconds() if expires_at is not None else None
        return KakaoTokenOut(
            access_token=token, api_url=self._api_url, expires_in=max(0, int(left_s)) if left_s is not None else None
        )

    async def _record(self, user: User | None, wanted: KakaoTokenIn, refusal: str | None = None) -> None:
        async with self._database.unit():
            await audit.record(
                "kakao_token.refused" if refusal is not None else "kakao_token.issued",
                subject_id=user.id if user is not None else None,
                target=f"notification:{wanted.notification_id}",
                details={"code": refusal} if refusal is not None else None,
            )


async def _require_linked(user: User | None) -> LinkedAccount:
    linked = await LinkedAccount.filter_by(user_id=user.id, provider=PROVIDER).first() if user is not None else None
    if user is None or linked is None:
        raise KakaoNotLinked
    if not user.is_active:
        raise AccountBlocked
    if linked.relink_needed:
        raise KakaoRelinkNeeded
    if SCOPE not in linked.scopes.split():
        raise KakaoConsentMissing
    return linked
