"""Attacks that a signature prevents. Every refusal looks the same, so that an attacker learns nothing from it."""

import base64
import hashlib
import hmac
import re
import secrets
import socket
import time
from collections.abc import Callable

import httpx
import pytest
from harness.people import Key, Program, Signed, email, new_address, sign_up
from harness.stack import Stack, items

PATH = "/v1/notifications"


@pytest.fixture(scope="session")
def program(stack: Stack) -> Program:
    return sign_up(stack).program()


def shown(answer: httpx.Response) -> tuple[int, dict[str, object], dict[str, str]]:
    """Everything that could distinguish one response from another."""
    body = answer.json()
    body.pop("request_id")
    headers = {name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id"}}
    return answer.status_code, body, headers


def forged(program: Program, to: str) -> httpx.Response:
    thief = Program(program.stack, Key(program.key.access_key, secrets.token_urlsafe(32)))
    return thief.notify(email(to))


def of_an_unknown_key(program: Program, to: str) -> httpx.Response:
    unknown = Program(program.stack, Key("BK" + secrets.token_hex(10), program.key.secret_key))
    return unknown.notify(email(to))


def too_old(program: Program, to: str) -> httpx.Response:
    return program.signed("POST", PATH, email(to), created=time.time() - 40).send(program.client)


def from_the_future(program: Program, to: str) -> httpx.Response:
    return program.signed("POST", PATH, email(to), created=time.time() + 40).send(program.client)


def with_another_body(program: Program, to: str) -> httpx.Response:
    signed = program.signed("POST", PATH, email("x" * len(to)))
    return signed.send(program.client, content=signed.body.replace(b"x" * len(to), to.encode()))


def with_another_body_and_its_digest(program: Program, to: str) -> httpx.Response:
    signed = program.signed("POST", PATH, email(new_address()))
    other = program.signed("POST", PATH, email(to))
    headers = signed.headers | {"Content-Digest": other.headers["Content-Digest"]}
    return signed.send(program.client, content=other.body, headers=headers)


def with_another_query(program: Program, to: str) -> httpx.Response:
    return program.signed("POST", PATH, email(to)).send(program.client, url=f"{PATH}?x=1")


def with_a_repeated_parameter(program: Program, to: str) -> httpx.Response:
    return program.signed("POST", f"{PATH}?x=1", email(to)).send(program.client, url=f"{PATH}?x=1&x=2")


def with_another_path(program: Program, to: str) -> httpx.Response:
    return program.signed("POST", f"{PATH}/", email(to)).send(program.client, url=PATH)


def with_another_method(program: Program, to: str) -> httpx.Response:
    return program.signed("PUT", PATH, email(to)).send(program.client, method="POST")


def without_its_digest(program: Program, to: str) -> httpx.Response:
    signed = program.signed("POST", PATH, email(to))
    headers = {name: value for name, value in signed.headers.items() if name != "Content-Digest"}
    return signed.send(program.client, headers=headers)


def without_a_signature(program: Program, to: str) -> httpx.Response:
    signed = program.signed("POST", PATH, email(to))
    headers = {name: value for name, value in signed.headers.items() if name != "Signature"}
    return signed.send(program.client, headers=headers)


def for_another_host(program: Program, to: str) -> httpx.Response:
    class Elsewhere:
        url = "http://bongsu.example"
        client = program.stack.client

        def log(self) -> str:
            return ""

    signed = Program(Elsewhere(), program.key).signed("POST", PATH, email(to))
    return signed.send(program.client)


Attack = Callable[[Program, str], httpx.Response]
ATTACKS: list[Attack] = [
    of_an_unknown_key,
    too_old,
    from_the_future,
    with_another_body,
    with_another_body_and_its_digest,
    with_another_query,
    with_a_repeated_parameter,
    with_another_path,
    with_another_method,
    for_another_host,
]


class TestRefusals:
    @pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
    def test_attack_is_refused_like_a_forged_signature(self, program: Program, attack: Attack) -> None:
        to = new_address()
        expected = shown(forged(program, to))
        assert shown(attack(program, to)) == expected
        assert expected[0] == 401
        assert items(program.client, "/sandbox/mailbox", to=to) == []

    @pytest.mark.parametrize("end", ["stop", "delete"])
    def test_ended_key_is_refused_like_a_forged_signature(self, stack: Stack, program: Program, end: str) -> None:
        person, to = sign_up(stack), new_address()
        ended = person.program()
        [key] = items(person.client, "/auth/api-keys")
        path = f"/auth/api-keys/{key['id']}"
        if end == "stop":
            person.client.patch(path, json={"status": "stopped"}).raise_for_status()
        else:
            person.client.delete(path).raise_for_status()
        assert shown(ended.notify(email(to))) == shown(forged(program, to))

    @pytest.mark.parametrize("attack", [without_a_signature, without_its_digest], ids=lambda attack: attack.__name__)
    def test_request_is_refused_when_a_signature_header_is_missing(self, program: Program, attack: Attack) -> None:
        assert attack(program, new_address()).status_code == 401

    def test_replay_is_refused_like_a_forged_signature(self, program: Program) -> None:
        to = new_address()
        signed = program.signed("POST", PATH, email(to))
        assert signed.send(program.client).status_code == 202
        assert shown(signed.send(program.client)) == shown(forged(program, to))

    def test_nonce_stays_usable_when_its_request_is_refused(self, program: Program) -> None:
        nonce = secrets.token_hex(16)
        thief = Program(program.stack, Key(program.key.access_key, secrets.token_urlsafe(32)))
        refused = thief.signed("GET", PATH, nonce=nonce).send(program.client)
        assert refused.status_code == 401
        assert program.signed("GET", PATH, nonce=nonce).send(program.client).status_code == 200

    def test_request_is_accepted_when_the_clock_is_25_s_off(self, program: Program) -> None:
        for offset_s in (-25, 25):
            signed = program.signed("GET", f"{PATH}?limit=1", created=time.time() + offset_s)
            assert signed.send(program.client).status_code == 200


def raw(program: Program, signed: Signed, framing: list[str], body: bytes) -> int:
    """Send a request byte by byte as written, which no client would. Returns the status of its final response."""
    url = httpx.URL(program.stack.url)
    lines = [f"{signed.method} {signed.url} HTTP/1.1", f"Host: {url.netloc.decode()}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in signed.headers.items()] + framing
    with socket.create_connection((url.host, url.port or 80), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    return [int(status) for status in re.findall(rb"^HTTP/1\.1 (\d{3})", received, re.MULTILINE)][-1]


def chunked(body: bytes) -> bytes:
    return f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


class TestFraming:
    def test_body_without_a_length_is_checked_too(self, program: Program) -> None:
        framing = ["Transfer-Encoding: chunked"]
        signed = program.signed("POST", PATH, email(new_address()))
        assert raw(program, signed, framing, chunked(signed.body + b" ")) == 401
        assert raw(program, signed, framing, chunked(signed.body)) == 202

    def test_client_that_expects_a_continue_gets_its_answer(self, program: Program) -> None:
        signed = program.signed("POST", PATH, email(new_address()))
        framing = ["Expect: 100-continue", f"Content-Length: {len(signed.body)}"]
        assert raw(program, signed, framing, signed.body) == 202

    def test_body_of_a_get_has_to_be_signed(self, program: Program) -> None:
        framing = ["Transfer-Encoding: chunked"]
        assert raw(program, program.signed("GET", f"{PATH}?limit=1"), framing, chunked(b"x")) == 401

    @pytest.mark.parametrize("name", ["Signature-Input", "Signature"])
    def test_signature_that_is_sent_twice_is_refused(self, program: Program, name: str) -> None:
        signed = program.signed("GET", f"{PATH}?limit=1")
        assert raw(program, signed, [f"{name}: {signed.headers[name]}"], b"") == 401

    def test_digest_of_another_body_beside_the_signed_one_is_refused(self, program: Program) -> None:
        signed = program.signed("POST", PATH, email(new_address()))
        other = base64.b64encode(hashlib.sha512(b"other").digest()).decode()
        framing = [f"Content-Digest: sha-512=:{other}:", f"Content-Length: {len(signed.body)}"]
        assert raw(program, signed, framing, signed.body) == 401


class TestComponents:
    @pytest.mark.parametrize(
        ("covered", "status"),
        [
            pytest.param('"@method" "@authority" "@path" "@query" "@method"', 401, id="one twice"),
            pytest.param('"@method" "@authority" "@path" "@query-param";name="limit"', 401, id="one parameter"),
            pytest.param('"@method" "@authority" "@path" "@query";req', 401, id="of a request"),
            pytest.param('"@method" "@authority" "@path" "@QUERY"', 401, id="another case"),
            pytest.param('"@method" "@authority" "@path" "@query" "x-absent"', 401, id="an absent field"),
            pytest.param("", 401, id="none"),
            pytest.param('"@method" "@authority" "@path" "@query" "x-more"', 200, id="one more"),
        ],
    )
    def test_signature_covers_each_required_component_once(self, program: Program, covered: str, status: int) -> None:
        values = {
            "@method": "GET",
            "@authority": program.stack.url.partition("//")[2],
            "@path": PATH,
            "@query": "?limit=1",
            "@QUERY": "?limit=1",
            "@query-param": "1",
            "x-more": "1",
            "x-absent": "",
        }
        parameters = f'({covered});created={int(time.time())};keyid="{program.key.access_key}";nonce="{new_address()}"'
        lines = [f"{one}: {values[one.split(chr(34))[1]]}" for one in covered.split()]
        base = "\n".join([*lines, f'"@signature-params": {parameters}'])
        mac = base64.b64encode(hmac.digest(program.key.secret_key.encode(), base.encode(), "sha256")).decode()
        headers = {"Signature-Input": f"a={parameters}", "Signature": f"a=:{mac}:", "X-More": "1"}
        assert program.client.get(f"{PATH}?limit=1", headers=headers).status_code == status
