"""`bongsu dead list|redrive`: messages that no service could handle, which wait beside their queues."""

import argparse
import json

from bongsu.broker import Broker, BrokerError, QueueMissing
from bongsu.broker.port import DeadLetter, dead_letter_queue
from bongsu.contracts.queues import ALL_QUEUES
from bongsu.process.broker import connect_broker
from bongsu.process.server import Main
from bongsu.runtime.errors import StartError
from bongsu.runtime.logging import configure_logging
from bongsu.runtime.settings import DOTENV, load
from bongsu.runtime.stop import StopSignal
from bongsu_launcher.settings import LauncherSettings


def process(options: argparse.Namespace) -> Main:
    """The main coroutine of one of the commands.

    :raises StartError: AMQP_URL is not set, RabbitMQ cannot be reached, or some messages were not moved.
    """

    async def main(_stop: StopSignal) -> None:
        (platform,) = load(LauncherSettings, dotenv=DOTENV)
        configure_logging(level="ERROR", as_json=False)
        if platform.amqp_url is None:
            raise StartError(
                "AMQP_URL is not set: it names the services' RabbitMQ. The broker of `bongsu up` is in its own process"
            )
        async with connect_broker(platform) as broker:
            try:
                if options.action == "list":
                    await show(broker, options.queue, limit=options.limit, with_bodies=options.bodies)
                else:
                    await redrive(broker, options.queue, limit=options.limit, ids=options.ids)
            except BrokerError as error:
                raise StartError(str(error)) from error

    return main


async def show(broker: Broker, queue: str | None, *, limit: int, with_bodies: bool) -> None:
    """Print the oldest dead letters of a queue, or of every queue."""
    total = 0
    for name in (queue,) if queue is not None else ALL_QUEUES:
        try:
            count = await broker.depth(dead_letter_queue(name))
            found = await broker.dead_letters(name, limit=limit) if count else []
        except QueueMissing:  # no service has declared it yet
            continue
        total += count
        for letter in found:
            print(_line(letter))
            if with_bodies:
                print(f"  {_body(letter)}")
        if count > len(found):
            print(f"{name}: {count - len(found)} more; --limit shows them")
    if not total:
        print("No dead letters.")


async def redrive(broker: Broker, queue: str, *, limit: int | None, ids: list[str] | None) -> None:
    """Move dead letters back to their queue.

    :raises StartError: some of `ids` are not there.
    """
    try:
        moved = await broker.redrive(queue, limit=limit, ids=ids)
    except QueueMissing:  # no service has declared it yet
        moved = 0
    print(f"{moved} {'message was' if moved == 1 else 'messages were'} moved back to {queue}.")
    if ids is not None and moved < len(set(ids)):
        raise StartError(f"--id: {len(set(ids)) - moved} of {len(set(ids))} are no dead letters of {queue}")


def _line(letter: DeadLetter) -> str:
    at = f"{letter.died_at:%Y-%m-%dT%H:%M:%SZ}" if letter.died_at is not None else "-"
    name = letter.id if letter.id.isprintable() else ascii(letter.id)  # a foreign sender's may hold control characters
    return f"{letter.queue}  {name or '-'}  {letter.reason}  {at}  {len(letter.raw)} bytes"


def _body(letter: DeadLetter) -> str:
    if letter.message is None:
        return ascii(letter.raw)  # not JSON
    return json.dumps(letter.message.body)
