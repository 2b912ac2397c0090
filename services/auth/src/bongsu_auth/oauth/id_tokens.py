"""ID tokens (OpenID Connect): the provider's signed statement of who signed in to us in this flow."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Annotated

import httpx
import jwt
from pydantic import Field

from bongsu_auth.oauth.clients import ProviderBody
from bongsu_auth.oauth.port import IdTokenRefused

ALGORITHM = "RS256"
CLOCK_SKEW_S = 60
KEYS_KEPT_S = 3600.0
REFETCH_EVERY_S = 60.0


class IdClaims(ProviderBody):
    """The claims that we read. Some providers send `email_verified` as text."""

    sub: Annotated[str, Field(min_length=1, max_length=255)]
    nonce: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    picture: str | None = None
    locale: str | None = None


class IdTokenVerifier:
    """Verifies a provider's ID tokens.

    The algorithm is pinned, and the keys come from a URL that the caller knows, never from a token.

    :param client_id: ours, the required `aud`.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        client_id: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._client_id = client_id
        self._monotonic = monotonic
        self._keys_url = ""
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None

    async def verify(self, token: str | None, *, nonce: str, keys_url: str, issuers: Collection[str]) -> IdClaims:
        """Return the claims of a token that the provider issued to us for the flow with this nonce.

        :param issuers: the accepted spellings of `iss`.
        :raises IdTokenRefused: any other token, or None.
        :raises httpx.HTTPError: the provider's keys cannot be fetched.
        """
        if token is None:
            raise IdTokenRefused("missing")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise IdTokenRefused("malformed") from None
        if header.get("alg") != ALGORITHM:
            raise IdTokenRefused("algorithm")
        key = await self._key(str(header.get("kid", "")), keys_url)
        try:
            payload = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._client_id,
                issuer=list(issuers),
                leeway=CLOCK_SKEW_S,
                options={"require": ["iss", "aud", "sub", "exp", "iat"]},
            )
            claims = IdClaims.model_validate(payload)
        except (jwt.InvalidTokenError, ValueError):
            raise IdTokenRefused("signature, issuer, audience, time or a claim is wrong") from None
        azp, audiences = payload.get("azp"), payload["aud"]
        if azp != self._client_id and (azp is not None or (isinstance(audiences, list) and len(audiences) > 1)):
            raise IdTokenRefused("azp")
        if claims.nonce != nonce:
            raise IdTokenRefused("nonce")
        return claims

    async def _key(self, kid: str, keys_url: str) -> jwt.PyJWK:
        if keys_url != self._keys_url:
            self._keys_url, self._keys, self._fetched_at = keys_url, {}, None
        age_s = self._monotonic() - self._fetched_at if self._fetched_at is not None else None
        if age_s is None or age_s > KEYS_KEPT_S or (kid not in self._keys and age_s > REFETCH_EVERY_S):
            await self._fetch()
        key = self._keys.get(kid)
        if key is None:
            raise IdTokenRefused("unknown key")
        return key

    async def _fetch(self) -> None:
        response = await self._http.get(self._keys_url, headers={"Accept": "application/json"})
        response.raise_for_status()
        found = {}
        for entry in response.json()["keys"]:
            try:
                key = jwt.PyJWK(entry, algorithm=ALGORITHM)
            except (jwt.PyJWKError, jwt.InvalidKeyError):
                continue  # an unsupported key type
            if key.key_id is not None and entry.get("use", "sig") == "sig" and entry.get("kty") == "RSA":
                found[key.key_id] = key
        self._keys, self._fetched_at = found, self._monotonic()
