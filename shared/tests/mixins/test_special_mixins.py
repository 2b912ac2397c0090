import datetime as dt
import json
from decimal import Decimal

import pytest

from bongsu.mixins import (
    Database,
    NotFound,
    NotLoaded,
    StaleVersion,
    UnknownField,
    acting_as,
    current_actor,
    json_value,
    uuid7,
)
from shared.tests.mixins.library import Author, Book, Counter, Folder, Note


@pytest.mark.usefixtures("db")
class TestSoftDelete:
    async def test_a_deleted_row_is_left_out_until_it_is_restored(self) -> None:
        note = await Note.create(text="x")
        await note.delete()
        assert note.is_deleted
        assert await Note.row_count() == 0
        assert await Note.get_or_none(note.id) is None
        with pytest.raises(NotFound):
            await Note.get(note.id)
        await note.restore()
        assert (await Note.get(note.id)).deleted_at is None

    async def test_deleted_rows_can_be_asked_for(self) -> None:
        await Note.create(text="kept")
        await (await Note.create(text="gone")).delete()
        assert await Note.query().only_deleted().pluck("text") == ["gone"]
        assert await Note.query().with_deleted().count() == 2

    async def test_bulk_delete_marks_rows_and_hard_bulk_delete_removes_them(self) -> None:
        await Note.bulk_create([{"text": "a"}, {"text": "b"}])
        assert await Note.filter_by(text="a").delete() == 1
        assert await Note.query().with_deleted().count() == 2
        assert await Note.query().with_deleted().unfiltered().delete(hard=True) == 2
        assert await Note.query().with_deleted().count() == 0

    async def test_hard_delete_removes_the_row(self) -> None:
        note = await Note.create(text="x")
        await note.delete(hard=True)
        assert await Note.query().with_deleted().count() == 0

    async def test_relations_leave_deleted_rows_out(self) -> None:
        folder = await Folder.create(label="f")
        await Note.create(text="kept", folder_id=folder.id)
        await (await Note.create(text="gone", folder_id=folder.id)).delete()
        loaded = await Folder.filter_by(label="f").load("notes").one()
        assert [note.text for note in loaded.notes] == ["kept"]
        assert not await Folder.filter_by(notes__text="gone").exists()


@pytest.mark.usefixtures("db")
class TestVersion:
    async def test_second_of_two_writers_gets_an_error(self) -> None:
        counter = await Counter.create(label="x")
        first, second = await Counter.get(counter.id), await Counter.get(counter.id)
        await first.update(value=1)
        with pytest.raises(StaleVersion, match="read it again"):
            await second.update(value=2)
        assert (await Counter.get(counter.id)).value == 1
        assert (counter.version, first.version) == (1, 2)

    async def test_stale_delete_is_an_error(self) -> None:
        counter = await Counter.create(label="x")
        await (await Counter.get(counter.id)).update(value=1)
        with pytest.raises(StaleVersion):
            await counter.delete()

    async def test_a_bulk_update_makes_loaded_objects_stale(self) -> None:
        counter = await Counter.create(label="x")
        await Counter.filter_by(label="x").update(value=5)
        with pytest.raises(StaleVersion):
            await counter.update(value=2)

    async def test_bulk_update_of_a_stale_object_is_an_error_and_writes_nothing(self) -> None:
        fresh, stale = await Counter.create(label="fresh"), await Counter.create(label="stale")
        await (await Counter.get(stale.id)).update(value=1)
        for counter in (fresh, stale):
            counter.value = 2
        with pytest.raises(StaleVersion, match="read it again"):
            await Counter.bulk_update([fresh, stale])
        assert await Counter.order_by("label").values_list("value", "version") == [(0, 1), (1, 2)]
        await fresh.save()
        assert await Counter.order_by("label").values_list("value", "version") == [(2, 2), (1, 2)]

    async def test_bulk_update_of_a_stale_object_leaves_the_rest_of_its_unit(self, db: Database) -> None:
        stale = await Counter.create(label="stale")
        await (await Counter.get(stale.id)).update(value=1)
        stale.value = 2
        async with db.unit():
            await Counter.create(label="kept")
            with pytest.raises(StaleVersion):
                await Counter.bulk_update([{"label": "kept", "value": 3}], by="label", value__lt=0) or (
                    await Counter.bulk_update([stale], by="label")
                )
        assert await Counter.order_by("label").pluck("value") == [0, 1]

    async def test_bulk_update_of_an_object_whose_row_is_gone_is_an_error(self) -> None:
        counter = await Counter.create(label="x")
        await Counter.filter_by(id=counter.id).delete()
        counter.value = 2
        with pytest.raises(StaleVersion, match="changed or deleted"):
            await Counter.bulk_update([counter])

    async def test_bulk_update_of_objects_can_be_repeated(self) -> None:
        counters = [await Counter.create(label=label) for label in "ab"]
        for value in (1, 2):
            for counter in counters:
                counter.value = value
            assert await Counter.bulk_update(counters) == 2
        assert await Counter.query().values_list("value", "version") == [(2, 3), (2, 3)]

    async def test_conditions_of_a_bulk_update_are_no_stale_version(self) -> None:
        counter = await Counter.create(label="x")
        counter.value = 2
        assert await Counter.bulk_update([counter], value__gt=5) == 0
        await counter.save()
        assert (await Counter.get(counter.id)).value == 2

    async def test_bulk_update_of_an_object_of_the_unit_checks_its_version(self, db: Database) -> None:
        made = await Counter.create(label="x")
        async with db.unit():
            counter = await Counter.get(made.id)
            counter.value = 2
            assert await Counter.bulk_update([counter]) == 1
            assert counter.value == 2
            counter.value = 3
            assert await Counter.bulk_update([counter]) == 1
        assert (await Counter.get(made.id)).value == 3

    async def test_bulk_created_rows_begin_at_one(self) -> None:
        await Counter.bulk_create([{"label": "x"}])
        assert await Counter.query().pluck("version") == [1]

    async def test_stale_write_at_the_end_of_a_unit_is_an_error(self, db: Database) -> None:
        counter = await Counter.create(label="x")
        await (await Counter.get(counter.id)).update(value=1)
        with pytest.raises(StaleVersion):  # noqa: PT012  # the end of the block raises
            async with db.unit() as unit:
                unit.session.add(counter)
                counter.value = 3


@pytest.mark.usefixtures("db")
class TestAudit:
    async def test_created_by_and_updated_by_are_stored(self) -> None:
        kim, lee = uuid7(), uuid7()
        with acting_as(kim):
            counter = await Counter.create(label="x")
        with acting_as(lee):
            await counter.update(value=1)
        loaded = await Counter.get(counter.id)
        assert (loaded.created_by, loaded.updated_by) == (str(kim), str(lee))
        assert current_actor() is None

    async def test_bulk_writes_set_created_by_and_updated_by(self) -> None:
        with acting_as("kim"):
            await Counter.bulk_create([{"label": "x"}])
        with acting_as("lee"):
            await Counter.filter_by(label="x").update(value=1)
        assert await Counter.query().values_list("created_by", "updated_by") == [("kim", "lee")]


@pytest.mark.usefixtures("db")
class TestSerialize:
    async def test_to_json_omits_hidden_fields(self) -> None:
        author = await Author.create(
            email="kim",
            password_hash="x",
            seen_at=dt.datetime(2026, 11, 24, 9, tzinfo=dt.timezone(dt.timedelta(hours=9))),
        )
        document = json.loads((await Author.get(author.id)).to_json())
        assert document["seen_at"] == "2026-11-24T00:00:00.000000Z"
        assert document["id"] == str(author.id)
        assert "password_hash" not in document

    async def test_relations_named_are_included(self) -> None:
        await Author.create(email="kim", books=[Book(title="a", price=Decimal("1.50")), Book(title="b")])
        author = await Author.query().load("books.author").one()
        document = author.to_json_dict(only=["email"], relations=["books.author"])
        books = document["books"]
        assert isinstance(books, list)
        assert [book["price"] for book in books if isinstance(book, dict)] == ["1.50", None]
        assert all(book["author"]["email"] == "kim" for book in books)

    async def test_a_relation_must_be_loaded_and_exist(self) -> None:
        author = await Author.get((await Author.create(email="kim")).id)
        with pytest.raises(NotLoaded, match=r"\.load\('books'\)"):
            author.to_json_dict(relations=["books"])
        with pytest.raises(UnknownField, match="did you mean 'books'"):
            author.to_json_dict(relations=["boks"])

    def test_times_without_a_time_zone_and_durations_have_one_json_form(self) -> None:
        # Whatever the time zone of the machine.
        assert json_value(dt.datetime(2026, 1, 2, 3, 4, 5, 6)) == "2026-01-02T03:04:05.000006"  # noqa: DTZ001  # under test
        durations = {
            dt.timedelta(0): "PT0S",
            dt.timedelta(days=1, seconds=5): "P1DT5S",
            dt.timedelta(seconds=90): "PT90S",
            dt.timedelta(days=-1, hours=1): "-PT82800S",
            dt.timedelta(seconds=1, microseconds=500_000): "PT1.5S",
            dt.timedelta(days=2): "P2D",
        }
        assert {each: json_value(each) for each in durations} == durations
        assert json_value({"b", "a"}) == ["a", "b"]

    def test_values_have_one_json_form(self) -> None:
        assert json_value({"a": [b"\x00", dt.date(2026, 1, 2), Decimal("1.0")]}) == {"a": ["AA==", "2026-01-02", "1.0"]}
        with pytest.raises(TypeError, match="no JSON form"):
            json_value(object())
