from collections.abc import Callable
from typing import Any

import pytest

from bongsu.mixins import Database
from shared.tests.mixins.conftest import Statements
from shared.tests.mixins.library import Author, Book, Tag


@pytest.fixture
async def filled(db: Database, statements: Statements) -> Database:
    tag = await Tag.create(label="red")
    for number in range(10):
        await Author.create(email=str(number), books=[Book(title="a", tags=[tag]), Book(title="b")])
    statements.take()
    return db


class TestStatementCounts:
    async def test_create_takes_one_statement(self, filled: Database, statements: Statements) -> None:
        del filled
        await Author.create(email="kim")
        assert len(statements.take()) == 1

    async def test_create_in_a_unit_takes_one_statement(self, filled: Database, statements: Statements) -> None:
        async with filled.unit():
            await Author.create(email="kim")
            await Author.create(email="lee")
        assert len(statements.take()) == 2

    async def test_thousand_creations_take_two_statements_at_most(
        self, filled: Database, statements: Statements
    ) -> None:
        del filled
        await Author.bulk_create([{"email": f"bulk {number}"} for number in range(1000)])
        assert len(statements.take()) <= 2

    async def test_get_takes_one_statement_and_none_when_the_unit_has_the_object(
        self, filled: Database, statements: Statements
    ) -> None:
        key = (await Author.get(email="1")).id
        statements.take()
        async with filled.unit():
            held = await Author.get(key)
            assert await Author.get(key) is held
        assert len(statements.take()) == 1

    async def test_a_page_takes_two(self, filled: Database, statements: Statements) -> None:
        del filled
        await Author.order_by("email").page(1, 5)
        assert len(statements.take()) == 2

    async def test_cursor_page_takes_one_statement(self, filled: Database, statements: Statements) -> None:
        del filled
        await Author.order_by("email").after(None, 5)
        assert len(statements.take()) == 1

    async def test_two_eager_paths_take_three(self, filled: Database, statements: Statements) -> None:
        del filled
        await Author.query().load("books", "pupils").all()
        assert len(statements.take()) == 3

    @pytest.mark.parametrize("end", ["count", "exists", "first", "one_or_none"])
    async def test_each_end_takes_one_statement(self, filled: Database, statements: Statements, end: str) -> None:
        del filled
        await getattr(Author.filter_by(email="1"), end)()
        assert len(statements.take()) == 1


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
class TestStepsOfTheThread:
    """Each step is two switches between threads."""

    @pytest.fixture
    async def steps(self, filled: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The functions that the driver's thread was given."""
        steps: list[str] = []
        async with filled.engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
        execute = driver._execute

        async def note(function: Callable[..., object], *arguments: object) -> object:
            steps.append(function.__name__)
            return await execute(function, *arguments)

        monkeypatch.setattr(driver, "_execute", note)
        return steps

    async def test_read_takes_one_step(self, steps: list[str]) -> None:
        assert await Author.filter_by(email="1").pluck("email") == ["1"]
        assert len(steps) == 1

    async def test_change_takes_a_step_for_its_statement_and_two_for_its_transaction(self, steps: list[str]) -> None:
        await Author.create(email="kim")
        assert len(steps) == 3
