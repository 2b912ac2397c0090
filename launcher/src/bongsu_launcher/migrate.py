"""`bongsu migrate`."""

import argparse

from bongsu.identity.key_source import ensure_signing_key
from bongsu.process.identity import require_vault_opens
from bongsu.process.server import Main
from bongsu.runtime import migrations, revisions
from bongsu.runtime.settings import DOTENV, load
from bongsu.runtime.stop import StopSignal
from bongsu_launcher import credentials, demo, grants, operator_database
from bongsu_launcher.owners import MIGRATIONS
from bongsu_launcher.settings import LauncherSettings


def process(options: argparse.Namespace) -> Main:
    """Bring every owner's tables up to date, and create the first signing key.

    Also the services' users with `--credentials`, and the demo users beside a sandbox.
    """

    async def migrate(_stop: StopSignal) -> None:
        async with operator_database.connect(options.database_url, current=False) as (database, vault):
            if options.downgrade:
                await migrations.downgrade(database.engine, MIGRATIONS)
                print("All tables are gone.")
                return
            behind = await revisions.pending(database.engine, MIGRATIONS)
            await migrations.upgrade(database.engine, MIGRATIONS)
            print(f"Migrated: {', '.join(behind)}." if behind else "The tables are up to date.")
            await ensure_signing_key(vault)
            await require_vault_opens(vault)
            if options.credentials is not None:
                users = await grants.apply(database.engine, credentials.mysql_passwords(options.credentials))
                print(f"Users and grants are up to date: {', '.join(users)}.")
            (platform,) = load(LauncherSettings, dotenv=DOTENV)
            if platform.sandbox_url is not None:
                await demo.seed(database)

    return migrate
