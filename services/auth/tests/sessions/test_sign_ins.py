"""Sign-ins that arrive together share a transaction."""

import asyncio

import pytest

from bongsu.identity.models import AuditEntry, User, UserSession
from bongsu.runtime.dependencies import find
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


class TestLimit:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings(max_sessions=3)

    async def test_sessions_beyond_the_limit_end_after_concurrent_sign_ins(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        answers = await asyncio.gather(*(each_stage.login(user.email) for _ in range(5)))
        assert [answer.status_code for answer in answers] == [200] * 5
        # Two transactions do not see the sessions of one another on MySQL; the next one sees them all.
        assert (await each_stage.login(user.email)).status_code == 200
        assert await UserSession.filter_by(user_id=user.id, ended_at__isnull=True).count() == 3
