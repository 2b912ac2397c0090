"""`POST /internal/kakao/tokens`."""

import asyncio
import hashlib
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from bongsu.identity.models import AuditEntry, LinkedAccount, User
from bongsu.identity.service_credentials import Service, ServiceCredentials
from bongsu.mixins import uuid7
from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import SETTINGS, Person
from services.auth.tests.stage import Stage, error_fields

PATH = "/internal/kakao/tokens"
TOKEN = "/kakao/oauth/token"
NOTIFICATION = UUID("01930000-0000-7000-8000-000000000001")


@pytest.fixture
def settings() -> AuthSettings:
    return AuthSettings.model_validate(SETTINGS | {"kakao_scopes": "profile_nickname,account_email,talk_message"})


@pytest.fixture
def person(stage: Stage) -> Person:
    return Person(email=stage.new_address())


@pytest.fixture
async def linked(stage: Stage, person: Person) -> LinkedAccount:
    await stage.sign_in_with("kakao", person)
    return await LinkedAccount.filter_by(provider="kakao").one()


@pytest.fixture
async def linked_anywhere(each_stage: Stage) -> LinkedAccount:
    await each_stage.sign_in_with("kakao", Person(email=each_stage.new_address()))
    return await LinkedAccount.filter_by(provider="kakao").one()


def credential(stage: Stage, service: Service = "notify", audience: Service = "auth") -> str:
    return f"Service {ServiceCredentials(stage.vault).issue(service, audience)}"


async def ask(
    stage: Stage,
    user_id: UUID,
    *,
    client: httpx.AsyncClient | None = None,
    authorization: str | None = None,
    **more: object,
) -> httpx.Response:
    body = {"user_id": str(user_id), "notification_id": str(NOTIFICATION), **more}
    headers = {"authorization": authorization or credential(stage)}
    return await (client or stage.client).post(PATH, json=body, headers=headers)


async def expire(linked: LinkedAccount) -> None:
    await linked.update(token_expires_at=datetime.now(UTC) + timedelta(seconds=30))


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class TestIssue:
    async def test_token_of_the_linked_account_is_returned(self, stage: Stage, linked: LinkedAccount) -> None:
        answer = await ask(stage, linked.user_id)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        [session] = stage.providers.sessions
        assert answer.json()["access_token"] == session.access_token
        assert answer.json()["api_url"] == SETTINGS["kakao_api_url"]
        assert 0 < answer.json()["expires_in"] <= 604800
        assert stage.providers.calls[TOKEN] == 1

    async def test_token_that_is_about_to_expire_is_renewed(
        self, each_stage: Stage, linked_anywhere: LinkedAccount
    ) -> None:
        [old] = each_stage.providers.sessions
        await expire(linked_anywhere)
        answers = [await ask(each_stage, linked_anywhere.user_id) for _ in range(2)]
        [session] = each_stage.providers.sessions
        assert {answer.json()["access_token"] for answer in answers} == {session.access_token}
        assert session.access_token != old.access_token
        assert each_stage.providers.calls[TOKEN] == 2
        stored = await LinkedAccount.get(linked_anywhere.id)
        assert session.access_token not in (stored.sealed_access_token or "")
        assert each_stage.grants.access_token(stored) == session.access_token

    async def test_rejected_token_is_renewed_once(self, stage: Stage, linked: LinkedAccount) -> None:
        [old] = stage.providers.sessions
        rejected = digest(old.access_token)
        answers = [await ask(stage, linked.user_id, rejected_sha256=rejected) for _ in range(2)]
        [session] = stage.providers.sessions
        assert {answer.json()["access_token"] for answer in answers} == {session.access_token}
        assert stage.providers.calls[TOKEN] == 2

    async def test_parallel_calls_renew_once(self, each_stage: Stage, linked_anywhere: LinkedAccount) -> None:
        await expire(linked_anywhere)
        async with each_stage.two_instances() as clients:
            answers = await asyncio.gather(
                *(ask(each_stage, linked_anywhere.user_id, client=client) for client in clients * 5)
            )
        [session] = each_stage.providers.sessions
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.json()["access_token"] for answer in answers} == {session.access_token}
        assert each_stage.providers.calls[TOKEN] == 2

    async def test_record_names_the_user_and_the_notification(self, stage: Stage, linked: LinkedAccount) -> None:
        await ask(stage, linked.user_id)
        entry = await AuditEntry.filter_by(action="kakao_token.issued").one()
        assert (entry.actor_id, entry.subject_id, entry.address) == (None, linked.user_id, None)
        assert entry.target == f"notification:{NOTIFICATION}"

    async def test_log_has_no_token(
        self, stage: Stage, linked: LinkedAccount, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        [old] = stage.providers.sessions
        await expire(linked)
        token = (await ask(stage, linked.user_id)).json()["access_token"]
        [session] = stage.providers.sessions
        assert token == session.access_token
        for secret in (old.access_token, old.refresh_token, token, session.refresh_token):
            assert secret not in caplog.text


class TestRefusals:
    async def test_user_without_a_link_is_refused(self, stage: Stage) -> None:
        user = await stage.user()
        for user_id in (user.id, uuid7()):
            answer = await ask(stage, user_id)
            assert (answer.status_code, answer.json()["code"]) == (409, "kakao_not_linked")
        entries = await AuditEntry.filter_by(action="kakao_token.refused").order_by("id").all()
        assert [(entry.subject_id, entry.details) for entry in entries] == [
            (user.id, {"code": "kakao_not_linked"}),
            (None, {"code": "kakao_not_linked"}),
        ]

    async def test_user_who_did_not_consent_to_messages_is_refused(self, stage: Stage, linked: LinkedAccount) -> None:
        await linked.update(scopes="profile_nickname account_email")
        answer = await ask(stage, linked.user_id)
        assert (answer.status_code, answer.json()["code"]) == (409, "kakao_consent_missing")
        assert "talk_message" in answer.json()["detail"]

    async def test_user_who_revoked_the_grant_has_to_link_again(self, stage: Stage, linked: LinkedAccount) -> None:
        stage.providers.sessions.clear()
        await expire(linked)
        for _ in range(2):
            answer = await ask(stage, linked.user_id)
            assert (answer.status_code, answer.json()["code"]) == (409, "kakao_relink_needed")
        assert stage.providers.calls[TOKEN] == 2
        assert (await LinkedAccount.get(linked.id)).relink_needed

    async def test_blocked_user_is_refused(self, stage: Stage, linked: LinkedAccount) -> None:
        await User.filter_by(id=linked.user_id).update(status="blocked")
        answer = await ask(stage, linked.user_id)
        assert (answer.status_code, answer.json()["code"]) == (403, "account_blocked")

    @pytest.mark.parametrize("status", [429, 500, 503])
    async def test_kakao_that_is_down_is_named_with_a_wait(
        self, stage: Stage, linked: LinkedAccount, status: int
    ) -> None:
        await expire(linked)
        stage.providers.fail(TOKEN, status)
        answer = await ask(stage, linked.user_id)
        assert (answer.status_code, answer.json()["code"]) == (503, "kakao_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        stage.providers.faults.clear()
        assert (await ask(stage, linked.user_id)).status_code == 200

    async def test_grant_survives_when_kakao_refuses_the_client_secret(
        self, stage: Stage, linked: LinkedAccount
    ) -> None:
        await expire(linked)
        stage.providers.fail(TOKEN, 401, {"error": "invalid_client", "error_code": "KOE010"})
        answer = await ask(stage, linked.user_id)
        assert (answer.status_code, answer.json()["code"]) == (503, "kakao_unavailable")
        stage.providers.faults.clear()
        assert (await ask(stage, linked.user_id)).status_code == 200

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"user_id": "x"}, "body.user_id"),
            ({"notification_id": 1}, "body.notification_id"),
            ({"rejected_sha256": "x"}, "body.rejected_sha256"),
            ({"scope": "talk_message"}, "body.scope"),
        ],
    )
    async def test_bad_field_is_named(self, stage: Stage, change: dict[str, Any], field: str) -> None:
        body = {"user_id": str(uuid7()), "notification_id": str(NOTIFICATION)} | change
        answer = await stage.client.post(PATH, json=body, headers={"authorization": credential(stage)})
        assert (answer.status_code, error_fields(answer)) == (422, [field])


class TestCredential:
    async def test_other_credentials_are_refused(self, stage: Stage, linked: LinkedAccount) -> None:
        user_headers = await stage.signed_in(await stage.user())
        for authorization in (
            user_headers["authorization"],
            "Service x",
            credential(stage, service="bot"),
            credential(stage, service="auth"),
            credential(stage, audience="bot"),
        ):
            answer = await ask(stage, linked.user_id, authorization=authorization)
            assert (answer.status_code, answer.json()["code"]) == (401, "service_credential_refused")
        body = {"user_id": str(linked.user_id), "notification_id": str(NOTIFICATION)}
        assert (await stage.client.post(PATH, json=body)).status_code == 401
        assert not await AuditEntry.filter_by(action="kakao_token.issued").exists()

    async def test_credential_of_notify_opens_no_other_internal_route(self, stage: Stage) -> None:
        body = {"discord_user_id": "1", "command": "stats"}
        headers = {"authorization": credential(stage)}
        answer = await stage.client.post("/internal/discord/tokens", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "service_credential_refused")

    async def test_credential_works_once(self, each_stage: Stage, linked_anywhere: LinkedAccount) -> None:
        used = credential(each_stage)
        assert (await ask(each_stage, linked_anywhere.user_id, authorization=used)).status_code == 200
        assert (await ask(each_stage, linked_anywhere.user_id, authorization=used)).status_code == 401
