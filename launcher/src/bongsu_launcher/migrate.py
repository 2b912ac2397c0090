"""`bongsu migrate`."""

import argparse
from collections.abc import Awaitable, Callable

from bongsu.identity.key_source import ensure_signing_key
from bongsu.runtime import migrations
from bongsu.runtime.stop import StopSignal
from bongsu_launcher import operator_database
from bongsu_launcher.owners import MIGRATIONS


def process(options: argparse.Namespace) -> Callable[[StopSignal], Awaitable[None]]:
    """Brings every owner's tables up to date, and makes the first signing key."""

    async def migrate(_stop: StopSignal) -> None:
        async with operator_database.opened(options.database_url, current=False) as (database, vault):
            if options.downgrade:
                await migrations.downgrade(database.engine, MIGRATIONS)
                print("The tables are gone.")
                return
            behind = await migrations.pending(database.engine, MIGRATIONS)
            await migrations.upgrade(database.engine, MIGRATIONS)
            await ensure_signing_key(vault)
            print(f"Migrated: {', '.join(behind)}." if behind else "The tables are up to date.")

    return migrate
