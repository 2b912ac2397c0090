"""Signing out, and the list of sessions."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from bongsu.identity.models import AuditEntry, Revocation, User, UserSession
from bongsu.runtime.dependencies import find
from bongsu_auth.sessions.account import SignIn
from bongsu_auth.sessions.service import Sessions
from bongsu_auth.settings import AuthSettings
from services.auth.tests.stage import PASSWORD, Stage, bearer


def idle_session(user: User, *, idle_expires_at: datetime, generation: int) -> dict[str, object]:
    signed_in_at = idle_expires_at - timedelta(days=14)
    return {
        "user_id": user.id,
        "sealed_refresh_key": "x",
        "generation": generation,
        "rotated_at": signed_in_at,
        "auth_time": signed_in_at,
        "amr": "pwd",
        "idle_expires_at": idle_expires_at,
        "expires_at": signed_in_at + timedelta(days=90),
    }


class TestLogout:
    async def test_access_and_refresh_token_are_refused_after_logout(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        tokens = (await each_stage.login(user.email)).json()
        headers = bearer(tokens["access_token"])
        assert (await each_stage.client.post("/auth/logout", headers=headers)).status_code == 204
        assert (await each_stage.client.get("/auth/me", headers=headers)).status_code == 401
        refreshed = await each_stage.client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert refreshed.status_code == 401

    async def test_bearer_logout_leaves_the_cookies_of_another_session(self, stage: Stage) -> None:
        user = await stage.user()
        tokens = (await stage.login(user.email)).json()
        async with stage.signed_in_browser(user) as browser:
            origin = {"origin": str(browser.base_url).rstrip("/")}
            for request in (
                {"headers": bearer((await stage.login(user.email)).json()["access_token"]) | origin},
                {"headers": origin, "json": {"refresh_token": tokens["refresh_token"]}},
            ):
                if "json" in request:
                    browser.cookies.delete(stage.identity.cookies.access)
                answer = await browser.post("/auth/logout", **request)
                assert (answer.status_code, answer.headers.get_list("set-cookie")) == (204, [])
            assert (await browser.post("/auth/refresh", headers=origin)).status_code == 200
        assert (await stage.client.get("/auth/me", headers=bearer(tokens["access_token"]))).status_code == 401

    async def test_refresh_token_alone_signs_out(self, stage: Stage) -> None:
        tokens = (await stage.login((await stage.user()).email)).json()
        answer = await stage.client.post("/auth/logout", json={"refresh_token": tokens["refresh_token"]})
        assert answer.status_code == 204
        assert (await stage.client.get("/auth/me", headers=bearer(tokens["access_token"]))).status_code == 401

    async def test_refresh_token_ends_its_session_with_one_audit_entry(self, stage: Stage) -> None:
        user = await stage.user()
        body = {"refresh_token": (await stage.login(user.email)).json()["refresh_token"]}
        answers = [await stage.client.post("/auth/logout", json=body) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [204, 204, 204]
        assert await Revocation.row_count() == 1
        [entry] = await AuditEntry.filter_by(action="session.ended").all()
        assert (entry.actor_id, entry.subject_id, entry.address) == (user.id, user.id, "127.0.0.1")

    async def test_request_without_credentials_is_refused(self, stage: Stage) -> None:
        assert (await stage.client.post("/auth/logout")).status_code == 401

    async def test_other_sessions_stay_open(self, stage: Stage) -> None:
        user = await stage.user()
        ended, kept = await stage.signed_in(user), await stage.signed_in(user)
        await stage.client.post("/auth/logout", headers=ended)
        assert (await stage.client.get("/auth/me", headers=kept)).status_code == 200


class TestList:
    async def test_sessions_are_listed_newest_first(self, stage: Stage) -> None:
        user = await stage.user()
        async with stage.browser(address="198.51.100.7") as browser:
            await browser.post(
                "/auth/login", json={"email": user.email, "password": PASSWORD}, headers={"user-agent": "Phone"}
            )
        headers = await stage.signed_in(user)
        items = (await stage.client.get("/auth/sessions", headers=headers)).json()["items"]
        assert [item["current"] for item in items] == [True, False]
        assert (items[1]["user_agent"], items[1]["address"]) == ("Phone", "198.51.100.7")
        assert items[0]["created_at"].endswith("Z")

    async def test_pages_follow_one_another(self, stage: Stage) -> None:
        user = await stage.user()
        [*_, headers] = [await stage.signed_in(user) for _ in range(3)]
        first = (await stage.client.get("/auth/sessions?limit=2", headers=headers)).json()
        second = (await stage.client.get(f"/auth/sessions?limit=2&after={first['next']}", headers=headers)).json()
        assert (len(first["items"]), len(second["items"]), second["next"]) == (2, 1, None)

    async def test_sessions_of_other_users_are_not_listed(self, stage: Stage) -> None:
        await stage.signed_in(await stage.user())
        headers = await stage.signed_in(await stage.user())
        assert len((await stage.client.get("/auth/sessions", headers=headers)).json()["items"]) == 1


class TestRevoke:
    async def test_tokens_of_a_revoked_session_are_refused(self, stage: Stage) -> None:
        user = await stage.user()
        other, mine = await stage.signed_in(user), await stage.signed_in(user)
        [_, theirs] = (await stage.client.get("/auth/sessions", headers=mine)).json()["items"]
        answer = await stage.client.delete(f"/auth/sessions/{theirs['id']}", headers=mine)
        assert answer.status_code == 204
        assert (await stage.client.get("/auth/me", headers=other)).status_code == 401
        assert (await stage.client.delete(f"/auth/sessions/{theirs['id']}", headers=mine)).status_code == 404

    async def test_session_of_another_user_is_not_found(self, stage: Stage) -> None:
        victim = await stage.signed_in(await stage.user())
        attacker = await stage.signed_in(await stage.user())
        session = await UserSession.order_by("id").first()
        assert session is not None
        answer = await stage.client.delete(f"/auth/sessions/{session.id}", headers=attacker)
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
        assert (await stage.client.get("/auth/me", headers=victim)).status_code == 200

    async def test_every_other_session_ends(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        others = [await each_stage.signed_in(user) for _ in range(3)]
        mine = await each_stage.signed_in(user)
        assert (await each_stage.client.delete("/auth/sessions", headers=mine)).status_code == 204
        for headers in others:
            assert (await each_stage.client.get("/auth/me", headers=headers)).status_code == 401
        assert (await each_stage.client.get("/auth/me", headers=mine)).status_code == 200

    async def test_long_expired_sessions_end_without_a_revocation_in_few_statements(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        mine = await each_stage.signed_in(user)
        now, day = datetime.now(UTC), timedelta(days=1)
        for idle_expires_at, generation, how_many in ((now - day, 2, 250), (now + day, 1, 50), (now + day, 2, 20)):
            session = idle_session(user, idle_expires_at=idle_expires_at, generation=generation)
            await UserSession.bulk_create([session] * how_many)
        statements: list[str] = []
        event.listen(
            each_stage.database.engine.sync_engine,
            "before_cursor_execute",
            lambda _c, _cursor, statement, *_rest: statements.append(statement),
        )
        assert (await each_stage.client.delete("/auth/sessions", headers=mine)).status_code == 204
        assert len([one for one in statements if "revocations.expires_at >" not in one]) < 15
        assert await UserSession.filter_by(user_id=user.id, ended_at__isnull=True).count() == 1
        assert await Revocation.row_count() == 20
        [entry] = await AuditEntry.filter_by(action="session.others_ended").all()
        assert entry.details == {"sessions": 320}

    async def test_session_that_just_idled_out_is_revoked(self, stage: Stage) -> None:
        user = await stage.user()
        theirs, mine = await stage.signed_in(user), await stage.signed_in(user)
        oldest = await UserSession.order_by("id").first()
        assert oldest is not None
        await oldest.update(idle_expires_at=datetime.now(UTC) - timedelta(minutes=10))
        await stage.client.delete("/auth/sessions", headers=mine)
        assert (await stage.client.get("/auth/me", headers=theirs)).status_code == 401

    @pytest.mark.parametrize("session_id", ["x", "0", "%00", "00000000-0000-0000-0000-00000000000g"])
    async def test_malformed_id_is_named(self, stage: Stage, session_id: str) -> None:
        headers = await stage.signed_in(await stage.user())
        assert (await stage.client.delete(f"/auth/sessions/{session_id}", headers=headers)).status_code == 422


class TestMaxSessions:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings(max_sessions=3)

    async def test_sign_in_beyond_the_limit_ends_the_session_unused_for_longest(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        used = (await each_stage.login(user.email)).json()
        unused = await each_stage.signed_in(user)
        await each_stage.signed_in(user)
        again = await each_stage.client.post("/auth/refresh", json={"refresh_token": used["refresh_token"]})
        newest = await each_stage.signed_in(user)
        await each_stage.identity.revocations.poll()
        codes = [
            (await each_stage.client.get("/auth/me", headers=headers)).status_code
            for headers in (unused, bearer(again.json()["access_token"]), newest)
        ]
        assert codes == [401, 200, 200]
        assert await UserSession.filter_by(user_id=user.id, ended_at__isnull=True).count() == 3
        [ended] = await UserSession.filter_by(user_id=user.id, ended_at__isnull=False).all()
        assert ended.end_reason == "too_many_sessions"

    async def test_concurrent_sign_ins_keep_the_limit(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        body = {"email": user.email, "password": PASSWORD}
        async with each_stage.two_instances() as instances:
            answers = await asyncio.gather(
                *(instances[number % 2].post("/auth/login", json=body) for number in range(16))
            )
        assert {answer.status_code for answer in answers} == {200}
        assert await UserSession.filter_by(user_id=user.id, ended_at__isnull=True).count() == 3

    @pytest.mark.parametrize("together", [3, 4, 6])
    async def test_sign_ins_of_one_transaction_end_only_those_beyond_the_limit(
        self, each_stage: Stage, together: int
    ) -> None:
        user, sessions = await each_stage.user(), find(each_stage.app, Sessions)
        await each_stage.signed_in(user)
        how = SignIn(amr=("pwd",), address="192.0.2.1", user_agent=None)
        opened = await each_stage.database.run(sessions.open_all, [(user, how)] * together)
        assert len(opened) == together
        assert await UserSession.filter_by(user_id=user.id, ended_at__isnull=True).count() == 3

    async def test_limit_is_per_user(self, stage: Stage) -> None:
        kept = await stage.signed_in(await stage.user())
        user = await stage.user()
        for _ in range(4):
            await stage.signed_in(user)
        assert (await stage.client.get("/auth/me", headers=kept)).status_code == 200


class TestNotices:
    async def sign_in(self, stage: Stage, user: User, *, agent: str, address: str = "192.0.2.1") -> dict[str, str]:
        async with stage.browser(address=address) as browser:
            body = {"email": user.email, "password": PASSWORD}
            answer = await browser.post("/auth/login", json=body, headers={"user-agent": agent})
        return bearer(answer.json()["access_token"])

    async def test_owner_is_notified_of_a_new_device_but_not_of_the_first(self, each_stage: Stage) -> None:
        user, stage = await each_stage.user(), each_stage
        phone = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"
        for agent in ("curl/8.5", "curl/8.5", phone, phone, "curl/8.5"):
            await self.sign_in(stage, user, agent=agent)
        [mail] = await stage.notices("session.new_device")
        assert (mail.to, mail.subject) == (user.email, "Chrome, Android")
        await self.sign_in(stage, user, agent="curl/8.5", address="192.0.2.2")
        assert len(await stage.notices("session.new_device")) == 2

    async def test_browser_with_the_device_cookie_is_known_at_any_address(self, stage: Stage) -> None:
        user = await stage.user()
        async with stage.signed_in_browser(user) as browser:
            cookie = {"device-8000": browser.cookies["device-8000"]}
        async with stage.browser(address="192.0.2.99") as browser:
            browser.cookies.update(cookie)
            await browser.post("/auth/login", json={"email": user.email, "password": PASSWORD})
        assert await stage.notices("session.new_device") == []

    async def test_owner_is_notified_of_a_session_that_another_one_revoked(self, stage: Stage) -> None:
        user = await stage.user()
        theirs, mine = [await self.sign_in(stage, user, agent=agent) for agent in ("Firefox/1", "curl/8")]
        sessions = (await stage.client.get("/auth/sessions", headers=mine)).json()["items"]
        for one in sorted(sessions, key=lambda one: one["current"]):
            assert (await stage.client.delete(f"/auth/sessions/{one['id']}", headers=mine)).status_code == 204
        assert (await stage.client.get("/auth/me", headers=theirs)).status_code == 401
        [mail] = await stage.notices("session.revoked")
        assert (mail.to, mail.subject) == (user.email, "Firefox")

    async def test_owner_is_notified_when_the_other_sessions_were_revoked(self, stage: Stage) -> None:
        user = await stage.user()
        mine = [await stage.signed_in(user) for _ in range(3)][-1]
        for _ in range(2):
            await stage.client.delete("/auth/sessions", headers=mine)
        assert len(await stage.notices("session.others_ended")) == 1
