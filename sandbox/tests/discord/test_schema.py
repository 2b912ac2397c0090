"""Every object that the stand-in returns has the fields of Discord's documentation, in `schema.json`."""

import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from bongsu_sandbox.running import RunningSandbox
from sandbox.tests.discord.conftest import API, APPLICATION, BOT, CONTROL, Connect

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parent / "schema.json").read_text(encoding="utf-8"))
GUILD, CHANNEL, MEMBER = "300000000006422528", "300000000006422539", "200000000000000003"
COMMANDS = f"/applications/{APPLICATION}/commands"
PING = {"name": "ping", "description": "Show that the bot is online"}
MESSAGE = {"content": "봉수", "embeds": [{"title": "봉화", "fields": [{"name": "a", "value": "b"}]}], "nonce": "n"}


def violations(value: object, kind: str) -> list[str]:
    """What a value violates of the definition of its kind."""
    validator = jsonschema_rs.Draft202012Validator(SCHEMA | {"$ref": f"#/$defs/{kind}"}, validate_formats=True)
    return [f"{'.'.join(map(str, error.instance_path))}: {error.message}" for error in validator.iter_errors(value)]


def check(value: object, kind: str) -> None:
    """Check a value, or each of a list."""
    values = value if isinstance(value, list) else [value]
    assert values, f"no {kind} to check"
    assert [found for one in values for found in violations(one, kind)] == []


class TestSchema:
    @pytest.mark.parametrize("kind", ["user", "message", "guild", "READY", "INTERACTION_CREATE", "rate_limited"])
    def test_schema_finds_a_missing_field(self, kind: str) -> None:
        assert violations({}, kind)


class TestRest:
    @pytest.mark.parametrize(
        ("method", "path", "body", "kind"),
        [
            ("GET", "/users/@me", None, "own_user"),
            ("GET", f"/users/{MEMBER}", None, "user"),
            ("GET", "/users/@me/guilds", None, "guild_of_a_user"),
            ("GET", "/users/@me/guilds?with_counts=true", None, "guild_of_a_user"),
            ("GET", "/applications/@me", None, "application"),
            ("GET", "/oauth2/applications/@me", None, "application"),
            ("GET", "/gateway", None, "gateway"),
            ("GET", "/gateway/bot", None, "gateway_of_a_bot"),
            ("GET", f"/guilds/{GUILD}", None, "guild"),
            ("GET", f"/guilds/{GUILD}?with_counts=true", None, "guild_with_counts"),
            ("GET", f"/guilds/{GUILD}/channels", None, "channel"),
            ("GET", f"/guilds/{GUILD}/roles", None, "role"),
            ("GET", f"/guilds/{GUILD}/members/{MEMBER}", None, "member"),
            ("GET", f"/channels/{CHANNEL}", None, "channel"),
            ("POST", "/users/@me/channels", {"recipient_id": MEMBER}, "direct_channel"),
            ("POST", f"/channels/{CHANNEL}/messages", MESSAGE, "message"),
            ("GET", f"/channels/{CHANNEL}/messages", None, "message"),
            ("POST", COMMANDS, PING, "command"),
            ("PUT", COMMANDS, [PING], "command"),
            ("GET", COMMANDS, None, "command"),
            ("POST", f"/applications/{APPLICATION}/guilds/{GUILD}/commands", PING, "command"),
        ],
    )
    async def test_answer_has_the_documented_fields(
        self, bot: httpx.AsyncClient, method: str, path: str, body: object, kind: str
    ) -> None:
        await bot.post(f"{API}/channels/{CHANNEL}/messages", json=MESSAGE)
        await bot.put(f"{API}{COMMANDS}", json=[PING])
        answer = await bot.request(method, f"{API}{path}", json=body)
        assert answer.is_success, answer.text
        check(answer.json(), kind)

    async def test_edited_message_has_the_documented_fields(self, bot: httpx.AsyncClient) -> None:
        address = f"{API}/channels/{CHANNEL}/messages"
        made = (await bot.post(address, json=MESSAGE)).json()
        check((await bot.patch(f"{address}/{made['id']}", json={"content": "봉화"})).json(), "message")
        check((await bot.get(f"{address}/{made['id']}")).json(), "message")

    @pytest.mark.parametrize(
        ("path", "status"), [("/guilds/1", 404), ("/no/such/route", 404), (f"/channels/{CHANNEL}/messages/1", 404)]
    )
    async def test_error_has_the_documented_fields(self, bot: httpx.AsyncClient, path: str, status: int) -> None:
        answer = await bot.get(f"{API}{path}")
        assert answer.status_code == status
        check(answer.json(), "error")

    async def test_refused_form_and_token_have_the_documented_fields(self, bot: httpx.AsyncClient) -> None:
        check((await bot.post(f"{API}/channels/{CHANNEL}/messages", json={})).json(), "error")
        check((await bot.get(f"{API}/users/@me", headers={"Authorization": "Bot wrong"})).json(), "error")

    async def test_refusals_of_both_rate_limits_have_the_documented_fields(self, bot: httpx.AsyncClient) -> None:
        for limits in ({"others": 1, "others_per_s": 3600}, {"total": 1, "total_per_s": 3600}):
            assert (await bot.put(f"{CONTROL}/rate-limits", json=limits)).is_success
            answers = [await bot.get(f"{API}/guilds/{GUILD}") for _ in range(3)]
            check([one.json() for one in answers if one.status_code == 429], "rate_limited")


class TestGateway:
    async def test_events_and_replies_have_the_documented_fields(
        self, sandbox: RunningSandbox, connect: Connect
    ) -> None:
        http = sandbox.http
        await http.put(f"{API}{COMMANDS}", json=[PING], headers=BOT)
        async with connect() as socket:
            ready = await socket.identify()
            check(ready["d"], "READY")
            check(await socket.until("GUILD_CREATE"), "GUILD_CREATE")
            command = {"command": "ping", "user_id": MEMBER, "guild_id": GUILD, "wait_s": 0}
            await http.post(f"{CONTROL}/interactions", json=command)
            interaction = await socket.until("INTERACTION_CREATE")
            check(interaction, "INTERACTION_CREATE")
            callback = f"{API}/interactions/{interaction['id']}/{interaction['token']}/callback?with_response=true"
            check((await http.post(callback, json={"type": 5})).json(), "callback")
            webhook = f"{API}/webhooks/{APPLICATION}/{interaction['token']}"
            check((await http.patch(f"{webhook}/messages/@original", json=MESSAGE)).json(), "message")
            check((await http.get(f"{webhook}/messages/@original")).json(), "message")
            check((await http.post(webhook, json=MESSAGE)).json(), "message")

    async def test_interaction_in_direct_messages_has_a_user_and_no_guild(
        self, sandbox: RunningSandbox, connect: Connect
    ) -> None:
        http = sandbox.http
        await http.put(f"{API}{COMMANDS}", json=[PING], headers=BOT)
        async with connect() as socket:
            await socket.identify()
            await http.post(f"{CONTROL}/interactions", json={"command": "ping", "user_id": MEMBER, "wait_s": 0})
            interaction = await socket.until("INTERACTION_CREATE")
            check(interaction, "INTERACTION_CREATE_of_a_direct_message")
            assert violations(interaction, "INTERACTION_CREATE")
            callback = f"{API}/interactions/{interaction['id']}/{interaction['token']}/callback?with_response=true"
            answer = (await http.post(callback, json={"type": 4, "data": MESSAGE})).json()
            check(answer, "callback")
            assert "guild_id" not in answer["interaction"]
