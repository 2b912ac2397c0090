"""`/auth/users`."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from bongsu.identity.models import ApiKey, AuditEntry, User, UserSession
from bongsu.identity.scopes import Role
from bongsu_auth.mfa.models import TotpFactor
from bongsu_auth.sessions.recent import RECENT
from services.auth.tests.stage import Stage, error_fields


async def patch(stage: Stage, user: User, headers: dict[str, str], **changes: str | None) -> httpx.Response:
    return await stage.client.patch(f"/auth/users/{user.id}", json=changes, headers=headers)


class TestAccess:
    @pytest.mark.parametrize("role", [Role.USER, Role.STAFF])
    async def test_lower_roles_see_and_change_nothing(self, stage: Stage, role: Role) -> None:
        user, headers = await stage.user(), await stage.signed_in(await stage.user(role=role))
        for answer in (
            await stage.client.get("/auth/users", headers=headers),
            await stage.client.get(f"/auth/users/{user.id}", headers=headers),
            await patch(stage, user, headers, status="blocked"),
            await stage.client.get(f"/auth/users/{uuid4()}", headers=headers),
        ):
            assert answer.status_code == 403

    @pytest.mark.parametrize("change", [{"role": "staff"}, {"sending": "trial"}, {"role": "administrator"}])
    async def test_manager_gives_no_role_and_approves_no_sender(self, stage: Stage, change: dict[str, str]) -> None:
        user, headers = await stage.user(), await stage.signed_in(await stage.user(role=Role.MANAGER))
        answer = await patch(stage, user, headers, status="blocked", **change)
        assert answer.status_code == 403
        unchanged = await User.get(user.id)
        assert (unchanged.role, unchanged.sending, unchanged.status) == ("user", "live", "active")

    @pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMINISTRATOR])
    async def test_manager_does_not_block_their_equals(self, stage: Stage, role: Role) -> None:
        other, headers = await stage.user(role=role), await stage.signed_in(await stage.user(role=Role.MANAGER))
        answer = await patch(stage, other, headers, status="blocked")
        assert (answer.status_code, answer.json()["code"]) == (403, "higher_role")

    async def test_own_account_is_refused(self, stage: Stage) -> None:
        admin = await stage.user(role=Role.ADMINISTRATOR)
        headers = await stage.signed_in(admin)
        answer = await patch(stage, admin, headers, role="user")
        assert (answer.status_code, answer.json()["code"]) == (409, "own_account")

    async def test_unknown_user_is_404(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user(role=Role.ADMINISTRATOR))
        for method in ("GET", "PATCH"):
            answer = await stage.client.request(method, f"/auth/users/{uuid4()}", json={}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")


class TestList:
    async def test_accounts_are_found_by_address_and_role_in_pages(self, each_stage: Stage) -> None:
        headers = await each_stage.signed_in(await each_stage.user(role=Role.MANAGER))
        made = [await each_stage.user(f"found{number}@example.com") for number in range(3)]
        first = (await each_stage.client.get("/auth/users?q=Found&limit=2", headers=headers)).json()
        second = (await each_stage.client.get(f"/auth/users?q=found&after={first['next']}", headers=headers)).json()
        listed = [item["email"] for item in (*first["items"], *second["items"])]
        assert listed == [user.email for user in reversed(made)]
        assert second["next"] is None
        managers = (await each_stage.client.get("/auth/users?role=manager", headers=headers)).json()
        assert [item["role"] for item in managers["items"]] == ["manager"]
        none = (await each_stage.client.get("/auth/users?q=%25", headers=headers)).json()
        assert none["items"] == []
        assert "hashed_password" not in str(first)

    @pytest.mark.parametrize("query", ["limit=0", "status=gone", "unknown=1", "after=x"])
    async def test_invalid_query_is_refused(self, stage: Stage, query: str) -> None:
        headers = await stage.signed_in(await stage.user(role=Role.MANAGER))
        assert (await stage.client.get(f"/auth/users?{query}", headers=headers)).status_code == 422


class TestChange:
    async def test_block_ends_sessions_and_unblock_lets_sign_in_again(self, each_stage: Stage) -> None:
        user, headers = await each_stage.user(), await each_stage.signed_in(await each_stage.user(role=Role.MANAGER))
        theirs = await each_stage.signed_in(user)
        blocked = await patch(each_stage, user, headers, status="blocked")
        assert (blocked.status_code, blocked.json()["status"]) == (200, "blocked")
        assert (await each_stage.client.get("/auth/me", headers=theirs)).status_code in (401, 403)
        assert (await each_stage.login(user.email)).status_code == 401
        await patch(each_stage, user, headers, status="active")
        assert (await each_stage.login(user.email)).status_code == 200
        assert await AuditEntry.filter_by(action="user.blocked", subject_id=user.id).count() == 1

    async def test_administrator_promotes_and_approves(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        await user.update(sending="trial")
        headers = await each_stage.signed_in(await each_stage.user(role=Role.ADMINISTRATOR))
        theirs = await each_stage.signed_in(user)
        answer = await patch(each_stage, user, headers, role="staff", sending="live")
        assert (answer.json()["role"], answer.json()["sending"]) == ("staff", "live")
        assert (await each_stage.client.get("/auth/me", headers=theirs)).status_code == 401
        actions = {entry.action for entry in await AuditEntry.filter_by(subject_id=user.id).all()}
        assert {"user.role_changed", "user.sending_changed"} <= actions

    async def test_one_of_two_administrators_stays_when_they_demote_each_other(self, each_stage: Stage) -> None:
        one, other = [await each_stage.user(role=Role.ADMINISTRATOR) for _ in range(2)]
        tokens = [await each_stage.signed_in(user) for user in (one, other)]
        answers = await asyncio.gather(
            patch(each_stage, other, tokens[0], role="user"), patch(each_stage, one, tokens[1], role="user")
        )
        assert min(answer.status_code for answer in answers) == 200
        assert await User.filter_by(role="administrator").count() == 1

    @pytest.mark.parametrize("body", [{"status": None}, {"role": "king"}, {"sending": "maybe"}, {"email": "x@y.z"}])
    async def test_invalid_change_names_its_field(self, stage: Stage, body: dict[str, str | None]) -> None:
        user, headers = await stage.user(), await stage.signed_in(await stage.user(role=Role.ADMINISTRATOR))
        answer = await patch(stage, user, headers, **body)
        assert (answer.status_code, error_fields(answer)) == (422, [f"body.{next(iter(body))}"])


class TestResetSecondFactor:
    @staticmethod
    async def reset(stage: Stage, user: User, headers: dict[str, str]) -> httpx.Response:
        return await stage.client.delete(f"/auth/users/{user.id}/mfa", headers=headers)

    @staticmethod
    async def user_with_factor(stage: Stage, role: Role = Role.USER) -> User:
        user = await stage.user(role=role)
        await TotpFactor.create(user_id=user.id, sealed_secret="sealed", last_step=0)
        await user.update(mfa_enabled_at=datetime.now(UTC))
        return user

    async def test_owner_is_signed_out_and_notified_and_signs_in_by_password_alone(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        theirs = await each_stage.signed_in(user)
        await TotpFactor.create(user_id=user.id, sealed_secret="sealed", last_step=0)
        await user.update(mfa_enabled_at=datetime.now(UTC))
        admin = await each_stage.user(role=Role.ADMINISTRATOR)
        headers = await each_stage.signed_in(admin)
        assert (await self.reset(each_stage, user, headers)).status_code == 204
        assert (await each_stage.client.get("/auth/me", headers=theirs)).status_code == 401
        assert "access_token" in (await each_stage.login(user.email)).json()
        [mail] = await each_stage.notices("mfa.disabled")
        assert mail.to == user.email
        # The mail names the address of the entry, and the administrator's is not for the owner.
        [disabled] = await AuditEntry.filter_by(action="mfa.disabled").all()
        assert disabled.address is None
        [entry] = await AuditEntry.filter_by(action="user.second_factor_reset").all()
        assert (entry.actor_id, entry.subject_id) == (admin.id, user.id)
        assert await TotpFactor.filter_by(user_id=user.id).count() == 0
        again = await self.reset(each_stage, user, headers)
        assert (again.status_code, again.json()["code"]) == (409, "mfa_not_enabled")
        assert await AuditEntry.filter_by(action="user.second_factor_reset").count() == 1

    @pytest.mark.parametrize("role", [Role.USER, Role.STAFF, Role.MANAGER])
    async def test_lower_roles_are_refused(self, stage: Stage, role: Role) -> None:
        user, headers = await self.user_with_factor(stage), await stage.signed_in(await stage.user(role=role))
        assert (await self.reset(stage, user, headers)).status_code == 403
        assert (await User.get(user.id)).has_second_factor

    async def test_administrator_has_to_authenticate_again(self, stage: Stage) -> None:
        admin, user = await stage.user(role=Role.ADMINISTRATOR), await self.user_with_factor(stage)
        headers = await stage.signed_in(admin)
        await UserSession.filter_by(user_id=admin.id).update(
            auth_time=datetime.now(UTC) - RECENT - timedelta(seconds=1)
        )
        answer = await self.reset(stage, user, headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")
        assert (await User.get(user.id)).has_second_factor

    async def test_own_account_is_refused(self, stage: Stage) -> None:
        admin = await stage.user(role=Role.ADMINISTRATOR)
        headers = await stage.signed_in(admin)
        answer = await self.reset(stage, admin, headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "own_account")


class TestKeys:
    @staticmethod
    async def make(stage: Stage, owner: dict[str, str], memo: str) -> str:
        return str((await stage.client.post("/auth/api-keys", json={"memo": memo}, headers=owner)).json()["id"])

    @staticmethod
    async def revoke(stage: Stage, user: User, key_id: object, headers: dict[str, str]) -> httpx.Response:
        return await stage.client.delete(f"/auth/users/{user.id}/api-keys/{key_id}", headers=headers)

    async def test_manager_lists_keys_in_pages_without_secrets(self, each_stage: Stage) -> None:
        user, headers = await each_stage.user(), await each_stage.signed_in(await each_stage.user(role=Role.MANAGER))
        owner = await each_stage.signed_in(user)
        made = [await self.make(each_stage, owner, memo) for memo in ("first", "second", "third")]
        path = f"/auth/users/{user.id}/api-keys?limit=2"
        page = (await each_stage.client.get(path, headers=headers)).json()
        rest = (await each_stage.client.get(f"{path}&after={page['next']}", headers=headers)).json()
        assert [key["id"] for key in (*page["items"], *rest["items"])] == made[::-1]
        assert (rest["next"], "secret_key" in page["items"][0]) == (None, False)

    async def test_revoked_key_is_deleted_and_both_see_it_in_the_audit_log(self, each_stage: Stage) -> None:
        manager, user = await each_stage.user(role=Role.MANAGER), await each_stage.user()
        headers, owner = await each_stage.signed_in(manager), await each_stage.signed_in(user)
        key_id = await self.make(each_stage, owner, "leaked")
        assert (await self.revoke(each_stage, user, key_id, headers)).status_code == 204
        assert (await each_stage.client.get(f"/auth/api-keys/{key_id}", headers=owner)).status_code == 404
        again = await self.revoke(each_stage, user, key_id, headers)
        assert (again.status_code, again.json()["code"]) == (404, "api_key_not_found")
        for reader in (headers, owner):
            newest = (await each_stage.client.get("/auth/audit", headers=reader)).json()["items"][0]
            assert (newest["action"], newest["target"]) == ("api_key.deleted", f"api_key:{key_id}")
            assert (newest["actor_id"], newest["subject_id"]) == (str(manager.id), str(user.id))

    async def test_key_is_found_under_its_own_user_only(self, stage: Stage) -> None:
        user, other = await stage.user(), await stage.user()
        headers = await stage.signed_in(await stage.user(role=Role.ADMINISTRATOR))
        key_id = await self.make(stage, await stage.signed_in(user), "mine")
        answers = [
            await self.revoke(stage, other, key_id, headers),
            await self.revoke(stage, user, uuid4(), headers),
            await stage.client.delete(f"/auth/users/{uuid4()}/api-keys/{key_id}", headers=headers),
            await stage.client.get(f"/auth/users/{uuid4()}/api-keys", headers=headers),
        ]
        found = [(answer.status_code, answer.json()["code"]) for answer in answers]
        assert found == [(404, "api_key_not_found")] * 2 + [(404, "user_not_found")] * 2
        assert await ApiKey.row_count() == 1

    @pytest.mark.parametrize("role", [Role.USER, Role.STAFF])
    async def test_lower_roles_see_and_revoke_nothing(self, stage: Stage, role: Role) -> None:
        user, headers = await stage.user(), await stage.signed_in(await stage.user(role=role))
        key_id = await self.make(stage, await stage.signed_in(user), "mine")
        answers = [
            await stage.client.get(f"/auth/users/{user.id}/api-keys", headers=headers),
            await stage.client.get(f"/auth/users/{uuid4()}/api-keys", headers=headers),
            await self.revoke(stage, user, key_id, headers),
            await self.revoke(stage, user, uuid4(), headers),
        ]
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "permission_missing")}
        assert await ApiKey.row_count() == 1

    @pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMINISTRATOR])
    async def test_manager_does_not_revoke_keys_of_their_equals(self, stage: Stage, role: Role) -> None:
        other, headers = await stage.user(role=role), await stage.signed_in(await stage.user(role=Role.MANAGER))
        key_id = await self.make(stage, await stage.signed_in(other), "theirs")
        answer = await self.revoke(stage, other, key_id, headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "higher_role")

    async def test_manager_who_is_demoted_meanwhile_revokes_nothing(self, each_stage: Stage) -> None:
        """The role in the token is not enough: it may be older than the demotion."""
        manager, user = await each_stage.user(role=Role.MANAGER), await each_stage.user()
        headers = await each_stage.signed_in(manager)
        key_id = await self.make(each_stage, await each_stage.signed_in(user), "mine")
        await User.filter_by(id=manager.id).update(role="user")
        answer = await self.revoke(each_stage, user, key_id, headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
