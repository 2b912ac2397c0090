"""A user who signed in with Kakao gets a notification in their own KakaoTalk."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from harness.people import new_address
from harness.stack import Stack, items

from tests.eventually import wait_until

KAKAO_ID = 3_000_000_001
PERSONA = "1"


def consent(browser: httpx.Client, authorization_url: str, **form: object) -> httpx.Response:
    answer = browser.post(authorization_url, data={"persona": PERSONA, "decision": "allow", **form})
    return browser.get(answer.headers["location"])


@pytest.fixture
def browser(stack: Stack) -> Iterator[httpx.Client]:
    """A browser in which the persona signed in with Kakao, with the access token of the session."""
    with stack.client() as client:
        begun = client.get("/auth/oauth/kakao/authorize")
        consent(client, begun.headers["location"])
        yield client


def send(browser: httpx.Client, text: str) -> str:
    user_id = browser.get("/auth/me").json()["id"]
    body = {"channel": "kakao", "to": {"user_id": user_id}, "content": {"text": text}}
    answer = browser.post("/v1/notifications", json=body)
    assert answer.status_code == 202, answer.text
    notification_id: str = answer.json()["id"]
    return notification_id


def wait_for(browser: httpx.Client, notification_id: str, status: str) -> dict[str, Any]:
    def find() -> dict[str, Any] | None:
        found: dict[str, Any] = browser.get(f"/v1/notifications/{notification_id}").json()
        return found if found["status"] == status else None

    found = wait_until(find, 60, f"the status {status}")
    assert found is not None
    return found


class TestMessage:
    @pytest.mark.timeout(120)
    def test_message_arrives_in_the_chat_of_the_user(self, browser: httpx.Client) -> None:
        text = f"봉수가 올랐습니다 {new_address()}"
        notification_id = send(browser, text)
        found = wait_for(browser, notification_id, "delivered")
        assert found["provider_message_id"] == f"kakao-{notification_id}-1"
        sent = [item for item in items(browser, "/sandbox/kakao/messages") if item["template"].get("text") == text]
        assert [message["user_id"] for message in sent] == [KAKAO_ID]
        audit = items(browser, "/auth/audit", about_me="true")
        assert ("kakao_token.issued", f"notification:{notification_id}") in [
            (entry["action"], entry["target"]) for entry in audit
        ]

    @pytest.mark.timeout(120)
    def test_token_that_kakao_ended_is_renewed(self, browser: httpx.Client, stack: Stack) -> None:
        fault = {"status": "401", "code": "-401", "times": "1"}
        with stack.client() as operator:
            body = {"target": "kakao_message", "kind": "error", "detail": fault}
            assert operator.post("/sandbox/faults", json=body).status_code == 201
            try:
                found = wait_for(browser, send(browser, "다시"), "delivered")
            finally:
                operator.delete("/sandbox/faults")
        assert found["attempt"] == 1
