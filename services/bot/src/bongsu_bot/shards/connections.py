"""The connections to Discord's gateway, which py-cord does not always close."""

from discord.gateway import DiscordWebSocket
from discord.state import ConnectionState


class GatewayConnections:
    """Closes what py-cord 2.8.1 leaves open, and ends its heartbeat threads.

    py-cord forgets a connection that fails or is cancelled before its IDENTIFY, and does not close one that the gateway
    ended: https://github.com/Rapptz/discord.py/issues/10409 is about the same code. Remove this when `from_client` and
    `poll_event` close the socket.
    """

    def __init__(self, state: ConnectionState) -> None:
        self._newest: dict[int | None, DiscordWebSocket] = {}
        # py-cord calls it with each new connection, for voice, which the bot does not use.
        vars(state)["_update_references"] = self._add

    def _add(self, connection: DiscordWebSocket) -> None:
        """Note the new connection of a shard, and close its previous one, which py-cord uses no more."""
        previous = self._newest.get(connection.shard_id)
        self._newest[connection.shard_id] = connection
        if previous is not None:
            _close(previous)

    def close(self) -> None:
        """Close every connection."""
        for connection in self._newest.values():
            _close(connection)


def _close(connection: DiscordWebSocket) -> None:
    if connection._keep_alive is not None:  # noqa: SLF001 - `connection.close` stops it only if it can close the socket
        connection._keep_alive.stop()  # noqa: SLF001 - the same
    # Not `socket.close`: it waits for the gateway, and does nothing after a reset (aiohttp 3.14.5).
    connection.socket._response.close()  # noqa: SLF001 - the same
