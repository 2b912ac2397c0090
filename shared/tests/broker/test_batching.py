import asyncio

from bongsu.broker import Delivery, Message
from bongsu.broker.batching import BatchRunner
from shared.tests.broker.recorder import Recorder


class FakeDelivery(Delivery):
    __slots__ = ("gone", "settlements")

    def __init__(self, n: int) -> None:
        super().__init__("jobs", Message(body={"n": n}), 0)
        self.gone = False
        self.settlements: list[str] = []

    @property
    def lost(self) -> bool:
        return self.gone

    async def _send_ack(self) -> None:
        self.settlements.append("ack")

    async def _send_reject(self, *, requeue: bool) -> None:
        self.settlements.append("requeue" if requeue else "reject")


def deliveries(count: int) -> list[FakeDelivery]:
    return [FakeDelivery(n) for n in range(count)]


class TestBatchRunner:
    async def test_deliveries_are_not_run_when_the_runner_is_closed(self) -> None:
        received = Recorder()
        runner = BatchRunner("jobs", received, batch_max=10, batch_wait_s=0, concurrency=None)
        runner.close()
        for delivery in deliveries(3):
            runner.offer(delivery)
        await asyncio.sleep(0)
        assert received.count == 0

    async def test_deliveries_are_run_together_when_they_wait_together(self) -> None:
        received = Recorder()
        runner = BatchRunner("jobs", received, batch_max=10, batch_wait_s=0.01, concurrency=None)
        for delivery in deliveries(3):
            runner.offer(delivery)
        await received.take(3)
        assert [len(batch) for batch in received.batches] == [3]

    async def test_deliveries_of_the_same_moment_are_run_together_when_handlers_are_limited(self) -> None:
        received = Recorder()
        runner = BatchRunner("jobs", received, batch_max=4, batch_wait_s=0, concurrency=1)
        offered = deliveries(6)
        for delivery in offered:
            runner.offer(delivery)
        offered[1].gone = True
        await received.take(5)
        assert [len(batch) for batch in received.batches] == [4, 1]

    async def test_lost_deliveries_are_not_run(self) -> None:
        received = Recorder()
        runner = BatchRunner("jobs", received, batch_max=10, batch_wait_s=0.01, concurrency=None)
        offered = deliveries(3)
        for delivery in offered:
            runner.offer(delivery)
        offered[1].gone = True
        assert await received.bodies(2) == [{"n": 0}, {"n": 2}]

    async def test_batch_fills_while_all_handlers_are_busy(self) -> None:
        received, gate = Recorder(), asyncio.Event()

        async def handle(batch: list[Delivery]) -> None:
            await gate.wait()
            await received(batch)

        runner = BatchRunner("jobs", handle, batch_max=4, batch_wait_s=0, concurrency=1)
        for delivery in deliveries(6):
            runner.offer(delivery)
            await asyncio.sleep(0)
        gate.set()
        await received.take(6)
        assert [len(batch) for batch in received.batches] == [1, 4, 1]

    async def test_nothing_starts_after_draining(self) -> None:
        received = Recorder()
        runner = BatchRunner("jobs", received, batch_max=10, batch_wait_s=0.01, concurrency=None)
        (waiting,) = deliveries(1)
        runner.offer(waiting)
        await runner.drain(None)
        runner.offer(FakeDelivery(1))
        await asyncio.sleep(0)
        assert (received.count, waiting.settlements) == (0, [])

    async def test_unsettled_deliveries_are_requeued_when_the_handler_fails(self) -> None:
        failed = asyncio.Event()

        async def fail(batch: list[Delivery]) -> None:
            await batch[0].ack()
            failed.set()
            raise ValueError("a defect")

        runner = BatchRunner("jobs", fail, batch_max=2, batch_wait_s=1, concurrency=None)
        offered = deliveries(2)
        for delivery in offered:
            runner.offer(delivery)
        await failed.wait()
        await runner.drain(None)
        assert [delivery.settlements for delivery in offered] == [["ack"], ["requeue"]]
