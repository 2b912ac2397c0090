"""`POST /auth/login` against argon2 alone on all cores: what a sign-in costs beyond what it must cost."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import httpx
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from bench.calling import Call, json_bytes, post, run_concurrently
from bench.databases import MakeDatabase, has_mysql, mysql, sqlite
from bench.measure import Benchmark, Clock, Pair, at_least
from bongsu.identity.callers import Identity
from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.vault import Vault
from bongsu_auth import operations as auth_operations
from bongsu_auth.app import create_app
from bongsu_auth.settings import AuthSettings

URL = "http://localhost:8000"
PASSWORD = "correct horse battery"  # noqa: S105 - of a benchmark's users
USERS = 20


@asynccontextmanager
async def logins(make_database: MakeDatabase) -> AsyncIterator[Pair]:
    """Both sides verify as many passwords; ours also finds the user, opens a session and issues its tokens."""
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
        hasher = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))
        hashed = hasher.hash(PASSWORD)
        cores = ThreadPoolExecutor(os.cpu_count() or 1)

        async def ours(operations: int) -> None:
            await run_concurrently(operations, lambda number: post(app, calls[number % USERS], expects=200))

        async def baseline(operations: int) -> None:
            loop = asyncio.get_running_loop()
            await run_concurrently(operations, lambda _: loop.run_in_executor(cores, hasher.verify, PASSWORD, hashed))

        try:
            async with app.router.lifespan_context(app):
                yield Pair(ours, baseline)
        finally:
            cores.shutdown()


BENCHMARKS = (
    Benchmark("login: SQLite", lambda: logins(sqlite), None, Clock.WALL, round_s=1.0),
    *([Benchmark("login: MySQL", lambda: logins(mysql), at_least(0.85), Clock.WALL, round_s=1.0)] * has_mysql()),
)
