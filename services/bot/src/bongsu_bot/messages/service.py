"""Sending messages for notify, one for each nonce."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from bongsu.contracts.rpc import MessageSent, SendMessageRequest
from bongsu.mixins import Database, MixinError, utc_now
from bongsu.runtime.errors import ServiceError
from bongsu.runtime.logging import get_logger
from bongsu_bot.errors import ChannelBusy, OutcomeUnknown, needs_database
from bongsu_bot.guilds.authority import Authority
from bongsu_bot.messages.models import SentMessage
from bongsu_bot.messages.port import DiscordMessages

log = get_logger(__name__)
WAITING_PER_CHANNEL: Final = 5
"""Discord takes about one message a second for a channel: more would wait beyond the deadlines of their requests."""
POST_TIMEOUT_S: Final = 60.0
CLOSE_TIMEOUT_S: Final = 3.0
KEPT_S: Final = 7 * 24 * 3600
"""How long a nonce is remembered: longer than notify tries to send a notification."""
SWEEP_EVERY: Final = 200
_SWEPT_ROWS = 500


class Messages:
    """Posts messages. It opens its own units of work, because it calls Discord between them.

    :param report: called with the outcome of each post.
    """

    def __init__(
        self,
        database: Database,
        authority: Authority,
        discord: DiscordMessages,
        report: Callable[[SendMessageRequest, MessageSent | ServiceError], None] | None = None,
    ) -> None:
        self._report = report
        self._database = database
        self._authority = authority
        self._discord = discord
        self._posting: dict[str, asyncio.Task[MessageSent]] = {}
        self._per_channel: Counter[int] = Counter()
        self._per_target: Counter[int | UUID | None] = Counter()
        self._recorded = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At the end, wait for the messages that are being posted, so that they are recorded."""
        try:
            yield
        finally:
            if self._posting:
                _, late = await asyncio.wait(self._posting.values(), timeout=CLOSE_TIMEOUT_S)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    async def send(self, request: SendMessageRequest) -> MessageSent:
        """Post the message of a request, unless its nonce has been posted.

        If the caller's deadline cancels this, the message may still be posted: a later request with the same nonce
        returns it.

        :raises NotLinked: the recipient has no Discord account, or `on_behalf_of` has none.
        :raises NotAManager: `on_behalf_of` does not manage the guild.
        :raises ServiceError: as `DiscordMessages.post`.
        """
        posting = self._posting.get(request.nonce)
        if posting is None:
            async with needs_database():
                found = await self._database.run(_find, request.nonce)
            if found is not None:
                return found
            with self._resolving(request.channel_id or request.user_id):
                channel_id = await self._resolve_channel(request)
            posting = self._posting.get(request.nonce) or self._start(request, channel_id)
        return await asyncio.shield(posting)

    def _start(self, request: SendMessageRequest, channel_id: int) -> "asyncio.Task[MessageSent]":
        if self._per_channel[channel_id] >= WAITING_PER_CHANNEL:
            raise ChannelBusy

        def end(task: "asyncio.Task[MessageSent]") -> None:
            del self._posting[request.nonce]
            self._per_channel[channel_id] -= 1
            self._per_channel += Counter()  # forgets channels without messages
            if task.cancelled():
                return
            error = task.exception()
            if error is not None:
                log.info("message.not_sent", channel_id=channel_id, error=type(error).__name__)
            if self._report is not None and (error is None or isinstance(error, ServiceError)):
                self._report(request, task.result() if error is None else error)

        posting = asyncio.create_task(self._post(request, channel_id), name=f"post {request.nonce}")
        self._posting[request.nonce] = posting
        self._per_channel[channel_id] += 1
        posting.add_done_callback(end)
        return posting

    async def _post(self, request: SendMessageRequest, channel_id: int) -> MessageSent:
        try:
            async with asyncio.timeout(POST_TIMEOUT_S):
                message_id = await self._discord.post(
                    channel_id, nonce=request.nonce, text=request.text, embed=request.embed
                )
        except TimeoutError as error:
            raise OutcomeUnknown from error
        sent = MessageSent(message_id=message_id, channel_id=channel_id)
        try:
            await self._database.run(_record, request.nonce, sent)
            await self._sweep()
        except (SQLAlchemyError, MixinError, OSError) as error:
            # Discord itself knows the nonce for some minutes.
            log.warning("message.not_recorded", channel_id=channel_id, error=type(error).__name__)
        return sent

    async def _sweep(self) -> None:
        self._recorded += 1
        if self._recorded % SWEEP_EVERY == 1:
            await self._database.run(_delete_old)

    @contextmanager
    def _resolving(self, target: int | UUID | None) -> Iterator[None]:
        """Bound the requests to Discord that are made before a post, as `_start` bounds the posts.

        :raises ChannelBusy: as many messages to this target are at this point.
        """
        if self._per_target[target] >= WAITING_PER_CHANNEL:
            raise ChannelBusy
        self._per_target[target] += 1
        try:
            yield
        finally:
            self._per_target[target] -= 1
            self._per_target += Counter()

    async def _resolve_channel(self, request: SendMessageRequest) -> int:
        if request.user_id is not None:
            return await self._discord.open_direct(await self._authority.find_discord_user(request.user_id))
        assert request.channel_id is not None  # noqa: S101 - the request has one target
        if request.on_behalf_of is not None:
            await self._authority.require_for_channel(request.channel_id, request.on_behalf_of)
        return request.channel_id


async def _find(nonce: str) -> MessageSent | None:
    found = await SentMessage.filter_by(nonce=nonce).first()
    return None if found is None else MessageSent(message_id=found.message_id, channel_id=found.channel_id)


async def _record(nonce: str, sent: MessageSent) -> None:
    await SentMessage.get_or_create({"channel_id": sent.channel_id, "message_id": sent.message_id}, nonce=nonce)


async def _delete_old() -> None:
    old = SentMessage.filter_by(created_at__lt=utc_now(-KEPT_S))
    ids = await old.limit(_SWEPT_ROWS).pluck("id")
    if ids:
        await SentMessage.filter_by(id__in=ids).delete()
