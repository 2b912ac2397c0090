import pytest
from sqlalchemy import event

from bongsu.identity.models import User
from bongsu.mixins import Database
from bongsu.runtime import migrations
from bongsu_launcher import demo
from bongsu_launcher.owners import MIGRATIONS


class TestSeed:
    async def test_existing_users_are_skipped_at_the_next_start(self, database_url: str) -> None:
        database = Database(database_url)
        await migrations.upgrade(database.engine, MIGRATIONS)
        await demo.seed(database)
        event.listen(database.engine.sync_engine, "handle_error", lambda _context: pytest.fail("a statement failed"))
        await demo.seed(database)
        assert await User.filter_by().count() == len(demo.USERS)
        await database.dispose()
