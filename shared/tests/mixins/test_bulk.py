import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import create_engine, event, func

from bongsu.mixins import (
    Conflict,
    Database,
    UnfilteredWrite,
    UnknownField,
    WrongValueForLookup,
    utc_now,
    uuid7,
)
from shared.tests.mixins.conftest import Statements
from shared.tests.mixins.library import Author, Book, Counter, Tag, Visit

MANY = 150  # more objects than are all read again after any write


@pytest.mark.usefixtures("db")
class TestBulkCreate:
    async def test_a_thousand_rows_take_one_statement(self, statements: Statements) -> None:
        assert await Author.bulk_create([{"email": f"{number}", "age": number} for number in range(1000)]) == 1000
        assert len(statements.take()) == 1
        assert await Author.filter_by(age__ge=500, is_active=True, created_at__le=utc_now(5)).count() == 500

    async def test_objects_and_rows_with_other_fields_are_taken(self) -> None:
        author = Author(email="object", age=7)
        await Author.bulk_create([author, {"email": "a"}, {"email": "b", "name": "B"}, {"name": "C", "email": "c"}])
        assert await Author.order_by("email").pluck("name") == [None, "B", "C", None]
        await author.update(age=8)
        assert (await Author.get(author.id)).age == 8

    async def test_every_column_of_an_object_is_readable_after_bulk_create(self, statements: Statements) -> None:
        authors = [Author(email=str(number)) for number in range(3)]
        await Author.bulk_create(authors)
        assert len(statements.take()) == 1
        assert [author.to_dict() for author in authors] == [
            loaded.to_dict() for loaded in await Author.order_by("email").all()
        ]
        assert (authors[0].age, authors[0].is_active, authors[0].name) == (0, True, None)

    async def test_sql_values_of_objects_are_read_back_by_one_statement_more(self, statements: Statements) -> None:
        authors = [Author(email=str(number), seen_at=utc_now(60)) for number in range(3)]
        await Author.bulk_create(authors)
        assert len(statements.take()) == 3 + 1
        assert [author.seen_at for author in authors] == await Author.order_by("email").pluck("seen_at")

    async def test_objects_have_their_database_keys_after_bulk_create(self) -> None:
        visits = [Visit(), Visit(who="lee")]
        await Visit.bulk_create(visits)
        assert [(visit.id, visit.who) for visit in visits] == await Visit.order_by("id").values_list("id", "who")
        await visits[1].update(who="kim")
        assert await Visit.order_by("id").pluck("who") == ["nobody", "kim"]

    async def test_versioned_object_can_be_written_after_bulk_create(self) -> None:
        counter = Counter(label="x")
        await Counter.bulk_create([counter])
        await counter.update(value=3)
        assert ((await Counter.get(counter.id)).value, counter.version) == (3, 2)

    async def test_sql_values_and_integer_keys_are_taken(self) -> None:
        await Author.bulk_create([{"email": func.lower("A"), "seen_at": utc_now()} for _ in range(1)])
        assert (await Author.get(email="a")).seen_at is not None
        await Visit.bulk_create([{"who": "kim"}, {"who": "lee"}])
        assert await Visit.row_count() == 2

    async def test_nothing_is_nothing(self, statements: Statements) -> None:
        assert await Author.bulk_create([]) == 0
        assert statements.take() == []

    async def test_single_conflict_rolls_back_every_row(self) -> None:
        with pytest.raises(Conflict) as caught:
            await Author.bulk_create([{"email": "a"}, {"email": "b"}, {"email": "a"}])
        assert caught.value.constraint == "uq_authors_email"
        assert await Author.row_count() == 0

    async def test_an_unknown_field_is_refused(self) -> None:
        with pytest.raises(UnknownField, match="did you mean 'email'"):
            await Author.bulk_create([{"email": "a"}, {"emial": "b"}])


@pytest.mark.usefixtures("db")
class TestBulkUpdate:
    async def test_differing_values_take_one_statement(self, statements: Statements) -> None:
        keys = [uuid7() for _ in range(100)]
        await Author.bulk_create([{"id": key, "email": str(number)} for number, key in enumerate(keys)])
        statements.take()
        rows = [{"id": key, "age": number, "name": f"N{number}"} for number, key in enumerate(keys)]
        assert await Author.bulk_update(rows) == 100
        assert len(statements.take()) == 1
        assert [author.name == f"N{author.age}" for author in await Author.query().all()] == [True] * 100
        assert await Author.filter_by(updated_at__gt=Author.created_at).count() == 100

    async def test_a_row_keeps_the_fields_it_does_not_give(self) -> None:
        await Author.bulk_create([{"email": "a", "age": 1, "name": "A"}, {"email": "b", "age": 2, "name": "B"}])
        await Author.bulk_update([{"email": "a", "age": 10}, {"email": "b", "name": None}], by="email")
        assert await Author.order_by("email").values_list("age", "name") == [(10, "A"), (2, None)]

    async def test_objects_have_the_keys_of_their_changed_relations_afterwards(self) -> None:
        user, other = await Author.create(email="kim"), await Author.create(email="lee")
        books = [await Book.create(title=title, author=user) for title in "ab"]
        books[0].author, books[1].author = None, other
        assert await Book.bulk_update(books) == 2
        assert [book.author_id for book in books] == [None, other.id]
        assert await Book.order_by("title").pluck("author_id") == [None, other.id]

    async def test_bulk_writes_refuse_objects_of_other_models(self) -> None:
        book = await Book.create(title="a")
        with pytest.raises(WrongValueForLookup, match="bulk writes of Author take objects of it, not <Book"):
            await Author.bulk_create([Book(title="b")])  # type: ignore[list-item]  # what a caller without types gives
        with pytest.raises(WrongValueForLookup, match="bulk writes of Author take objects of it, not <Book"):
            await Author.bulk_update([book])  # type: ignore[list-item]  # as above

    async def test_conditions_make_bulk_update_a_compare_and_set(self) -> None:
        await Author.bulk_create([{"email": "a", "age": 1}, {"email": "b", "age": 2}])
        rows = [{"email": "a", "name": "x"}, {"email": "b", "name": "x"}]
        assert await Author.bulk_update(rows, by="email", age=1) == 1
        assert await Author.bulk_update(rows, Author.age > 5, by="email") == 0
        assert await Author.filter_by(name="x").pluck("email") == ["a"]

    async def test_matched_rows_count_changed_or_not(self) -> None:
        await Author.create(email="a", age=1)
        assert await Author.bulk_update([{"email": "a", "age": 1, "updated_at": utc_now()}], by="email") == 1

    async def test_values_of_every_type_and_sql_are_taken(self) -> None:
        one, two = await Book.create(title="1"), await Book.create(title="2")
        await Book.bulk_update(
            [
                {"id": one.id, "price": Decimal("1.25"), "facts": {"pages": 3}, "cover": b"\x00'", "genre": "crime"},
                {"id": two.id, "price": None, "facts": None, "title": func.upper("two")},
            ]
        )
        first, second = await Book.order_by("title").all()
        assert (first.price, first.facts, first.cover, first.genre) == (
            Decimal("1.25"),
            {"pages": 3},
            b"\x00'",
            "crime",
        )
        assert (second.title, second.price) == ("TWO", None)

    async def test_loaded_objects_of_the_unit_are_read_again(self, db: Database) -> None:
        async with db.unit():
            author = await Author.create(email="a", age=1)
            await Author.bulk_update([{"id": author.id, "age": 5}])
            assert author.age == 5

    @pytest.mark.parametrize("by", ["id", "email"])
    async def test_of_many_loaded_objects_those_named_are_read_again(
        self, db: Database, statements: Statements, by: str
    ) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(MANY)])
        async with db.unit():
            authors = await Author.order_by("age").all()
            rows = [{by: getattr(author, by), "name": "x"} for author in authors[:3]]
            statements.take()
            assert await Author.bulk_update(rows, by=by, age__ge=1) == 2
            assert len(statements.take()) == 3
            assert [author.name for author in authors] == [None, "x", "x"] + [None] * (MANY - 3)

    async def test_versions_count_up(self) -> None:
        counter = await Counter.create(label="x")
        await Counter.bulk_update([{"id": counter.id, "value": 3}])
        assert (await Counter.get(counter.id)).version == 2

    @pytest.mark.parametrize("rows", [[{"age": 1}], [{"id": uuid7()}], [{"id": None, "age": 1}]])
    async def test_rows_without_key_or_values_are_refused(self, rows: list[dict[str, object]]) -> None:
        with pytest.raises(WrongValueForLookup):
            await Author.bulk_update(rows)

    async def test_a_key_given_twice_is_refused(self) -> None:
        with pytest.raises(WrongValueForLookup, match="its own email"):
            await Author.bulk_update([{"email": "a", "age": 1}, {"email": "a", "age": 2}], by="email")

    async def test_no_rows_are_no_statement(self, statements: Statements) -> None:
        assert await Author.bulk_update([]) == 0
        assert statements.take() == []


@pytest.mark.usefixtures("db")
class TestUpsert:
    async def test_new_rows_are_inserted_and_existing_rows_updated(self, statements: Statements) -> None:
        await Author.create(email="a", age=1, name="A")
        statements.take()
        await Author.upsert([{"email": "a", "age": 5}, {"email": "b", "age": 6}], by="email")
        assert len(statements.take()) == 1
        assert await Author.order_by("email").values_list("age", "name") == [(5, "A"), (6, None)]

    async def test_only_the_fields_named_are_updated(self) -> None:
        await Author.create(email="a", age=1, name="A")
        await Author.upsert({"email": "a", "age": 5, "name": "B"}, by="email", update=["name"])
        assert await Author.query().values_list("age", "name") == [(1, "B")]

    async def test_no_field_leaves_a_known_row_alone(self) -> None:
        author = await Author.create(email="a", age=1)
        await Author.upsert({"email": "a", "age": 5}, by="email", update=[])
        loaded = await Author.get(author.id)
        assert (loaded.age, loaded.updated_at) == (1, author.updated_at)

    async def test_the_constraint_is_found_from_the_fields(self) -> None:
        await Author.upsert({"email": "a", "age": 5})
        await Author.upsert({"email": "a", "age": 6})
        assert await Author.query().pluck("age") == [6]
        with pytest.raises(WrongValueForLookup, match="say by="):
            await Author.upsert({"age": 6})

    async def test_versions_count_up(self) -> None:
        await Counter.upsert({"label": "x", "value": 1})
        await Counter.upsert({"label": "x", "value": 2})
        assert await Counter.query().values_list("value", "version") == [(2, 2)]
        await Counter.upsert([{"label": label, "value": 3} for label in "xyz"])
        await Counter.upsert([{"label": label, "value": 4} for label in "yz"])
        assert await Counter.order_by("label").values_list("value", "version") == [(3, 3), (4, 2), (4, 2)]

    async def test_a_key_and_its_creation_time_stay(self) -> None:
        author = await Author.create(email="a")
        await Author.upsert({"email": "a", "age": 5})
        loaded = await Author.get(email="a")
        assert (loaded.id, loaded.created_at) == (author.id, author.created_at)


@pytest.mark.usefixtures("db")
class TestQueryUpdate:
    async def test_update_changes_and_counts_matching_rows(self, statements: Statements) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(5)])
        statements.take()
        assert await Author.filter_by(age__gt=2).update(age=Author.age * 10, seen_at=utc_now(60)) == 2
        assert len(statements.take()) == 1
        assert await Author.order_by("email").pluck("age") == [0, 1, 2, 30, 40]

    async def test_matched_rows_count_changed_or_not(self) -> None:
        author = await Author.create(email="a", age=1)
        assert await Author.filter_by(email="a").update(age=1, updated_at=author.updated_at) == 1

    async def test_unfiltered_write_is_refused(self) -> None:
        for query in (Author.query(), Author.filter_by(), Author.filter_by(id__notin=[]), Author.query().limit(3)):
            with pytest.raises(UnfilteredWrite, match=r"\.unfiltered\(\)"):
                await query.update(age=1)
            with pytest.raises(UnfilteredWrite):
                await query.delete()
        await Author.create(email="a")
        assert await Author.query().unfiltered().update(age=9) == 1

    async def test_limit_and_order_bound_an_update(self) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(5)])
        assert await Author.filter_by(age__ge=0).order_by("-age").limit(2).update(name="old") == 2
        assert await Author.filter_by(name="old").order_by("age").pluck("age") == [3, 4]

    async def test_rows_claimed_by_a_bounded_update_are_claimed_once(self) -> None:
        await Author.bulk_create([{"email": str(number), "name": "waiting"} for number in range(30)])

        async def claim(who: int) -> int:
            waiting = Author.filter_by(name="waiting").order_by("id").limit(3)
            return await waiting.update(name=f"claimed by {who}")

        claimed = await asyncio.gather(*(claim(who) for who in range(20)))
        counts = await Author.exclude(name="waiting").count_by("name")
        assert counts == {f"claimed by {who}": count for who, count in enumerate(claimed) if count}

    @pytest.mark.parametrize("end", ["update", "delete"])
    @pytest.mark.parametrize("picked", ["by key", "by unindexed order", "over a relation", "over both"])
    async def test_workers_who_claim_a_few_rows_each_get_their_share(self, db: Database, end: str, picked: str) -> None:
        author = await Author.create(email="kim", name="kim", age=1)
        await Book.bulk_create(
            [{"title": f"{number}", "text": "waiting", "author_id": author.id} for number in range(50)]
        )
        over_relation = Book.filter_by(text="waiting", author__name="kim")
        rows = {
            "by key": Book.filter_by(text="waiting").order_by("id"),
            "by unindexed order": Book.filter_by(text="waiting").order_by("price", "-title"),
            "over a relation": over_relation.order_by("id"),
            "over both": over_relation.order_by("author.name", "-title"),
        }[picked].limit(5)
        counts: list[int] = []

        async def claim(who: int) -> None:
            async with db.unit():
                counts.append(await (rows.update(text=f"claimed by {who}") if end == "update" else rows.delete()))

        await asyncio.gather(*(claim(who) for who in range(10)))
        assert counts == [5] * 10
        assert await Book.filter_by(text="waiting").count() == 0

    async def test_bounded_update_follows_its_order_and_offset(self) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(20)])
        rows = Author.filter_by(age__lt=15).order_by("-age")
        assert await rows.offset(2).limit(3).update(name="x") == 3
        assert await Author.filter_by(name="x").order_by("age").pluck("age") == [10, 11, 12]
        assert await rows.offset(13).limit(5).update(name="y") == 2
        assert await rows.offset(14).update(name="z") == 1
        assert await rows.limit(0).update(name="none") == 0
        assert await Author.filter_by(name__in=["y", "z"]).order_by("age").values_list("age", "name") == [
            (0, "z"),
            (1, "y"),
        ]

    @pytest.mark.mysql  # on SQLite, a unit that writes is alone
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_bounded_update_leaves_rows_that_another_unit_has_locked(self, db: Database) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(6)])
        claimed = asyncio.Event()
        done = asyncio.Event()

        async def hold() -> None:
            async with db.unit():
                assert await Author.filter_by(age__ge=0).order_by("age").limit(2).update(name="first") == 2
                claimed.set()
                await done.wait()

        holding = asyncio.ensure_future(hold())
        await claimed.wait()
        assert await Author.filter_by(name=None).order_by("age").limit(3).update(name="second") == 3
        done.set()
        await holding
        assert await Author.order_by("age").pluck("name") == ["first"] * 2 + ["second"] * 3 + [None]

    async def test_a_filter_over_a_relation_to_the_same_table_works(self) -> None:
        mentor = await Author.create(email="a")
        await Author.create(email="b", mentor=mentor)
        assert await Author.filter_by(mentor__email="a").update(age=5) == 1
        assert await Author.bulk_update([{"email": "b", "age": 6}], by="email", mentor__email="a") == 1
        assert await Author.filter_by(mentor__email="a").delete() == 1

    def test_mysql_gets_no_subquery_on_the_table_that_is_written(self) -> None:
        conditions = Author.filter_by(mentor__email="a", age__gt=3).write_conditions()
        text = " AND ".join(str(condition) for condition in conditions)
        assert "(SELECT anon_1.id" in text.replace("\n", "")
        assert text.startswith("authors.age > ")

    async def test_a_filter_over_relations_works(self) -> None:
        await Author.create(email="a", books=[Book(title="x")])
        await Author.create(email="b")
        assert await Author.filter_by(books__title="x").update(age=5) == 1
        assert await Author.filter_by(mentor__isnull=True, books__isnull=True).update(age=6) == 1

    async def test_loaded_objects_of_the_unit_are_read_again(self, db: Database) -> None:
        async with db.unit():
            author = await Author.create(email="a")
            await Author.filter_by(email="a").update(age=5, seen_at=utc_now())
            assert author.age == 5
            assert author.seen_at is not None

    async def test_object_named_by_its_key_is_read_again_even_when_no_row_matched(self, db: Database) -> None:
        async with db.unit() as unit:
            author = await Author.create(email="a", age=1)
            await unit.session.execute(Author.__table__.update().values(age=2))  # type: ignore[attr-defined]  # a table's
            assert await Author.filter_by(id=author.id, age=1).update(name="x") == 0
            assert author.age == 2

    async def test_relations_stay_loaded_unless_their_foreign_key_was_written(self, db: Database) -> None:
        await Book.create(title="x", author=Author(email="a"), tags=[Tag(label="red")])
        async with db.unit():
            book = await Book.filter_by(title="x").load("author", "tags").one()
            await Book.filter_by(title="x").update(text="new")
            assert (book.text, book.author.email if book.author else None) == ("new", "a")
            await Book.filter_by(title="x").update(author_id=None)
            assert "author" not in book.__dict__
            assert [tag.label for tag in book.tags] == ["red"]

    async def test_of_many_loaded_objects_only_those_that_matched_are_read_again(
        self, db: Database, statements: Statements
    ) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(MANY)])
        async with db.unit() as unit:
            authors = await Author.order_by("age").all()
            await unit.session.execute(Author.__table__.update().values(name="behind"))  # type: ignore[attr-defined]  # as above
            statements.take()
            assert await Author.filter_by(age__gt=MANY - 3).update(country="KR") == 2
            assert len(statements.take()) == 3
            assert [author.name for author in authors] == [None] * (MANY - 2) + ["behind"] * 2
            assert [author.country for author in authors] == [None] * (MANY - 2) + ["KR"] * 2
            assert await Author.filter_by(email="none").update(country="US") == 0
            assert len(statements.take()) == 2

    async def test_however_many_objects_are_loaded_a_statement_reads_a_thousand(
        self, db: Database, statements: Statements
    ) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(2500)])
        async with db.unit() as unit:
            authors = await Author.order_by("age").all()
            statements.take()
            assert await Author.query().unfiltered().update(age=Author.age + 1) == 2500
            assert len(statements.take()) == 1 + 1 + 3
            assert [author.age for author in authors] == list(range(1, 2501))
            assert await Author.filter_by(age__gt=500).delete() == 2000
            assert len(statements.take()) == 1 + 3
            assert [author.age for author in authors if author in unit.session] == list(range(1, 501))

    @pytest.mark.parametrize("bound", ["limit", "relation"])
    async def test_many_loaded_objects_are_right_after_a_bounded_update(self, db: Database, bound: str) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(MANY)])
        mentor = await Author.get(email="0")
        await Author.filter_by(age__gt=0).update(mentor_id=mentor.id)
        async with db.unit():
            authors = await Author.order_by("age").all()
            query = Author.filter_by(age__ge=0).order_by("-age").limit(2)
            changed = query if bound == "limit" else Author.filter_by(mentor__email="0", age__gt=MANY - 3)
            assert await changed.update(name="x") == 2
            assert [author.name for author in authors] == [None] * (MANY - 2) + ["x"] * 2

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_a_row_that_begins_to_match_at_the_last_moment_shows_in_its_object(self, db: Database) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(MANY)])
        others = create_engine(db.engine.url.set(drivername="mysql+pymysql"))

        def join(connection: object, cursor: object, statement: str, *rest: object) -> None:
            del connection, cursor, rest
            if statement.startswith("UPDATE"):
                with others.begin() as other:
                    other.exec_driver_sql("UPDATE authors SET country = 'KR' WHERE email = '7'")

        async with db.unit():
            authors = await Author.order_by("age").all()
            event.listen(db.engine.sync_engine, "before_cursor_execute", join)
            assert await Author.filter_by(country="KR").update(name="x") == 1
            assert [author.age for author in authors if author.name == "x"] == [7]
        others.dispose()

    async def test_values_are_checked(self) -> None:
        with pytest.raises(UnknownField, match="did you mean 'age'"):
            await Author.filter_by(email="a").update(aeg=5)
        with pytest.raises(WrongValueForLookup, match="takes an int"):
            await Author.filter_by(email="a").update(age="5")


@pytest.mark.usefixtures("db")
class TestQueryDelete:
    async def test_delete_removes_and_counts_matching_rows(self) -> None:
        await Author.bulk_create([{"email": str(number), "age": number} for number in range(5)])
        assert await Author.filter_by(age__gt=2).delete() == 2
        assert await Author.order_by("-age").filter_by(age__ge=0).limit(1).delete() == 1
        assert await Author.order_by("age").pluck("age") == [0, 1]

    async def test_deleted_objects_leave_the_unit(self, db: Database) -> None:
        async with db.unit() as unit:
            gone, kept = await Author.create(email="a"), await Author.create(email="b")
            await Author.filter_by(email="a").delete()
            assert gone not in unit.session
            assert kept in unit.session
            assert await Author.get_or_none(gone.id) is None
