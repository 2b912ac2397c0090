import asyncio
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from bongsu.mixins import (
    BaseModel,
    Conflict,
    Database,
    MixinError,
    MultipleFound,
    NotConnected,
    NotFound,
    NotLoaded,
    UnknownField,
    WrongValueForLookup,
    utc_now,
    uuid7,
)
from shared.tests.mixins.conftest import Statements
from shared.tests.mixins.library import Author, Book, Crate, LibraryBase, Measured, Place, Visit


@pytest.mark.usefixtures("db")
class TestCreate:
    async def test_create_inserts_by_one_statement(self, statements: Statements) -> None:
        author = await Author.create(email="kim", name="Kim")
        assert len(statements.take()) == 1
        assert (await Author.get(author.id)).name == "Kim"

    async def test_an_unknown_field_is_refused(self) -> None:
        with pytest.raises(UnknownField, match="did you mean 'email'"):
            await Author.create(emial="kim")

    async def test_every_column_is_readable_after_create(self, statements: Statements) -> None:
        author = await Author.create(email="kim")
        assert (author.name, author.age, author.is_active, author.mentor_id) == (None, 0, True, None)
        assert set(author.to_dict()) == set(Author.column_names)
        assert len(statements.take()) == 1

    async def test_integer_key_is_known_after_create(self) -> None:
        first, second = await Visit.create(who="kim"), await Visit.create()
        assert second.id > first.id
        assert (await Visit.get(second.id)).who == "nobody"

    async def test_relations_are_given_as_objects(self) -> None:
        author = await Author.create(email="kim", books=[Book(title="a"), Book(title="b")])
        assert await Book.filter_by(author=author).count() == 2

    async def test_refresh_loads_relations(self) -> None:
        author = await Author.create(email="kim")
        book = await Book.create(title="x", author_id=author.id, refresh=["author"])
        assert book.author is not None
        assert book.author.email == "kim"

    async def test_a_given_session_is_committed_only_if_asked(self, db: Database) -> None:
        async with db.session() as session:
            await Author.create(session, email="kim")
        assert await Author.row_count() == 0
        async with db.session() as session:
            await Author.create(session, auto_commit=True, email="kim")
        assert await Author.row_count() == 1


@pytest.mark.usefixtures("db")
class TestGet:
    async def test_get_accepts_the_key_its_text_or_unique_values(self) -> None:
        author = await Author.create(email="kim")
        for found in (await Author.get(author.id), await Author.get(str(author.id)), await Author.get(email="kim")):
            assert found.id == author.id

    async def test_get_raises_not_found_when_no_row_matches(self) -> None:
        key = uuid7()
        with pytest.raises(NotFound, match=f"no Author with UUID\\('{key}'\\)"):
            await Author.get(key)
        with pytest.raises(NotFound, match="no Author with email='x'"):
            await Author.get(email="x")

    async def test_get_or_none_returns_none_when_no_row_matches(self) -> None:
        assert await Author.get_or_none(uuid7()) is None
        assert await Author.get_or_none(email="x") is None
        assert await Author.get_or_none(None) is None

    async def test_a_value_that_is_missing_finds_no_row(self) -> None:
        await Author.create(email="kim", country="KR", name=None)
        assert await Author.get_or_none(name=None) is None
        assert await Author.get_or_none(name__eq=None, country="KR") is None
        assert await Author.get_or_none(None, country="KR") is None
        assert await Author.get_or_none(mentor=None) is None
        with pytest.raises(NotFound, match="no Author with name=None"):
            await Author.get(name=None)
        assert (await Author.get(name__isnull=True)).email == "kim"

    async def test_a_misspelled_field_is_refused_whatever_its_value(self) -> None:
        with pytest.raises(UnknownField, match="did you mean 'email'"):
            await Author.get_or_none(emial=None)

    async def test_neither_a_key_nor_a_field_is_refused(self) -> None:
        await Author.create(email="kim")
        for search in (Author.get, Author.get_or_none):
            with pytest.raises(WrongValueForLookup, match=r"give the key of Author \(id\) or unique values of it"):
                await search()

    async def test_several_rows_are_refused(self) -> None:
        await Author.create(email="a", age=1)
        await Author.create(email="b", age=1)
        with pytest.raises(MultipleFound):
            await Author.get(age=1)

    async def test_a_key_of_two_columns_takes_two_values(self) -> None:
        place = await Place.create(id=uuid7(), shelf=3, label="top")
        assert (await Place.get(place.id, 3)).label == "top"
        with pytest.raises(WrongValueForLookup, match=r"the key of Place is \(id, shelf\), not 1 values"):
            await Place.get(place.id)


@pytest.mark.usefixtures("db")
class TestGetOrCreate:
    async def test_get_or_create_creates_the_row_once(self) -> None:
        made, was_made = await Author.get_or_create({"age": 3}, email="kim")
        found, was_made_again = await Author.get_or_create({"age": 4}, email="kim")
        assert (was_made, was_made_again, found.id == made.id, found.age) == (True, False, True, 3)

    async def test_another_conflict_is_raised(self) -> None:
        await Author.create(email="kim", country="KR", rank=1)
        with pytest.raises(Conflict) as caught:
            await Author.get_or_create({"country": "KR", "rank": 1}, email="lee")
        assert caught.value.constraint == "uq_authors_country_rank"


@pytest.mark.usefixtures("db")
class TestCreateOrUpdate:
    async def test_values_that_the_database_makes_are_readable(self) -> None:
        made, _ = await Measured.get_or_create(title="a", defaults={"width": 2})
        assert (made.area, made.label) == (4, "from sql")
        changed, _ = await Measured.create_or_update(by="title", title="a", width=3)
        assert (changed.area, changed.moves) == (9, 1)

    async def test_create_or_update_finds_the_row_by_key_by_unique_constraint_or_by_name(self) -> None:
        made, _ = await Author.create_or_update(email="kim", age=1)
        await Author.create_or_update(id=made.id, email="kim", age=2)
        await Author.create_or_update(country="KR", rank=1, email="lee", age=3)
        found, was_made = await Author.create_or_update(by="age", age=3, name="Lee")
        assert (was_made, found.email, found.name) == (False, "lee", "Lee")
        assert (await Author.get(made.id)).age == 2

    @pytest.mark.mysql
    @pytest.mark.parametrize("backend", ["aiomysql", "asyncmy"], indirect=True)
    async def test_a_value_that_others_changed_meanwhile_is_written(self, db: Database) -> None:
        await Author.create(email="kim", age=1)

        async def elsewhere() -> None:
            async with db.unit():
                await Author.filter_by(email="kim").update(age=7)

        async with db.unit():
            await Author.get(email="kim")
            await asyncio.create_task(elsewhere())
            await Author.create_or_update(email="kim", age=1)
        assert (await Author.get(email="kim")).age == 1

    async def test_create_or_update_picks_none_of_several_rows(self) -> None:
        await Author.bulk_create([{"email": "kim", "name": "a"}, {"email": "lee", "name": "a"}])
        with pytest.raises(MultipleFound, match=r"several Author match \(name\)"):
            await Author.create_or_update(by="name", name="a", age=3)
        assert await Author.query().pluck("age") == [0, 0]

    async def test_create_or_update_refuses_values_that_identify_no_row(self) -> None:
        with pytest.raises(WrongValueForLookup, match="say by="):
            await Author.create_or_update(age=3)
        with pytest.raises(WrongValueForLookup, match="values are missing for email"):
            await Author.create_or_update(by="email", age=3)


@pytest.mark.usefixtures("db")
class TestUpdate:
    async def test_update_writes_changed_fields_and_updated_at(self, statements: Statements) -> None:
        author = await Author.create(email="kim", age=1)
        before = author.updated_at
        statements.take()
        assert await author.update(age=2) is author
        (statement,) = statements.take()
        assert "email" not in statement
        loaded = await Author.get(author.id)
        assert (loaded.age, loaded.updated_at, loaded.created_at) == (2, author.updated_at, author.created_at)
        assert loaded.updated_at > before

    async def test_update_sends_nothing_when_nothing_changed(self, statements: Statements) -> None:
        author = await Author.create(email="kim", age=1)
        statements.take()
        assert await author.update(age=1) is None
        assert statements.take() == []

    async def test_sql_values_are_read_back(self) -> None:
        author = await Author.create(email="kim", age=1)
        await author.update(age=Author.age + 5, seen_at=utc_now())
        assert author.age == 6
        assert author.seen_at is not None

    async def test_update_works_in_a_unit_on_an_object_loaded_before(self, db: Database) -> None:
        author = await Author.create(email="kim", books=[Book(title="a")])
        async with db.unit():
            await Book.filter_by(title="a").one()
            await author.update(age=2)
        assert (await Author.get(author.id)).age == 2

    async def test_two_objects_of_one_row_in_a_unit_are_refused(self, db: Database) -> None:
        author = await Author.create(email="kim")
        async with db.unit():
            kept = await Author.get(author.id)
            with pytest.raises(MixinError, match="use its object"):
                await author.update(age=2)
            await kept.update(age=3)

    async def test_an_unknown_field_is_refused(self) -> None:
        author = await Author.create(email="kim")
        with pytest.raises(UnknownField):
            await author.update(agee=2)


@pytest.mark.usefixtures("db")
class TestFill:
    async def test_fill_sets_without_writing_and_reports_changes(self, statements: Statements) -> None:
        author = await Author.create(email="kim", age=1)
        statements.take()
        assert author.fill(age=2)
        assert not author.fill(age=2)
        assert statements.take() == []
        await author.save()
        assert (await Author.get(author.id)).age == 2


@pytest.mark.usefixtures("db")
class TestDelete:
    async def test_delete_removes_the_row_when_relations_are_loaded(self) -> None:
        author = await Author.create(email="kim", books=[Book(title="a")])
        book = await Book.filter_by(title="a").load("author.books").one()
        await book.delete()
        await author.delete()
        assert (await Author.row_count(), await Book.row_count()) == (0, 0)

    async def test_a_row_that_is_gone_is_no_error(self) -> None:
        author = await Author.create(email="kim")
        again = await Author.get(author.id)
        await author.delete()
        await author.remove()
        await again.delete()

    async def test_a_deleted_object_cannot_be_written(self) -> None:
        author = await Author.create(email="kim")
        await author.delete()
        with pytest.raises(NotFound, match="was deleted"):
            await author.update(age=3)

    async def test_a_row_that_others_refer_to_is_a_conflict(self, db: Database) -> None:
        author = await Author.create(email="kim")
        await Author.create(email="lee", mentor_id=author.id)
        with pytest.raises(Conflict) as caught:
            await Author.filter_by(id=author.id).delete()
        assert caught.value.kind == "foreign key"
        if db.dialect_name != "sqlite":
            assert caught.value.constraint == "fk_authors_mentor_id_authors"


@pytest.mark.usefixtures("db")
class TestRefresh:
    async def test_refresh_reads_the_row_again(self) -> None:
        author = await Author.create(email="kim", age=1)
        await Author.filter_by(email="kim").update(age=2)
        assert (await author.refresh()).age == 2

    async def test_refresh_loads_a_relation(self) -> None:
        author = await Author.create(email="kim", books=[Book(title="a")])
        loaded = await Author.get(author.id)
        await loaded.refresh("books")
        assert [book.title for book in loaded.books] == ["a"]

    async def test_a_row_that_is_gone_is_not_found(self) -> None:
        author = await Author.create(email="kim")
        await Author.filter_by(email="kim").delete()
        with pytest.raises(NotFound):
            await author.refresh()

    async def test_an_unknown_name_is_refused(self) -> None:
        author = await Author.create(email="kim")
        with pytest.raises(UnknownField, match="did you mean 'books'"):
            await author.refresh("boks")


@pytest.mark.usefixtures("db")
class TestToDict:
    async def test_to_dict_contains_the_columns(self) -> None:
        author = await Author.create(email="kim", age=1)
        assert author.to_dict(only=["email", "age"]) == {"email": "kim", "age": 1}
        assert "email" not in author.to_dict(exclude=["email"])
        with pytest.raises(UnknownField):
            author.to_dict(only=["emial"])

    def test_to_dict_raises_when_a_column_is_not_loaded(self) -> None:
        with pytest.raises(NotLoaded, match="is not loaded"):
            Author(email="kim").to_dict(only=["age"])


class TestSessions:
    async def test_objects_stay_in_the_session_they_were_given(self, db: Database) -> None:
        async with db.session() as session:
            author = await Author.create(session, email="kim")
            await author.update(age=2)
            assert author in session
            await session.commit()
        assert (await Author.get(author.id)).age == 2

    async def test_a_model_without_a_database_says_so(self) -> None:
        class Unconnected(BaseModel):
            __database__ = None

        with pytest.raises(NotConnected, match="make a `Database"):
            await Unconnected.row_count()

    async def test_a_disposed_database_is_let_go(self, db: Database) -> None:
        assert LibraryBase.database() is db
        await db.dispose()
        with pytest.raises(NotConnected):
            LibraryBase.database()

    def test_a_session_is_sqlalchemys_own(self, db: Database) -> None:
        assert isinstance(db.session(), AsyncSession)


@pytest.mark.usefixtures("db")
class TestOtherNamesOfAField:
    @pytest.mark.parametrize(
        ("name", "field", "value", "other"), [("kind", "type_", "a", "b"), ("level", "tiny", 1, 2)]
    )
    async def test_update_by_a_synonym_or_hybrid_writes_what_differs(
        self, statements: Statements, name: str, field: str, value: object, other: object
    ) -> None:
        same: dict[str, Any] = {name: value}
        new: dict[str, Any] = {name: other}
        crate = await Crate.create(**same)
        statements.take()
        assert await crate.update(**same) is None
        assert crate.fill(**same) is False
        assert statements.take() == []
        assert await crate.update(**new) is crate
        setattr(crate, field, value)
        assert await crate.update(**same) is crate
        assert await Crate.query().pluck(field) == [value]
