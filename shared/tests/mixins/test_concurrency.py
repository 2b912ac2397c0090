import asyncio

from bongsu.mixins import Database
from shared.tests.mixins.library import Author, Counter


class TestManyTasks:
    async def test_two_hundred_concurrent_units_lose_nothing(self, db: Database) -> None:
        """Pool 5 + 10; each task reads, writes a row of its own and counts a shared one up."""
        counter = await Counter.create(label="shared")

        async def work(number: int) -> None:
            async def unit() -> None:
                assert not await Author.filter_by(email=str(number)).exists()
                await Author.create(email=str(number))
                await asyncio.sleep(0)
                await Counter.filter_by(id=counter.id).update(value=Counter.value + 1)

            await db.run(unit, retries=5)

        await asyncio.gather(*(work(number) for number in range(200)))
        assert await Author.row_count() == 200
        assert (await Counter.get(counter.id)).value == 200
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a queue pool

    async def test_units_that_are_cancelled_leak_no_connection(self, db: Database) -> None:
        async def work(number: int) -> None:
            async with db.unit():
                await Author.create(email=str(number))
                await Author.row_count()

        tasks = [asyncio.create_task(work(number)) for number in range(60)]
        for _ in range(30):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a queue pool
        assert await Author.row_count() >= 30
        await Author.create(email="still works")
