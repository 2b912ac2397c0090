"""Models that share tables: joined and single-table inheritance."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import JSON, func, select

from bongsu.mixins import Conflict, Database, NotFound, StaleVersion, UnfilteredWrite, WrongValueForLookup
from shared.tests.mixins.library import Engineer, Lorry, Manager, Memo, Minibus, Van, Vehicle, Worker


@pytest.mark.usefixtures("db")
class TestJoined:
    async def test_create_writes_a_row_of_each_table(self) -> None:
        made = await Engineer.create(name="g", lang="c")
        found = await Engineer.get(made.id)
        assert (found.name, found.lang, found.kind) == ("g", "c", "engineer")
        assert isinstance(await Worker.get(made.id), Engineer)

    async def test_query_of_the_parent_loads_columns_of_subclasses(self) -> None:
        await Engineer.create(name="a", lang="c")
        await Manager.create(name="b")
        await Worker.create(name="c")
        found = await Worker.order_by("name").all()
        assert [type(worker) for worker in found] == [Engineer, Manager, Worker]
        assert isinstance(found[0], Engineer)
        assert found[0].lang == "c"

    async def test_update_writes_only_matching_rows(self) -> None:
        await Engineer.bulk_create([{"name": "g", "lang": "x"}, {"name": "h", "lang": "x"}])
        before = {worker.name: worker.updated_at for worker in await Worker.query().all()}
        assert await Engineer.filter_by(name="g").update(lang="c") == 1
        assert await Engineer.order_by("name").values_list("name", "lang") == [("g", "c"), ("h", "x")]
        assert await Engineer.filter_by(lang="c").update(name="i", lang="d") == 1
        after = {worker.name: worker.updated_at for worker in await Worker.query().all()}
        assert after["i"] > before["g"]
        assert after["h"] == before["h"]

    async def test_update_of_the_parent_writes_subclasses(self) -> None:
        await Engineer.create(name="g", lang="x")
        await Manager.create(name="h")
        assert await Worker.filter_by(name__in=["g", "h"]).update(name="k") == 2
        assert await Worker.query().pluck("name") == ["k", "k"]

    async def test_update_refuses_an_expression_over_two_tables(self) -> None:
        await Engineer.create(name="g", lang="x")
        with pytest.raises(WrongValueForLookup, match=r"Engineer\.lang is in table engineers"):
            await Engineer.filter_by(name="g").update(lang=Worker.name)

    @pytest.mark.parametrize("model", [Worker, Engineer])
    async def test_delete_removes_the_row_of_every_table(self, db: Database, model: type[Worker]) -> None:
        await Engineer.bulk_create([{"name": "g", "lang": "x"}, {"name": "h", "lang": "y"}])
        assert await model.filter_by(name="g").delete() == 1
        async with db.session() as session:
            for table in (Worker.metadata.tables["workers"], Worker.metadata.tables["engineers"]):
                assert (await session.scalars(select(func.count()).select_from(table))).one() == 1

    async def test_bulk_update_writes_each_rows_own_values_into_both_tables(self) -> None:
        one, two = await Engineer.create(name="g", lang="x"), await Engineer.create(name="h", lang="y")
        rows = [{"id": one.id, "name": "k", "lang": "z"}, {"id": two.id, "lang": "w"}]
        assert await Engineer.bulk_update(rows) == 2
        assert await Engineer.order_by("lang").values_list("name", "lang") == [("h", "w"), ("k", "z")]

    async def test_bulk_create_of_the_parent_writes_the_tables_of_subclasses(self) -> None:
        made = [Engineer(name="a", lang="c"), Manager(name="b", budget=3), Worker(name="d")]
        assert await Worker.bulk_create([*made, {"name": "e"}]) == 4
        found = {worker.name: worker for worker in await Worker.query().all()}
        assert [type(found[name]) for name in "abde"] == [Engineer, Manager, Worker, Worker]
        assert isinstance(found["a"], Engineer)
        assert found["a"].lang == "c"
        await made[0].update(lang="d")
        assert await Engineer.query().pluck("lang") == ["d"]

    async def test_bulk_updated_objects_are_as_their_rows_are(self) -> None:
        engineers = [await Engineer.create(name=name, lang="c") for name in "ab"]
        for lang in ("d", "e"):
            for engineer in engineers:
                engineer.lang = lang
            assert await Engineer.bulk_update(engineers) == 2
        assert [each.to_dict() for each in engineers] == [
            each.to_dict() for each in await Engineer.order_by("name").all()
        ]

    async def test_bulk_update_of_a_stale_object_writes_nothing(self) -> None:
        engineer = await Engineer.create(name="a", lang="c")
        await (await Engineer.get(engineer.id)).update(name="b")
        engineer.lang = "d"
        with pytest.raises(StaleVersion):
            await Engineer.bulk_update([engineer])
        assert await Engineer.query().values_list("name", "lang") == [("b", "c")]

    async def test_bounded_writes_are_about_the_first_rows(self) -> None:
        await Engineer.bulk_create([{"name": name, "lang": "c"} for name in "abcd"])
        rows = Engineer.filter_by(lang="c").order_by("-name").limit(2)
        assert await rows.update(lang="d", name="x") == 2
        assert await Engineer.order_by("name").values_list("name", "lang") == [
            ("a", "c"),
            ("b", "c"),
            ("x", "d"),
            ("x", "d"),
        ]
        assert await rows.delete() == 2
        assert await Worker.query().pluck("name") == ["x", "x"]

    async def test_bulk_update_of_the_parent_refuses_what_only_a_subclass_has(self) -> None:
        engineer = await Engineer.create(name="a", lang="c")
        engineer.fill(name="b", lang="d")
        with pytest.raises(WrongValueForLookup, match=r"lang of .* is no field of Worker: use Engineer\.bulk_update"):
            await Worker.bulk_update([engineer])
        assert await Engineer.bulk_update([engineer]) == 1
        assert await Engineer.query().values_list("name", "lang") == [("b", "d")]

    @pytest.mark.parametrize("kind", ["dict", "object", "several classes"])
    async def test_conflict_of_bulk_create_leaves_the_unit_usable(self, db: Database, kind: str) -> None:
        taken = await Engineer.create(name="a", lang="c")
        objects = [Engineer(name="b", lang="c"), Engineer(name="c", lang="c", id=taken.id)]
        calls: dict[str, Callable[[], Awaitable[int]]] = {
            "dict": lambda: Engineer.bulk_create(
                [{"name": "b", "lang": "c"}, {"name": "c", "lang": "c", "id": taken.id}]
            ),
            "object": lambda: Engineer.bulk_create(objects),
            "several classes": lambda: Worker.bulk_create([Manager(name="m"), *objects]),
        }
        async with db.unit():
            await Worker.create(name="before")
            with pytest.raises(Conflict):
                await calls[kind]()
            await Worker.create(name="after")
        assert await Worker.order_by("name").pluck("name") == ["a", "after", "before"]
        await objects[0].save()
        assert await Engineer.order_by("name").pluck("name") == ["a", "b"]

    async def test_object_is_updated_and_deleted(self) -> None:
        made = await Engineer.create(name="g", lang="c")
        await made.update(name="h", lang="d")
        assert await Engineer.filter_by(name="h", lang="d").count() == 1
        await made.delete()
        assert await Worker.row_count() == 0

    async def test_upsert_is_refused(self) -> None:
        with pytest.raises(WrongValueForLookup, match="use create_or_update"):
            await Engineer.upsert({"name": "g", "lang": "c"}, by="name")

    async def test_a_write_of_all_rows_needs_unfiltered(self) -> None:
        with pytest.raises(UnfilteredWrite):
            await Engineer.query().update(lang="c")
        with pytest.raises(UnfilteredWrite):
            await Engineer.query().delete()

    async def test_objects_of_a_unit_reflect_a_bulk_write(self, db: Database) -> None:
        made = await Engineer.create(name="g", lang="c")
        async with db.unit():
            held = await Worker.get(made.id)
            await Engineer.filter_by(lang="c").update(lang="d", name="h")
            assert isinstance(held, Engineer)
            assert (held.name, held.lang) == ("h", "d")

    async def test_get_or_create_and_create_or_update_work(self) -> None:
        made, is_new = await Engineer.get_or_create({"lang": "c"}, name="g")
        assert is_new
        again, is_new = await Engineer.create_or_update(by="name", name="g", lang="d")
        assert not is_new
        assert (again.id, again.lang) == (made.id, "d")


@pytest.mark.usefixtures("db")
class TestSingleTable:
    async def test_rows_keep_their_class(self) -> None:
        van = await Van.create(plate="1", seats=3)
        await Lorry.create(plate="2", load_t=7)
        await Vehicle.create(plate="3")
        assert (await Van.get(van.id)).seats == 3
        found = await Vehicle.order_by("plate").all()
        assert [type(vehicle) for vehicle in found] == [Van, Lorry, Vehicle]
        assert isinstance(found[1], Lorry)
        assert found[1].load_t == 7
        with pytest.raises(NotFound):
            await Lorry.get(van.id)

    async def test_queries_of_every_ancestor_load_all_columns(self) -> None:
        made = await Minibus.create(plate="1", seats=9, doors=4)
        for model in (Vehicle, Van, Minibus):
            for found in (await model.get(made.id), *await model.query().all()):
                assert found.to_dict() == made.to_dict()

    async def test_bulk_create_of_the_parent_writes_the_columns_of_subclasses(self) -> None:
        made = [Van(plate="1", seats=3), Minibus(plate="2", seats=9, doors=4), Vehicle(plate="3")]
        assert await Vehicle.bulk_create(made) == 3
        assert [one.to_dict() for one in await Vehicle.order_by("plate").all()] == [one.to_dict() for one in made]

    async def test_bulk_create_sets_the_class(self) -> None:
        await Van.bulk_create([{"plate": "1", "seats": 3}, Van(plate="2", seats=4)])
        assert await Van.order_by("plate").pluck("seats") == [3, 4]
        assert [type(vehicle) for vehicle in await Vehicle.query().all()] == [Van, Van]

    async def test_writes_leave_rows_of_other_classes_alone(self) -> None:
        await Van.create(plate="1")
        await Lorry.create(plate="1")
        assert await Van.filter_by(plate="1").update(plate="2") == 1
        assert await Lorry.filter_by(plate="1").count() == 1
        assert await Van.query().unfiltered().delete() == 1
        assert await Vehicle.row_count() == 1

    async def test_upsert_sets_the_class(self) -> None:
        await Van.upsert({"plate": "1", "seats": 2}, by=["kind", "plate"])
        await Van.upsert({"plate": "1", "seats": 5}, by=["kind", "plate"])
        assert await Van.query().pluck("seats") == [5]


@pytest.mark.usefixtures("db")
class TestUnsetColumns:
    async def test_an_omitted_json_column_is_null(self) -> None:
        memo = await Memo.create(title="x")
        assert memo.document is None
        await Memo.bulk_create([{"title": "y"}, Memo(title="z")])
        assert await Memo.filter_by(document__isnull=True).count() == 3

    async def test_a_json_null_is_kept_apart_from_null(self) -> None:
        await Memo.create(title="x", document=JSON.NULL)
        assert await Memo.filter_by(document__isnull=True).count() == 0

    async def test_columns_that_nothing_set_are_readable(self) -> None:
        memo = await Memo.create(title="x")
        assert memo.to_dict(only=["title", "subtitle"]) == {"title": "x", "subtitle": None}
        assert Memo(title="y").subtitle is None

    async def test_objects_with_other_fields_unset_share_a_statement(self) -> None:
        made = [Memo(title="x", subtitle="y"), Memo(title="z")]
        assert await Memo.bulk_create(made) == 2
        assert made[1].subtitle is None


class TestVersion:
    async def test_a_model_with_mapper_args_of_its_own_is_versioned(self, db: Database) -> None:
        memo = await Memo.create(title="x")
        async with db.unit():
            await (await Memo.get(memo.id)).update(title="y")
        with pytest.raises(StaleVersion):
            await memo.update(title="z")

    @pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
    def test_mapper_args_of_an_abstract_base_are_kept(self, db: Database) -> None:
        del db
        assert Memo.__mapper__.version_id_col is not None
        assert Memo.__mapper__.eager_defaults is True
        assert Memo.__mapper_args__ == {"eager_defaults": True}

    async def test_a_joined_model_is_versioned(self, db: Database) -> None:
        made = await Engineer.create(name="g", lang="c")
        async with db.unit():
            await (await Engineer.get(made.id)).update(lang="d")
        with pytest.raises(StaleVersion):
            await made.update(lang="e")


class TestDeclaration:
    def test_a_mixin_may_name_the_table(self) -> None:
        assert Memo.__tablename__ == "memo_table"


class TestConflicts:
    async def test_a_unique_value_of_the_parent_is_refused(self, db: Database) -> None:
        del db
        await Van.create(plate="1")
        with pytest.raises(Conflict) as caught:
            await Van.create(plate="1")
        assert caught.value.columns == ("kind", "plate")
