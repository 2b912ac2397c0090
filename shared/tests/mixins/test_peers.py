"""What users of peer libraries ran into, each case with the right answer on every database."""

import asyncio
import base64
import datetime as dt
import json
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from bongsu.mixins import (
    Conflict,
    Database,
    MultipleFound,
    NotLoaded,
    Query,
    WrongCursor,
    WrongValueForLookup,
    acting_as,
)
from shared.tests.mixins.conftest import Statements
from shared.tests.mixins.library import (
    Author,
    Book,
    Counter,
    Folder,
    Genre,
    LibraryBase,
    Measured,
    Note,
    Parcel,
    Poll,
    Shelf,
    Tag,
    Visit,
)


@pytest.mark.usefixtures("db")
class TestBulkObjects:
    async def test_bulk_create_writes_the_key_of_a_related_object(self) -> None:
        kim = await Author.create(email="kim")
        books = [Book(title="a", author=kim), Book(title="b")]
        await Book.bulk_create(books)
        assert await Book.order_by("title").pluck("author_id") == [kim.id, None]
        assert books[0].author is kim
        await kim.update(age=2)
        assert await Book.row_count() == 2

    async def test_bulk_create_refuses_an_unsaved_related_object(self) -> None:
        with pytest.raises(WrongValueForLookup, match=r"Book\.author holds objects"):
            await Book.bulk_create([Book(title="a", author=Author(email="kim"))])
        assert await Book.row_count() == 0

    async def test_bulk_create_refuses_children(self) -> None:
        with pytest.raises(WrongValueForLookup, match=r"Author\.books holds objects"):
            await Author.bulk_create([Author(email="kim", books=[Book(title="a")])])
        with pytest.raises(WrongValueForLookup, match=r"Book\.tags holds objects"):
            await Book.bulk_create([Book(title="a", tags=[Tag(label="red")])])
        assert await Author.row_count() == await Book.row_count() == 0

    async def test_bulk_update_writes_a_changed_relation(self) -> None:
        kim, lee = await Author.create(email="kim"), await Author.create(email="lee")
        book = await Book.create(title="a", author=kim)
        book.author = lee
        assert await Book.bulk_update([book]) == 1
        assert (await Book.get(book.id)).author_id == lee.id
        assert await book.update(title="b") is book

    async def test_bulk_update_writes_only_changed_fields(self) -> None:
        author = await Author.create(email="kim", name="a", age=1)
        await Author.filter_by(email="kim").update(name="newer")
        author.fill(age=2)
        assert await Author.bulk_update([author]) == 1
        assert await Author.query().values_list("name", "age") == [("newer", 2)]
        assert await Author.bulk_update([author]) == 0

    async def test_bulk_update_leaves_a_versioned_object_current(self) -> None:
        counter = await Counter.create(label="x")
        counter.fill(value=2)
        await Counter.bulk_update([counter])
        await counter.update(value=3)
        assert (await Counter.get(counter.id)).version == 3

    async def test_bulk_update_refuses_changed_children(self) -> None:
        author = await Author.create(email="kim")
        await author.refresh("books")
        author.books.append(Book(title="a"))
        with pytest.raises(WrongValueForLookup, match=r"Author\.books holds objects"):
            await Author.bulk_update([author])


class TestFailedBulkWrites:
    @pytest.mark.parametrize("begun", [False, True])
    async def test_a_caught_conflict_leaves_no_row_and_the_unit_usable(self, db: Database, *, begun: bool) -> None:
        await Author.create(email="taken")
        async with db.unit():
            if begun:
                await Author.create(email="first")
            with pytest.raises(Conflict):
                await Author.bulk_create([{"email": "new"}, {"email": "taken"}, {"email": "last"}])
            await Author.create(email="after")
        wanted = ["after", *(["first"] if begun else []), "taken"]
        assert await Author.order_by("email").pluck("email") == wanted

    async def test_a_caught_conflict_of_an_upsert_or_update_leaves_no_row(self, db: Database) -> None:
        await Author.bulk_create(
            [{"email": "a", "country": "KR", "rank": 1}, {"email": "b", "country": "KR", "rank": 2}]
        )
        keys = dict(await Author.query().values_list("email", "id"))
        async with db.unit():
            await Author.create(email="first")
            with pytest.raises(Conflict):
                await Author.bulk_update([{"id": keys["b"], "rank": 3}, {"id": keys["a"], "rank": 3}])
        assert await Author.filter_by(rank=3).count() == 0
        assert await Author.row_count() == 3

    @pytest.mark.parametrize("update", [None, []])
    async def test_a_caught_conflict_of_an_upsert_leaves_no_row(self, db: Database, update: list[str] | None) -> None:
        async with db.unit():
            await Author.create(email="first")
            with pytest.raises(Conflict):
                await Author.upsert(
                    [{"email": "new", "age": 1}, {"email": "old", "age": -1}], by="email", update=update
                )
        assert await Author.query().pluck("email") == ["first"]

    async def test_objects_of_a_failed_bulk_create_can_be_saved(self, db: Database) -> None:
        await Author.create(email="taken")
        made = [Author(email="new"), Author(email="taken")]
        async with db.unit():
            with pytest.raises(Conflict):
                await Author.bulk_create(made)
            await made[0].save()
        assert await Author.order_by("email").pluck("email") == ["new", "taken"]


@pytest.mark.usefixtures("db")
class TestSoftDelete:
    async def test_a_relation_is_null_where_its_only_row_is_deleted(self) -> None:
        folder = await Folder.create(label="f")
        note = await Note.create(text="x", folder=folder)
        assert await Folder.filter_by(notes__isnull=True).count() == 0
        await note.delete()
        assert await Folder.filter_by(notes__isnull=True).count() == 1
        assert await Folder.filter_by(notes__isnull=False).count() == 0
        assert await Folder.filter_by(notes=None).count() == 1

    async def test_refresh_leaves_deleted_rows_out_as_load_does(self) -> None:
        folder = await Folder.create(label="f")
        await Note.create(text="x", folder=folder)
        await (await Note.create(text="y", folder=folder)).delete()
        await folder.refresh("notes")
        assert [note.text for note in folder.notes] == ["x"]
        loaded = await Folder.query().load("notes").one()
        assert [note.text for note in loaded.notes] == ["x"]

    async def test_values_and_orders_leave_a_deleted_parent_out(self) -> None:
        gone, held = await Shelf.create(label="gone"), await Shelf.create(label="held")
        await Measured.create(title="a", shelf=gone)
        await Measured.create(title="b", shelf=held)
        await gone.delete()
        assert await Measured.order_by("title").values_list("title", "shelf.label") == [("a", None), ("b", "held")]
        assert await Measured.order_by("shelf.label").pluck("title") == ["a", "b"]
        found = await Measured.get(title="a")
        await found.refresh("shelf")
        assert found.shelf is None

    async def test_create_or_update_restores_a_deleted_row(self) -> None:
        shelf = await Shelf.create(label="a")
        await shelf.delete()
        found, was_made = await Shelf.create_or_update(by="label", label="a", room=2)
        assert (found.id, was_made, found.is_deleted) == (shelf.id, False, False)
        assert await Shelf.filter_by(room=2).count() == 1

    async def test_upsert_restores_a_deleted_row(self) -> None:
        await (await Shelf.create(label="a")).delete()
        await Shelf.upsert({"label": "a", "room": 3}, by="label")
        assert await Shelf.filter_by(room=3).count() == 1


@pytest.mark.usefixtures("db")
class TestCursors:
    @pytest.mark.parametrize("order", ["single", "-single"])
    async def test_every_row_comes_once_in_the_order_of_a_float(self, order: str) -> None:
        numbers = [0.1, 16777216.0, 16777215.0, 16777214.0, 1.2345678, 1.2345679, -0.1, 1e-30, 3e38, None, None, 0.1]
        await Measured.bulk_create([{"title": str(n), "single": number} for n, number in enumerate(numbers)])
        paged = [row.id async for row in Measured.order_by(order).stream(1)]
        assert paged == await Measured.order_by(order, "-id" if order[0] == "-" else "id").pluck("id")

    async def test_pages_of_a_double_end(self) -> None:
        await Parcel.bulk_create([{"ratio": 0.1 * number} for number in range(5)])
        assert len([parcel async for parcel in Parcel.order_by("ratio").stream(2)]) == 5

    @pytest.mark.parametrize("order", ["opens_at", "-opens_at", "lasts", "-lasts"])
    async def test_every_row_comes_once_in_the_order_of_a_time(self, order: str) -> None:
        hours = [5, None, 3, 5, 23, None, 0]
        times = [None if hour is None else dt.time(hour, 1, 2, 3) for hour in hours]
        spans = [None if hour is None else dt.timedelta(hours=hour - 5) for hour in hours]
        await Parcel.bulk_create([{"opens_at": time, "lasts": span} for time, span in zip(times, spans, strict=True)])
        paged = [row.id async for row in Parcel.order_by(order).stream(2)]
        assert paged == await Parcel.order_by(order, "-id" if order[0] == "-" else "id").pluck("id")

    async def test_locked_pages_of_a_float_are_refused(self, db: Database) -> None:
        async with db.unit():
            with pytest.raises(WrongValueForLookup, match="lock no rows"):
                await Measured.order_by("single").lock().after(None, 1)

    @pytest.mark.parametrize("order", ["native", "-native"])
    async def test_every_row_comes_once_in_the_order_of_an_enum(self, order: str) -> None:
        members = [Genre.POETRY, Genre.CRIME, None] * 3  # declared in another order than their names sort
        await Measured.bulk_create([{"title": str(n), "native": member} for n, member in enumerate(members)])
        paged = [row.native async for row in Measured.order_by(order).stream(2)]
        expected = [None] * 3 + [Genre.CRIME] * 3 + [Genre.POETRY] * 3
        assert paged == await Measured.order_by(order).pluck("native")
        assert paged == (expected if order == "native" else expected[::-1])

    @pytest.mark.parametrize(
        "document",
        [
            [2**70],
            ["\ud800"],
            [{"t": "0001-01-01T00:00:00+23:59"}],
            [{"n": "1e999999"}],
            [{"x": "1"}],
            [{"t": 5}],
            [[]],
            [None],
        ],
    )
    async def test_a_forged_cursor_is_refused(self, document: list[object]) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(3)])
        for name in ("age", "email", "seen_at"):
            page = await Author.order_by(name).after(None, 1)
            assert page.next is not None
            stamp = json.loads(base64.urlsafe_b64decode(page.next + "=" * (-len(page.next) % 4)))[0]
            forged = base64.urlsafe_b64encode(json.dumps([stamp, *document, {"u": "0" * 32}]).encode()).decode()
            if document == [None] and name == "seen_at":  # the only one that may be NULL
                await Author.order_by(name).after(forged.rstrip("="), 1)
            else:
                with pytest.raises(WrongCursor):
                    await Author.order_by(name).after(forged.rstrip("="), 1)

    @pytest.mark.parametrize("text", ["é", "\ud800", "[" * 100_000, "=", "AA"])
    async def test_other_text_is_refused(self, text: str) -> None:
        with pytest.raises(WrongCursor):
            await Author.query().after(text, 1)
        packed = base64.urlsafe_b64encode(text.encode(errors="replace")).decode().rstrip("=")
        with pytest.raises(WrongCursor):
            await Author.query().after(packed, 1)


@pytest.mark.usefixtures("db")
class TestValuesOfTheDatabase:
    async def test_defaults_updates_and_computed_columns_are_readable(self) -> None:
        made = await Measured.create(title="a", width=2)
        assert (made.area, made.label, made.moves) == (4, "from sql", 0)
        await made.update(width=3)
        assert (made.area, made.moves) == (9, 1)
        objects = [Measured(title="b", width=5), Measured(title="c", width=6)]
        await Measured.bulk_create(objects)
        assert [each.area for each in objects] == [25, 36]
        assert [each.label for each in objects] == ["from sql", "from sql"]

    async def test_a_database_default_is_readable(self) -> None:
        assert (await Measured.create(title="a")).stamped is not None


@pytest.mark.usefixtures("db")
class TestBounds:
    async def test_aggregates_keep_to_the_limit(self) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(5)])
        query = Author.order_by("-age").limit(2)
        assert await query.aggregate(n=("count", "id"), total=("sum", "age")) == {"n": 2, "total": 7}
        assert await query.count_by("age") == {3: 1, 4: 1}
        assert await query.aggregate_by("age", n=("count", "id")) == [{"age": 3, "n": 1}, {"age": 4, "n": 1}]
        assert await query.offset(4).aggregate(n=("count", "id")) == {"n": 1}

    async def test_no_row_exists_in_none(self) -> None:
        await Author.create(email="kim")
        assert not await Author.query().limit(0).exists()
        assert await Author.query().limit(1).exists()

    async def test_a_page_keeps_to_the_limit_and_the_offset(self) -> None:
        await Author.bulk_create([{"email": str(number)} for number in range(6)])
        page = await Author.order_by("email").limit(3).page(1, 10)
        assert ([author.email for author in page.items], page.total) == (["0", "1", "2"], 3)
        second = await Author.order_by("email").offset(1).limit(3).page(2, 2)
        assert ([author.email for author in second.items], second.total) == (["3"], 3)

    async def test_numbers_have_the_same_types_everywhere(self) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(3)])
        await Book.bulk_create([{"title": "x", "price": Decimal("1.50")}, {"title": "y", "price": Decimal("2.50")}])
        found = await Author.query().aggregate(total=("sum", "age"), mean=("avg", "age"), sql=func.sum(Author.age))
        assert found == {"total": 3, "mean": 1.0, "sql": 3}
        assert [type(value) for value in found.values()] == [int, float, int]
        prices = await Book.query().aggregate(total=("sum", "price"), mean=("avg", "price"))
        assert prices == {"total": Decimal("4.00"), "mean": Decimal("2.0")}
        assert [type(value) for value in prices.values()] == [Decimal, Decimal]
        assert await Author.filter_by(email="none").aggregate(total=("sum", "age"), mean=("avg", "age")) == {
            "total": None, "mean": None,
        }  # fmt: skip

    async def test_distinct_values_are_counted_once(self) -> None:
        await Author.bulk_create([{"email": str(number), "age": number % 2} for number in range(5)])
        assert await Author.query().aggregate(n=("count_distinct", "age"), m=("count", "age")) == {"n": 2, "m": 5}
        assert await Author.query().distinct().aggregate(n=("count", "age"), total=("sum", "age")) == {
            "n": 2,
            "total": 1,
        }

    async def test_a_field_of_a_relation_groups(self) -> None:
        kim, lee = await Author.create(email="kim", name="Kim"), await Author.create(email="lee", name="Lee")
        await Book.bulk_create([Book(title=str(n), author=kim if n else lee) for n in range(3)])
        await Book.create(title="none")
        assert await Book.query().count_by("author.name") == {None: 1, "Kim": 2, "Lee": 1}
        found = await Book.exclude(author=None).aggregate_by("author.name", "genre", n=("count", "id"))
        assert found == [
            {"author.name": "Kim", "genre": None, "n": 2},
            {"author.name": "Lee", "genre": None, "n": 1},
        ]


@pytest.mark.usefixtures("db")
class TestExclude:
    async def test_a_column_that_may_be_null_excludes_only_equal_rows(self) -> None:
        await Author.create(email="a", age=1, rank=1)
        await Author.create(email="b", age=1, rank=2)
        await Author.create(email="c", age=1, rank=None)
        assert await Author.exclude(age=Author.rank).order_by("email").pluck("email") == ["b", "c"]

    async def test_a_subquery_with_null_excludes_only_its_rows(self) -> None:
        kim = await Author.create(email="kim")
        await Author.create(email="lee")
        await Book.bulk_create([Book(title="x", author=kim), Book(title="y")])
        assert await Author.exclude(id__in=select(Book.author_id)).pluck("email") == ["lee"]

    async def test_a_query_is_a_list(self) -> None:
        kim, lee = await Author.create(email="kim"), await Author.create(email="lee", age=5)
        await Book.bulk_create([Book(title="x", author=kim), Book(title="y", author=lee)])
        young: Query[Author] = Author.filter_by(age__lt=5)
        assert await Book.filter_by(author_id__in=young).pluck("title") == ["x"]
        assert await Book.filter_by(author_id__notin=young).pluck("title") == ["y"]
        assert await Book.filter_by(author__in=young.order_by("email").limit(1)).pluck("title") == ["x"]
        assert await Book.exclude(author_id__in=young).pluck("title") == ["y"]

    async def test_a_query_is_iterated(self) -> None:
        await Author.bulk_create([{"email": str(number)} for number in range(3)])
        assert [author.email async for author in Author.order_by("email")] == ["0", "1", "2"]


class TestOther:
    async def test_hours_and_local_days_are_found(self, db: Database) -> None:
        del db
        late = dt.datetime(2026, 11, 24, 16, 30, tzinfo=dt.UTC)  # the 25th in Seoul
        early = late.replace(hour=9)
        await Author.bulk_create([{"email": "late", "seen_at": late}, {"email": "early", "seen_at": early}])
        seoul = ZoneInfo("Asia/Seoul")
        assert await Author.filter_by(seen_at__hour=16).pluck("email") == ["late"]
        assert await Author.filter_by(seen_at__hour_lt=16).pluck("email") == ["early"]
        assert await Author.filter_by(seen_at__date=(dt.date(2026, 11, 25), seoul)).pluck("email") == ["late"]
        assert await Author.filter_by(seen_at__date=dt.date(2026, 11, 24)).count() == 2
        assert await Author.filter_by(seen_at__month=((2026, 11), seoul)).count() == 2
        for wrong in (24, -1, (9, seoul), "9"):
            with pytest.raises(WrongValueForLookup, match="hour"):
                await Author.filter_by(seen_at__hour=wrong).count()

    async def test_a_column_named_as_an_option_is_written(self, db: Database) -> None:
        del db
        made = await Poll.create(refresh=False)
        assert (await Poll.get(made.id)).refresh is False
        await made.update(refresh=True)
        assert await Poll.filter_by(refresh=True).count() == 1
        await made.update(refresh=False)
        assert await Poll.filter_by(refresh=False).count() == 1

    async def test_a_column_named_as_an_option_keeps_its_default(self, db: Database) -> None:
        del db
        made = await Poll.create()
        await made.update(created_at=made.updated_at)
        assert (await Poll.get(made.id)).refresh is True

    async def test_upsert_moves_the_actor(self, db: Database) -> None:
        del db
        with acting_as("kim"):
            await Counter.upsert({"label": "x", "value": 1}, by="label")
        with acting_as("lee"):
            await Counter.upsert({"label": "x", "value": 2}, by="label")
        found = await Counter.get(label="x")
        assert (found.created_by, found.updated_by, found.version) == ("kim", "lee", 2)

    async def test_get_or_create_refuses_several_matches(self, db: Database) -> None:
        del db
        await Author.bulk_create([{"email": "a", "name": "x"}, {"email": "b", "name": "x"}])
        with pytest.raises(MultipleFound, match="name"):
            await Author.get_or_create(name="x")

    async def test_a_relation_that_is_not_loaded_says_so(self, db: Database) -> None:
        author = await Author.create(email="kim")
        found = await Author.get(author.id)
        with pytest.raises(NotLoaded, match=r'Author\.books is not loaded.*refresh\("books"\)'):
            _ = found.books
        async with db.unit():
            held = await Author.get(author.id)
            with pytest.raises(NotLoaded, match=r"Author\.books"):
                _ = held.books
            await Author.create(email="the unit goes on")

    async def test_two_databases_of_a_base_keep_to_their_units(self, db: Database, statements: Statements) -> None:
        second = Database(db.engine.url, LibraryBase)
        try:
            statements.take()
            async with db.unit() as unit:
                await Visit.create(who="kim")
                assert (await Visit.query().one()) in unit.session
            assert len(statements.take()) == 2
            async with second.unit() as other:
                assert (await Visit.query().one()) in other.session
            assert statements.take() == []
        finally:
            await second.dispose()
            LibraryBase.__database__ = db

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_workers_share_rows_to_claim(self, db: Database) -> None:
        del db
        await Author.bulk_create([{"email": str(number)} for number in range(40)])

        async def claim() -> int:
            return await Author.filter_by(age=0).order_by("id").limit(5).update(age=1)

        claimed = await asyncio.gather(*(claim() for _ in range(8)))
        assert sum(claimed) == await Author.filter_by(age=1).count()
        assert sum(count > 0 for count in claimed) >= 4


class TestCallbacks:
    async def test_async_callback_is_awaited_and_other_callbacks_run_when_it_fails(self, db: Database) -> None:
        calls: list[str] = []

        async def later() -> None:
            await asyncio.sleep(0)
            calls.append("async")

        def fail() -> None:
            raise LookupError("first")

        with pytest.raises(LookupError, match="first"):  # noqa: PT012  # the block under test raises
            async with db.unit() as unit:
                unit.on_commit(fail)
                unit.on_commit(later)
                unit.on_commit(lambda: calls.append("sync"))
                await Author.create(email="kim")
        assert calls == ["async", "sync"]
        assert await Author.row_count() == 1
