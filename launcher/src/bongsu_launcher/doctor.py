"""`bongsu doctor`: checks the settings and what they name, and says what to do."""

import argparse
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from bongsu.identity.vault import Vault
from bongsu.process.broker import connect_broker
from bongsu.process.database import connect_database
from bongsu.process.identity import read_vault, require_vault_opens
from bongsu.process.server import Main
from bongsu.runtime import revisions
from bongsu.runtime.database import as_start_error
from bongsu.runtime.errors import StartError
from bongsu.runtime.logging import configure_logging
from bongsu.runtime.settings import DOTENV, SettingsError, load
from bongsu.runtime.stop import StopSignal
from bongsu_bot.login import fetch_bot_name
from bongsu_bot.settings import DISCORD_API_URL, BotSettings
from bongsu_launcher.operator_database import chosen_url
from bongsu_launcher.owners import MIGRATIONS
from bongsu_launcher.settings import Composed, compose
from bongsu_notify.channels.email import ses

MARKS = {"ok": "ok  ", "note": "note", "bad": "BAD "}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. A `bad` one keeps Bongsu from working, a `note` does not."""

    state: Literal["ok", "note", "bad"]
    subject: str
    detail: str


def process(options: argparse.Namespace) -> Main:
    """Print every finding.

    :raises StartError: some are bad.
    """

    async def doctor(_stop: StopSignal) -> None:
        configure_logging(level="ERROR", as_json=False)
        bad = 0
        async for finding in _findings(options.database_url):
            print(f"  {MARKS[finding.state]}  {finding.subject:10} {finding.detail}")
            bad += finding.state == "bad"
        if bad:
            raise StartError(f"{bad} {'problem' if bad == 1 else 'problems'} found")
        print("No problems found.")

    return doctor


async def _findings(database_url: str | None) -> AsyncIterator[Finding]:
    try:
        composed = compose(make_keys=False)
        vault = read_vault(composed.platform) if composed.platform.vault_keys is not None else None
    except SettingsError as error:
        for problem in error.problems:
            yield Finding("bad", "settings", problem)
        return
    except StartError as error:
        yield Finding("bad", "data", str(error))
        return
    yield Finding("ok", "settings", f"valid; the public URL is {composed.platform.url}")
    yield _port(composed)
    yield await _database(composed, database_url, vault)
    yield await _broker(composed)
    yield await _ses(composed)
    yield await _bot(composed)


def _port(composed: Composed) -> Finding:
    platform = composed.platform
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex((platform.host, platform.port)) == 0
    if taken:
        return Finding(
            "note", "port", f"{platform.port} is in use, by a running Bongsu or another program; PORT sets another"
        )
    return Finding("ok", "port", f"{platform.port} is free")


async def _database(composed: Composed, database_url: str | None, vault: Vault | None) -> Finding:
    url = chosen_url(composed.platform, database_url)
    shown = url.rsplit("@", maxsplit=1)[-1]
    if url == composed.state.database_url and not composed.state.database_file.exists():
        # SQLite would create it.
        return Finding("note", "database", f"{composed.state.database_file} does not exist yet; `bongsu up` creates it")
    try:
        async with connect_database(url, slow_query_ms=composed.platform.slow_query_ms) as database:
            behind = await revisions.pending(database.engine, MIGRATIONS)
            if not behind and vault is not None:
                with as_start_error(database.engine):
                    await require_vault_opens(vault)
    except StartError as error:
        of_settings = database_url is None and composed.platform.mysql_host is not None
        advice = "; check MYSQL_HOST, MYSQL_PORT, MYSQL_USER and MYSQL_PASSWORD" if of_settings else ""
        return Finding("bad", "database", f"{error}{advice}")
    if not behind:
        return Finding("ok", "database", f"{shown} is reachable; its tables are up to date")
    advice = "run `bongsu migrate`" if composed.platform.mysql_host else "`bongsu up` updates them"
    return Finding(
        "note", "database", f"{shown} is reachable; the tables of {', '.join(behind)} are not up to date: {advice}"
    )


async def _broker(composed: Composed) -> Finding:
    if composed.platform.amqp_url is None:
        return Finding(
            "note",
            "broker",
            "AMQP_URL is not set; `bongsu up` has a broker of its own, separate services need RabbitMQ",
        )
    try:
        async with connect_broker(composed.platform):
            return Finding("ok", "broker", "RabbitMQ is reachable")
    except StartError as error:
        return Finding("bad", "broker", f"{error}; check AMQP_URL")


async def _ses(composed: Composed) -> Finding:
    if composed.notify.sandbox:
        return Finding(
            "note", "SES", "not configured, so the sandbox takes the mail; NOTIFY_SES_ACCESS_KEY_ID sends real mail"
        )
    try:
        account = await ses.read_account(composed.notify)
    except ses.AccountUnreadable as error:
        return Finding("bad", "SES", f"{error}; check NOTIFY_SES_ACCESS_KEY_ID, its secret and NOTIFY_SES_REGION")
    if account.is_sender_verified is False:
        return Finding(
            "bad",
            "SES",
            f"NOTIFY_FROM ({composed.notify.sender}) is not verified in {composed.notify.ses_region}, so mails wait; "
            "verify the address or its domain in SES, or set another NOTIFY_FROM",
        )
    if not account.production:
        return Finding("note", "SES", "works, but sends to verified addresses only; request production access from AWS")
    return Finding(
        "ok",
        "SES",
        f"{account.max_send_rate:g} mails/s allowed, {account.sent_last_24_hours:g} sent in the last 24 hours",
    )


async def _bot(composed: Composed) -> Finding:
    if composed.bot.token is None:
        return Finding("note", "bot", "BOT_TOKEN is not set, so no bot runs; the other services work without it")
    (given,) = load(BotSettings, dotenv=DOTENV)
    if given.token is None:
        return Finding("note", "bot", "not configured, so the sandbox replaces Discord; BOT_TOKEN logs in to Discord")
    real = composed.bot.api_url == DISCORD_API_URL
    provider = "Discord" if real else f"BOT_API_URL ({composed.bot.api_url})"
    advice = "" if real else f"; BOT_API_URL is {composed.bot.api_url}, not Discord's"
    try:
        return Finding("ok", "bot", f"{provider} accepts the token of {await fetch_bot_name(composed.bot)}")
    except StartError as error:
        return Finding("bad", "bot", f"{error}{advice}")
