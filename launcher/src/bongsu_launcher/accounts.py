"""`bongsu user create|promote`, `bongsu key create` and `bongsu signing-key rotate`."""

import argparse
import getpass
import os
import sys

from bongsu.identity.key_source import JWKS_MAX_AGE_S
from bongsu.identity.scopes import KEY_SCOPES, Role, Scope
from bongsu.process.identity import require_vault_opens
from bongsu.process.server import Main
from bongsu.runtime.errors import ServiceError, StartError
from bongsu.runtime.settings import DOTENV, load
from bongsu.runtime.stop import StopSignal
from bongsu_auth import operations
from bongsu_launcher import operator_database
from bongsu_launcher.settings import LauncherSettings


def process(options: argparse.Namespace) -> Main:
    """The main coroutine of one of the commands.

    :raises StartError: what was asked for is not possible, and why.
    """
    action = {
        ("user", "create"): _create_user,
        ("user", "promote"): _promote,
        ("key", "create"): _create_key,
        ("signing-key", "rotate"): _rotate_signing_key,
    }

    async def main(_stop: StopSignal) -> None:
        try:
            await action[options.command, options.action](options)
        except ServiceError as error:
            fields = "; ".join(f"{'.'.join(str(part) for part in item.loc[1:])}: {item.msg}" for item in error.errors)
            raise StartError(f"{error.detail}" + (f" ({fields})" if fields else "")) from error

    return main


async def _create_user(options: argparse.Namespace) -> None:
    password = options.password or os.environ.get("BONGSU_PASSWORD")
    if password is None:
        if not sys.stdin.isatty():
            raise StartError("The account needs a password: give --password or set BONGSU_PASSWORD")
        password = getpass.getpass(f"Password for {options.email}: ")
    async with operator_database.connect(options.database_url) as (database, _vault):
        user = await operations.create_user(
            database, options.email, password, name=options.name, role=Role(options.role)
        )
        print(f"{user.email} can sign in ({user.role}).")


async def _promote(options: argparse.Namespace) -> None:
    async with operator_database.connect(options.database_url) as (database, _vault):
        user = await operations.promote(database, options.email, Role(options.role))
        print(f"{user.email} is {user.role} now; tokens that say otherwise stop working within seconds.")


async def _create_key(options: argparse.Namespace) -> None:
    scopes = _scopes(options.scopes)
    async with operator_database.connect(options.database_url) as (database, vault):
        await require_vault_opens(vault)
        (platform,) = load(LauncherSettings, dotenv=DOTENV)
        key, secret = await operations.create_key(
            database, vault, platform.url, options.email, memo=options.memo, mode=options.mode, scopes=scopes
        )
        # As lines that a shell can take over: eval "$(bongsu key create me@example.com)".
        print(f"export BONGSU_ACCESS_KEY={key.access_key}")
        print(f"export BONGSU_SECRET_KEY={secret}")
        print("The secret is shown this once.", file=sys.stderr)


async def _rotate_signing_key(options: argparse.Namespace) -> None:
    async with operator_database.connect(options.database_url) as (database, vault):
        await require_vault_opens(vault)
        kid = await operations.rotate_signing_key(database, vault)
        minutes = JWKS_MAX_AGE_S // 60 + 1
        print(f"{kid} is published now and signs tokens in {minutes} minutes; earlier tokens stay valid.")


def _scopes(names: list[str] | None) -> frozenset[Scope]:
    if names is None:
        return frozenset(KEY_SCOPES)
    known = {scope.value for scope in KEY_SCOPES}
    wrong = sorted(set(names) - known)
    if wrong:
        raise StartError(f"{', '.join(wrong)}: no such scope; there are {', '.join(sorted(known))}")
    return frozenset(Scope(name) for name in names)
