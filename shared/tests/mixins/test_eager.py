"""Relations that come with every row, and columns that come when they are asked for."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, WriteOnlyMapped, mapped_column, relationship

from bongsu.mixins import Database, NotLoaded, WrongValueForLookup
from shared.tests.mixins.library import Lamp, LibraryModel, Measured, Shelf


class Harbour(LibraryModel):
    """Its ships are too many to be loaded."""

    name: Mapped[str]
    ships: WriteOnlyMapped["Ship"] = relationship(back_populates="harbour", passive_deletes=True)


class Ship(LibraryModel):
    name: Mapped[str]
    harbour_id: Mapped[UUID | None] = mapped_column(ForeignKey("harbours.id"))
    harbour: Mapped[Harbour | None] = relationship(back_populates="ships", lazy="raise")
    port: Mapped[Harbour | None] = relationship(viewonly=True, lazy="raise_on_sql")


@pytest.mark.usefixtures("db")
class TestWriteOnlyRelations:
    async def test_objects_added_are_written(self, db: Database) -> None:
        made = await Harbour.create(name="busan")
        async with db.unit() as unit:
            harbour = await Harbour.get(made.id)
            harbour.ships.add(Ship(name="a"))
            await unit.session.flush()
            found = await unit.session.scalars(harbour.ships.select())
            assert [ship.name for ship in found] == ["a"]
        await Ship.create(name="b", harbour=made)
        await made.update(name="ulsan")
        assert await Ship.order_by("name").values_list("name", "harbour_id") == [("a", made.id), ("b", made.id)]
        assert await Harbour.filter_by(ships__name="b", ships__isnull=False).pluck("name") == ["ulsan"]
        assert await Harbour.exclude(ships__name="b").count() == 0
        assert Harbour.relation_names == ["ships"]

    async def test_object_without_related_rows_can_be_deleted(self) -> None:
        harbour = await Harbour.create(name="busan")
        await harbour.refresh()
        await harbour.delete()
        assert await Harbour.row_count() == 0

    async def test_what_would_load_or_set_the_relation_is_refused(self) -> None:
        harbour = await Harbour.create(name="busan")
        with pytest.raises(WrongValueForLookup, match=r"Harbour\.ships is lazy='write_only'.*\.select\(\)"):
            await Harbour.create(name="x", ships=[])
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: harbour.refresh("ships"),
            lambda: harbour.update(ships=[]),
        ]
        for call in calls:
            with pytest.raises(WrongValueForLookup, match=r"Harbour\.ships is lazy"):
                await call()
        with pytest.raises(WrongValueForLookup, match=r"Harbour\.ships is lazy"):
            Ship.query().load("harbour.ships")
        assert await Harbour.row_count() == 1


@pytest.mark.usefixtures("db")
class TestRelationsThatRaise:
    async def test_reading_a_relation_says_how_to_load_it(self) -> None:
        made = await Ship.create(name="a", harbour=await Harbour.create(name="busan"))
        ship = await Ship.get(made.id)
        for name in ("harbour", "port"):
            with pytest.raises(NotLoaded, match=rf"\.load\('{name}'\)"):
                getattr(ship, name)
        await ship.refresh("harbour", "port")
        assert ship.harbour is not None
        assert ship.harbour == ship.port
        loaded = await Ship.query().load("harbour").one()
        assert loaded.harbour is not None


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
