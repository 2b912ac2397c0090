"""What runs in the containers, and what it can reach."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from harness.compose import ComposeStack, docker
from harness.people import PASSWORD, Person, sign_up
from harness.stack import StackFailed

from tests.eventually import wait_until
from tests.ports import free_port

pytestmark = pytest.mark.timeout(300)

OURS = {
    "auth": {"amqp_password", "amqp_url", "mysql_password", "vault_keys"},
    "notify": {"amqp_password", "amqp_url", "mysql_password", "vault_keys"},
    "notify-worker": {"amqp_password", "amqp_url", "mysql_password", "vault_keys"},
    "relay": {"amqp_password", "amqp_url", "mysql_password"},
    "bot": {"amqp_password", "amqp_url", "mysql_password", "vault_keys"},
    "dashboard": {"amqp_password", "amqp_url"},
    "sandbox": set[str](),
}
"""Our services, and the secrets of each."""
THEIRS = ("gateway", "mysql", "rabbitmq")


def _in(container: str, script: str) -> str:
    return docker("exec", container, "python", "-c", script)


def _sign_in(client: httpx.Client, person: Person, headers: dict[str, str]) -> None:
    answer = client.post("/auth/login", json={"email": person.email, "password": PASSWORD}, headers=headers)
    assert answer.status_code == 200, answer.text


def _addresses(person: Person) -> list[str]:
    return [one["address"] for one in person.client.get("/auth/sessions").json()["items"]]


@contextmanager
def _gateway_behind_us(composed: ComposeStack) -> Iterator[str]:
    """A second gateway that takes this machine for its load balancer."""
    (first,) = composed.containers("gateway")
    (network,) = composed.inspect(first)["NetworkSettings"]["Networks"].values()
    url = f"http://127.0.0.1:{(port := free_port())}"
    run = ("run", "--rm", "--detach", "--no-deps", f"--publish=127.0.0.1:{port}:8000")
    container = composed.compose(*run, f"--env=GATEWAY_TRUSTED_PROXIES={network['Gateway']}/32", "gateway").strip()
    try:
        wait_until(lambda: _answers(url), 30, "the second gateway answers")
        yield url
    finally:
        docker("rm", "--force", container)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(params=OURS)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def container(composed: ComposeStack, service: str) -> str:
    return composed.containers(service)[0]


class TestIsolation:
    def test_container_runs_unprivileged_on_a_read_only_root(self, composed: ComposeStack, container: str) -> None:
        assert _in(container, "import os; print(os.getuid(), os.getgid())").split() == ["10001", "10001"]
        with pytest.raises(StackFailed, match="Read-only file system"):
            _in(container, "open('/opt/bongsu/mine', 'w')")
        host = composed.inspect(container)["HostConfig"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]

    @pytest.mark.parametrize("name", THEIRS)
    def test_third_party_containers_are_limited(self, composed: ComposeStack, name: str) -> None:
        host = composed.inspect(composed.containers(name)[0])["HostConfig"]
        assert (host["CapDrop"], host["ReadonlyRootfs"]) == (["ALL"], True)
        assert host["Memory"] > 0

    def test_container_sees_only_its_own_secrets(self, container: str, service: str) -> None:
        listed = _in(
            container,
            "import os; print(*(os.listdir('/run/secrets') if os.path.exists('/run/secrets') else []))",
        )
        assert set(listed.split()) == OURS[service]

    def test_no_secret_is_in_the_environment(self, composed: ComposeStack, container: str) -> None:
        """`docker inspect` and crash reports show the environment."""
        lines = composed.inspect(container)["Config"]["Env"]
        # A line without a value takes the name away.
        environ = {name: value for name, _, value in (line.partition("=") for line in lines)}
        secretive = {
            name: value for name, value in environ.items() if re.search("PASSWORD|SECRET|TOKEN|KEY|AMQP", name)
        }
        files = {
            name for name, value in secretive.items() if name.endswith("_FILE") and value.startswith("/run/secrets/")
        }
        others = {name for name, value in secretive.items() if value} - files
        assert others <= {"AUTH_ACCESS_TOKEN_S", "AUTH_MAX_ACTIVE_KEYS", "AUTH_KEY_OVERLAP_HOURS", "GPG_KEY"}

    def test_only_the_worker_and_its_api_have_the_aws_client(self, container: str, service: str) -> None:
        found = _in(container, "import importlib.util; print(importlib.util.find_spec('aioboto3') is not None)")
        assert (found.strip() == "True") == (service in {"notify", "notify-worker"})

    def test_the_gateway_reaches_neither_the_database_nor_the_broker(self, composed: ComposeStack) -> None:
        networks = composed.inspect(composed.containers("gateway")[0])["NetworkSettings"]["Networks"]
        assert set(networks) == {f"{composed.project}_edge"}

    def test_the_data_network_has_no_way_out(self, composed: ComposeStack) -> None:
        found = json.loads(docker("network", "inspect", f"{composed.project}_data"))
        assert found[0]["Internal"]

    def test_only_the_gateway_and_mysql_are_published_and_only_on_this_machine(self, composed: ComposeStack) -> None:
        published = {}
        for name in (*OURS, *THEIRS):
            for bindings in composed.inspect(composed.containers(name)[0])["NetworkSettings"]["Ports"].values():
                for binding in bindings or ():
                    published[name] = (binding["HostIp"], int(binding["HostPort"]))
        assert published == {
            "gateway": ("127.0.0.1", composed.port),
            "mysql": ("127.0.0.1", composed.mysql_port),
        }


class TestStop:
    def test_container_stops_in_time_on_sigterm(self, composed: ComposeStack, container: str, service: str) -> None:
        try:
            docker("stop", "--time=8", container)
            state = composed.inspect(container)["State"]
            assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
        finally:
            docker("start", container)
        wait_until(
            lambda: composed.inspect(container)["State"]["Health"]["Status"] == "healthy", 60, f"{service} is healthy"
        )


class TestGateway:
    @pytest.mark.parametrize("path", ["/internal/x", "/metrics", "/readyz", "/internal", "/auth/../internal/x"])
    def test_internal_routes_are_not_routed(self, composed: ComposeStack, path: str) -> None:
        with composed.client() as client:
            answer = client.get(path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"

    def test_gateway_answers_its_own_health_check(self, composed: ComposeStack) -> None:
        with composed.client() as client:
            assert client.get("/healthz").json() == {"status": "ok"}

    def test_a_request_id_goes_in_and_out(self, composed: ComposeStack) -> None:
        with composed.client() as client:
            assert client.get("/auth/me", headers={"X-Request-Id": "mine-1"}).headers["X-Request-Id"] == "mine-1"
            made = client.get("/auth/me").headers["X-Request-Id"]
            assert client.get("/auth/me", headers={"X-Request-Id": 'a"b\\'}).headers["X-Request-Id"] not in {
                "",
                'a"b\\',
            }
        assert len(made) == 36

    def test_a_client_cannot_choose_its_address(self, composed: ComposeStack) -> None:
        person = sign_up(composed)
        with composed.client() as client:
            _sign_in(client, person, {"X-Forwarded-For": "1.2.3.4"})
        assert "1.2.3.4" not in _addresses(person)

    def test_behind_a_load_balancer_a_client_has_the_address_that_the_balancer_saw(
        self, composed: ComposeStack
    ) -> None:
        person = sign_up(composed)
        with _gateway_behind_us(composed) as url, httpx.Client(base_url=url, timeout=15) as balancer:
            # The client, itself in a private network, claims another address; the balancer appends its own.
            _sign_in(balancer, person, {"X-Forwarded-For": "1.2.3.4, 10.9.9.9"})
        assert "10.9.9.9" in _addresses(person)

    def test_a_body_that_is_too_large_is_a_clear_error(self, composed: ComposeStack) -> None:
        with composed.client() as client:
            answer = client.post("/v1/notifications", content=b" " * (17 * 1024 * 1024))
        assert answer.status_code == 413
        assert answer.json()["code"] == "too_large"

    def test_a_service_that_is_away_is_a_clear_error(self, composed: ComposeStack) -> None:
        (container,) = composed.containers("dashboard")
        docker("stop", container)
        try:
            with composed.client() as client:
                answer = client.get("/")
        finally:
            docker("start", container)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "2"
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


class TestSwarm:
    def test_swarm_accepts_the_shared_compose_file(self) -> None:
        assert "services:" in docker("stack", "config", "--compose-file", "compose.yaml")
