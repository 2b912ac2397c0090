"""Receipts of notifications for the feed module."""

from bongsu.contracts.rpc import MessageSent, SendMessageRequest
from bongsu.runtime.errors import ServiceError, Unavailable
from bongsu_bot.modules.posts import ModulePosts


def report_to_feed(posts: ModulePosts, request: SendMessageRequest, outcome: MessageSent | ServiceError) -> None:
    """Report a message that was posted in a guild, or that its channel cannot take. What notify retries is not."""
    if request.guild_id is None or request.channel_id is None:
        return
    nonce = f"f-{request.nonce}"[:25]
    if isinstance(outcome, MessageSent):
        posts.feed(
            request.guild_id,
            nonce,
            "modules.feed_sent",
            guild_id=request.guild_id,
            channel_id=outcome.channel_id,
            message_id=outcome.message_id,
        )
    elif not isinstance(outcome, Unavailable):
        posts.feed(
            request.guild_id, nonce, "modules.feed_refused", channel_id=request.channel_id, reason=outcome.detail
        )
