"""The outcome of each answer of auth and of Kakao."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import httpx
import pytest

from bongsu.identity.models import User
from bongsu.identity.scopes import Role
from bongsu.identity.service_credentials import ServiceCredentials
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, uuid7
from bongsu_notify.auth_client import AuthClient
from bongsu_notify.channels.kakao.message import KakaoMessage
from bongsu_notify.channels.kakao.provider import KakaoProvider
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Refused, Sent, TryLater
from bongsu_notify.settings import NotifySettings

ID = UUID("0197c2a4-1f00-7000-8000-000000000000")
USER = UUID("0197c2a4-1f00-7000-8000-000000000001")
API = "http://kakao.test/api"
TEMPLATE = {"object_type": "text", "text": "봉수", "link": {}}


def answer(status: int, body: object = None) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, json=body)


def problem(status: int, code: str, retry_after: str | None = None) -> Callable[[], httpx.Response]:
    headers = {"retry-after": retry_after} if retry_after is not None else None
    return lambda: httpx.Response(status, json={"code": code, "detail": "why", "status": status}, headers=headers)


@dataclass
class Stage:
    """auth and Kakao: `auth` and `kakao` answer in turn; the last one for ever."""

    vault: Vault
    auth: list[Callable[[], httpx.Response]] = field(default_factory=list)
    kakao: list[Callable[[], httpx.Response]] = field(default_factory=lambda: [answer(200, {"result_code": 0})])
    requests: list[httpx.Request] = field(default_factory=list)
    sent: list[httpx.Request] = field(default_factory=list)

    async def _auth(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.auth:
            return self.auth.pop(0)() if len(self.auth) > 1 else self.auth[0]()
        return httpx.Response(200, json={"access_token": f"t{len(self.requests)}", "api_url": API, "expires_in": 60})

    async def _kakao(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return self.kakao.pop(0)() if len(self.kakao) > 1 else self.kakao[0]()

    async def send(self, *, sender_id: UUID | None = USER) -> Outcome:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self._auth), base_url="http://auth.test") as client:
            auth = AuthClient(client, ServiceCredentials(self.vault))
            provider = KakaoProvider(NotifySettings(), auth, httpx.MockTransport(self._kakao))
            await provider.open()
            outcome = await provider.send_one(
                KakaoMessage(
                    notification_id=ID,
                    attempt=2,
                    recipient=str(USER),
                    to_user_id=USER,
                    sender_id=sender_id,
                    template=TEMPLATE,
                )
            )
            await provider.close()
            return outcome


@pytest.fixture
def stage(vault: Vault) -> Stage:
    return Stage(vault)


def raising(error: Exception) -> Callable[[], httpx.Response]:
    def answered() -> httpx.Response:
        raise error

    return answered


class TestSend:
    async def test_message_goes_out_with_the_token_of_the_recipient(self, stage: Stage) -> None:
        assert await stage.send() == Sent(f"kakao-{ID}-2", "delivered")
        [asked], [sent] = stage.requests, stage.sent
        assert asked.url.path == "/internal/kakao/tokens"
        assert json.loads(asked.content) == {"user_id": str(USER), "notification_id": str(ID)}
        scheme, _, credential = asked.headers["authorization"].partition(" ")
        assert scheme == "Service"
        assert '"service":"notify"' in stage.vault.open(credential, aad="service_credentials:auth").decode()
        assert str(sent.url) == f"{API}/v2/api/talk/memo/default/send"
        assert sent.headers["authorization"] == "Bearer t1"
        assert json.loads(parse_qs(sent.content.decode())["template_object"][0]) == TEMPLATE

    async def test_rejected_token_is_renewed_once(self, stage: Stage) -> None:
        stage.kakao = [answer(401, {"msg": "no", "code": -401}), answer(200, {"result_code": 0})]
        assert isinstance(await stage.send(), Sent)
        assert json.loads(stage.requests[1].content)["rejected_sha256"] == hashlib.sha256(b"t1").hexdigest()
        assert [request.headers["authorization"] for request in stage.sent] == ["Bearer t1", "Bearer t2"]

    async def test_message_fails_when_the_renewed_token_is_rejected(self, stage: Stage) -> None:
        stage.kakao = [answer(401, {"msg": "no", "code": -401})]
        outcome = await stage.send()
        assert isinstance(outcome, Refused)
        assert (outcome.code, len(stage.sent)) == ("kakao_relink_needed", 2)

    @pytest.mark.parametrize(
        ("code", "outcome", "name", "spends_attempt"),
        [
            (-402, Refused, "kakao_consent_missing", None),
            (-2, Refused, "kakao_refused", None),
            (-501, Refused, "kakao_refused", None),
            (-1, TryLater, "provider_error", True),
            (-9798, TryLater, "provider_error", True),
            (-10, TryLater, "provider_quota", False),
            (-532, TryLater, "provider_quota", False),
        ],
    )
    async def test_code_of_kakao_decides(
        self, stage: Stage, code: int, outcome: type[Any], name: str, spends_attempt: bool | None
    ) -> None:
        stage.kakao = [answer(400, {"msg": "why", "code": code})]
        found = await stage.send()
        assert isinstance(found, outcome)
        assert (found.code, getattr(found, "spends_attempt", None)) == (name, spends_attempt)

    @pytest.mark.parametrize(
        ("answered", "outcome"),
        [
            (answer(503), TryLater),
            (answer(429), TryLater),
            (answer(500), OutcomeUnknown),
            (answer(502), OutcomeUnknown),
            (answer(200, {"result_code": "x"}), OutcomeUnknown),
            (answer(200, ["x"]), OutcomeUnknown),
            (answer(400, "x"), Refused),
            (raising(httpx.ConnectError("down")), TryLater),
            (raising(httpx.ReadTimeout("slow")), OutcomeUnknown),
            (raising(httpx.RemoteProtocolError("cut")), OutcomeUnknown),
        ],
        ids=["503", "429", "500", "502", "no number", "list", "400", "no connection", "no answer", "cut off"],
    )
    async def test_answer_without_a_code_is_unknown_only_if_kakao_may_have_sent(
        self, stage: Stage, answered: Callable[[], httpx.Response], outcome: type[Any]
    ) -> None:
        stage.kakao = [answered]
        assert isinstance(await stage.send(), outcome)


class TestToken:
    @pytest.mark.parametrize(
        "code", ["kakao_not_linked", "kakao_consent_missing", "kakao_relink_needed", "account_blocked"]
    )
    async def test_user_without_a_usable_link_fails_the_message(self, stage: Stage, code: str) -> None:
        stage.auth = [problem(409 if code.startswith("kakao") else 403, code)]
        outcome = await stage.send()
        assert isinstance(outcome, Refused)
        assert (outcome.code, stage.sent) == (code, [])

    @pytest.mark.parametrize(
        ("answered", "code", "delay_s"),
        [
            (problem(503, "kakao_unavailable", "12"), "kakao_unavailable", 12),
            (problem(401, "service_credential_refused"), "auth_unavailable", 2),
            (answer(200, {"access_token": 1}), "auth_unavailable", 2),
            (raising(httpx.ConnectError("down")), "auth_unavailable", 2),
            (raising(httpx.ReadTimeout("slow")), "auth_unavailable", 2),
        ],
        ids=["kakao is down", "credential", "malformed", "no connection", "no answer"],
    )
    async def test_message_waits_without_spending_an_attempt_when_auth_has_no_token(
        self, stage: Stage, answered: Callable[[], httpx.Response], code: str, delay_s: float
    ) -> None:
        stage.auth = [answered]
        outcome = await stage.send()
        assert isinstance(outcome, TryLater)
        assert (outcome.code, outcome.delay_s, outcome.spends_attempt) == (code, delay_s, False)
        assert stage.sent == []

    async def test_unknown_refusal_is_tried_again(self, stage: Stage) -> None:
        stage.auth = [answer(404, {"detail": "Not Found"})]
        outcome = await stage.send()
        assert isinstance(outcome, TryLater)
        assert (outcome.code, outcome.spends_attempt) == ("auth_unavailable", True)


class TestSender:
    async def test_only_staff_message_other_users(self, stage: Stage, database: Database) -> None:
        del database
        for role, outcome in ((Role.USER, Refused), (Role.STAFF, Sent)):
            sender = await User.create(email_norm=f"{role}@example.com", role=role)
            assert isinstance(await stage.send(sender_id=sender.id), outcome)
        assert isinstance(await stage.send(sender_id=uuid7()), Refused)
