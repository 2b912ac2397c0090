"""`POST /auth/refresh`: rotation, and the reuse of tokens."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest

from bongsu.identity.models import AuditEntry, User, UserSession
from bongsu.identity.scopes import Role
from bongsu_auth import operations
from services.auth.tests.stage import Stage, bearer


async def refresh(stage: Stage, token: str) -> httpx.Response:
    async with stage.browser() as browser:
        return await browser.post("/auth/refresh", json={"refresh_token": token})


async def next_token(stage: Stage, token: str) -> str:
    answer = await refresh(stage, token)
    assert answer.status_code == 200, answer.text
    following: str = answer.json()["refresh_token"]
    return following


async def started(stage: Stage) -> tuple[User, dict[str, Any]]:
    user = await stage.user()
    return user, (await stage.login(user.email)).json()


async def let_pass(seconds: float) -> None:
    """Move the last rotation into the past."""
    session = await UserSession.order_by("-id").first()
    assert session is not None
    await session.update(rotated_at=session.rotated_at - timedelta(seconds=seconds))


async def session_is_dead(stage: Stage, tokens: dict[str, Any], newest: str) -> bool:
    me = await stage.client.get("/auth/me", headers=bearer(tokens["access_token"]))
    return me.status_code == 401 and (await refresh(stage, newest)).status_code == 401


class TestRefresh:
    async def test_new_tokens_keep_the_session_and_the_time_of_the_sign_in(self, each_stage: Stage) -> None:
        _, tokens = await started(each_stage)
        answer = (await refresh(each_stage, tokens["refresh_token"])).json()
        before, after = (
            jwt.decode(one["access_token"], options={"verify_signature": False}) for one in (tokens, answer)
        )
        assert answer["refresh_token"] != tokens["refresh_token"]
        assert (after["sid"], after["auth_time"], after["amr"]) == (before["sid"], before["auth_time"], before["amr"])

    async def test_twenty_concurrent_refreshes_get_one_successor_and_keep_the_session(self, each_stage: Stage) -> None:
        _, tokens = await started(each_stage)
        answers = await asyncio.gather(*(refresh(each_stage, tokens["refresh_token"]) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        successors = {answer.json()["refresh_token"] for answer in answers}
        assert len(successors) == 1
        assert (await refresh(each_stage, successors.pop())).status_code == 200

    async def test_predecessor_gives_the_same_successor_within_the_grace(self, stage: Stage) -> None:
        """A second tab, or a response that got lost."""
        _, tokens = await started(stage)
        successor = await next_token(stage, tokens["refresh_token"])
        await let_pass(8)
        assert await next_token(stage, tokens["refresh_token"]) == successor
        await next_token(stage, successor)

    async def test_predecessor_gives_a_sibling_after_the_grace(self, stage: Stage) -> None:
        """A phone that lost the response in a tunnel."""
        _, tokens = await started(stage)
        successor = await next_token(stage, tokens["refresh_token"])
        await let_pass(3600)
        sibling = await next_token(stage, tokens["refresh_token"])
        assert sibling != successor
        assert await next_token(stage, tokens["refresh_token"]) == sibling
        await next_token(stage, await next_token(stage, sibling))

    async def test_twenty_concurrent_uses_of_a_predecessor_get_one_sibling(self, each_stage: Stage) -> None:
        _, tokens = await started(each_stage)
        await next_token(each_stage, tokens["refresh_token"])
        await let_pass(3600)
        answers = await asyncio.gather(*(refresh(each_stage, tokens["refresh_token"]) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1

    async def test_lockstep_of_thief_and_owner_ends_the_session_and_notifies_the_owner(self, each_stage: Stage) -> None:
        stage = each_stage
        user, tokens = await started(stage)
        owners = await next_token(stage, tokens["refresh_token"])
        await let_pass(60)
        thiefs = await next_token(stage, tokens["refresh_token"])
        await let_pass(60)
        answer = await refresh(stage, owners)
        assert (answer.status_code, answer.json()["code"]) == (401, "refresh_refused")
        assert await session_is_dead(stage, tokens, thiefs)
        [mail] = await stage.notices("session.refresh_token_reused")
        assert mail.to == user.email
        [entry] = await AuditEntry.filter_by(action="session.refresh_token_reused").all()
        assert (entry.subject_id, entry.address) == (user.id, "127.0.0.1")

    async def test_thief_who_uses_the_predecessor_of_a_used_token_ends_the_session(self, each_stage: Stage) -> None:
        _, tokens = await started(each_stage)
        newest = await next_token(each_stage, await next_token(each_stage, tokens["refresh_token"]))
        assert (await refresh(each_stage, tokens["refresh_token"])).status_code == 401
        assert await session_is_dead(each_stage, tokens, newest)

    @pytest.mark.parametrize("token", ["", "brt_", "brt_AAAA", "x" * 600, "brt_é", "🔥"])
    async def test_malformed_refresh_token_is_refused(self, stage: Stage, token: str) -> None:
        assert (await refresh(stage, token)).status_code in (401, 422)

    async def test_modified_token_is_refused_and_keeps_the_session(self, stage: Stage) -> None:
        _, tokens = await started(stage)
        good = tokens["refresh_token"]
        for position in (5, 20, 30, 50):
            changed = good[:position] + ("A" if good[position] != "A" else "B") + good[position + 1 :]
            assert (await refresh(stage, changed)).status_code == 401
        assert (await refresh(stage, good)).status_code == 200

    async def test_access_and_refresh_token_are_not_interchangeable(self, stage: Stage) -> None:
        _, tokens = await started(stage)
        assert (await refresh(stage, tokens["access_token"])).status_code in (401, 422)
        me = await stage.client.get("/auth/me", headers=bearer(tokens["refresh_token"]))
        assert me.status_code == 401

    async def test_request_without_a_token_is_refused(self, stage: Stage) -> None:
        assert (await stage.client.post("/auth/refresh")).status_code == 401

    @pytest.mark.parametrize("limit", ["idle_expires_at", "expires_at"])
    async def test_expired_session_gives_no_tokens(self, stage: Stage, limit: str) -> None:
        _, tokens = await started(stage)
        session = await UserSession.order_by("-id").first()
        assert session is not None
        await session.update(**{limit: session.created_at})  # type: ignore[arg-type]  # a column's name
        assert (await refresh(stage, tokens["refresh_token"])).status_code == 401

    async def test_new_role_is_in_the_next_token_and_the_old_token_is_refused(self, stage: Stage) -> None:
        user, tokens = await started(stage)
        await operations.promote(stage.database, user.email, Role.MANAGER)
        await stage.identity.revocations.poll()
        me = await stage.client.get("/auth/me", headers=bearer(tokens["access_token"]))
        assert me.status_code == 401
        answer = (await refresh(stage, tokens["refresh_token"])).json()
        me = await stage.client.get("/auth/me", headers=bearer(answer["access_token"]))
        assert (me.status_code, me.json()["role"]) == (200, "manager")

    async def test_refresh_waits_for_a_change_of_the_role(self, each_stage: Stage) -> None:
        """A token with the old role, dated after the change, would not be denied with the others."""
        user = await each_stage.user(role=Role.ADMINISTRATOR)
        token = (await each_stage.login(user.email)).json()["refresh_token"]
        async with each_stage.database.unit():
            await each_stage.users.set_role(await User.get(user.id), Role.USER)
            refreshing = asyncio.create_task(refresh(each_stage, token))
            # Longer than a response that does not wait.
            await asyncio.wait({refreshing}, timeout=0.3)
        access = (await refreshing).json()["access_token"]
        assert jwt.decode(access, options={"verify_signature": False})["role"] == "user"
