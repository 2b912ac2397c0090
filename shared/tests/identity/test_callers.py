"""Identifying callers through FastAPI: accepted credentials, and the answers to all others."""

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import Depends, FastAPI, Request

from bongsu.identity.dependencies import (
    Caller,
    CurrentCaller,
    Identity,
    require_account,
    require_scope,
)
from bongsu.identity.key_source import current_signing_key, ensure_signing_key
from bongsu.identity.models import AllowlistEntry, ApiKey, User
from bongsu.identity.revocations import revoke_user
from bongsu.identity.scopes import SESSION_SCOPES, Role, Scope
from bongsu.identity.signatures import RequestSigner
from bongsu.identity.tokens import TokenIssuer, TokenSubject
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, uuid7
from bongsu.runtime.dependencies import provide
from bongsu.runtime.http import create_api
from bongsu.runtime.metrics import Metrics
from shared.tests.identity.seeds import SECRET, Seeds

URL = "http://localhost:8000"
SAME_ID = {"x-request-id": "same"}


def build(identity: Identity) -> FastAPI:
    app = create_api(
        title="t", version="1", prefix="/t", metrics=Metrics("t"), lifespan=lambda _app: identity.following()
    )
    provide(app, identity)

    def shown(caller: Caller) -> dict[str, Any]:
        return {
            "user_id": str(caller.user_id),
            "key_id": str(caller.key_id) if caller.key_id else None,
            "method": caller.method,
            "role": caller.role,
            "address": caller.address,
        }

    @app.get("/who")
    async def get(caller: CurrentCaller) -> dict[str, Any]:
        return shown(caller)

    @app.post("/who")
    async def post(caller: CurrentCaller, request: Request) -> dict[str, Any]:
        return shown(caller) | {"body": (await request.body()).decode()}

    @app.get("/account")
    async def account(caller: Annotated[Caller, Depends(require_account)]) -> dict[str, Any]:
        return shown(caller)

    @app.get("/inbox")
    async def inbox(caller: Annotated[Caller, Depends(require_scope(Scope.INBOX_READ))]) -> dict[str, Any]:
        return shown(caller)

    return app


@pytest.fixture
def identity(vault: Vault) -> Identity:
    return Identity(vault=vault, public_url=URL, trusted_proxies=["127.0.0.1"])


@pytest.fixture
async def client(database: Database, identity: Identity, vault: Vault) -> AsyncIterator[httpx.AsyncClient]:
    del database  # connected
    await ensure_signing_key(vault)
    app = build(identity)
    async with (
        identity.following(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL, headers=SAME_ID) as client,
    ):
        yield client


@pytest.fixture
async def user(client: httpx.AsyncClient, seeds: Seeds) -> User:
    assert client is not None  # the tables are there
    return await seeds.user()


@pytest.fixture
async def key(user: User, seeds: Seeds) -> ApiKey:
    return await seeds.key(user.id)


async def token_of(user: User, vault: Vault, *, session_id: UUID | None = None) -> str:
    subject = TokenSubject(user.id, session_id or uuid7(), Role(user.role), SESSION_SCOPES, int(time.time()), ("pwd",))
    return TokenIssuer(URL).issue(await current_signing_key(vault), subject, after=user.tokens_denied_until)


def signer(access_key: str = "bak_test", secret: str = SECRET, *, age_s: int = 0) -> RequestSigner:
    return RequestSigner(access_key, secret, now=lambda: time.time() - age_s)


class TestBearer:
    async def test_token_identifies_the_caller(self, client: httpx.AsyncClient, user: User, vault: Vault) -> None:
        answer = await client.get("/who", headers={"authorization": f"Bearer {await token_of(user, vault)}"})
        assert answer.json() == {
            "user_id": str(user.id),
            "key_id": None,
            "method": "bearer",
            "role": "user",
            "address": "127.0.0.1",
        }

    @pytest.mark.parametrize("value", ["", "Bearer", "Bearer x", "Basic YTpi", "bearer \x7f", "Bearer a.b.c"])
    async def test_other_authorization_is_refused(self, client: httpx.AsyncClient, value: str) -> None:
        answer = await client.get("/who", headers={"authorization": value})
        assert (answer.status_code, answer.json()["code"]) == (401, "token_refused")
        assert answer.headers["www-authenticate"] == "Bearer"

    async def test_request_without_a_credential_is_refused(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/who")
        assert (answer.status_code, answer.json()["code"]) == (401, "credentials_missing")

    async def test_token_is_refused_when_it_is_older_than_a_role_change(
        self, client: httpx.AsyncClient, identity: Identity, database: Database, user: User, vault: Vault
    ) -> None:
        before = await token_of(user, vault)
        async with database.unit():
            await revoke_user(user)
        after = await token_of(user, vault)
        await identity.revocations.poll()
        assert (await client.get("/who", headers={"authorization": f"Bearer {before}"})).status_code == 401
        assert (await client.get("/who", headers={"authorization": f"Bearer {after}"})).status_code == 200

    async def test_changes_are_refused_while_revocations_are_unknown(
        self, client: httpx.AsyncClient, identity: Identity, user: User, vault: Vault
    ) -> None:
        headers = {"authorization": f"Bearer {await token_of(user, vault)}"}
        identity.revocations._polled_at = -1e9
        answer = await client.post("/who", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "revocations_stale")
        assert answer.headers["retry-after"] == "2"
        assert (await client.get("/who", headers=headers)).status_code == 200


class TestCookie:
    @pytest.fixture
    async def signed_in(self, client: httpx.AsyncClient, user: User, vault: Vault) -> httpx.AsyncClient:
        client.cookies.set("access-8000", await token_of(user, vault))
        return client

    async def test_cookie_identifies_the_caller(self, signed_in: httpx.AsyncClient) -> None:
        assert (await signed_in.get("/who")).json()["method"] == "cookie"

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "http://localhost:8001"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site", "origin": URL},
        ],
    )
    async def test_post_from_another_site_is_refused(
        self, signed_in: httpx.AsyncClient, headers: dict[str, str]
    ) -> None:
        answer = await signed_in.post("/who", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")

    @pytest.mark.parametrize("headers", [{"origin": URL}, {"sec-fetch-site": "same-origin"}, {}])
    async def test_post_from_our_own_pages_is_accepted(
        self, signed_in: httpx.AsyncClient, headers: dict[str, str]
    ) -> None:
        assert (await signed_in.post("/who", headers=headers)).status_code == 200


class TestSignature:
    async def test_signed_request_identifies_the_caller(self, client: httpx.AsyncClient, key: ApiKey) -> None:
        answer = await client.post("/who?a=1&b=%20x", content="봉수🔥", auth=signer())
        assert answer.json() == {
            "user_id": str(key.user_id),
            "key_id": str(key.id),
            "method": "signature",
            "role": "user",
            "address": "127.0.0.1",
            "body": "봉수🔥",
        }

    async def test_escaped_path_is_checked_as_sent(self, client: httpx.AsyncClient, key: ApiKey) -> None:
        del key
        assert (await client.get("/wh%6f", auth=signer())).status_code == 200

    @pytest.mark.usefixtures("key")
    async def test_answers_are_identical_whatever_the_reason_for_the_refusal(
        self, client: httpx.AsyncClient, user: User, seeds: Seeds
    ) -> None:
        stopped = await seeds.key(user.id, access_key="bak_stopped")
        await stopped.update(status="stopped")
        blocked = await seeds.user()
        await seeds.key(blocked.id, access_key="bak_blocked")
        await blocked.update(status="blocked")
        replayed = client.build_request("POST", "/who", json={"a": 1})
        signer().sign(replayed)
        assert (await client.send(replayed)).status_code == 200
        tampered = client.build_request("POST", "/who?a=1", json={"a": 1})
        signer().sign(tampered)
        tampered.url = tampered.url.copy_with(query=b"a=2")
        rewritten = client.build_request("POST", "/who", json={"a": 1})
        signer().sign(rewritten)
        other_body = client.build_request("POST", "/who", json={"a": 2}, headers=rewritten.headers)
        answers = [
            await client.get("/who", auth=signer("bak_unknown")),
            await client.get("/who", auth=signer(secret="bsk_wrong")),
            await client.get("/who", auth=signer("bak_stopped")),
            await client.get("/who", auth=signer("bak_blocked")),
            await client.get("/who", auth=signer(age_s=40)),
            await client.get("/who", auth=signer(age_s=-40)),
            await client.get("/who", auth=RequestSigner("bak_test", SECRET, public_url="https://evil.example")),
            await client.send(replayed),
            await client.send(tampered),
            await client.send(other_body),
        ]
        assert {(answer.status_code, answer.content, str(answer.headers)) for answer in answers} == {
            (401, answers[0].content, str(answers[0].headers))
        }
        assert answers[0].json()["code"] == "signature_refused"

    async def test_forged_host_is_ignored(self, client: httpx.AsyncClient, key: ApiKey) -> None:
        del key
        request = client.build_request("GET", "/who", headers={"host": "evil.example"})
        signer().sign(request)
        assert (await client.send(request)).status_code == 200

    async def test_answer_names_the_missing_component_when_a_signature_is_unreadable(
        self, client: httpx.AsyncClient
    ) -> None:
        answer = await client.get(
            "/who", headers={"signature-input": 'a=("@method");created=1', "signature": "a=:aGk=:"}
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "signature_malformed")
        assert "@authority" in answer.json()["detail"]

    @pytest.mark.usefixtures("key")
    async def test_request_is_refused_when_two_of_its_signatures_hold(self, client: httpx.AsyncClient) -> None:
        """Otherwise each of them alone would make the request work once more."""
        request = client.build_request("GET", "/who")
        RequestSigner("bak_test", SECRET, label="first").sign(request)
        first = {name: request.headers[name] for name in ("signature-input", "signature")}
        RequestSigner("bak_test", SECRET, label="second").sign(request)
        for name, value in first.items():
            request.headers[name] = f"{value}, {request.headers[name]}"
        answer = await client.send(request)
        assert (answer.status_code, answer.json()["code"]) == (401, "signature_refused")

    async def test_request_is_accepted_when_a_foreign_signature_comes_first(
        self, client: httpx.AsyncClient, key: ApiKey
    ) -> None:
        request = client.build_request("GET", "/who")
        foreign = RequestSigner("gateway-key", "gateway-secret", label="gateway")
        foreign.sign(request)
        theirs = {name: request.headers[name] for name in ("signature-input", "signature")}
        signer().sign(request)
        for name, value in theirs.items():
            request.headers[name] = f"{value}, {request.headers[name]}"
        answer = await client.send(request)
        assert answer.json()["key_id"] == str(key.id)

    async def test_request_is_refused_when_only_the_foreign_signature_holds(
        self, client: httpx.AsyncClient, key: ApiKey
    ) -> None:
        del key
        request = client.build_request("GET", "/who")
        RequestSigner("bak_test", "bsk_wrong", label="ours").sign(request)
        ours = {name: request.headers[name] for name in ("signature-input", "signature")}
        RequestSigner("gateway-key", SECRET, label="gateway").sign(request)
        for name, value in ours.items():
            request.headers[name] = f"{value}, {request.headers[name]}"
        answer = await client.send(request)
        assert (answer.status_code, answer.json()["code"]) == (401, "signature_refused")

    async def test_nonce_works_when_a_forged_request_had_it_before(
        self, client: httpx.AsyncClient, key: ApiKey
    ) -> None:
        """Nonces are stored after the check of the signature, so that others cannot use them up."""
        del key
        request = client.build_request("GET", "/who")
        signer().sign(request)
        forged = client.build_request("GET", "/account", headers=request.headers)
        assert (await client.send(forged)).status_code == 401
        assert (await client.send(request)).status_code == 200

    @pytest.mark.parametrize(("cidr", "status"), [("127.0.0.0/8", 200), ("::ffff:127.0.0.1", 200), ("10.0.0.0/8", 403)])
    async def test_key_works_from_its_allowlist_only(
        self, client: httpx.AsyncClient, key: ApiKey, cidr: str, status: int
    ) -> None:
        await AllowlistEntry.create(key_id=key.id, cidr=cidr)
        assert (await client.get("/who", auth=signer())).status_code == status

    async def test_forwarding_fields_are_ignored_when_no_proxy_is_trusted(
        self, database: Database, vault: Vault, seeds: Seeds
    ) -> None:
        del database
        identity = Identity(vault=vault, public_url=URL)
        key = await seeds.key((await seeds.user()).id)
        await AllowlistEntry.create(key_id=key.id, cidr="10.0.0.0/8")
        transport = httpx.ASGITransport(build(identity), client=("198.51.100.7", 1))
        async with identity.following(), httpx.AsyncClient(transport=transport, base_url=URL) as client:
            for headers in (
                {},
                {"x-forwarded-for": "10.0.0.1"},
                {"forwarded": "for=10.0.0.1"},
                {"x-real-ip": "10.0.0.1"},
            ):
                assert (await client.get("/who", headers=headers, auth=signer())).status_code == 403

    async def test_address_comes_from_the_trusted_proxy(self, client: httpx.AsyncClient, key: ApiKey) -> None:
        await AllowlistEntry.create(key_id=key.id, cidr="10.0.0.0/8")
        answer = await client.get("/who", headers={"x-forwarded-for": "1.1.1.1, 10.0.0.1"}, auth=signer())
        assert answer.json()["address"] == "10.0.0.1"


class TestRequire:
    async def test_key_is_refused_when_a_session_is_required(self, client: httpx.AsyncClient, key: ApiKey) -> None:
        del key
        answer = await client.get("/account", auth=signer())
        assert (answer.status_code, answer.json()["code"]) == (403, "session_required")

    async def test_session_is_accepted_when_a_session_is_required(
        self, client: httpx.AsyncClient, user: User, vault: Vault
    ) -> None:
        headers = {"authorization": f"Bearer {await token_of(user, vault)}"}
        assert (await client.get("/account", headers=headers)).status_code == 200

    async def test_answer_names_the_scope_when_a_key_lacks_it(self, client: httpx.AsyncClient, key: ApiKey) -> None:
        await key.update(scopes="notifications:read")
        answer = await client.get("/inbox", auth=signer())
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
        assert "inbox:read" in answer.json()["detail"]
