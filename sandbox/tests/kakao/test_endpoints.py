import json
from pathlib import Path
from typing import Any, ClassVar

import httpx
import jwt
import pytest

from bongsu_sandbox.settings import SandboxSettings
from sandbox.tests.sign_in import CALLBACK, MINJI, SEOJUN, bearer, decide

KAKAO = "/sandbox/kakao"
AUTHORIZE = f"{KAKAO}/oauth/authorize"
TOKEN = f"{KAKAO}/oauth/token"
ME = f"{KAKAO}/v2/user/me"
SEND = f"{KAKAO}/v2/api/talk/memo/default/send"
MESSAGES = f"{KAKAO}/messages"
CLIENT = {"client_id": "sandbox-kakao-rest-api-key", "client_secret": "sandbox-kakao-secret"}
QUERY = {
    "client_id": CLIENT["client_id"],
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "scope": "profile_nickname account_email phone_number birthyear birthday gender age_range name",
    "state": "s t&ate",
}


async def exchange(http: httpx.AsyncClient, code: str, /, **changes: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **CLIENT} | changes
    return await http.post(TOKEN, data=form)


async def sign_in(http: httpx.AsyncClient, persona: int = MINJI, **changes: str) -> dict[str, Any]:
    back = await decide(http, AUTHORIZE, QUERY | changes, persona)
    tokens: dict[str, Any] = (await exchange(http, back["code"])).json()
    return tokens


class TestAuthorize:
    async def test_page_offers_the_personas_and_the_consent_items(self, http: httpx.AsyncClient) -> None:
        page = await http.get(AUTHORIZE, params=QUERY, headers={"Accept-Language": "ko"})
        assert "카카오로 로그인" in page.text
        assert "김민지" in page.text
        consent = await http.get(AUTHORIZE, params=QUERY | {"persona": "1"}, headers={"Accept-Language": "ko"})
        for text in ("닉네임", "전화번호", "선택 동의 항목"):
            assert text in consent.text

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"client_id": "1"}, "KOE101"),
            ({"redirect_uri": "https://elsewhere.example/callback"}, "KOE006"),
            ({"response_type": "token"}, "KOE201"),
            ({"scope": "profile_nickname friends"}, "KOE205"),
        ],
    )
    async def test_wrong_request_shows_its_code_and_leads_nowhere(
        self, wrong: dict[str, str], code: str, http: httpx.AsyncClient
    ) -> None:
        answer = await http.get(AUTHORIZE, params=QUERY | wrong)
        assert answer.status_code == 400
        assert code in answer.text


class TestConsentItems:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> SandboxSettings:
        """An app without business registration."""
        items = ("profile_nickname", "profile_image")
        return SandboxSettings(data_dir=tmp_path / "sandbox", kakao_consent_items=items)

    async def test_item_that_is_not_set_up_is_koe205(self, http: httpx.AsyncClient) -> None:
        answer = await http.get(AUTHORIZE, params=QUERY)
        assert answer.status_code == 400
        assert "KOE205" in answer.text
        assert "account_email" in answer.text
        assert (await http.get(AUTHORIZE, params=QUERY | {"scope": "profile_nickname"})).status_code == 200


class TestToken:
    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"client_secret": "wrong"}, 401, "KOE010"),
            ({"redirect_uri": "http://localhost:8000/other"}, 400, "KOE303"),
            ({"code": "made-up"}, 400, "KOE320"),
            ({"grant_type": "refresh_token", "refresh_token": "made-up"}, 400, "KOE322"),
        ],
    )
    async def test_invalid_request_gets_its_code(
        self, changes: dict[str, str], status: int, code: str, http: httpx.AsyncClient
    ) -> None:
        back = await decide(http, AUTHORIZE, QUERY, MINJI)
        answer = await exchange(http, back["code"], **changes)
        assert (answer.status_code, answer.json()["error_code"]) == (status, code)

    async def test_id_token_comes_with_openid_only(self, http: httpx.AsyncClient) -> None:
        assert "id_token" not in await sign_in(http)
        tokens = await sign_in(http, scope="openid profile_nickname account_email", nonce="a-nonce")
        [key] = (await http.get(f"{KAKAO}/.well-known/jwks.json")).json()["keys"]
        claims = jwt.decode(
            tokens["id_token"],
            jwt.PyJWK(key),
            algorithms=["RS256"],
            audience=CLIENT["client_id"],
            issuer="http://localhost:8000/sandbox/kakao",
        )
        assert (claims["sub"], claims["nonce"], claims["nickname"]) == ("3000000001", "a-nonce", "민지")


class TestMe:
    async def test_user_has_what_was_granted(self, http: httpx.AsyncClient) -> None:
        user = (await http.post(ME, headers=bearer(await sign_in(http)))).json()
        account = user["kakao_account"]
        assert user["id"] == 3000000001
        assert (account["email"], account["is_email_valid"], account["is_email_verified"]) == (
            "minji.kim@example.com",
            True,
            True,
        )
        assert (account["birthyear"], account["birthday"], account["gender"]) == ("1994", "0503", "female")
        assert account["phone_number"] == "+82 10-1234-5678"
        assert account["age_range"].count("~") == 1

    async def test_declined_item_needs_agreement(self, http: httpx.AsyncClient) -> None:
        back = await decide(http, AUTHORIZE, QUERY, MINJI, choice="", granted=["account_email"])
        tokens = (await exchange(http, back["code"])).json()
        account = (await http.get(ME, headers=bearer(tokens))).json()["kakao_account"]
        assert account["gender_needs_agreement"] is True
        assert "gender" not in account
        assert "email" in account

    async def test_person_without_an_address_has_none(self, http: httpx.AsyncClient) -> None:
        account = (await http.get(ME, headers=bearer(await sign_in(http, SEOJUN)))).json()["kakao_account"]
        assert not {name for name in account if "email" in name}

    async def test_property_keys_limit_the_answer(self, http: httpx.AsyncClient) -> None:
        form = {"property_keys": json.dumps(["kakao_account.email"])}
        headers = bearer(await sign_in(http))
        account = (await http.post(ME, data=form, headers=headers)).json()["kakao_account"]
        assert {"email", "is_email_valid", "is_email_verified"} <= set(account)
        assert "gender" not in account
        assert (await http.post(ME, data={"property_keys": "{"}, headers=headers)).json()["code"] == -2

    async def test_unlink_ends_every_token(self, http: httpx.AsyncClient) -> None:
        first, second = await sign_in(http), await sign_in(http)
        answer = await http.post(f"{KAKAO}/v1/user/unlink", headers=bearer(first))
        assert answer.json() == {"id": 3000000001}
        for tokens in (first, second):
            refused = await http.get(ME, headers=bearer(tokens))
            assert (refused.status_code, refused.json()["code"]) == (401, -401)
            form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **CLIENT}
            assert (await http.post(TOKEN, data=form)).json()["error_code"] == "KOE322"


class TestFaults:
    @pytest.mark.parametrize(("kind", "status"), [("error", 500), ("throttle", 429), ("unavailable", 503)])
    async def test_fault_replaces_the_answer(self, kind: str, status: int, http: httpx.AsyncClient) -> None:
        tokens = await sign_in(http)
        await http.post("/sandbox/faults", json={"target": "kakao", "kind": kind})
        assert (await http.get(ME, headers=bearer(tokens))).status_code == status

    async def test_nested_member_can_be_odd(self, http: httpx.AsyncClient) -> None:
        detail = "kakao_account.is_email_valid=null"
        await http.post("/sandbox/faults", json={"target": "kakao", "kind": "odd_fields", "detail": detail})
        account = (await http.get(ME, headers=bearer(await sign_in(http)))).json()["kakao_account"]
        assert account["is_email_valid"] is None
        assert account["email"] == "minji.kim@example.com"


class TestMessages:
    TEXT: ClassVar = {"object_type": "text", "text": "봉수가 올랐습니다", "link": {"web_url": "https://example.com"}}

    async def send(
        self, http: httpx.AsyncClient, template: object, scope: str = "profile_nickname talk_message"
    ) -> httpx.Response:
        tokens = await sign_in(http, scope=scope)
        form = {"template_object": template if isinstance(template, str) else json.dumps(template)}
        return await http.post(SEND, data=form, headers=bearer(tokens))

    async def test_message_is_listed_newest_first(self, http: httpx.AsyncClient) -> None:
        feed = {
            "object_type": "feed",
            "content": {"title": "제목", "description": "설명", "link": {}},
            "buttons": [{"title": "열기", "link": {"web_url": "https://example.com"}}],
        }
        for template in (self.TEXT, feed):
            answer = await self.send(http, template)
            assert (answer.status_code, answer.json()) == (200, {"result_code": 0})
        items = (await http.get(MESSAGES)).json()["items"]
        assert [item["template"]["object_type"] for item in items] == ["feed", "text"]
        assert (items[1]["user_id"], items[1]["template"]["text"]) == (3_000_000_001, "봉수가 올랐습니다")
        assert (await http.get(MESSAGES, params={"user_id": "1"})).json()["items"] == []

    async def test_page_shows_texts_and_titles(self, http: httpx.AsyncClient) -> None:
        headers = {"Accept": "text/html", "Accept-Language": "ko"}
        assert "아직 메시지가 없습니다" in (await http.get(MESSAGES, headers=headers)).text
        await self.send(http, {**self.TEXT, "text": "<b>불</b>"})
        page = (await http.get(MESSAGES, headers=headers)).text
        assert "&lt;b&gt;불&lt;/b&gt;" in page
        assert "김민지" in page

    async def test_token_without_the_scope_is_refused(self, http: httpx.AsyncClient) -> None:
        answer = await self.send(http, self.TEXT, scope="profile_nickname account_email")
        assert (answer.status_code, answer.json()["code"]) == (403, -402)
        assert answer.json()["required_scopes"] == ["talk_message"]
        unknown = await http.post(SEND, headers={"Authorization": "Bearer x"})
        assert (unknown.status_code, unknown.json()["code"]) == (401, -401)

    @pytest.mark.parametrize(
        "template",
        [
            "{",
            "[]",
            {"object_type": "text", "text": "x" * 201, "link": {}},
            {"object_type": "text", "text": "x"},
            {"object_type": "feed", "content": {"title": "x"}},
            {"object_type": "poem", "text": "x", "link": {}},
        ],
    )
    async def test_malformed_template_is_refused(self, http: httpx.AsyncClient, template: object) -> None:
        answer = await self.send(http, template)
        assert (answer.status_code, answer.json()["code"]) == (400, -2)
        assert (await http.get(MESSAGES)).json()["items"] == []

    async def test_fault_of_messages_leaves_the_sign_in_alone(self, http: httpx.AsyncClient) -> None:
        detail = {"status": "400", "code": "-532"}
        await http.post("/sandbox/faults", json={"target": "kakao_message", "kind": "error", "detail": detail})
        answer = await self.send(http, self.TEXT)
        assert (answer.status_code, answer.json()["code"]) == (400, -532)
        await http.delete("/sandbox/faults")
        assert (await self.send(http, self.TEXT)).status_code == 200
