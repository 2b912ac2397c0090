"""The whole app: OpenAPI, health, unknown routes, log, storage."""

import asyncio
import re
from pathlib import Path

import pytest
import structlog

from bongsu.identity.scopes import Role
from bongsu.runtime.background import in_background
from bongsu.runtime.documentation import read_texts
from bongsu_auth.app import sweep_regularly
from bongsu_auth.settings import AuthSettings
from services.auth.tests.stage import PASSWORD, Stage, bearer
from tests.openapi_texts import list_texts


class TestOpenapi:
    async def test_document_lists_every_route(self, stage: Stage) -> None:
        document = (await stage.client.get("/auth/openapi.json")).json()
        assert set(document["paths"]) >= {
            "/auth/register",
            "/auth/verify",
            "/auth/verify/resend",
            "/auth/login",
            "/auth/refresh",
            "/auth/logout",
            "/auth/me",
            "/auth/sessions",
            "/auth/sessions/{session_id}",
            "/auth/api-keys",
            "/auth/api-keys/{key_id}",
            "/auth/api-keys/{key_id}/rotate",
            "/auth/api-keys/{key_id}/allowlist",
            "/auth/api-keys/{key_id}/allowlist/{entry_id}",
            "/auth/audit",
            "/.well-known/jwks.json",
        }
        assert "AccessToken" in document["components"]["securitySchemes"]

    async def test_null_is_documented_exactly_where_a_change_accepts_it(self, stage: Stage) -> None:
        document = (await stage.client.get("/auth/openapi.json")).json()
        headers = await stage.signed_in(await stage.user(role=Role.ADMINISTRATOR))
        key = (await stage.client.post("/auth/api-keys", json={}, headers=headers)).json()
        ids = {"key_id": key["id"], "user_id": str((await stage.user()).id)}
        documented, accepted = {}, {}
        for path, operations in document["paths"].items():
            if "patch" not in operations:
                continue
            body = operations["patch"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            for name, schema in document["components"]["schemas"][body.rpartition("/")[2]]["properties"].items():
                answer = await stage.client.patch(path.format(**ids), json={name: None}, headers=headers)
                accepted[path, name] = answer.status_code == 200
                documented[path, name] = {"type": "null"} in schema.get("anyOf", [])
        assert len(accepted) > 5
        assert documented == accepted

    async def test_every_text_is_translated_and_no_translation_is_left_over(self, stage: Stage) -> None:
        english, korean = [
            set(list_texts((await stage.client.get(f"/auth/{name}")).json()))
            for name in ("openapi.json", "openapi.ko.json")
        ]
        assert {text for text in korean if not re.search("[가-힣]", text)} == set()
        assert read_texts("bongsu_auth", "openapi.ko.json").keys() - english == set()

    async def test_documentation_pages_exist(self, stage: Stage) -> None:
        assert (await stage.client.get("/auth/docs")).status_code == 200


class TestHealth:
    async def test_process_is_alive(self, stage: Stage) -> None:
        assert (await stage.client.get("/healthz")).status_code == 200

    async def test_metrics_count_requests_by_route(self, stage: Stage) -> None:
        await stage.login("nobody@example.com")
        metrics = (await stage.client.get("/metrics")).text
        assert 'route="/auth/login"' in metrics
        assert "nobody" not in metrics


class TestSweep:
    async def test_sweeps_run_when_another_hangs_or_fails(
        self,
    ) -> None:
        swept, hanging, turns = asyncio.Event(), asyncio.Event(), []

        async def hung() -> int:
            await hanging.wait()
            return 0

        async def broken() -> int:
            raise ZeroDivisionError

        async def done() -> int:
            turns.append(1)
            if len(turns) == 2:
                swept.set()
            return 1

        sweeping = sweep_regularly([hung, broken, done], interval_s=0.01, timeout_s=0.05)
        async with in_background(sweeping, name="sweep"), asyncio.timeout(30):
            await swept.wait()


class TestProblems:
    @pytest.mark.parametrize(("method", "path", "status"), [("GET", "/auth/nothing", 404), ("PUT", "/auth/login", 405)])
    async def test_unknown_route_or_method_is_a_problem(
        self, stage: Stage, method: str, path: str, status: int
    ) -> None:
        answer = await stage.client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert set(answer.json()) == {"type", "title", "status", "detail", "code", "request_id"}

    @pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', "\x00", '{"email": NaN}'])
    async def test_malformed_body_is_refused(self, stage: Stage, body: str) -> None:
        answer = await stage.client.post("/auth/login", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422
        assert answer.json()["errors"]

    async def test_invalid_utf_8_is_refused(self, stage: Stage) -> None:
        answer = await stage.client.post(
            "/auth/login", content=b'{"email": "\xff"}', headers={"content-type": "application/json"}
        )
        assert 400 <= answer.status_code < 500


class TestLogs:
    async def test_no_secret_or_address_is_logged(self, stage: Stage) -> None:
        email = stage.new_address()
        with structlog.testing.capture_logs() as logs:
            await stage.register(email)
            [mail] = await stage.mails()
            await stage.client.post("/auth/verify", json={"token": mail.token, "password": PASSWORD})
            tokens = (await stage.login(email)).json()
            await stage.login(email, "wrong password")
            await stage.client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        logged = str(logs)
        assert len(logs) >= 5
        for secret in (email, PASSWORD, mail.token, tokens["access_token"], tokens["refresh_token"]):
            assert secret not in logged


class TestSettings:
    def test_defaults_are_the_documented_ones(self) -> None:
        settings = AuthSettings()
        assert (settings.access_token_s, settings.refresh_idle_days, settings.refresh_absolute_days) == (900, 14, 90)
        assert (settings.refresh_grace_s, settings.max_active_keys, settings.max_allowlist_entries) == (10, 3, 10)

    def test_names_begin_with_auth(self) -> None:
        assert all(name.startswith("AUTH_") for name in AuthSettings.names().values())


class TestStorage:
    async def test_no_secret_is_stored_in_plain_text(self, stage: Stage) -> None:
        email = stage.new_address()
        await stage.register(email)
        [mail] = await stage.mails()
        await stage.client.post("/auth/verify", json={"token": mail.token, "password": PASSWORD})
        tokens = (await stage.login(email)).json()
        headers = bearer(tokens["access_token"])
        key = (await stage.client.post("/auth/api-keys", json={}, headers=headers)).json()
        rotated = (await stage.client.post(f"/auth/api-keys/{key['id']}/rotate", headers=headers)).json()
        file = Path(str(stage.database.engine.url.database))
        stored = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
        assert email.encode() in stored
        for secret in (
            PASSWORD,
            mail.token,
            tokens["access_token"],
            tokens["refresh_token"],
            key["secret_key"],
            rotated["secret_key"],
        ):
            assert secret.encode() not in stored
