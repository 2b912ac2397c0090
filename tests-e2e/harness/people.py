"""The users of a stack: people with accounts, and their programs with keys. Written against the contract alone.

The signing is written by hand, so that a mistake that the signer and the verifier of the library share shows.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

import httpx

from harness.stack import Stack, items
from tests.eventually import wait_until
from tests.fake import seeded

PASSWORD = "오늘도 봉화를 올립니다 7"
MAIL_LIMIT_S = 30.0
_TOKEN = re.compile(r"token=([A-Za-z0-9_-]+)")
_fake = seeded("e2e")


@dataclass(frozen=True)
class Key:
    """An API key."""

    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Signed:
    """A signed request, to be sent as it is, a second time, or with changes."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    def send(self, client: httpx.Client, **changes: Any) -> httpx.Response:  # noqa: ANN401 - parts of the request
        """Send the request; `changes` replace parts that were signed."""
        parts: dict[str, Any] = {
            "method": self.method,
            "url": self.url,
            "headers": self.headers,
            "content": self.body,
        } | changes
        return client.request(**parts)


class Program:
    """A program that calls the API with a key."""

    def __init__(self, stack: Stack, key: Key) -> None:
        self.stack = stack
        self.key = key
        self.client = stack.client()

    def signed(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        created: float | None = None,
        nonce: str | None = None,
    ) -> Signed:
        """Sign a request (RFC 9421, hmac-sha256)."""
        content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        bare_path, _, query = path.partition("?")
        lines = {
            "@method": method,
            "@authority": self.stack.url.partition("//")[2],
            "@path": bare_path,
            "@query": f"?{query}",
        }
        own = dict(headers or {})
        if content:
            digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
            lines["content-digest"] = own["Content-Digest"] = f"sha-256=:{digest}:"
            own["Content-Type"] = "application/json"
        covered = " ".join(f'"{name}"' for name in lines)
        parameters = (
            f"({covered});created={int(time.time() if created is None else created)}"
            f';keyid="{self.key.access_key}";nonce="{nonce or secrets.token_hex(16)}";alg="hmac-sha256"'
        )
        base = "".join(f'"{name}": {value}\n' for name, value in lines.items()) + f'"@signature-params": {parameters}'
        mac = hmac.digest(self.key.secret_key.encode(), base.encode(), "sha256")
        own["Signature-Input"] = f"e2e={parameters}"
        own["Signature"] = f"e2e=:{base64.b64encode(mac).decode()}:"
        return Signed(method, path, own, content)

    def get(self, path: str) -> httpx.Response:
        """A signed GET."""
        return self.signed("GET", path).send(self.client)

    def notify(self, body: object, **headers: str) -> httpx.Response:
        """A signed `POST /v1/notifications`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.signed("POST", "/v1/notifications", body, headers=named).send(self.client)

    def accepted(self, body: object, **headers: str) -> dict[str, Any]:
        """Submit a notification. Returns the body of the 202."""
        answer = self.notify(body, **headers)
        assert answer.status_code == 202, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def when(self, notification_id: str, *statuses: str, limit_s: float = MAIL_LIMIT_S) -> dict[str, Any]:
        """Wait until a notification has one of these statuses, and return it.

        :raises AssertionError: the status did not come in time.
        """

        def question() -> dict[str, Any] | None:
            answer = self.get(f"/v1/notifications/{notification_id}")
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            return found if found["status"] in statuses else None

        found = wait_until(question, limit_s, f"notification {notification_id} is {' or '.join(statuses)}")
        assert found is not None
        return found


class Person:
    """A person with a verified account, signed in."""

    def __init__(self, stack: Stack, email: str, tokens: dict[str, Any]) -> None:
        self.stack = stack
        self.email = email
        self.access_token: str = tokens["access_token"]
        self.client = stack.client()
        self.client.headers["Authorization"] = f"Bearer {self.access_token}"

    def program(self, **fields: object) -> Program:
        """Create a key, and return a program that uses it."""
        answer = self.client.post("/auth/api-keys", json={"memo": "e2e", **fields})
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return Program(self.stack, Key(made["access_key"], made["secret_key"]))


def new_address() -> str:
    """An address that no other test uses."""
    return _fake.mail_address()


def sign_in_with_discord(browser: httpx.Client, persona: str) -> str:
    """Sign a persona of the sandbox in, and return the ID of their account."""
    redirected = browser.get("/auth/oauth/discord/authorize", params={"next": "/"})
    allowed = browser.post(redirected.headers["location"], data={"persona": persona, "decision": "allow"})
    browser.get(allowed.headers["location"])
    found = browser.get("/auth/me")
    assert found.status_code == 200, found.text
    account_id: str = found.json()["id"]
    return account_id


def sign_up(stack: Stack, email: str | None = None) -> Person:
    """Register, follow the link of the mail, and sign in."""
    email = email or new_address()
    with stack.client() as client:
        answer = client.post("/auth/register", json={"email": email, "password": PASSWORD, "name": _fake.person_name()})
        assert answer.status_code == 202, answer.text
        mail = wait_for_mail(client, email)
        link = _TOKEN.search(mail["text"])
        assert link is not None, mail["text"]
        answer = client.post("/auth/verify", json={"token": link[1], "password": PASSWORD})
        assert answer.status_code == 200, answer.text
    return log_in(stack, email)


def log_in(stack: Stack, email: str, password: str = PASSWORD) -> Person:
    """Start another session of an account."""
    with stack.client() as client:
        answer = client.post("/auth/login", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        return Person(stack, email, answer.json())


def wait_for_mail(client: httpx.Client, to: str, limit_s: float = MAIL_LIMIT_S) -> dict[str, Any]:
    """Wait for a mail to an address. Returns the newest."""
    found = wait_until(lambda: items(client, "/sandbox/mailbox", to=to), limit_s, f"a mail to {to}")
    return found[0]


def email(to: str, subject: str = "알림", text: str = "본문", **more: object) -> dict[str, object]:
    """The body of a notification by email."""
    return {"channel": "email", "to": {"email": to}, "content": {"subject": subject, "text": text}, **more}
