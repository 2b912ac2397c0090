"""`POST /auth/login` against argon2 alone on all cores: what a sign-in costs beyond what it must cost.

And what a storm of sign-ins does to other requests: hashing takes every core, and the event loop has to be served.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from pwdlib import PasswordHash

from bench.calling import Call, json_bytes, post, run_concurrently
from bench.databases import MakeDatabase, has_mysql, mysql, sqlite
from bench.measure import Benchmark, Clock, Latency, Pair, at_least
from bongsu.identity.callers import Identity
from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.vault import Vault
from bongsu_auth import operations as auth_operations
from bongsu_auth.accounts.passwords import OWASP_MINIMUM
from bongsu_auth.app import create_app
from bongsu_auth.settings import AuthSettings

URL = "http://localhost:8000"
PASSWORD = "correct horse battery"  # noqa: S105 - of a benchmark's users
USERS = 20
STORM = 100
HEALTH_EVERY_S = 0.005


@asynccontextmanager
async def served(make_database: MakeDatabase) -> AsyncIterator[tuple[FastAPI, list[Call]]]:
    """auth, and a sign-in of each user."""
    async with make_database() as database, httpx.AsyncClient(base_url=URL) as notify:
        vault = Vault.parse(Vault.new_key())
        await ensure_signing_key(vault)
        app = create_app(
            settings=AuthSettings(),
            identity=Identity(vault=vault, public_url=URL),
            database=database,
            vault=vault,
            public_url=URL,
            notify=notify,
        )
        calls = []
        for number in range(USERS):
            email = f"user{number}@example.com"
            await auth_operations.create_user(database, email, PASSWORD)
            calls.append(Call("/auth/login", json_bytes({"email": email, "password": PASSWORD})))
        async with app.router.lifespan_context(app):
            yield app, calls


@asynccontextmanager
async def logins(make_database: MakeDatabase) -> AsyncIterator[Pair]:
    """Both sides verify as many passwords; ours also finds the user, opens a session and issues its tokens."""
    async with served(make_database) as (app, calls):
        hasher = PasswordHash((OWASP_MINIMUM,))
        hashed = hasher.hash(PASSWORD)
        cores = ThreadPoolExecutor(os.cpu_count() or 1)

        async def ours(operations: int) -> None:
            await run_concurrently(operations, lambda number: post(app, calls[number % USERS], expects=200))

        async def baseline(operations: int) -> None:
            loop = asyncio.get_running_loop()
            await run_concurrently(operations, lambda _: loop.run_in_executor(cores, hasher.verify, PASSWORD, hashed))

        try:
            yield Pair(ours, baseline)
        finally:
            cores.shutdown()


async def health_in_a_storm() -> list[float]:
    """Return how long `GET /healthz` took while 100 users signed in, from when it was due, in seconds."""
    async with served(sqlite) as (app, calls):
        health = Call("/healthz", b"", method="GET")
        await post(app, health, expects=200)
        storm = asyncio.ensure_future(
            run_concurrently(STORM, lambda number: post(app, calls[number % USERS], expects=200), STORM)
        )
        took_s = []
        while not storm.done():
            due = time.perf_counter() + HEALTH_EVERY_S
            await asyncio.sleep(HEALTH_EVERY_S)
            await post(app, health, expects=200)
            took_s.append(time.perf_counter() - due)
        await storm
        return took_s


BENCHMARKS = (
    Benchmark("login: SQLite", lambda: logins(sqlite), None, Clock.WALL, round_s=1.0),
    *([Benchmark("login: MySQL", lambda: logins(mysql), at_least(0.8), Clock.WALL, round_s=1.0)] * has_mysql()),
    Latency("login: /healthz p99 in a storm of 100", health_in_a_storm, limit_s=0.05),
)
