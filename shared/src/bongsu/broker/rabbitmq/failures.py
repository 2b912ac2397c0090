"""Translates the exceptions of aio-pika and aiormq to the port's errors."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aio_pika import exceptions as amqp
from aiormq import exceptions as aiormq

from bongsu.broker.errors import (
    AccessRefused,
    BrokerError,
    BrokerUnavailable,
    NotConfirmed,
    QueueInUse,
    QueueMismatch,
    QueueMissing,
    Unroutable,
)


@contextmanager
def translate_errors(queue: str, *, timeout_s: float | None = None) -> Iterator[None]:
    """Raise the port's errors for those of the block, which works on a queue."""
    try:
        yield
    except BrokerError:
        raise
    except asyncio.CancelledError:
        # A connection that closes cancels the operations waiting on it, which is not a cancellation of this task.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BrokerUnavailable("The connection to the broker was lost") from None
    except TimeoutError as error:
        within = f" within {timeout_s:g} s" if timeout_s is not None else ""
        raise BrokerUnavailable(f"The broker did not answer{within}") from error
    except amqp.CONNECTION_EXCEPTIONS as error:
        raise broker_error(error, queue) from error


@asynccontextmanager
async def time_limit(queue: str, timeout_s: float) -> AsyncIterator[None]:
    """As `translate_errors`, for a block that may take at most `timeout_s`."""
    with translate_errors(queue, timeout_s=timeout_s):
        async with asyncio.timeout(timeout_s):
            yield


def broker_error(error: BaseException, queue: str) -> BrokerError:
    """The port's error for an error of aio-pika."""
    translation: BrokerError
    match error:
        case amqp.PublishError():
            translation = Unroutable(queue)
        case amqp.DeliveryError():
            translation = NotConfirmed("The broker refused the message")
        case amqp.ChannelNotFoundEntity():
            translation = QueueMissing(queue)
        case amqp.ChannelPreconditionFailed():
            translation = QueueMismatch(queue, _text(error))
        case aiormq.ChannelAccessRefused() | amqp.AuthenticationError() | amqp.ProbableAuthenticationError():
            translation = AccessRefused(f"The broker refuses access: {_text(error)}")
        case aiormq.ChannelLockedResource():
            translation = QueueInUse(queue)
        case _:
            translation = BrokerUnavailable(f"The connection to the broker was lost: {_text(error)}")
    return translation


def _text(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
