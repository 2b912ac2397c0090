import base64
import hashlib
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bongsu_sandbox.discord.users.personas import BEACON_HILL, EMMA, JAMES, MINJI, READING_ROOM, SEOJUN
from sandbox.tests.discord.conftest import API, APPLICATION, CONTROL

AUTHORIZE = "/sandbox/discord/oauth2/authorize"
TOKEN = "/sandbox/discord/api/oauth2/token"
CALLBACK = "http://localhost:8000/auth/oauth/discord/callback"
SECRET = "sandbox-discord-secret"
CLIENT = {"client_id": APPLICATION, "client_secret": SECRET}
QUERY = {
    "client_id": APPLICATION,
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "scope": "identify email guilds",
    "state": "s t&ate",
}


async def decide(http: httpx.AsyncClient, persona: int, decision: str = "allow", **changes: str) -> dict[str, str]:
    """The parameters with which the browser comes back."""
    answer = await http.post(AUTHORIZE, params=QUERY | changes, data={"persona": str(persona), "decision": decision})
    assert answer.status_code == 303, answer.text
    location = answer.headers["location"]
    assert location.startswith(f"{CALLBACK}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


async def exchange(http: httpx.AsyncClient, code: str, /, **changes: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **CLIENT} | changes
    return await http.post(TOKEN, data=form)


async def signed_in(http: httpx.AsyncClient, persona: int, **changes: str) -> dict[str, Any]:
    back = await decide(http, persona, **changes)
    tokens: dict[str, Any] = (await exchange(http, back["code"])).json()
    return tokens


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


class TestAuthorize:
    async def test_the_page_offers_the_personas(self, http: httpx.AsyncClient) -> None:
        page = await http.get(AUTHORIZE, params=QUERY, headers={"Accept-Language": "ko"})
        assert page.status_code == 200
        for name in ("김민지", "James Walker", "박서준", "이메일 없음", "이메일 미인증"):
            assert name in page.text

    async def test_the_chosen_persona_is_remembered(self, http: httpx.AsyncClient) -> None:
        await decide(http, JAMES)
        assert "Allow</button>" in (await http.get(AUTHORIZE, params=QUERY)).text

    async def test_the_state_comes_back(self, http: httpx.AsyncClient) -> None:
        assert (await decide(http, MINJI))["state"] == QUERY["state"]

    async def test_refusal_redirects_with_access_denied(self, http: httpx.AsyncClient) -> None:
        back = await decide(http, MINJI, "deny")
        assert back["error"] == "access_denied"
        assert "code" not in back

    @pytest.mark.parametrize(
        "wrong",
        [
            {"client_id": "1"},
            {"redirect_uri": "https://elsewhere.example/callback"},
            {"response_type": "token"},
            {"scope": "everything"},
            {"code_challenge": "x", "code_challenge_method": "plain"},
            {"guild_id": "x"},
        ],
    )
    async def test_a_wrong_request_is_shown_and_leads_nowhere(
        self, wrong: dict[str, str], http: httpx.AsyncClient
    ) -> None:
        for answer in (
            await http.get(AUTHORIZE, params=QUERY | wrong),
            await http.post(AUTHORIZE, params=QUERY | wrong, data={"persona": str(MINJI), "decision": "allow"}),
        ):
            assert answer.status_code == 400
            assert "location" not in answer.headers

    async def test_prompt_none_redirects_when_the_user_has_consented_before(self, http: httpx.AsyncClient) -> None:
        assert (await http.get(AUTHORIZE, params=QUERY | {"prompt": "none"})).status_code == 200
        await signed_in(http, MINJI)
        assert (await http.get(AUTHORIZE, params=QUERY | {"prompt": "none"})).status_code == 303


class TestToken:
    async def test_a_code_works_once(self, http: httpx.AsyncClient) -> None:
        code = (await decide(http, MINJI))["code"]
        tokens = (await exchange(http, code)).json()
        assert tokens["token_type"] == "Bearer"
        assert tokens["scope"] == "identify email guilds"
        assert (await exchange(http, code)).json()["error"] == "invalid_grant"

    async def test_the_client_may_sign_in_by_basic(self, http: httpx.AsyncClient) -> None:
        code = (await decide(http, MINJI))["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        assert (await http.post(TOKEN, data=form, auth=(APPLICATION, SECRET))).status_code == 200

    async def test_a_code_challenge_asks_for_its_verifier(self, http: httpx.AsyncClient) -> None:
        verifier = "v" * 43
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        asked = {"code_challenge": challenge, "code_challenge_method": "S256"}
        for sent, status in (({"code_verifier": verifier}, 200), ({"code_verifier": "w" * 43}, 400), ({}, 400)):
            code = (await decide(http, MINJI, **asked))["code"]
            assert (await exchange(http, code, **sent)).status_code == status

    @pytest.mark.parametrize(
        ("changes", "status", "error"),
        [
            ({"client_secret": "wrong"}, 401, "invalid_client"),
            ({"redirect_uri": "http://localhost:8000/other"}, 400, "invalid_grant"),
            ({"grant_type": "password"}, 400, "unsupported_grant_type"),
            ({"code": "made-up"}, 400, "invalid_grant"),
        ],
    )
    async def test_token_answers_with_the_error_code_when_the_request_is_invalid(
        self, changes: dict[str, str], status: int, error: str, http: httpx.AsyncClient
    ) -> None:
        answer = await exchange(http, (await decide(http, MINJI))["code"], **changes)
        assert (answer.status_code, answer.json()["error"]) == (status, error)

    async def test_json_is_refused(self, http: httpx.AsyncClient) -> None:
        answer = await http.post(TOKEN, json={"grant_type": "authorization_code", **CLIENT})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")

    async def test_a_refresh_replaces_both_tokens(self, http: httpx.AsyncClient) -> None:
        tokens = await signed_in(http, MINJI)
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **CLIENT}
        fresh = (await http.post(TOKEN, data=form)).json()
        assert (await http.get(f"{API}/users/@me", headers=bearer(fresh))).status_code == 200
        assert (await http.get(f"{API}/users/@me", headers=bearer(tokens))).status_code == 401
        assert (await http.post(TOKEN, data=form)).json()["error"] == "invalid_grant"

    async def test_revoked_token_is_refused(self, http: httpx.AsyncClient) -> None:
        tokens = await signed_in(http, MINJI)
        revoked = await http.post(f"{TOKEN}/revoke", data={"token": tokens["refresh_token"], **CLIENT})
        assert revoked.status_code == 200
        assert (await http.get(f"{API}/users/@me", headers=bearer(tokens))).status_code == 401


class TestMe:
    async def test_the_address_comes_with_its_scope_only(self, http: httpx.AsyncClient) -> None:
        with_it = await signed_in(http, MINJI)
        without = await signed_in(http, MINJI, scope="identify")
        assert (await http.get(f"{API}/users/@me", headers=bearer(with_it))).json()["email"] == "minji.kim@example.com"
        assert "email" not in (await http.get(f"{API}/users/@me", headers=bearer(without))).json()

    @pytest.mark.parametrize(("persona", "email"), [(SEOJUN, None), (EMMA, "emma.clarke@example.com")])
    async def test_me_omits_the_address_or_marks_it_unverified(
        self, persona: int, email: str | None, http: httpx.AsyncClient
    ) -> None:
        me = (await http.get(f"{API}/users/@me", headers=bearer(await signed_in(http, persona)))).json()
        assert (me["email"], me["verified"]) == (email, False)

    async def test_guilds_include_the_permissions_of_the_user(self, http: httpx.AsyncClient) -> None:
        tokens = await signed_in(http, MINJI)
        guilds = (await http.get(f"{API}/users/@me/guilds", headers=bearer(tokens))).json()
        assert [guild["owner"] for guild in guilds] == [True, False, False, False]
        assert [bool(int(guild["permissions"]) & 0x28) for guild in guilds] == [True, True, True, False]

    async def test_guilds_need_their_scope(self, http: httpx.AsyncClient) -> None:
        tokens = await signed_in(http, MINJI, scope="identify")
        assert (await http.get(f"{API}/users/@me/guilds", headers=bearer(tokens))).status_code == 401


class TestInstall:
    INSTALL: ClassVar = {
        "scope": "identify bot applications.commands",
        "permissions": "2048",
        "disable_guild_select": "true",
    }

    async def test_the_bot_joins_at_the_exchange(self, http: httpx.AsyncClient) -> None:
        back = await decide(http, MINJI, guild_id=str(BEACON_HILL), **self.INSTALL)
        assert (back["guild_id"], back["permissions"]) == (str(BEACON_HILL), "2048")
        assert not await self._is_in(http)
        tokens = (await exchange(http, back["code"])).json()
        assert tokens["guild"]["id"] == str(BEACON_HILL)
        assert await self._is_in(http)

    @pytest.mark.parametrize(("persona", "guild"), [(MINJI, READING_ROOM), (SEOJUN, BEACON_HILL), (MINJI, 1)])
    async def test_install_is_refused_when_the_user_does_not_manage_the_guild(
        self, persona: int, guild: int, http: httpx.AsyncClient
    ) -> None:
        answer = await http.post(
            AUTHORIZE,
            params=QUERY | self.INSTALL | {"guild_id": str(guild)},
            data={"persona": str(persona), "decision": "allow", "guild_id": str(BEACON_HILL)},
        )
        assert answer.status_code == 403

    async def test_without_a_code_grant_the_bot_is_not_added(self, http: httpx.AsyncClient) -> None:
        answer = await http.get(AUTHORIZE, params={"client_id": APPLICATION, "scope": "bot"})
        assert answer.status_code == 400
        assert "code grant" in answer.text

    @staticmethod
    async def _is_in(http: httpx.AsyncClient) -> bool:
        guilds = (await http.get(f"{CONTROL}/state")).json()["guilds"]
        found: bool = next(guild["bot"] for guild in guilds if guild["id"] == str(BEACON_HILL))
        return found


class TestFaults:
    async def test_the_guild_list_can_be_rate_limited(self, http: httpx.AsyncClient) -> None:
        tokens = await signed_in(http, MINJI)
        detail = {"route": "/users/@me/guilds", "times": "1", "retry_after": "1.5"}
        await http.post("/sandbox/faults", json={"target": "discord", "kind": "throttle", "detail": detail})
        refused = await http.get(f"{API}/users/@me/guilds", headers=bearer(tokens))
        assert (refused.status_code, refused.json()["retry_after"]) == (429, 1.5)
        assert refused.headers["via"]
        assert (await http.get(f"{API}/users/@me/guilds", headers=bearer(tokens))).status_code == 200

    async def test_fields_can_be_missing_and_tokens_huge(self, http: httpx.AsyncClient) -> None:
        await http.post("/sandbox/faults", json={"target": "discord", "kind": "huge_token"})
        tokens = await signed_in(http, MINJI)
        assert len(tokens["access_token"]) == 8192
        await http.post("/sandbox/faults", json={"target": "discord", "kind": "missing_fields", "detail": "email"})
        assert "email" not in (await http.get(f"{API}/users/@me", headers=bearer(tokens))).json()
