"""Start, end and restart of the one process."""

import socket
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from harness.people import Program, email, new_address, sign_up
from harness.stack import EmbeddedStack, items, run_bongsu

from tests.eventually import wait_until
from tests.ports import free_port

NewStack = Callable[..., EmbeddedStack]


def set_fault(client: httpx.Client, kind: str, **fields: object) -> None:
    answer = client.post("/sandbox/faults", json={"target": "ses", "kind": kind, **fields})
    assert answer.status_code == 201, answer.text


class TestSideBySide:
    def test_two_stacks_share_nothing(self, new_stack: NewStack) -> None:
        first, second = new_stack(), new_stack()
        sign_up(first, "same@example.com")
        with second.client() as client:
            assert items(client, "/sandbox/mailbox", to="same@example.com") == []
        sign_up(second, "same@example.com")


class TestInterrupt:
    def test_ctrl_c_ends_the_process_within_5_s(self, new_stack: NewStack) -> None:
        stack = new_stack()
        sign_up(stack)
        assert stack.interrupt(5) == 0
        assert "Traceback" not in stack.log()

    def test_ctrl_c_ends_the_process_in_time_when_sends_hang(self, new_stack: NewStack) -> None:
        stack = new_stack()
        program = sign_up(stack).program()
        set_fault(program.client, "accept_then_hang")
        program.accepted(email(new_address()))
        wait_until(lambda: len(items(program.client, "/sandbox/ledger")) >= 2, 30, "a send hangs")
        assert stack.interrupt(5) == 0
        assert "Traceback" not in stack.log()

    def test_accepted_notification_is_sent_after_a_restart(self, new_stack: NewStack) -> None:
        stack = new_stack()
        program = sign_up(stack).program()
        set_fault(program.client, "throttle")
        to = new_address()
        made = program.accepted(email(to))
        assert stack.interrupt(5) == 0
        stack.start()
        program.when(made["id"], "sent", limit_s=60)
        assert len(items(program.client, "/sandbox/mailbox", to=to)) == 1


@pytest.mark.timeout(300)
class TestKill:
    def test_queued_notifications_survive_a_kill(self, new_stack: NewStack) -> None:
        stack = new_stack()
        program = sign_up(stack).program()
        set_fault(program.client, "throttle")
        waiting = [f"queued-{number}@example.com" for number in range(200)]
        made = submit(program, waiting)
        stack.kill()
        stack.start()
        arrived = wait_until(lambda: sent_to(program, waiting), 60, "all 200 arrive")
        assert arrived == Counter(waiting)
        for notification_id in made:
            program.when(notification_id, "sent")

    def test_nothing_is_lost_when_the_process_is_killed_while_it_sends(self, new_stack: NewStack) -> None:
        stack = new_stack()
        program = sign_up(stack).program()
        waiting = [f"flowing-{number}@example.com" for number in range(200)]
        submit(program, waiting)
        wait_until(lambda: len(items(program.client, "/sandbox/ledger")) > 60, 60, "some are sent")
        stack.kill()
        stack.start()
        arrived = wait_until(lambda: sent_to(program, waiting), 60, "all 200 arrive")
        assert arrived is not None
        in_flight = 64
        assert arrived.total() <= len(waiting) + in_flight


def submit(program: Program, addresses: list[str]) -> list[str]:
    """Submit a notification to each address, over several connections. Returns the ids."""
    made: list[str] = []
    remaining = iter(addresses)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                to = next(remaining, None)
            if to is None:
                return
            accepted = program.accepted(email(to, "기다리는 알림 🔥"))
            with lock:
                made.append(accepted["id"])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(addresses)
    return made


def sent_to(program: Program, addresses: list[str]) -> Counter[str] | None:
    """The number of sends to each address; None until every address has one."""
    sent = Counter(to for entry in items(program.client, "/sandbox/ledger") for to in entry["to"])
    found = Counter({address: sent[address] for address in addresses if sent[address]})
    return found if len(found) == len(addresses) else None


class TestRestart:
    def test_accounts_keys_and_mails_survive_a_kill(self, new_stack: NewStack) -> None:
        stack = new_stack()
        person = sign_up(stack)
        program = person.program()
        made = program.accepted(email(person.email, "전에 보낸 것"))
        program.when(made["id"], "sent")
        stack.kill()
        stack.start()
        assert program.get(f"/v1/notifications/{made['id']}").json()["status"] == "sent"
        assert person.client.get("/auth/me").json()["email"] == person.email
        assert "전에 보낸 것" in [
            mail["subject"] for mail in items(program.client, "/sandbox/mailbox", to=person.email)
        ]


class TestRefusalToStart:
    """One clear line, an exit code that is not 0, and no traceback."""

    def refused(self, code: int, output: str, *words: str) -> None:
        assert code != 0
        assert "Traceback" not in output
        lines = [line for line in output.splitlines() if line.startswith("bongsu: ")]
        assert len(lines) == 1, output
        for word in words:
            assert word in lines[0]

    def test_start_fails_when_the_port_is_taken(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.refused(*run_bongsu("up", folder=tmp_path, PORT=str(port)), str(port), "in use", "PORT")

    def test_start_fails_when_the_data_folder_is_in_use(self, new_stack: NewStack, tmp_path: Path) -> None:
        stack = new_stack()
        self.refused(*run_bongsu("up", folder=tmp_path, BONGSU_VAR=str(stack.folder / "var")), "BONGSU_VAR")

    def test_start_fails_when_the_data_folder_is_not_writable(self, tmp_path: Path) -> None:
        self.refused(*run_bongsu("up", folder=tmp_path, BONGSU_VAR="/dev/null/var"), "/dev/null/var", "BONGSU_VAR")

    def test_start_names_every_wrong_setting(self, tmp_path: Path) -> None:
        code, output = run_bongsu("up", folder=tmp_path, PORT="none", NOTIFY_BATCH="0", AUTH_COLOUR="red")
        self.refused(code, output, "PORT", "NOTIFY_BATCH", "AUTH_COLOUR")

    @pytest.mark.parametrize("service", ["auth", "notify", "worker", "relay"])
    def test_start_fails_when_a_setting_is_missing(self, tmp_path: Path, service: str) -> None:
        code, output = run_bongsu("serve", service, folder=tmp_path)
        self.refused(code, output)
        assert any(name in output for name in ("MYSQL_HOST", "AMQP_URL", "BONGSU_VAULT_KEYS"))

    @pytest.mark.parametrize("service", ["auth", "notify", "worker", "relay"])
    def test_start_fails_when_the_database_is_unreachable(self, tmp_path: Path, service: str) -> None:
        database = {"MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": str(free_port())}
        code, output = run_bongsu("serve", service, folder=tmp_path, **database, **OTHERWISE_COMPLETE)
        self.refused(code, output, "database", database["MYSQL_PORT"])

    def test_single_process_fails_when_the_database_is_unreachable(self, tmp_path: Path) -> None:
        port = free_port()
        url = f"mysql+aiomysql://nobody:secret@127.0.0.1:{port}/bongsu"
        code, output = run_bongsu("up", "--database-url", url, folder=tmp_path)
        self.refused(code, output, "database", str(port))
        assert "secret" not in output

    # The APIs start without the broker, because accepted notifications wait in the database.
    @pytest.mark.parametrize("service", ["worker", "relay"])
    def test_start_fails_when_the_broker_is_unreachable(
        self, tmp_path: Path, mysql_database_url: str, service: str
    ) -> None:
        url = httpx.URL(mysql_database_url.partition("?")[0])
        names = {
            "MYSQL_HOST": url.host,
            "MYSQL_PORT": str(url.port or 3306),
            "MYSQL_USER": url.username,
            "MYSQL_PASSWORD": url.password,
            "MYSQL_DATABASE": url.path.strip("/"),
        }
        assert run_bongsu("migrate", "--database-url", mysql_database_url, folder=tmp_path)[0] == 0
        code, output = run_bongsu("serve", service, folder=tmp_path, **OTHERWISE_COMPLETE | names)
        self.refused(code, output, "broker")


OTHERWISE_COMPLETE = {
    "AMQP_URL": f"amqp://guest:guest@127.0.0.1:{free_port()}/",
    "BONGSU_VAULT_KEYS": "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
}
