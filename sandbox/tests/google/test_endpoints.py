import base64
import hashlib
from typing import Any

import httpx
import joserfc.jwt
import jwt
import pytest
from joserfc.jwk import KeySet

from bongsu_sandbox.google.service import BIRTHDAY, GENDER, PHONE
from sandbox.tests.sign_in import CALLBACK, EMMA, MINJI, SEOJUN, bearer, decide

GOOGLE = "/sandbox/google"
AUTHORIZE = f"{GOOGLE}/o/oauth2/v2/auth"
TOKEN = f"{GOOGLE}/token"
CLIENT = {"client_id": "sandbox.apps.googleusercontent.com", "client_secret": "sandbox-google-secret"}
QUERY = {
    "client_id": CLIENT["client_id"],
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "scope": "openid email profile",
    "state": "s t&ate",
    "nonce": "a-nonce",
    "access_type": "offline",
}
FIELDS = {"personFields": "names,nicknames,genders,birthdays,phoneNumbers,locales"}


async def exchange(http: httpx.AsyncClient, code: str, /, **changes: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **CLIENT} | changes
    return await http.post(TOKEN, data=form)


async def sign_in(http: httpx.AsyncClient, persona: int = MINJI, **changes: str) -> dict[str, Any]:
    back = await decide(http, AUTHORIZE, QUERY | changes, persona)
    tokens: dict[str, Any] = (await exchange(http, back["code"])).json()
    return tokens


async def read_claims(http: httpx.AsyncClient, tokens: dict[str, Any]) -> dict[str, Any]:
    """Verify an ID token with the keys of the discovery document."""
    document = (await http.get(f"{GOOGLE}/.well-known/openid-configuration")).json()
    [key] = (await http.get(document["jwks_uri"])).json()["keys"]
    claims: dict[str, Any] = jwt.decode(
        tokens["id_token"],
        jwt.PyJWK(key),
        algorithms=document["id_token_signing_alg_values_supported"],
        audience=CLIENT["client_id"],
        issuer=document["issuer"],
    )
    return claims


class TestDiscovery:
    async def test_browsers_get_the_issuer_and_programs_the_address_that_they_used(
        self, http: httpx.AsyncClient
    ) -> None:
        url = f"http://127.0.0.1:8000{GOOGLE}/.well-known/openid-configuration"
        document = (await http.get(url)).json()
        assert document["issuer"] == "http://localhost:8000/sandbox/google"
        assert document["authorization_endpoint"] == f"http://localhost:8000{AUTHORIZE}"
        assert document["token_endpoint"] == f"http://127.0.0.1:8000{TOKEN}"


class TestAuthorize:
    async def test_page_offers_the_personas(self, http: httpx.AsyncClient) -> None:
        page = await http.get(AUTHORIZE, params=QUERY, headers={"Accept-Language": "ko"})
        assert page.status_code == 200
        for text in ("Google로 로그인", "김민지", "James Walker", "이메일 없음", "이메일 미인증"):
            assert text in page.text

    async def test_refusal_redirects_with_access_denied_and_the_state(self, http: httpx.AsyncClient) -> None:
        back = await decide(http, AUTHORIZE, QUERY, MINJI, decision="deny")
        assert (back["error"], back["state"]) == ("access_denied", "s t&ate")

    async def test_declined_scope_is_not_granted(self, http: httpx.AsyncClient) -> None:
        wanted = QUERY | {"scope": f"openid email {GENDER} {PHONE}"}
        back = await decide(http, AUTHORIZE, wanted, MINJI, choice="", granted=[GENDER])
        granted = (await exchange(http, back["code"])).json()["scope"].split()
        assert GENDER in granted
        assert PHONE not in granted

    async def test_prompt_none_needs_a_grant_from_before(self, http: httpx.AsyncClient) -> None:
        asked = QUERY | {"prompt": "none"}
        assert "error=interaction_required" in (await http.get(AUTHORIZE, params=asked)).headers["location"]
        await sign_in(http)
        assert "code=" in (await http.get(AUTHORIZE, params=asked)).headers["location"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"client_id": "1"},
            {"redirect_uri": "https://elsewhere.example/callback"},
            {"response_type": "token"},
            {"scope": "everything"},
            {"code_challenge": "x", "code_challenge_method": "plain"},
        ],
    )
    async def test_wrong_request_is_shown_and_leads_nowhere(
        self, wrong: dict[str, str], http: httpx.AsyncClient
    ) -> None:
        form = {"persona": str(MINJI), "decision": "allow"}
        for answer in (
            await http.get(AUTHORIZE, params=QUERY | wrong),
            await http.post(AUTHORIZE, params=QUERY | wrong, data=form),
        ):
            assert answer.status_code == 400
            assert "location" not in answer.headers


class TestToken:
    async def test_id_token_is_signed_and_has_the_nonce(self, http: httpx.AsyncClient) -> None:
        claims = await read_claims(http, await sign_in(http))
        assert (claims["nonce"], claims["azp"]) == ("a-nonce", CLIENT["client_id"])
        assert (claims["email"], claims["email_verified"], claims["name"]) == ("minji.kim@example.com", True, "김민지")

    async def test_id_token_is_verified_by_joserfc_with_its_defaults(self, http: httpx.AsyncClient) -> None:
        tokens = await sign_in(http)
        keys = KeySet.import_key_set((await http.get(f"{GOOGLE}/oauth2/v3/certs")).json())
        token = joserfc.jwt.decode(tokens["id_token"], keys)
        joserfc.jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": "http://localhost:8000/sandbox/google"},
            aud={"essential": True, "value": CLIENT["client_id"]},
            nonce={"essential": True, "value": "a-nonce"},
        ).validate(token.claims)
        assert token.claims["email"] == "minji.kim@example.com"

    async def test_address_is_missing_or_unverified_for_some_personas(self, http: httpx.AsyncClient) -> None:
        assert "email" not in await read_claims(http, await sign_in(http, SEOJUN))
        assert (await read_claims(http, await sign_in(http, EMMA)))["email_verified"] is False

    async def test_code_works_once(self, http: httpx.AsyncClient) -> None:
        code = (await decide(http, AUTHORIZE, QUERY, MINJI))["code"]
        assert (await exchange(http, code)).status_code == 200
        assert (await exchange(http, code)).json()["error"] == "invalid_grant"

    async def test_code_challenge_asks_for_its_verifier(self, http: httpx.AsyncClient) -> None:
        digest = hashlib.sha256(b"v" * 43).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        asked = QUERY | {"code_challenge": challenge, "code_challenge_method": "S256"}
        for sent, status in (({"code_verifier": "v" * 43}, 200), ({"code_verifier": "w" * 43}, 400), ({}, 400)):
            code = (await decide(http, AUTHORIZE, asked, MINJI))["code"]
            assert (await exchange(http, code, **sent)).status_code == status

    @pytest.mark.parametrize(
        ("changes", "status", "error"),
        [
            ({"client_secret": "wrong"}, 401, "invalid_client"),
            ({"redirect_uri": "http://localhost:8000/other"}, 400, "redirect_uri_mismatch"),
            ({"grant_type": "password"}, 400, "unsupported_grant_type"),
            ({"code": "made-up"}, 400, "invalid_grant"),
        ],
    )
    async def test_invalid_request_gets_its_error(
        self, changes: dict[str, str], status: int, error: str, http: httpx.AsyncClient
    ) -> None:
        code = (await decide(http, AUTHORIZE, QUERY, MINJI))["code"]
        answer = await exchange(http, code, **changes)
        assert (answer.status_code, answer.json()["error"]) == (status, error)

    async def test_refresh_token_comes_for_offline_access_and_stays(self, http: httpx.AsyncClient) -> None:
        assert "refresh_token" not in await sign_in(http, access_type="online")
        tokens = await sign_in(http)
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **CLIENT}
        for _ in range(2):
            fresh = (await http.post(TOKEN, data=form)).json()
            assert "refresh_token" not in fresh
            assert (await http.get(f"{GOOGLE}/v1/userinfo", headers=bearer(fresh))).status_code == 200

    async def test_revoked_token_is_refused(self, http: httpx.AsyncClient) -> None:
        tokens = await sign_in(http)
        assert (await http.post(f"{GOOGLE}/revoke", data={"token": tokens["access_token"]})).status_code == 200
        assert (await http.get(f"{GOOGLE}/v1/userinfo", headers=bearer(tokens))).status_code == 401
        assert (await http.post(f"{GOOGLE}/revoke", data={"token": "unknown"})).status_code == 400


class TestPeople:
    async def test_fields_follow_the_scopes(self, http: httpx.AsyncClient) -> None:
        tokens = await sign_in(http, scope=f"openid profile {BIRTHDAY} {GENDER}")
        person = (await http.get(f"{GOOGLE}/v1/people/me", params=FIELDS, headers=bearer(tokens))).json()
        assert person["birthdays"][0]["date"] == {"year": 1994, "month": 5, "day": 3}
        assert person["genders"][0]["metadata"]["primary"] is True
        assert person["locales"][0]["value"] == "ko"
        assert "phoneNumbers" not in person

    async def test_errors_have_googles_shape(self, http: httpx.AsyncClient) -> None:
        refused = await http.get(f"{GOOGLE}/v1/people/me", params=FIELDS, headers={"Authorization": "Bearer x"})
        assert (refused.status_code, refused.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
        tokens = await sign_in(http, scope="openid")
        refused = await http.get(f"{GOOGLE}/v1/people/me", params=FIELDS, headers=bearer(tokens))
        assert (refused.status_code, refused.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


class TestFaults:
    async def test_error_replaces_the_answer(self, http: httpx.AsyncClient) -> None:
        await http.post("/sandbox/faults", json={"target": "google", "kind": "error", "detail": {"route": "/token"}})
        assert (await exchange(http, "any")).status_code == 500
        assert (await http.get(f"{GOOGLE}/.well-known/openid-configuration")).status_code == 200

    async def test_members_can_be_odd_and_missing(self, http: httpx.AsyncClient) -> None:
        odd = {"email_verified": "null", "expires_in": '"abc"'}
        await http.post("/sandbox/faults", json={"target": "google", "kind": "odd_fields", "detail": odd})
        await http.post(
            "/sandbox/faults",
            json={"target": "google", "kind": "missing_fields", "detail": {"fields": "name", "route": "/id_token"}},
        )
        tokens = await sign_in(http)
        claims = await read_claims(http, tokens)
        assert (tokens["expires_in"], claims["email_verified"]) == ("abc", None)
        assert "name" not in claims

    @pytest.mark.parametrize("detail", ["birthyear", "=1", "birthyear=x", {"birthyear": "x"}])
    async def test_odd_member_without_json_is_refused(self, detail: object, http: httpx.AsyncClient) -> None:
        body = {"target": "google", "kind": "odd_fields", "detail": detail}
        answer = await http.post("/sandbox/faults", json=body)
        assert answer.status_code == 422
        assert "JSON value" in answer.text
