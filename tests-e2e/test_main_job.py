"""From sign-up to a delivered mail, over HTTP alone."""

from datetime import datetime, timedelta

import httpx
import pytest
from harness.people import PASSWORD, Person, Program, email, new_address, sign_up, wait_for_mail
from harness.stack import Stack, items

from bongsu.identity.signatures import RequestSigner
from bongsu_client import BongsuClient

SUBJECT = "봉수가 올랐습니다 🔥👩‍👩‍👧"
TEXT = "첫째 줄: 안녕하세요, 김철수 님!\n둘째 줄: 가나다 ABC ½ € — “따옴표” 🎉🇰🇷"
HTML = f'<p lang="ko">{TEXT.replace(chr(10), "<br>")} &amp; <a href="https://example.com/?a=1&amp;b=2">링크</a></p>'


@pytest.fixture
def program(person: Person) -> Program:
    """A person may have few keys, so each test uses the key of a new person."""
    return sign_up(person.stack).program()


def detail(answer: httpx.Response) -> str:
    return str(answer.json()["detail"])


class TestFromSignUpToMail:
    def test_mail_arrives_when_a_new_person_signs_up_and_sends_it(self, stack: Stack) -> None:
        program = sign_up(stack).program()
        to = new_address()
        made = program.accepted(
            email(to, SUBJECT, TEXT) | {"content": {"subject": SUBJECT, "text": TEXT, "html": HTML}}
        )
        timeline = program.when(made["id"], "sent")["timeline"]
        accepted_at, sent_at = (datetime.fromisoformat(timeline[at]["at"]) for at in (0, -1))
        assert sent_at - accepted_at < timedelta(seconds=2)
        mail = wait_for_mail(program.client, to)
        assert (mail["subject"], mail["text"]) == (SUBJECT, TEXT)
        assert HTML in mail["html"]
        assert made["id"] in mail["tags"].values()

    def test_202_names_the_address_of_the_notification(self, program: Program) -> None:
        answer = program.notify(email(new_address()))
        assert answer.headers["Location"] == f"/v1/notifications/{answer.json()['id']}"
        found = program.get(answer.headers["Location"]).json()
        assert found["timeline"][0]["status"] == "accepted"

    def test_timeline_shows_every_step(self, program: Program) -> None:
        made = program.accepted(email(new_address()))
        found = program.when(made["id"], "sent")
        statuses = [step["status"] for step in found["timeline"]]
        assert statuses[0] == "accepted"
        assert statuses[-1] == "sent"
        assert all(step["at"].endswith("Z") for step in found["timeline"])

    def test_request_is_accepted_when_the_library_signs_it(self, stack: Stack, program: Program) -> None:
        signer = RequestSigner(program.key.access_key, program.key.secret_key)
        with httpx.Client(base_url=stack.url, auth=signer, timeout=60) as client:
            assert client.post("/v1/notifications", json=email(new_address())).status_code == 202
            assert client.get("/v1/notifications?limit=1&status=sent").status_code == 200

    def test_mail_is_sent_when_the_python_client_sends_it(self, stack: Stack, program: Program) -> None:
        with BongsuClient(stack.url, program.key.access_key, program.key.secret_key) as client:
            sent = client.send(email(new_address()))
            program.when(sent["id"], "sent")
            assert client.get(sent["id"])["timeline"][0]["status"] == "accepted"
            assert [notification["id"] for notification in client.iterate(page_size=1)] == [sent["id"]]

    def test_notification_is_accepted_when_a_bearer_token_sends_it(self, stack: Stack) -> None:
        person = sign_up(stack)
        answer = person.client.post("/v1/notifications", json=email(person.email))
        assert answer.status_code == 202
        assert items(person.client, "/v1/notifications", to=person.email)[0]["id"] == answer.json()["id"]

    def test_verification_sets_the_password_when_the_browser_is_another(self, stack: Stack) -> None:
        address = new_address()
        with stack.client() as client:
            client.post("/auth/register", json={"email": address, "password": PASSWORD})
            token = wait_for_mail(client, address)["text"].partition("token=")[2].split()[0]
        with stack.client() as other:
            assert other.post("/auth/verify", json={"token": token}).status_code == 400
            chosen = "another correct horse"
            assert other.post("/auth/verify", json={"token": token, "password": chosen}).status_code == 200
            login = other.post("/auth/login", json={"email": address, "password": PASSWORD})
            wrong = other.post("/auth/login", json={"email": address, "password": "a wrong password"})
            assert other.post("/auth/login", json={"email": address, "password": chosen}).status_code == 200
        assert (login.status_code, detail(login)) == (wrong.status_code, detail(wrong))
        assert login.status_code == 401


class TestIdempotency:
    def test_key_makes_one_notification_when_the_body_is_the_same(self, program: Program) -> None:
        to = new_address()
        first = program.accepted(email(to), Idempotency_Key="order-1")
        second = program.accepted(email(to), Idempotency_Key="order-1")
        assert second["id"] == first["id"]
        program.when(first["id"], "sent")
        assert len(items(program.client, "/sandbox/mailbox", to=to)) == 1

    def test_key_is_refused_when_the_body_is_another(self, program: Program) -> None:
        program.accepted(email(new_address(), "하나"), Idempotency_Key="order-2")
        answer = program.notify(email(new_address(), "둘"), Idempotency_Key="order-2")
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"

    def test_key_is_separate_for_each_owner(self, stack: Stack, program: Program) -> None:
        other = sign_up(stack).program()
        body = email(new_address())
        made = {one.accepted(body, Idempotency_Key="order-3")["id"] for one in (program, other)}
        assert len(made) == 2


class TestInput:
    @pytest.mark.parametrize(
        ("change", "loc"),
        [
            ({"colour": "red"}, ["body", "colour"]),
            ({"to": {"email": "nobody"}}, ["body", "to", "email"]),
            ({"to": {"email": "a@example.com", "nick": "x"}}, ["body", "to", "nick"]),
            ({"content": {"subject": "x\ny", "text": "x"}}, ["body", "content", "subject"]),
            ({"channel": "pigeon"}, ["body", "channel"]),
        ],
    )
    def test_problem_names_the_invalid_field(self, program: Program, change: dict[str, object], loc: list[str]) -> None:
        answer = program.notify(email(new_address()) | change)
        assert answer.status_code == 422
        problem = answer.json()
        assert loc in [error["loc"] for error in problem["errors"]]
        assert {"type", "title", "status", "detail", "code", "request_id"} <= set(problem)


class TestOwnership:
    def test_notification_is_not_found_when_another_person_asks(self, stack: Stack, program: Program) -> None:
        made = program.accepted(email(new_address()))
        other = sign_up(stack)
        unknown = "01990000-0000-7000-8000-000000000000"
        for one in (other.program().get, other.client.get):
            theirs = one(f"/v1/notifications/{made['id']}")
            nobodys = one(f"/v1/notifications/{unknown}")
            assert theirs.status_code == nobodys.status_code == 404
            assert detail(theirs) == detail(nobodys)
        answer = other.client.post(f"/v1/notifications/{made['id']}/cancel")
        assert answer.status_code == 404
        assert made["id"] not in {item["id"] for item in items(other.client, "/v1/notifications")}

    def test_key_cannot_manage_keys(self, program: Program) -> None:
        answer = program.signed("POST", "/auth/api-keys", {}).send(program.client)
        assert answer.status_code in {401, 403}
