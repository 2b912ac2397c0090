"""Writing revocations and following them."""

import asyncio
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bongsu.contracts.tokens import AccessClaims
from bongsu.identity.models import Revocation, User
from bongsu.identity.revocations import (
    MARGIN_S,
    STALE_AFTER_S,
    RevocationFeed,
    revoke_session,
    revoke_user,
    sweep_revocations,
)
from bongsu.identity.scopes import SESSION_SCOPES, Role
from bongsu.identity.tokens import SigningKey, TokenIssuer, TokenRefused, TokenSubject, TokenVerifier
from bongsu.mixins import Database, base
from bongsu.runtime.errors import Unavailable
from shared.tests.identity.proxy import proxied
from shared.tests.identity.seeds import Seeds
from tests.eventually import eventually

ISSUER = "https://example.com"
KEY = SigningKey.generate()


class Clock:
    """Monotonic time, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def claims(
    *, user_id: uuid.UUID | None = None, session_id: uuid.UUID | None = None, issued_at: int = 0
) -> AccessClaims:
    return AccessClaims(
        iss=ISSUER,
        sub=user_id or uuid.uuid4(),
        exp=issued_at + 900,
        iat=issued_at,
        jti=uuid.uuid4(),
        sid=session_id or uuid.uuid4(),
        role="user",
        scope="",
        auth_time=issued_at,
        amr=("pwd",),
    )


def revocation_of(session_id: uuid.UUID) -> Revocation:
    expires_at = datetime.now(UTC) + timedelta(minutes=15)
    return Revocation(kind="session", subject_id=session_id, denied_until=2**53, expires_at=expires_at)


class Keys:
    """One public key in memory."""

    def find(self, kid: str) -> Ed25519PublicKey | None:
        return KEY.private_key.public_key() if kid == KEY.kid else None

    async def refresh(self) -> None:
        """Do nothing: the key is always known."""


def verifier(feed: RevocationFeed, *, now: Callable[[], float] = time.time) -> TokenVerifier:
    return TokenVerifier(ISSUER, Keys(), feed, now=now)


async def user_token(user: User, *, now: Callable[[], float] = time.time) -> str:
    subject = TokenSubject(user.id, uuid.uuid4(), Role.ADMINISTRATOR, SESSION_SCOPES, int(time.time()), ("pwd",))
    return TokenIssuer(ISSUER, now=now).issue(KEY, subject, after=user.tokens_denied_until)


class TestRevokeSession:
    async def test_every_token_of_the_session_is_denied_after_a_poll(self, each_database: Database) -> None:
        session_id, feed = uuid.uuid4(), RevocationFeed()
        async with each_database.unit():
            await revoke_session(session_id)
        await feed.poll()
        assert feed.denies(claims(session_id=session_id, issued_at=int(time.time()) + 60))

    async def test_other_sessions_are_not_denied(self, database: Database) -> None:
        feed = RevocationFeed()
        async with database.unit():
            await revoke_session(uuid.uuid4())
        await feed.poll()
        assert not feed.denies(claims())

    async def test_session_is_not_denied_when_its_revocation_was_rolled_back(self, database: Database) -> None:
        session_id, feed = uuid.uuid4(), RevocationFeed()

        async def undone() -> None:
            async with database.unit():
                await revoke_session(session_id)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await undone()
        await feed.poll()
        assert not feed.denies(claims(session_id=session_id))


class TestRevokeUser:
    async def test_tokens_are_denied_when_they_are_older_than_the_revocation(
        self, each_database: Database, seeds: Seeds
    ) -> None:
        user, feed = await seeds.user(), RevocationFeed()
        async with each_database.unit():
            await revoke_user(user)
        await feed.poll()
        assert feed.denies(claims(user_id=user.id, issued_at=user.tokens_denied_until))
        assert not feed.denies(claims(user_id=user.id, issued_at=user.tokens_denied_until + 1))

    async def test_token_issued_between_two_revocations_in_one_second_is_denied(
        self, database: Database, seeds: Seeds
    ) -> None:
        """The token is dated ahead, after the first revocation."""
        user, feed = await seeds.user(), RevocationFeed()
        async with database.unit():
            await revoke_user(user)
        between = await user_token(user)
        async with database.unit():
            await revoke_user(user)
        await feed.poll()
        with pytest.raises(TokenRefused):
            await verifier(feed).verify(between)

    async def test_token_of_an_issuer_whose_clock_is_ahead_is_denied(self, database: Database, seeds: Seeds) -> None:
        user, feed = await seeds.user(), RevocationFeed()
        token = await user_token(user, now=lambda: time.time() + MARGIN_S)
        async with database.unit():
            await revoke_user(user)
        await feed.poll()
        with pytest.raises(TokenRefused):
            await verifier(feed, now=lambda: time.time() + 60).verify(token)

    @pytest.mark.parametrize("concurrent_revocations", [1, 2])
    async def test_next_token_is_accepted_by_every_clock(
        self, database: Database, seeds: Seeds, concurrent_revocations: int
    ) -> None:
        user, feed = await seeds.user(), RevocationFeed()
        for _ in range(concurrent_revocations):
            async with database.unit():
                await revoke_user(user)
        await feed.poll()
        token = await user_token(user)
        for clock in (lambda: time.time() - MARGIN_S, time.time, lambda: time.time() + MARGIN_S):
            assert (await verifier(feed, now=clock).verify(token)).sub == user.id

    async def test_concurrent_revocations_have_different_times(self, each_database: Database, seeds: Seeds) -> None:
        user = await seeds.user()

        async def revoked() -> int:
            async with each_database.unit():
                return (await revoke_user(await User.get(user.id))).denied_until

        denied = await asyncio.gather(*(revoked() for _ in range(4)))
        assert len(set(denied)) == 4
        assert (await user.refresh()).tokens_denied_until == max(denied)

    async def test_user_row_has_the_time_of_the_revocation(self, database: Database, seeds: Seeds) -> None:
        user = await seeds.user()
        async with database.unit():
            await revoke_user(user)
        await user.refresh()
        assert abs(user.tokens_denied_until - MARGIN_S - time.time()) < 5


class TestRevocation:
    async def test_row_is_dated_by_the_database(self, each_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pollers find the row even when the clock of the process that revokes is an hour behind."""
        now = datetime.now(UTC)
        monkeypatch.setattr(base, "python_now", lambda: now - timedelta(hours=1))
        async with each_database.unit():
            row = await revoke_session(uuid.uuid4())
        assert abs(row.created_at - now) < timedelta(seconds=30)


class TestPoll:
    async def test_later_polls_find_new_rows(self, database: Database) -> None:
        first, second, feed = uuid.uuid4(), uuid.uuid4(), RevocationFeed()
        for session_id in (first, second):
            async with database.unit():
                await revoke_session(session_id)
            await feed.poll()
        assert feed.denies(claims(session_id=first))
        assert feed.denies(claims(session_id=second))

    async def test_row_is_found_when_it_is_committed_late(self, database: Database) -> None:
        """Its transaction started before, and ended after, that of a row already read."""
        late, feed = uuid.uuid4(), RevocationFeed()
        async with database.unit():
            await revoke_session(uuid.uuid4())
        await feed.poll()
        async with database.unit():
            row = await revoke_session(late)
            await row.update(created_at=datetime.now(UTC) - timedelta(seconds=30))
        await feed.poll()
        assert feed.denies(claims(session_id=late))

    async def test_later_row_is_found_when_a_row_is_dated_in_the_future(self, database: Database) -> None:
        later, feed = uuid.uuid4(), RevocationFeed()
        async with database.unit():
            ahead = await revoke_session(uuid.uuid4())
            await ahead.update(created_at=datetime.now(UTC) + timedelta(minutes=10))
        await feed.poll()
        async with database.unit():
            await revoke_session(later)
        await feed.poll()
        assert feed.denies(claims(session_id=later))

    async def test_expired_revocation_is_dropped(self, database: Database) -> None:
        session_id, feed = uuid.uuid4(), RevocationFeed()
        async with database.unit():
            row = await revoke_session(session_id)
            await row.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        feed.add(row)
        await feed.poll()
        assert not feed.denies(claims(session_id=session_id))


class TestFreshness:
    def test_feed_that_never_polled_is_stale(self) -> None:
        assert not RevocationFeed().is_fresh

    @pytest.mark.usefixtures("database")
    async def test_feed_is_stale_after_five_seconds(self) -> None:
        clock = Clock()
        feed = RevocationFeed(monotonic=clock)
        await feed.poll()
        clock.now += STALE_AFTER_S
        feed.require_fresh()
        clock.now += 0.1
        with pytest.raises(Unavailable):
            feed.require_fresh()

    @pytest.mark.usefixtures("database")
    async def test_feed_is_fresh_from_the_beginning_of_following(self) -> None:
        feed = RevocationFeed(poll_every_s=3600, poll_timeout_s=60, stale_after_s=3600)
        async with feed.following():
            assert feed.is_fresh

    async def test_feed_recovers_with_its_database(self, database: Database) -> None:
        await database.dispose()
        feed = RevocationFeed(poll_every_s=0.01)
        async with feed.following():
            assert not feed.is_fresh
            again = Database(database.engine.url)
            await eventually(lambda: feed.is_fresh)
        await again.dispose()

    async def test_feed_recovers_from_connections_that_went_silent(self, mysql_database: Database) -> None:
        session_id = uuid.uuid4()
        async with proxied(mysql_database.engine.url.render_as_string(hide_password=False)) as (proxy, url):
            database, feed = Database(url), RevocationFeed(poll_every_s=0.05, poll_timeout_s=0.5)
            await asyncio.gather(*(database.ping() for _ in range(4)))
            async with feed.following():
                await eventually(lambda: feed.is_fresh)
                proxy.silence(only_open=True)
                async with mysql_database.session() as session:
                    await revocation_of(session_id).save(session, auto_commit=True)
                await eventually(lambda: feed.denies(claims(session_id=session_id)))
            await database.dispose()

    async def test_polling_continues_when_a_poll_fails(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        del database
        feed = RevocationFeed(poll_every_s=0.01)
        poll, defects = feed.poll, [ZeroDivisionError]

        async def broken_once() -> None:
            if defects:
                raise defects.pop()
            await poll()

        monkeypatch.setattr(feed, "poll", broken_once)
        async with feed.following():
            await eventually(lambda: feed.is_fresh)

    async def test_new_revocation_is_found_while_following(self, database: Database) -> None:
        session_id, feed = uuid.uuid4(), RevocationFeed(poll_every_s=0.01)
        async with feed.following():
            async with database.unit():
                await revoke_session(session_id)
            await eventually(lambda: feed.denies(claims(session_id=session_id)))


class TestSweepRevocations:
    async def test_expired_revocations_are_deleted(self, database: Database) -> None:
        async with database.unit():
            await revoke_session(uuid.uuid4())
            old = await revoke_session(uuid.uuid4())
            await old.update(expires_at=datetime.now(UTC) - timedelta(minutes=5))
        assert await sweep_revocations() == 1
        assert await Revocation.row_count() == 1
