"""The control API of the sandbox's Discord, as tests use it."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from bongsu_sandbox.discord.users.personas import (
    BEACON_HILL,
    EMMA,
    HANEUL,
    JAMES,
    MINJI,
    NIGHT_MARKET,
    READING_ROOM,
    SEOUL_DEVELOPERS,
)
from bongsu_sandbox.running import RunningSandbox
from bongsu_sandbox.settings import SandboxSettings
from tests.eventually import eventually

__all__ = [
    "BEACON_HILL",
    "EMMA",
    "HANEUL",
    "JAMES",
    "MINJI",
    "NIGHT_MARKET",
    "READING_ROOM",
    "SEOUL_DEVELOPERS",
    "Discord",
]


class Discord:
    """A client of the control API."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox = sandbox
        self._http = sandbox.http

    async def state(self) -> dict[str, Any]:
        """Get the whole state."""
        found: dict[str, Any] = await self._call("GET", "/state")
        return found

    async def guild(self, guild_id: int, **change: object) -> None:
        """Change a guild."""
        await self._call("PATCH", f"/guilds/{guild_id}", change)

    async def delete_guild(self, guild_id: int) -> None:
        """Delete a guild."""
        await self._call("DELETE", f"/guilds/{guild_id}")

    async def gateway(self, **change: object) -> None:
        """Change how the gateway behaves."""
        await self._call("PATCH", "/gateway", change)

    async def request_heartbeats(self) -> None:
        """Ask the bot's connections for a heartbeat."""
        await self._call("POST", "/gateway/heartbeat")

    async def drop(self, how: str, **options: object) -> int:
        """End the bot's gateway connections."""
        found = await self._call("POST", "/gateway/drop", {"how": how, **options})
        dropped: int = found["dropped"]
        return dropped

    async def member(self, guild_id: int, user_id: int, permissions: int = 0, *roles: int) -> None:
        """Give a user these roles, and one with these permissions."""
        change = {"permissions": permissions, "roles": [str(role) for role in roles]}
        await self._call("PUT", f"/guilds/{guild_id}/members/{user_id}", change)

    async def approve(self, guild_id: int, *, permissions: int) -> None:
        """Approve permissions of the bot in a guild, as its manager does in a browser."""
        redirect_uri = "http://localhost:8000/auth/oauth/discord/callback"
        query = {
            "client_id": (await self.state())["application_id"],
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "scope": "identify bot",
            "permissions": str(permissions),
            "guild_id": str(guild_id),
            "disable_guild_select": "true",
        }
        form = {"persona": str(MINJI), "decision": "allow"}
        answer = await self._http.post("/sandbox/discord/oauth2/authorize", params=query, data=form)
        token = {
            "grant_type": "authorization_code",
            "code": parse_qs(urlsplit(answer.headers["location"]).query)["code"][0],
            "redirect_uri": redirect_uri,
            "client_id": query["client_id"],
            "client_secret": SandboxSettings().discord_client_secret.get_secret_value(),
        }
        exchanged = await self._http.post("/sandbox/discord/api/oauth2/token", data=token)
        assert not exchanged.is_error, exchanged.text

    async def limits(self, **limits: float) -> None:
        """Set the rate limits."""
        await self._call("PUT", "/rate-limits", limits)

    async def give(self, command: str, **fields: object) -> dict[str, Any]:
        """Run a slash command as a user, and wait for the answer."""
        body = {"command": command, "user_id": str(MINJI), "guild_id": str(SEOUL_DEVELOPERS), "wait_s": 30, **fields}

        async def are_registered() -> bool:
            return bool((await self.state())["commands"])

        await eventually(are_registered)  # the bot registers them after it is ready
        found: dict[str, Any] = await self._call("POST", "/interactions", body)
        return found

    async def press(self, answered: dict[str, Any], label: str) -> dict[str, Any]:
        """Press the button with this label below the first answer, and wait for what it does."""
        buttons = [child for row in answered["answers"][0]["components"] for child in row["components"]]
        (button,) = [button for button in buttons if button["label"] == label]
        body = {"custom_id": button["custom_id"], "wait_s": 30}
        found: dict[str, Any] = await self._call("POST", f"/interactions/{answered['id']}/press", body)
        return found

    async def messages(self, channel_id: int) -> list[dict[str, Any]]:
        """List a channel's messages, oldest first."""
        found = await self._call("GET", f"/channels/{channel_id}/messages")
        items: list[dict[str, Any]] = found["items"]
        return items

    async def fault(self, target: str, kind: str, **fields: object) -> None:
        """Inject a fault."""
        await self.sandbox.fault(kind, target=target, **fields)

    async def until(self, *path: str, reaches: int, within_s: float = 60.0) -> None:
        """Wait until a count of the state is at least this."""

        async def is_reached() -> bool:
            found: Any = await self.state()
            for part in path:
                found = found.get(part, 0)
            return bool(found >= reaches)

        await eventually(is_reached, within_s)

    async def _call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - whatever JSON holds
        answer = await self._http.request(method, f"/sandbox/discord/control{path}", json=body)
        assert not answer.is_error, answer.text
        return answer.json() if answer.content else None
