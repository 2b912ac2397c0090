from typing import cast
from uuid import UUID

import pytest
from sqlalchemy import Table

from bongsu.mixins import BaseModel, Database
from bongsu.runtime.id_pages import page_by_id
from tests.infrastructure.templates import Schema, WithTables


class Beacon(BaseModel):
    """A row with a UUIDv7, which is one later than the row before."""


async def create_tables(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(cast("Table", Beacon.__table__).create)


TABLES = Schema("beacons", create_tables)


class TestPageById:
    @pytest.mark.parametrize("newest_first", [True, False])
    async def test_pages_together_are_the_list(self, sqlite_with_tables: WithTables, *, newest_first: bool) -> None:
        database = Database(sqlite_with_tables(TABLES))
        try:
            made = [(await Beacon.create()).id for _ in range(5)]
            read, after = list[UUID](), None
            for size in (2, 2, 1):
                page, after = await page_by_id(Beacon.query(), limit=2, after=after, newest_first=newest_first)
                assert len(page) == size
                read += [row.id for row in page]
            assert after is None
            assert read == sorted(made, reverse=newest_first)
        finally:
            await database.dispose()

    async def test_page_that_ends_the_list_has_nothing_after_it(self, sqlite_with_tables: WithTables) -> None:
        database = Database(sqlite_with_tables(TABLES))
        try:
            made = await Beacon.create()
            page, following = await page_by_id(Beacon.query(), limit=1, after=None)
            assert ([row.id for row in page], following) == ([made.id], None)
        finally:
            await database.dispose()
