"""Checking an access token against one bare verification by PyJWT of the same token."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bench.measure import Benchmark, Pair, at_least
from bongsu.contracts.tokens import AccessClaims
from bongsu.identity.scopes import Role
from bongsu.identity.tokens import SigningKey, TokenIssuer, TokenSubject, TokenVerifier

ISSUER = "http://localhost:8000"


class OneKey:
    def __init__(self, key: SigningKey) -> None:
        self._kid, self._public = key.kid, key.private_key.public_key()

    def find(self, kid: str) -> Ed25519PublicKey | None:
        return self._public if kid == self._kid else None

    async def refresh(self) -> None:
        pass


class NothingRevoked:
    def denies(self, claims: AccessClaims) -> bool:  # noqa: ARG002 - the port's signature
        return False


def token_check(*, cached: bool) -> Callable[[], AbstractAsyncContextManager[Pair]]:
    @asynccontextmanager
    async def prepare() -> AsyncIterator[Pair]:
        key = SigningKey.generate()
        public = key.private_key.public_key()
        subject = TokenSubject(
            user_id=uuid4(),
            session_id=uuid4(),
            role=Role.USER,
            scopes=frozenset(),
            auth_time=int(time.time()),
            amr=("pwd",),
        )
        token = TokenIssuer(ISSUER).issue(key, subject)
        verifier = TokenVerifier(ISSUER, OneKey(key), NothingRevoked(), cache_size=8192 if cached else 0)

        async def ours(operations: int) -> None:
            for _ in range(operations):
                await verifier.verify(token)

        async def baseline(operations: int) -> None:
            for _ in range(operations):
                jwt.decode(token, public, algorithms=["EdDSA"], audience="bongsu", issuer=ISSUER)

        yield Pair(ours, baseline)

    return prepare


BENCHMARKS = (
    Benchmark("tokens: check, cached", token_check(cached=True), at_least(5)),
    Benchmark("tokens: check, cold", token_check(cached=False), at_least(0.9)),
)
