"""Each test that takes `server` runs once on each adapter."""

from collections.abc import AsyncIterator

import pytest

from bongsu.broker import Broker
from shared.tests.broker.servers import BrokerServer, MemoryServer, RabbitServer


@pytest.fixture(params=["memory", pytest.param("rabbitmq", marks=pytest.mark.amqp)])
async def server(request: pytest.FixtureRequest, queue_prefix: str) -> AsyncIterator[BrokerServer]:
    server: BrokerServer
    if request.param == "memory":
        server = MemoryServer(queue_prefix)
    else:
        server = await start_rabbit_server(queue_prefix, request.getfixturevalue("amqp_server_url"))
    yield server
    await server.close()


@pytest.fixture
async def rabbit_server(queue_prefix: str, amqp_server_url: str) -> AsyncIterator[RabbitServer]:
    server = await start_rabbit_server(queue_prefix, amqp_server_url)
    yield server
    await server.close()


@pytest.fixture
async def broker(server: BrokerServer) -> Broker:
    return await server.client()


async def start_rabbit_server(prefix: str, url: str) -> RabbitServer:
    server = RabbitServer(prefix, url)
    await server.proxy.start()
    return server
