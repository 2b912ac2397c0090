"""Any number of replicas of any service."""

import re
from collections.abc import Iterator
from functools import partial

import pytest
from harness.compose import ComposeStack, docker
from harness.crowd import duplicates_once_all_are_sent, submit
from harness.people import PASSWORD, email, new_address, sign_up

from tests.eventually import wait_until

pytestmark = pytest.mark.timeout(300)

REPLICAS = {"auth": 2, "notify": 2, "notify_worker": 3, "relay": 2, "dashboard": 2, "bot": 2}
REVOKED_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def scaled(composed: ComposeStack) -> Iterator[ComposeStack]:
    """The shared stack with several replicas of each service; one of each again afterwards."""
    composed.scale(**REPLICAS)
    yield composed
    composed.scale(**dict.fromkeys(REPLICAS, 1))


def _requests_seen(container: str) -> float:
    """The requests that a replica has answered, its health checks apart."""
    script = (
        "import urllib.request, re\n"
        "text = urllib.request.urlopen('http://127.0.0.1:8000/metrics').read().decode()\n"
        "found = re.findall(r'^http_request_duration_seconds_count{(.*)} (.*)$', text, re.M)\n"
        "print(sum(float(n) for labels, n in found if '/healthz' not in labels and '/metrics' not in labels))"
    )
    return float(docker("exec", container, "python", "-c", script))


class TestScale:
    def test_the_main_job_is_done_once_by_all_of_them_together(self, scaled: ComposeStack) -> None:
        for name, count in REPLICAS.items():
            assert len(scaled.containers(name.replace("_", "-"))) == count
        program = sign_up(scaled).program()
        submitted = submit(program, [f"scaled-{number}@example.com" for number in range(200)])
        assert len(submitted.accepted) == 200
        assert duplicates_once_all_are_sent(program, submitted, limit_s=60) == 0

    def test_the_gateway_finds_new_replicas_by_itself(self, scaled: ComposeStack) -> None:
        program = sign_up(scaled).program()
        replicas = scaled.containers("notify")
        before = {one: _requests_seen(one) for one in replicas}
        for _ in range(40):
            assert program.get("/v1/notifications?limit=1").status_code == 200
        assert all(_requests_seen(one) >= before[one] + 5 for one in replicas)

    def test_a_nonce_used_at_one_replica_is_refused_at_the_other(self, scaled: ComposeStack) -> None:
        program = sign_up(scaled).program()
        first, second = scaled.containers("notify")
        to = new_address()
        signed = program.signed("POST", "/v1/notifications", email(to))
        parts = (signed.method, "/v1/notifications", signed.headers, signed.body.decode())
        assert scaled.ask(first, *parts) == 202
        assert scaled.ask(second, *parts) == 401
        assert scaled.ask(first, *parts) == 401

    def test_a_form_that_one_dashboard_showed_is_taken_by_another(self, scaled: ComposeStack) -> None:
        person = sign_up(scaled)
        before = {one: _requests_seen(one) for one in scaled.containers("dashboard")}
        for _ in range(10):
            with scaled.client() as client:
                found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login").text)
                assert found is not None
                fields = {"csrf_token": found[1], "email": person.email, "password": PASSWORD, "next": "/"}
                answer = client.post("/login", data=fields, headers={"Origin": scaled.url})
                assert (answer.status_code, answer.headers.get("location")) == (303, "/")
        assert all(_requests_seen(one) > seen for one, seen in before.items())

    def test_a_session_that_one_auth_ended_is_refused_by_every_service(self, scaled: ComposeStack) -> None:
        person = sign_up(scaled)
        assert person.client.post("/auth/logout").status_code == 204
        headers = {"Authorization": f"Bearer {person.access_token}"}
        for service, path in (("auth", "/auth/me"), ("notify", "/v1/notifications")):
            for replica in scaled.containers(service):
                refused = partial(_is_refused, scaled, replica, path, headers)
                wait_until(refused, REVOKED_WITHIN_S, f"{service} refuses it")


def _is_refused(stack: ComposeStack, replica: str, path: str, headers: dict[str, str]) -> bool:
    return stack.ask(replica, "GET", path, headers, "") == 401
