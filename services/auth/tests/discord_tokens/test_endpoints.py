"""`POST /internal/discord/tokens`."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from bongsu.identity.models import AuditEntry, LinkedAccount, User
from bongsu.identity.scopes import Role
from bongsu.identity.service_credentials import LIFETIME_S, Service, ServiceCredentials
from services.auth.tests.stage import Stage, error_fields

DISCORD_ID = "200000000001114112"
COMMAND = {"discord_user_id": DISCORD_ID, "command": "users block", "permission": "users.block"}


async def linked_user(stage: Stage, role: Role) -> User:
    user = await stage.user(role=role)
    await LinkedAccount.create(
        user_id=user.id, provider="discord", subject=DISCORD_ID, scopes="identify", last_used_at=datetime.now(UTC)
    )
    return user


def credential(stage: Stage, service: Service = "bot", audience: Service = "auth") -> str:
    return ServiceCredentials(stage.vault).issue(service, audience)


async def ask(stage: Stage, *, authorization: str | None = None, **changes: object) -> httpx.Response:
    headers = {"authorization": authorization or f"Service {credential(stage)}"}
    return await stage.client.post("/internal/discord/tokens", json=COMMAND | changes, headers=headers)


class TestIssue:
    async def test_token_acts_as_the_linked_user_for_a_minute(self, each_stage: Stage) -> None:
        user = await linked_user(each_stage, Role.MANAGER)
        answer = await ask(each_stage)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        body = answer.json()
        assert (body["expires_in"], body["role"]) == (60, "manager")
        headers = {"authorization": f"Bearer {body['access_token']}"}
        assert (await each_stage.client.get("/auth/users", headers=headers)).status_code == 200
        claims = await each_stage.identity.tokens.verify(body["access_token"])
        assert (claims.sub, claims.exp - claims.iat, claims.auth_time) == (user.id, 60, 0)
        entry = await AuditEntry.filter_by(action="discord_command.authorised").one()
        assert (entry.actor_id, entry.details) == (user.id, {"command": "users block"})

    async def test_token_does_not_change_credentials(self, stage: Stage) -> None:
        await linked_user(stage, Role.USER)
        token = (await ask(stage, permission=None)).json()["access_token"]
        answer = await stage.client.put(
            "/auth/password", json={"new": "another long password"}, headers={"authorization": f"Bearer {token}"}
        )
        assert answer.status_code in {401, 403}

    async def test_refusal_is_audited_when_the_role_lacks_the_permission(self, each_stage: Stage) -> None:
        user = await linked_user(each_stage, Role.STAFF)
        answer = await ask(each_stage)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
        entry = await AuditEntry.filter_by(action="discord_command.refused").one()
        assert (entry.actor_id, entry.details) == (user.id, {"command": "users block", "code": "permission_missing"})

    async def test_blocked_and_unlinked_users_are_refused(self, stage: Stage) -> None:
        assert (await ask(stage)).json()["code"] == "discord_not_linked"
        user = await linked_user(stage, Role.ADMINISTRATOR)
        await user.update(status="blocked")
        assert (await ask(stage)).json()["code"] == "account_blocked"
        assert await AuditEntry.filter_by(action="discord_command.refused").count() == 2

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"discord_user_id": "x"}, "body.discord_user_id"),
            ({"command": "Users"}, "body.command"),
            ({"permission": "users.delete"}, "body.permission"),
        ],
    )
    async def test_bad_field_is_named(self, stage: Stage, change: dict[str, Any], field: str) -> None:
        answer = await ask(stage, **change)
        assert (answer.status_code, error_fields(answer)) == (422, [field])


class TestCredential:
    async def test_other_credentials_are_refused(self, stage: Stage) -> None:
        await linked_user(stage, Role.MANAGER)
        user_headers = await stage.signed_in(await stage.user())
        old = ServiceCredentials(stage.vault, now=lambda: datetime.now(UTC).timestamp() - LIFETIME_S - 1)
        for authorization in (
            user_headers["authorization"],
            "Service x",
            f"Service {credential(stage, service='notify')}",
            f"Service {credential(stage, audience='notify')}",
            f"Service {old.issue('bot', 'auth')}",
        ):
            answer = await ask(stage, authorization=authorization)
            assert (answer.status_code, answer.json()["code"]) == (401, "service_credential_refused")
        assert (await stage.client.post("/internal/discord/tokens", json=COMMAND)).status_code == 401

    async def test_credential_works_once(self, each_stage: Stage) -> None:
        await linked_user(each_stage, Role.MANAGER)
        used = f"Service {credential(each_stage)}"
        assert (await ask(each_stage, authorization=used)).status_code == 200
        assert (await ask(each_stage, authorization=used)).status_code == 401
