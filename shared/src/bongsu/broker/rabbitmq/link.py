"""One connection that reconnects."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aio_pika
from aio_pika.abc import AbstractConnection
from yarl import URL

from bongsu.broker.errors import AccessRefused, BrokerError, BrokerUnavailable
from bongsu.broker.rabbitmq.failures import time_limit, translate_errors
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

HEARTBEAT_S = 10
CLOSE_TIMEOUT_S = 2.0
STABLE_S = 2.0
"""A connection that lasted this long resets the pauses."""


class Link:
    """Connects, and reconnects with growing pauses whenever the connection is lost.

    `on_up` runs on each new connection before it is used.
    """

    def __init__(
        self,
        url: str,
        purpose: str,
        on_up: Callable[[AbstractConnection], Awaitable[None]],
        *,
        retry_s: tuple[float, float],
        timeout_s: float,
    ) -> None:
        self._url = URL(url)
        if self._url.scheme not in ("amqp", "amqps") or not self._url.host:
            raise ValueError("The broker's URL must be amqp://user:password@host:port/vhost")
        self._purpose = purpose
        self._on_up = on_up
        self._retry_s = retry_s
        self._timeout_s = timeout_s
        self._connection: AbstractConnection | None = None
        self._up = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def address(self) -> str:
        """The address of the broker, without credentials."""
        return f"{self._url.host}:{self._url.port or 5672}{self._url.path}"

    @property
    def up(self) -> bool:
        """Whether it is connected."""
        return self._up.is_set()

    @property
    def connection(self) -> AbstractConnection:
        """The connection.

        :raises BrokerUnavailable: not connected.
        """
        if self._connection is None or not self._up.is_set():
            raise BrokerUnavailable(f"Not connected to the broker at {self.address}")
        return self._connection

    async def start(self, *, required: bool) -> None:
        """As `Broker.connect`."""
        if self._supervisor is not None:
            return
        self._closed = False
        lost = None
        try:
            lost = await self._connect()
        except BrokerError as error:
            if required:
                raise
            log.warning("broker.unavailable", purpose=self._purpose, reason=str(error))
        self._supervisor = asyncio.create_task(self._supervise(lost))

    async def wait_up(self) -> AbstractConnection:
        """Wait until it is connected."""
        while self._connection is None or not self._up.is_set():
            await self._up.wait()
        return self._connection

    async def close(self) -> None:
        """Disconnect, and stop reconnecting."""
        self._closed = True
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            await asyncio.wait([supervisor])
        await self._drop()

    async def _supervise(self, lost: asyncio.Event | None) -> None:
        shortest_s, longest_s = self._retry_s
        pause_s = shortest_s
        clock = asyncio.get_running_loop().time
        while not self._closed:
            if lost is not None:
                since = clock()
                await lost.wait()
                await self._drop()
                log.warning("broker.connection_lost", purpose=self._purpose, address=self.address)
                if clock() > since + STABLE_S:
                    pause_s = shortest_s
            # Spread out, as many processes reconnect when the broker is back.
            await asyncio.sleep(pause_s * random.uniform(0.7, 1.0))  # noqa: S311 - no secret depends on it
            pause_s = min(pause_s * 2, longest_s)
            try:
                lost = await self._connect()
                log.info("broker.connected", purpose=self._purpose, address=self.address)
            except BrokerError as error:
                lost = None
                log.warning("broker.unavailable", purpose=self._purpose, reason=str(error), retry_s=round(pause_s, 1))
            except Exception:
                # A defect: without this, the link would stop reconnecting without a sign.
                lost = None
                log.exception("broker.connecting_failed", purpose=self._purpose)

    async def _connect(self) -> asyncio.Event:
        lost = asyncio.Event()
        try:
            # The limit includes the handshake: a server may accept and never answer.
            async with time_limit("", self._timeout_s):
                connection = await aio_pika.connect(
                    self._url.update_query(heartbeat=HEARTBEAT_S, name=f"bongsu {self._purpose}")
                )
        except AccessRefused:
            raise AccessRefused(f"The broker at {self.address} refuses the user {self._url.user!r}") from None
        except BrokerUnavailable as error:
            reason = str(error.__cause__ or error)
            raise BrokerUnavailable(f"Cannot reach the broker at {self.address}: {reason}") from None
        connection.close_callbacks.add(lambda *_: lost.set())
        self._connection = connection
        try:
            with translate_errors(""):
                await self._on_up(connection)
        except BaseException:
            await self._drop()
            raise
        if not lost.is_set():
            self._up.set()
        return lost

    async def _drop(self) -> None:
        self._up.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            # Even when it is lost: otherwise its tasks and socket are left to the garbage collector.
            with suppress(BrokerError):
                async with time_limit("", CLOSE_TIMEOUT_S):
                    await connection.close()
