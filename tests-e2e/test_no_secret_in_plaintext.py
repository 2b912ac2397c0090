"""No secret of any flow is in the database, in a log, in the queue or on a page of the staff."""

import base64
import binascii
import hashlib
import json
import re
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pyotp
import pytest
from harness.people import new_address, wait_for_mail
from harness.stack import EmbeddedStack, items

from bongsu_launcher.demo import PASSWORD as DEMO_PASSWORD
from tests.eventually import wait_until

APP = "com.example.app:/callback"
TOKEN = re.compile(r"token=([A-Za-z0-9_-]+)")
PERSONAS = {"google": "1", "kakao": "1", "discord": "200000000000000001"}
SHORTEST_SECRET = 16
"""Characters. A code of six digits would be found anywhere."""


@dataclass
class Journey:
    """A person who goes through every flow, and the secrets that they saw."""

    stack: EmbeddedStack
    secrets: dict[str, str] = field(default_factory=dict)

    def saw(self, name: str, secret: str) -> str:
        assert len(secret) >= SHORTEST_SECRET, name
        self.secrets[name] = secret
        return secret

    def saw_cookies(self, name: str, browser: httpx.Client) -> None:
        for cookie in browser.cookies.jar:
            # The cookie of the sandbox is the ID of a person.
            if not cookie.name.startswith("sandbox") and len(cookie.value or "") >= SHORTEST_SECRET:
                self.saw(f"cookie {cookie.name} of {name}", cookie.value or "")

    def link(self, browser: httpx.Client, name: str, to: str) -> str:
        """Return the token of a link that was mailed."""

        def find() -> str | None:
            for mail in items(browser, "/sandbox/mailbox", to=to):
                found = TOKEN.search(mail["text"])
                if found is not None and found[1] not in self.secrets.values():
                    return found[1]
            return None

        wait_for_mail(browser, to)
        token = wait_until(find, 30, f"the link of {name}")
        assert token is not None
        return self.saw(f"link of {name}", token)

    def post(self, browser: httpx.Client, path: str, **body: object) -> httpx.Response:
        answer = browser.post(path, json=body)
        assert answer.status_code < 300, (path, answer.text)
        return answer

    def sign_up(self, browser: httpx.Client, email: str) -> str:
        password = self.saw("password of the sign-up", secrets.token_urlsafe(20))
        self.post(browser, "/auth/register", email=email, password=password)
        self.saw_cookies("the sign-up", browser)
        self.post(browser, "/auth/verify", token=self.link(browser, "the sign-up", email))
        return password

    def log_in(self, browser: httpx.Client, email: str, password: str) -> dict[str, str]:
        wrong = self.saw("wrong password", secrets.token_urlsafe(20))
        browser.post("/auth/login", json={"email": email, "password": wrong})
        tokens: dict[str, str] = self.post(browser, "/auth/login", email=email, password=password).json()
        renewed = self.post(browser, "/auth/refresh", refresh_token=tokens["refresh_token"]).json()
        for name in ("access_token", "refresh_token"):
            self.saw(name, tokens[name])
            self.saw(f"renewed {name}", renewed[name])
        self.post(browser, "/auth/login?cookie=true", email=email, password=password)
        self.saw_cookies("a sign-in", browser)
        browser.headers["Authorization"] = f"Bearer {renewed['access_token']}"
        return tokens

    def reset_password(self, browser: httpx.Client, email: str) -> str:
        self.post(browser, "/auth/password/forgot", email=email)
        password = self.saw("new password", secrets.token_urlsafe(20))
        self.post(browser, "/auth/password/reset", token=self.link(browser, "the reset", email), password=password)
        return password

    def change_email(self, browser: httpx.Client) -> str:
        email = new_address()
        assert browser.put("/auth/email", json={"email": email}).status_code == 202
        self.post(browser, "/auth/email/confirm", token=self.link(browser, "the new address", email))
        return email

    def change_password(self, browser: httpx.Client, password: str) -> str:
        new = self.saw("changed password", secrets.token_urlsafe(20))
        assert browser.put("/auth/password", json={"current": password, "new": new}).status_code == 204
        return new

    def create_keys(self, browser: httpx.Client) -> None:
        made = self.post(browser, "/auth/api-keys").json()
        self.saw("secret key", made["secret_key"])
        rotated = self.post(browser, f"/auth/api-keys/{made['id']}/rotate").json()
        self.saw("rotated secret key", rotated["secret_key"])
        action = {"audience": "bot", "method": "guild_leave", "target": "guild:300000000002228224"}
        self.saw("assertion", self.post(browser, "/auth/assertions", **action).json()["assertion"])

    def turn_on_second_factor(self, browser: httpx.Client, email: str, password: str) -> None:
        secret = self.saw("second factor", browser.post("/auth/mfa/totp").json()["secret"])
        now = int(time.time())
        enabled = self.post(browser, "/auth/mfa/totp", code=pyotp.TOTP(secret).at(now, counter_offset=-1)).json()
        codes = [self.saw(f"recovery code {number}", code) for number, code in enumerate(enabled["recovery_codes"])]
        first = self.post(browser, "/auth/login", email=email, password=password).json()
        self.saw("token of the second step", first["mfa_token"])
        tokens = self.post(browser, "/auth/mfa/verify", mfa_token=first["mfa_token"], code=codes[0]).json()
        self.saw("access token of two factors", tokens["access_token"])
        self.saw("refresh token of two factors", tokens["refresh_token"])

    def sign_in_with(self, browser: httpx.Client, provider: str) -> None:
        begun = browser.get(f"/auth/oauth/{provider}/authorize")
        self.saw_cookies(provider, browser)
        callback = self.consent(browser, provider, begun.headers["location"])
        assert browser.get(callback).headers["location"] == "/"
        self.saw_cookies(f"a sign-in with {provider}", browser)

    def message_oneself(self, browser: httpx.Client) -> None:
        """Send a KakaoTalk message, for which notify gets the token of the user at Kakao."""
        user_id = browser.get("/auth/me").json()["id"]
        body = {"channel": "kakao", "to": {"user_id": user_id}, "content": {"text": "봉수"}}
        path = f"/v1/notifications/{self.post(browser, '/v1/notifications', **body).json()['id']}"
        wait_until(lambda: browser.get(path).json()["status"] == "delivered", 60, "the message is delivered")

    def sign_in_as_client(self, browser: httpx.Client) -> None:
        verifier = self.saw("verifier of the client", secrets.token_urlsafe(48))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        body = {"redirect_uri": APP, "code_challenge": challenge, "state": "s"}
        begun = self.post(browser, "/auth/oauth/google/authorize", **body).json()["authorization_url"]
        back = browser.get(self.consent(browser, "google", begun)).headers["location"]
        code = self.saw("code of the client", parse_qs(urlsplit(back).query)["code"][0])
        tokens = self.post(browser, "/auth/oauth/exchange", code=code, code_verifier=verifier).json()
        self.saw("access token of the client", tokens["access_token"])
        self.saw("refresh token of the client", tokens["refresh_token"])

    def consent(self, browser: httpx.Client, provider: str, authorization_url: str) -> str:
        """Agree on the page of the provider. Returns the callback URL."""
        answer = browser.post(
            authorization_url,
            data={"persona": PERSONAS[provider], "decision": "allow"},
            headers={"Origin": self.stack.url},
        )
        assert answer.status_code == 303, answer.text
        callback: str = answer.headers["location"]
        query = parse_qs(urlsplit(callback).query)
        self.saw(f"state of {provider}", query["state"][0])
        self.saw(f"code of {provider}", query["code"][0])
        return callback


@dataclass(frozen=True)
class Recorded:
    kind: str
    name: str
    content: bytes


def travel(stack: EmbeddedStack) -> Journey:
    journey = Journey(stack)
    with stack.client() as browser:
        email = new_address()
        password = journey.sign_up(browser, email)
        journey.log_in(browser, email, password)
        password = journey.reset_password(browser, email)
        journey.log_in(browser, email, password)
        journey.create_keys(browser)
        password = journey.change_password(browser, password)
        email = journey.change_email(browser)
        journey.turn_on_second_factor(browser, email, password)
    for provider in PERSONAS:
        with stack.client() as browser:
            journey.sign_in_with(browser, provider)
            if provider == "kakao":
                journey.message_oneself(browser)
    with stack.client() as browser:
        journey.sign_in_as_client(browser)
    return journey


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recording") / "recorded.jsonl"


@pytest.fixture(scope="module")
def journey(recording: Path) -> Iterator[Journey]:
    script = Path(__file__).parent / "harness" / "recording.py"
    with EmbeddedStack(
        recording.parent / "stack",
        environ={"LOG_LEVEL": "DEBUG", "AUTH_REDIRECT_URIS": APP},
        command=(sys.executable, script, recording),
    ) as stack:
        yield travel(stack)


@pytest.fixture(scope="module")
def records(journey: Journey, recording: Path) -> list[Recorded]:
    assert journey.secrets
    lines = [json.loads(line) for line in recording.read_text().splitlines()]
    return [Recorded(line["kind"], line["name"], base64.b64decode(line["content"])) for line in lines]


@pytest.fixture(scope="module")
def needles(journey: Journey, records: list[Recorded]) -> dict[bytes, str]:
    """Everything that must not be found, in each form that it could have, and its name."""
    plain = [(name, secret.encode()) for name, secret in journey.secrets.items()]
    plain += [(f"sealed as {one.name}", one.content) for one in records if one.kind == "sealed"]
    assert len(plain) > 60
    return {form: name for name, secret in plain for form in forms(secret) if len(form) >= SHORTEST_SECRET}


def forms(secret: bytes) -> set[bytes]:
    """Return a secret as it is, escaped, encoded, and decoded."""
    found = {secret, secret.hex().encode(), base64.b64encode(secret), base64.urlsafe_b64encode(secret).rstrip(b"=")}
    found |= {quote(secret, safe="").encode(), re.sub(rb"[- ]", b"", secret)}
    if secret.isascii():
        with suppress(binascii.Error):
            found.add(base64.b64decode(secret + b"=" * (-len(secret) % 4), altchars=b"-_", validate=True))
    return found


def found_in(places: Iterable[tuple[str, bytes]], needles: dict[bytes, str]) -> list[str]:
    """Return the places, each with the name of the secret that is there."""
    return sorted({f"{place}: {name}" for place, text in places for secret, name in needles.items() if secret in text})


def as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


class TestSecrets:
    def test_database_has_none_in_any_column(self, journey: Journey, needles: dict[bytes, str]) -> None:
        file = journey.stack.folder / "var" / "bongsu.sqlite3"
        places: list[tuple[str, bytes]] = []
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                rows = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name from the schema
                columns = [column[0] for column in rows.description]
                places += [
                    (f"{table}.{column}", as_bytes(value))
                    for row in rows
                    for column, value in zip(columns, row, strict=True)
                ]
        assert {"users.hashed_password", "notifications.sealed_variables"} <= {place for place, _ in places}
        # The file also has what was deleted.
        places += [(path.name, path.read_bytes()) for path in file.parent.glob(f"{file.name}*")]
        assert found_in(places, needles) == []

    def test_log_has_none(self, journey: Journey, needles: dict[bytes, str]) -> None:
        log = journey.stack.log()
        assert log.count("request.answered") > 50
        assert found_in([("log", log.encode())], needles) == []

    def test_queue_has_none(self, records: list[Recorded], needles: dict[bytes, str]) -> None:
        published = [(one.name, one.content) for one in records if one.kind == "published"]
        assert len(published) > 5
        assert found_in(published, needles) == []

    def test_staff_are_shown_none(self, journey: Journey, needles: dict[bytes, str]) -> None:
        with journey.stack.client() as staff:
            tokens = staff.post("/auth/login", json={"email": "admin@bongsu.test", "password": DEMO_PASSWORD}).json()
            staff.headers["Authorization"] = f"Bearer {tokens['access_token']}"
            shown: list[tuple[str, bytes]] = []
            for path in ("/auth/users", "/auth/audit", "/v1/notifications"):
                listed = items(staff, path)
                assert len(listed) >= 3
                shown += [(path, json.dumps(one).encode()) for one in listed]
                if path != "/auth/audit":
                    shown += [(f"{path}/ID", staff.get(f"{path}/{one['id']}").content) for one in listed]
        assert found_in(shown, needles) == []
