import aio_pika
import pytest
from pydantic import SecretStr

from bongsu.broker import Message, QueueSpec
from bongsu.process.broker import connect_broker
from bongsu.runtime.errors import StartError
from bongsu.runtime.settings import PlatformSettings, SettingsError
from bongsu.runtime.stop import StopSignal
from shared.tests.broker.servers import RabbitServer
from tests.eventually import eventually


class TestConnectBroker:
    async def test_missing_url_is_named(self) -> None:
        with pytest.raises(SettingsError, match="AMQP_URL"):
            await open_and_close(None)

    @pytest.mark.parametrize("url", ["localhost:5672", "http://localhost", "amqp://"])
    async def test_malformed_url_is_named(self, url: str) -> None:
        with pytest.raises(SettingsError, match="AMQP_URL"):
            await open_and_close(url)

    async def test_unreachable_broker_is_one_line_without_the_password(self) -> None:
        with pytest.raises(StartError) as caught:
            await open_and_close("amqp://someone:hunter2@127.0.0.1:1/")
        assert "127.0.0.1:1" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "hunter2" not in str(caught.value)

    async def test_broker_is_closed_at_the_end(self, rabbit_server: RabbitServer) -> None:
        async with connect_broker(platform(rabbit_server.proxy.url)) as broker:
            await broker.publish(await rabbit_server.queue(broker), Message(body={}))
        assert not broker.connected

    async def test_process_is_stopped_when_no_reconnect_can_help(self, rabbit_server: RabbitServer) -> None:
        name = rabbit_server.name("jobs")
        with pytest.raises(StartError, match=name):
            await run_until_stopped(rabbit_server, name)


async def run_until_stopped(server: RabbitServer, name: str) -> None:
    """A process whose queue is declared otherwise while it is disconnected."""
    stop = StopSignal()
    async with connect_broker(platform(server.proxy.url), stop=stop) as broker:
        await broker.declare(QueueSpec(name))
        server.cut()
        await eventually(lambda: not broker.connected)
        await server.delete(name)
        async with await aio_pika.connect(server.url) as connection, connection.channel() as channel:
            await channel.declare_queue(name, durable=True)
        server.restore()
        await stop.wait()


def platform(url: str | None) -> PlatformSettings:
    return PlatformSettings(amqp_url=None if url is None else SecretStr(url))


async def open_and_close(url: str | None) -> None:
    async with connect_broker(platform(url)):
        pass
