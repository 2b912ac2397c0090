"""`bongsu dead list|redrive` against RabbitMQ."""

from collections.abc import AsyncIterator, Sequence

import pytest

from bongsu.broker import Delivery, Message, QueueSpec
from bongsu.broker.port import dead_letter_queue
from bongsu.contracts.queues import BOT_USERS_DELETED, NOTIFY_JOBS, USERS_DELETED
from bongsu.runtime.errors import StartError
from bongsu_launcher.cli import main
from bongsu_launcher.dead_letters import redrive, show
from launcher.tests.conftest import Run
from launcher.tests.prefixed_broker import PrefixedBroker, delete_queues
from tests.eventually import eventually

pytestmark = [pytest.mark.amqp]


@pytest.fixture
async def broker(amqp_server_url: str, queue_prefix: str) -> AsyncIterator[PrefixedBroker]:
    """A broker with three dead letters of `NOTIFY_JOBS`: `a`, `b` and `c`."""
    broker = PrefixedBroker(amqp_server_url, queue_prefix)
    await broker.connect()
    await broker.declare(QueueSpec(NOTIFY_JOBS), QueueSpec(BOT_USERS_DELETED))

    async def reject(deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            await delivery.reject(requeue=False)

    consumer = await broker.consume(NOTIFY_JOBS, reject, prefetch=1)
    for name in ("a", "b", "c"):
        await broker.publish(NOTIFY_JOBS, Message(id=name, body={"email": f"{name}@example.com"}))

    async def are_dead() -> bool:
        return await broker.depth(dead_letter_queue(NOTIFY_JOBS)) == 3

    await eventually(are_dead)
    await consumer.cancel()
    yield broker
    await broker.close()
    await delete_queues(amqp_server_url, queue_prefix)


class TestShow:
    @pytest.mark.parametrize("queue", [NOTIFY_JOBS, None])
    async def test_dead_letters_are_listed_without_their_content_and_stay(
        self, queue: str | None, broker: PrefixedBroker, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for _ in range(2):
            await show(broker, queue, limit=100, with_bodies=False)
            lines = capsys.readouterr().out.splitlines()
            assert [line.split()[:3] for line in lines] == [[NOTIFY_JOBS, one, "rejected"] for one in "abc"]
            assert "example.com" not in str(lines)

    async def test_limit_says_how_many_are_left_out(
        self, broker: PrefixedBroker, capsys: pytest.CaptureFixture[str]
    ) -> None:
        await show(broker, NOTIFY_JOBS, limit=1, with_bodies=True)
        first, body, rest = capsys.readouterr().out.splitlines()
        assert first.split()[1] == "a"
        assert body.strip() == '{"email": "a@example.com"}'
        assert rest == f"{NOTIFY_JOBS}: 2 more; --limit shows them"

    @pytest.mark.parametrize("queue", [BOT_USERS_DELETED, USERS_DELETED])
    async def test_queue_without_dead_letters_says_so_and_so_does_one_that_does_not_exist(
        self, queue: str, broker: PrefixedBroker, capsys: pytest.CaptureFixture[str]
    ) -> None:
        await show(broker, queue, limit=100, with_bodies=False)
        assert capsys.readouterr().out == "No dead letters.\n"


class TestRedrive:
    async def test_all_are_moved_back_to_their_queue(
        self, broker: PrefixedBroker, capsys: pytest.CaptureFixture[str]
    ) -> None:
        await redrive(broker, NOTIFY_JOBS, limit=None, ids=None)
        assert capsys.readouterr().out == f"3 messages were moved back to {NOTIFY_JOBS}.\n"
        assert await broker.depth(NOTIFY_JOBS) == 3
        assert await broker.dead_letters(NOTIFY_JOBS) == []

    async def test_oldest_are_moved_up_to_the_limit(self, broker: PrefixedBroker) -> None:
        await redrive(broker, NOTIFY_JOBS, limit=2, ids=None)
        assert [one.id for one in await broker.dead_letters(NOTIFY_JOBS)] == ["c"]

    async def test_one_is_moved_by_its_id_and_a_missing_id_is_reported(
        self, broker: PrefixedBroker, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(StartError, match="--id: 1 of 2 are no dead letters"):
            await redrive(broker, NOTIFY_JOBS, limit=None, ids=["b", "x"])
        assert capsys.readouterr().out == f"1 message was moved back to {NOTIFY_JOBS}.\n"
        assert [one.id for one in await broker.dead_letters(NOTIFY_JOBS)] == ["a", "c"]


@pytest.mark.usefixtures("surroundings")
class TestCommand:
    def test_missing_broker_is_reported(self, refused: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AMQP_URL", raising=False)
        assert "AMQP_URL is not set" in refused("dead", "list")

    def test_broker_that_does_not_respond_is_reported(self, refused: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AMQP_URL", "amqp://127.0.0.1:1/")
        assert "127.0.0.1:1" in refused("dead", "redrive", NOTIFY_JOBS)

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (["list", "notify.jbs"], "QUEUE"),
            (["list", "--limit", "0"], "--limit"),
            (["list", "--limit", "x"], "--limit"),
            (["redrive"], "QUEUE"),
            (["redrive", NOTIFY_JOBS, "--limit", "1", "--id", "a"], "--id"),
        ],
    )
    def test_wrong_argument_is_named(
        self, arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as stopped:
            main(["dead", *arguments])
        assert stopped.value.code == 2
        assert named in capsys.readouterr().err.splitlines()[-1]

    def test_command_reads_a_real_broker(
        self, amqp_server_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AMQP_URL", amqp_server_url)
        assert main(["dead", "list", "--limit", "1"]) == 0
        assert capsys.readouterr().out
