"""Relations that come with every row, and columns that come when they are asked for."""

import pytest

from bongsu.mixins import Database, NotLoaded
from shared.tests.mixins.library import Lamp, Measured, Shelf


class TestEagerRelations:
    async def test_relations_that_come_with_every_row_leave_deleted_rows_out(self, db: Database) -> None:
        shelf = await Shelf.create(label="a", room=1)
        gone, held = [await Lamp.create(label=label, shelf=shelf) for label in ("gone", "held")]
        await gone.delete()
        for found in (
            await Shelf.get(shelf.id),
            await Shelf.get(label="a"),
            await Shelf.filter_by(room=1).one(),
            await Shelf.query().load("lamps").one(),
            await Shelf.query().load("lamps", joined=True).one(),
            await Shelf.query().load("measured").one(),
            await shelf.refresh(),
            (await Measured.create(title="x", shelf=shelf)).shelf,
        ):
            assert found is not None
            await found.refresh()
            assert [lamp.label for lamp in found.lamps] == ["held"]
        async with db.unit():
            found = await Shelf.get(shelf.id)
            await Shelf.filter_by(label="a").update(room=2)
            assert (found.room, [lamp.id for lamp in found.lamps]) == (2, [held.id])

    async def test_a_row_comes_with_one_of_its_own_table(self, db: Database) -> None:
        del db
        spare, gone = await Lamp.create(label="a"), await Lamp.create(label="b")
        lamp, other = await Lamp.create(label="c", spare=spare), await Lamp.create(label="d", spare=gone)
        await gone.delete()
        found = await Lamp.order_by("label").all()
        assert [one.spare and one.spare.label for one in found] == [None, "a", None]
        assert (await Lamp.get(lamp.id)).spare is not None
        assert (await Lamp.get(other.id)).spare is None

    async def test_joined_collections_do_not_break_queries(self, db: Database) -> None:
        del db
        shelf = await Shelf.create(label="a", measured=[Measured(title="x"), Measured(title="y")])
        assert [each.id for each in await Shelf.query().all()] == [shelf.id]
        assert len((await Shelf.get(shelf.id)).measured) == 2
        assert not (await Shelf.get_or_create(label="a"))[1]
        assert (await Shelf.query().one()).measured

    async def test_a_deferred_column_that_is_not_loaded_says_so(self, db: Database) -> None:
        lamp = await Lamp.create(label="a", manual="turn it on")
        assert (lamp.manual, Lamp(label="b").manual) == ("turn it on", None)
        async with db.unit():
            held = await Lamp.get(lamp.id)
            for found in (held, await Lamp.query().one()):
                with pytest.raises(NotLoaded, match=r'Lamp\.manual is not loaded: await \.refresh\("manual"\)'):
                    _ = found.manual
        await held.update(manual="turn it off")
        assert held.manual == (await (await Lamp.get(lamp.id)).refresh("manual")).manual == "turn it off"
