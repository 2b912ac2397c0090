"""The database and the broker of the containers: their users, and the way forward and back."""

import json

import pytest
from harness.compose import ComposeStack

pytestmark = pytest.mark.timeout(600)

# Each user tries what is its own, then what is another's, then to send in another's name.
BROKER_ATTEMPTS = """
import asyncio, json, pathlib
import aio_pika, aiormq

FOLDER = pathlib.Path("/credentials")

async def attempt(service, action):
    connection = await aio_pika.connect((FOLDER / service / "amqp_url").read_text())
    try:
        channel = await connection.channel()
        await action(channel)
    except (aiormq.exceptions.ChannelAccessRefused, aiormq.exceptions.ChannelPreconditionFailed):
        return False
    finally:
        await connection.close()
    return True

def declares(name):
    return lambda channel: channel.declare_queue(name, durable=True, auto_delete=True)

def consumes(name):
    async def action(channel):
        queue = await channel.get_queue(name, ensure=False)
        await queue.get(fail=False)
    return action

def sends_as(user):
    async def action(channel):
        message = aio_pika.Message(b"{}", user_id=user)
        await channel.default_exchange.publish(message, "nowhere", mandatory=False)
    return action

async def main():
    found = {}
    for service in ("auth", "notify", "relay", "bot", "dashboard"):
        found[service] = {
            "declares a queue of its own making": await attempt(service, declares("mine")),
            "consumes the worker's queue": await attempt(service, consumes("notify.deliver.normal")),
            "declares the bot's queue": await attempt(service, declares("bot.rpc.test")),
            "sends as itself": await attempt(service, sends_as(service)),
            "sends as the dashboard": await attempt(service, sends_as("dashboard")),
        }
    print(json.dumps(found))

asyncio.run(main())
"""


class TestBrokerUsers:
    def test_each_may_do_its_own_and_speaks_for_itself_only(self, composed: ComposeStack) -> None:
        found = json.loads(composed.run_python(BROKER_ATTEMPTS))
        for service, did in found.items():
            assert did == {
                "declares a queue of its own making": False,
                # The relay declares the queues with their dead letters, which takes the right to read them.
                "consumes the worker's queue": service in {"notify", "relay"},
                "declares the bot's queue": service == "bot",
                "sends as itself": True,
                "sends as the dashboard": service == "dashboard",
            }, service


class TestMysql:
    def test_migrations_and_grants_hold_on_the_version_that_is_deployed(self, composed: ComposeStack) -> None:
        """The tests that `make test` runs on a private server, on this one."""
        done = composed.run_tests("-n", "0", "launcher/tests/test_grants.py", "launcher/tests/test_migrations.py")
        assert done.returncode == 0, done.stdout[-6000:]
        assert "skipped" not in done.stdout.splitlines()[-1]

    def test_the_operators_command_goes_forward_and_back(self, composed: ComposeStack) -> None:
        scratch = {"MYSQL_DATABASE": "scratch"}
        composed.sql("CREATE DATABASE scratch")
        try:
            assert "Migrated: outbox, auth, notify" in composed.bongsu("migrate", environ=scratch)
            assert "up to date" in composed.bongsu("migrate", environ=scratch)
            assert "gone" in composed.bongsu("migrate", "--downgrade", environ=scratch)
            assert "Migrated: outbox, auth, notify" in composed.bongsu("migrate", environ=scratch)
        finally:
            composed.sql("DROP DATABASE scratch")
