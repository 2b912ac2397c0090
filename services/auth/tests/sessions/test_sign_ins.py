"""Sign-ins that arrive together share a transaction."""

import asyncio
from unittest.mock import AsyncMock

import pytest
from sqlalchemy import event, inspect

from bongsu.identity.models import AuditEntry, User, UserSession
from bongsu.runtime.dependencies import find
from bongsu_auth.accounts import lookups as lookups_module
from bongsu_auth.accounts.lookups import AddressLookups
from bongsu_auth.errors import AccountBlocked
from bongsu_auth.sessions.account import SignIn
from bongsu_auth.sessions.models import LoginFailures
from bongsu_auth.sessions.service import Sessions, Tokens
from bongsu_auth.settings import AuthSettings
from services.auth.tests.stage import Stage


class TestOpen:
    async def test_each_concurrent_sign_in_has_its_own_session_entry_and_guess(self, each_stage: Stage) -> None:
        users = [await each_stage.user() for _ in range(4)]
        answers = await asyncio.gather(*(each_stage.login(user.email) for user in users * 2))
        assert [answer.status_code for answer in answers] == [200] * 8
        for user in users:
            sessions = await UserSession.filter_by(user_id=user.id).all()
            entries = await AuditEntry.filter_by(subject_id=user.id, action="session.opened").all()
            assert {entry.target for entry in entries} == {f"session:{session.id}" for session in sessions}
            assert len(sessions) == len(entries) == 2
        assert set(await LoginFailures.query().pluck("failures")) == {0}

    async def test_blocked_user_is_refused_alone_when_others_share_the_transaction(self, each_stage: Stage) -> None:
        users = [await each_stage.user() for _ in range(3)]
        await User.filter_by(id=users[1].id).update(status="blocked")
        sign_ins = [(user, SignIn(("pwd",), "192.0.2.1", None)) for user in users]
        opened = await each_stage.database.run(find(each_stage.app, Sessions).open_all, sign_ins)
        assert [type(each) for each in opened] == [Tokens, AccountBlocked, Tokens]
        owners = await UserSession.query().pluck("user_id")
        assert sorted(owners) == sorted([users[0].id, users[2].id])

    async def test_sign_ins_of_a_transaction_share_its_statements(self, each_stage: Stage) -> None:
        users = [await each_stage.user() for _ in range(6)]
        sign_ins = [(user, SignIn(("pwd",), "192.0.2.1", None)) for user in users]
        sessions = find(each_stage.app, Sessions)
        await each_stage.database.run(sessions.open_all, sign_ins[:1])  # reads the signing key, which is then cached
        statements: list[str] = []
        event.listen(
            each_stage.database.engine.sync_engine,
            "before_cursor_execute",
            lambda _c, _cursor, statement, *_rest: statements.append(statement),
        )
        await each_stage.database.run(sessions.open_all, sign_ins)
        tables = ("FROM users", "INTO sessions", "INTO audit_log")
        assert [sum(table in one for one in statements) for table in tables] == [2, 1, 1]

    async def test_each_sign_in_of_a_transaction_has_its_own_device(self, each_stage: Stage) -> None:
        users = [await each_stage.user() for _ in range(2)]
        sessions = find(each_stage.app, Sessions)
        phone, laptop = (SignIn(("pwd",), "192.0.2.1", name) for name in ("phone", "laptop"))
        await each_stage.database.run(sessions.open_all, [(users[0], phone), (users[1], laptop)])
        await each_stage.database.run(
            sessions.open_all, [(users[0], phone), (users[1], phone), (users[0], laptop), (users[1], laptop)]
        )
        notices = await each_stage.notices("session.new_device")
        assert sorted(mail.to for mail in notices) == sorted(user.email for user in users)


class TestFind:
    async def test_concurrent_look_ups_share_a_statement_but_no_user(self, each_stage: Stage) -> None:
        users, lookups = [await each_stage.user() for _ in range(3)], AddressLookups()
        statements: list[str] = []
        event.listen(
            each_stage.database.engine.sync_engine,
            "before_cursor_execute",
            lambda _c, _cursor, statement, *_rest: statements.append(statement),
        )
        addresses = [*(user.email.upper() for user in users), users[0].email, "nobody@example.com", "no address"]
        found = await asyncio.gather(*(lookups.find(address) for address in addresses))
        assert [user.id if user is not None else None for user in found] == [
            *(user.id for user in users), users[0].id, None, None,
        ]  # fmt: skip
        assert found[0] is not found[3]
        assert sum("FROM users" in statement for statement in statements) == 2

    async def test_user_that_is_found_has_what_a_sign_in_reads_and_no_profile(self, stage: Stage) -> None:
        user = await stage.user()
        found = await AddressLookups().find(user.email)
        assert found is not None
        assert (found.id, found.hashed_password) == (user.id, user.hashed_password)
        assert found.is_active
        assert found.is_verified
        assert not found.has_second_factor
        assert {"name", "locale", "picture", "phone_number"} <= inspect(found).unloaded

    async def test_error_of_the_database_reaches_every_caller(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lookups = AddressLookups()
        monkeypatch.setattr(lookups_module, "read", AsyncMock(side_effect=ConnectionError))
        found = await asyncio.gather(
            *(lookups.find(f"{number}@example.com") for number in range(2)), return_exceptions=True
        )
        assert [type(error) for error in found] == [ConnectionError] * 2
        monkeypatch.undo()
        assert await lookups.find((await stage.user("a@example.com")).email) is not None


class TestLimit:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings(max_sessions=3)

    async def test_sessions_beyond_the_limit_end_after_concurrent_sign_ins(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        answers = await asyncio.gather(*(each_stage.login(user.email) for _ in range(5)))
        assert [answer.status_code for answer in answers] == [200] * 5
        assert await UserSession.filter_by(user_id=user.id, ended_at__isnull=True).count() == 3
