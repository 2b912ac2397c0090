"""Random chains of operations give the answers that a plain Python model of the table gives."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import nullcontext
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import URL

from bongsu.mixins import Conflict, Database, TransactionLost
from shared.tests.mixins.library import Author, LibraryBase
from shared.tests.mixins.oracle import (
    AGES,
    CONDITIONS,
    COUNTRIES,
    EMAILS,
    NAMES,
    ORDERS,
    Condition,
    Row,
    ordered,
    terms,
)

T = TypeVar("T")
SHOWN = ("email", "name", "age", "country")


class Undone(Exception):
    pass


class AuthorTable(RuleBasedStateMachine):
    """The library on a database, beside the oracle: a dictionary of rows by e-mail address."""

    runner: asyncio.Runner
    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, Row] = {}
        self.do(Author.query().unfiltered().delete())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def matching(self, condition: Condition) -> list[Row]:
        return [row for row in self.rows.values() if condition.holds(row)]

    @initialize()
    def begin_empty(self) -> None:
        assert self.do(Author.row_count()) == 0

    @rule(email=EMAILS, name=NAMES, age=AGES, country=COUNTRIES)
    def create(self, email: str, name: str | None, age: int, country: str | None) -> None:
        values: Row = {"email": email, "name": name, "age": age, "country": country}
        if email in self.rows:
            with pytest.raises(Conflict):
                self.do(Author.create(**values))
        else:
            self.do(Author.create(**values))
            self.rows[email] = values

    @rule(emails=st.lists(EMAILS, max_size=4, unique=True), age=AGES)
    def bulk_create(self, emails: list[str], age: int) -> None:
        rows: list[Row] = [{"email": email, "name": None, "age": age, "country": None} for email in emails]
        if self.rows.keys() & set(emails):
            with pytest.raises(Conflict):
                self.do(Author.bulk_create(rows))
        else:
            assert self.do(Author.bulk_create(rows)) == len(rows)
            self.rows.update({str(row["email"]): row for row in rows})

    @rule(email=EMAILS, age=AGES)
    def get_or_create(self, email: str, age: int) -> None:
        author, was_made = self.do(Author.get_or_create({"age": age}, email=email))
        assert was_made == (email not in self.rows)
        self.rows.setdefault(email, {"email": email, "name": None, "age": age, "country": None})
        assert author.age == self.rows[email]["age"]

    @rule(emails=st.lists(EMAILS, min_size=1, max_size=3, unique=True), age=AGES, name=NAMES)
    def upsert(self, emails: list[str], age: int, name: str | None) -> None:
        self.do(Author.upsert([{"email": email, "age": age, "name": name} for email in emails], by="email"))
        for email in emails:
            row = self.rows.setdefault(email, {"email": email, "country": None})
            row |= {"age": age, "name": name}

    @rule(condition=CONDITIONS, age=AGES, name=NAMES)
    def update(self, condition: Condition, age: int, name: str | None) -> None:
        wanted = self.matching(condition)
        assert self.do(Author.filter_by(condition.query).unfiltered().update(age=age, name=name)) == len(wanted)
        for row in wanted:
            row |= {"age": age, "name": name}

    @rule(condition=CONDITIONS)
    def count_up(self, condition: Condition) -> None:
        wanted = self.matching(condition)
        assert self.do(Author.filter_by(condition.query).unfiltered().update(age=(Author.age + 1) % 5)) == len(wanted)
        for row in wanted:
            row["age"] = (row["age"] + 1) % 5

    @rule(
        changes=st.dictionaries(EMAILS, st.fixed_dictionaries({}, optional={"age": AGES, "name": NAMES}), max_size=4),
        condition=CONDITIONS,
    )
    def bulk_update(self, changes: dict[str, Row], condition: Condition) -> None:
        given = [{"email": email, **change} for email, change in changes.items() if change]
        wanted = [row for row in self.matching(condition) if changes.get(row["email"])]
        assert self.do(Author.bulk_update(given, condition.query, by="email")) == len(wanted)
        for row in wanted:
            row.update(changes[row["email"]])

    @rule(email=EMAILS, age=AGES, country=COUNTRIES)
    def update_one(self, email: str, age: int, country: str | None) -> None:
        author = self.do(Author.get_or_none(email=email))
        assert (author is None) == (email not in self.rows)
        if author is not None:
            self.do(author.update(age=age, country=country))
            self.rows[email] |= {"age": age, "country": country}

    @rule(condition=CONDITIONS, order=ORDERS, count=st.integers(1, 3))
    def delete_some(self, condition: Condition, order: list[tuple[str, bool]], count: int) -> None:
        wanted = ordered(self.matching(condition), order)[:count]
        query = Author.filter_by(condition.query).unfiltered().order_by(*terms(order)).limit(count)
        assert self.do(query.delete()) == len(wanted)
        for row in wanted:
            del self.rows[row["email"]]

    @rule(email=EMAILS)
    def undo_a_unit(self, email: str) -> None:
        async def work() -> None:
            async with self.database.unit():
                await Author.get_or_create(email=email)
                await Author.filter_by(age__ge=0).update(age=4)
                await Author.exclude(email=email).delete()
                raise Undone

        with pytest.raises(Undone):
            self.do(work())

    @rule(email=EMAILS, age=AGES, name=NAMES, savepoint=st.booleans())
    def undo_an_objects_changes(self, email: str, age: int, name: str | None, *, savepoint: bool) -> None:
        """The object is as before, so the same update writes again, and an undone `save` inserts again."""

        async def undo(work: Callable[[], Awaitable[object]]) -> None:
            async with self.database.unit() if savepoint else nullcontext():
                with contextlib.suppress(Undone):
                    async with self.database.unit():
                        await work()
                        raise Undone

        async def run() -> None:
            author = await Author.get_or_none(email=email)
            if author is None:
                author = Author(email=email)
                await undo(author.save)
                await author.save()
            before = author.to_dict()
            await undo(lambda: author.update(age=age, name=name))
            await undo(author.delete)
            assert author.to_dict() == before
            await author.update(age=age, name=name)

        self.do(run())
        row = self.rows.setdefault(email, {"email": email, "country": None})
        row |= {"age": age, "name": name}

    @rule(condition=CONDITIONS, losses=st.integers(0, 2))
    def retry_a_unit(self, condition: Condition, losses: int) -> None:
        async def run() -> None:
            authors, left = await Author.filter_by(condition.query).all(), losses

            async def count() -> None:
                nonlocal left
                for author in authors:
                    await author.update(age=(author.age + 1) % 5)
                if left:
                    left -= 1
                    raise TransactionLost("as if")

            await self.database.run(count)

        self.do(run())
        for row in self.matching(condition):
            row["age"] = (row["age"] + 1) % 5

    @rule(email=EMAILS, age=AGES, name=NAMES, country=COUNTRIES)
    def share_an_object(self, email: str, age: int, name: str | None, country: str | None) -> None:
        async def run() -> None:
            author, _ = await Author.get_or_create(email=email)

            async def in_unit() -> None:
                await author.update(country=country)

            async def assign() -> None:
                for _ in range(age):  # at one moment or another of the calls
                    await asyncio.sleep(0)
                author.password_hash = f"{age}{name}{country}"

            await asyncio.gather(
                author.update(age=age),
                author.refresh("books"),
                assign(),
                author.update(name=name),
                self.database.run(in_unit),
            )
            assert (author.age, author.name, author.country, author.books) == (age, name, country, [])
            await author.save()
            assert (await Author.get(author.id)).password_hash == f"{age}{name}{country}"

        self.do(run())
        self.rows[email] = {"email": email, "age": age, "name": name, "country": country}

    @invariant()
    def no_connection_is_out(self) -> None:
        assert self.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a queue pool

    @rule(condition=CONDITIONS, order=ORDERS)
    def read_all(self, condition: Condition, order: list[tuple[str, bool]]) -> None:
        wanted = [tuple(row[name] for name in SHOWN) for row in ordered(self.matching(condition), order)]
        query = Author.filter_by(condition.query).order_by(*terms(order))
        assert self.do(query.values_list(*SHOWN)) == wanted
        assert self.do(query.count()) == len(wanted)
        assert self.do(query.exists()) == bool(wanted)
        first = self.do(query.first())
        assert (None if first is None else first.email) == (wanted[0][0] if wanted else None)

    @rule(condition=CONDITIONS)
    def read_the_rest(self, condition: Condition) -> None:
        rest = sorted(row["email"] for row in self.rows.values() if not condition.holds(row))
        assert sorted(self.do(Author.exclude(condition.query).pluck("email"))) == rest

    @rule(order=ORDERS, size=st.integers(1, 4))
    def walk_pages(self, order: list[tuple[str, bool]], size: int) -> None:
        async def walk() -> list[str]:
            return [author.email async for author in Author.order_by(*terms(order)).stream(size)]

        assert self.do(walk()) == [row["email"] for row in ordered(self.rows.values(), order)]
        page = self.do(Author.order_by(*terms(order)).page(2, size))
        wanted = [row["email"] for row in ordered(self.rows.values(), order)][size : 2 * size]
        assert ([author.email for author in page.items], page.total) == (wanted, len(self.rows))

    @rule()
    def count_by_age(self) -> None:
        ages = [row["age"] for row in self.rows.values()]
        assert self.do(Author.query().count_by("age")) == {age: ages.count(age) for age in ages}


@pytest.mark.hypothesis
@pytest.mark.timeout(6 * settings().max_examples)
def test_random_chains_give_the_answers_of_the_model(url: URL, backend: str) -> None:
    class Machine(AuthorTable):
        pass

    examples = settings().max_examples // (2 if backend == "sqlite" else 4)
    with asyncio.Runner() as Machine.runner:
        Machine.database = Database(url, LibraryBase, pool_size=1)
        try:
            run_state_machine_as_test(Machine, settings=settings(max_examples=examples, stateful_step_count=25))
        finally:
            Machine.runner.run(Machine.database.dispose())
