import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from bongsu_sandbox.discord.users.personas import EMMA, MINJI, SEOUL_DEVELOPERS
from bongsu_sandbox.running import RunningSandbox
from bongsu_sandbox.settings import SandboxSettings
from sandbox.tests.discord.conftest import API, APPLICATION, BOT, CONTROL, Connect

Answer = Callable[[httpx.AsyncClient, dict[str, Any]], Awaitable[None]]


@pytest.fixture
def answer_s() -> float:
    """The time of the bot for its first answer: long, except where the limit is the subject."""
    return 60.0


@pytest.fixture
def settings(settings: SandboxSettings, answer_s: float) -> SandboxSettings:
    return settings.model_copy(update={"discord_answer_s": answer_s})


async def given(sandbox: RunningSandbox, connect: Connect, answer: Answer, **fields: object) -> dict[str, Any]:
    """Run a command that a bot answers with `answer`, and return the outcome."""
    command = {"command": "notify subscribe", "user_id": str(MINJI), "guild_id": str(SEOUL_DEVELOPERS), "wait_s": 30}
    async with connect() as socket:
        await socket.identify()
        body = command | {"unregistered": True, "options": {"topic": "billing"}} | fields
        giving = asyncio.create_task(sandbox.http.post(f"{CONTROL}/interactions", json=body))
        event = await socket.until("INTERACTION_CREATE")
        async with httpx.AsyncClient(base_url=sandbox.url, timeout=30) as http:
            await answer(http, event)
        found: dict[str, Any] = (await giving).json()
    return found


async def respond(http: httpx.AsyncClient, event: dict[str, Any], kind: int, **data: object) -> httpx.Response:
    form = {"payload_json": json.dumps({"type": kind, "data": data})}
    return await http.post(f"{API}/interactions/{event['id']}/{event['token']}/callback", data=form)


class TestEvent:
    async def test_event_names_the_user_the_command_and_the_channel(
        self, sandbox: RunningSandbox, connect: Connect
    ) -> None:
        seen: list[dict[str, Any]] = []

        async def answer(http: httpx.AsyncClient, event: dict[str, Any]) -> None:
            seen.append(event)
            await respond(http, event, 4, content="ok")

        await given(sandbox, connect, answer)
        (event,) = seen
        assert event["data"]["options"][0]["options"] == [{"name": "topic", "type": 3, "value": "billing"}]
        assert (event["member"]["user"]["id"], event["locale"]) == (str(MINJI), "ko")
        assert int(event["member"]["permissions"]) & 8

    async def test_a_command_is_refused_in_a_guild_without_the_bot(
        self, sandbox: RunningSandbox, connect: Connect
    ) -> None:
        async with connect() as socket:
            await socket.identify()
            (await sandbox.http.patch(f"{CONTROL}/guilds/{SEOUL_DEVELOPERS}", json={"bot": False})).raise_for_status()
            body = {"command": "x", "user_id": str(MINJI), "guild_id": str(SEOUL_DEVELOPERS), "unregistered": True}
            refused = await sandbox.http.post(f"{CONTROL}/interactions", json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "bot_absent")


class TestRespond:
    async def test_an_answer_is_seen(self, sandbox: RunningSandbox, connect: Connect) -> None:
        async def answer(http: httpx.AsyncClient, event: dict[str, Any]) -> None:
            assert (await respond(http, event, 4, content="안녕", flags=64)).status_code == 204

        found = await given(sandbox, connect, answer)
        assert (found["status"], found["ephemeral"], found["answers"][0]["content"]) == ("answered", True, "안녕")

    async def test_a_public_answer_is_in_the_channel(self, sandbox: RunningSandbox, connect: Connect) -> None:
        async def answer(http: httpx.AsyncClient, event: dict[str, Any]) -> None:
            await respond(http, event, 4, content="모두에게")

        found = await given(sandbox, connect, answer)
        messages = await sandbox.http.get(f"{API}/channels/{found['channel_id']}/messages", headers=BOT)
        assert [message["content"] for message in messages.json()] == ["모두에게"]

    async def test_a_deferral_is_followed_by_the_answer(self, sandbox: RunningSandbox, connect: Connect) -> None:
        async def answer(http: httpx.AsyncClient, event: dict[str, Any]) -> None:
            await respond(http, event, 5, flags=64)
            webhook = f"{API}/webhooks/{APPLICATION}/{event['token']}"
            assert (await http.get(f"{webhook}/messages/@original")).status_code == 404
            await http.patch(f"{webhook}/messages/@original", json={"content": "first"})
            await http.patch(f"{webhook}/messages/@original", json={"content": "edited"})
            await http.post(webhook, json={"content": "second", "flags": 64})

        found = await given(sandbox, connect, answer)
        await asyncio.sleep(0)
        found = (await sandbox.http.get(f"{CONTROL}/interactions")).json()["items"][-1]
        assert found["deferred"]
        assert [(one["content"], one["ephemeral"]) for one in found["answers"]] == [("edited", True), ("second", True)]

    async def test_the_first_answer_is_read_and_deleted(self, sandbox: RunningSandbox, connect: Connect) -> None:
        async def answer(http: httpx.AsyncClient, event: dict[str, Any]) -> None:
            await respond(http, event, 4, content="모두에게")
            original = f"{API}/webhooks/{APPLICATION}/{event['token']}/messages/@original"
            assert (await http.get(original)).json()["content"] == "모두에게"
            assert (await http.delete(original)).status_code == 204
            assert (await http.get(original)).status_code == 404

        found = await given(sandbox, connect, answer)
        messages = await sandbox.http.get(f"{API}/channels/{found['channel_id']}/messages", headers=BOT)
        assert messages.json() == []

    async def test_a_multipart_answer_brings_files(self, sandbox: RunningSandbox, connect: Connect) -> None:
        async def answer(http: httpx.AsyncClient, event: dict[str, Any]) -> None:
            url = f"{API}/interactions/{event['id']}/{event['token']}/callback"
            data = {"payload_json": json.dumps({"type": 4, "data": {"content": "file"}})}
            files = {"files[0]": ("a.txt", b"1", "text/plain")}
            answered = await http.post(url, params={"with_response": "true"}, data=data, files=files)
            assert answered.json()["resource"]["message"]["attachments"][0]["filename"] == "a.txt"

        assert (await given(sandbox, connect, answer))["status"] == "answered"

    async def test_a_second_first_answer_is_refused(self, sandbox: RunningSandbox, connect: Connect) -> None:
        async def answer(http: httpx.AsyncClient, event: dict[str, Any]) -> None:
            await respond(http, event, 4, content="1")
            again = await respond(http, event, 4, content="2")
            assert (again.status_code, again.json()["code"]) == (400, 40060)

        assert len((await given(sandbox, connect, answer))["answers"]) == 1

    @pytest.mark.parametrize("answer_s", [0.0])
    async def test_answer_is_refused_when_it_is_late(self, sandbox: RunningSandbox, connect: Connect) -> None:
        async def answer(http: httpx.AsyncClient, event: dict[str, Any]) -> None:
            late = await respond(http, event, 4, content="late")
            assert (late.status_code, late.json()["code"]) == (404, 10062)

        assert (await given(sandbox, connect, answer))["status"] == "failed"

    async def test_a_made_up_token_is_refused(self, http: httpx.AsyncClient) -> None:
        assert (await respond(http, {"id": "1", "token": "x"}, 4, content="x")).json()["code"] == 10062
        webhook = await http.patch(f"{API}/webhooks/{APPLICATION}/x/messages/@original", json={"content": "x"})
        assert webhook.json()["code"] == 10015


BUTTONS = [{"type": 1, "components": [{"type": 2, "style": 2, "label": "Next", "custom_id": "next"}]}]


class TestPress:
    async def test_a_press_updates_the_message_of_the_button(self, sandbox: RunningSandbox, connect: Connect) -> None:
        command = {"command": "list", "user_id": str(MINJI), "guild_id": str(SEOUL_DEVELOPERS), "wait_s": 30}
        async with connect() as socket, httpx.AsyncClient(base_url=sandbox.url, timeout=30) as http:
            await socket.identify()
            body = command | {"unregistered": True}
            giving = asyncio.create_task(sandbox.http.post(f"{CONTROL}/interactions", json=body))
            event = await socket.until("INTERACTION_CREATE")
            await respond(http, event, 4, content="1", components=BUTTONS, flags=64)
            answered = (await giving).json()
            url = f"{CONTROL}/interactions/{answered['id']}/press"
            pressing = asyncio.create_task(sandbox.http.post(url, json={"custom_id": "next", "wait_s": 30}))
            event = await socket.until("INTERACTION_CREATE")
            assert (event["type"], event["data"]) == (3, {"custom_id": "next", "component_type": 2})
            assert (event["message"]["content"], event["message"]["components"]) == ("1", BUTTONS)
            await respond(http, event, 6)
            webhook = f"{API}/webhooks/{APPLICATION}/{event['token']}/messages/@original"
            await http.patch(webhook, json={"content": "2", "components": []})
            assert [answer["content"] for answer in (await pressing).json()["answers"]] == ["2"]
            gone = await sandbox.http.post(url, json={"custom_id": "next"})
            assert (gone.status_code, gone.json()["code"]) == (422, "no_component")
            (await http.patch(f"{CONTROL}/guilds/{SEOUL_DEVELOPERS}", json={"bot": False})).raise_for_status()
            away = await sandbox.http.post(url, json={"custom_id": "next"})
            assert (away.status_code, away.json()["code"]) == (422, "bot_absent")
        first = (await sandbox.http.get(f"{CONTROL}/interactions")).json()["items"][0]
        assert [(answer["content"], answer["components"]) for answer in first["answers"]] == [("2", [])]

    @pytest.mark.parametrize(
        "components",
        [
            [{"type": 2, "style": 2, "custom_id": "x"}],
            [{"type": 1, "components": []}],
            [{"type": 1, "components": [{"type": 2, "style": 2}]}],
            [{"type": 1, "components": [{"type": 2, "style": 2, "custom_id": "x" * 101}]}],
            BUTTONS * 2,
            BUTTONS * 6,
        ],
    )
    async def test_components_that_discord_refuses_are_refused(
        self, sandbox: RunningSandbox, connect: Connect, components: list[dict[str, Any]]
    ) -> None:
        async def answer(http: httpx.AsyncClient, event: dict[str, Any]) -> None:
            refused = await respond(http, event, 4, content="x", components=components)
            assert (refused.status_code, refused.json()["code"]) == (400, 50035)
            await respond(http, event, 4, content="ok")

        assert (await given(sandbox, connect, answer))["status"] == "answered"


class TestDirectMessages:
    async def test_answers_are_in_the_direct_messages_and_the_private_ones_are_not(
        self, sandbox: RunningSandbox, connect: Connect
    ) -> None:
        async def answer(http: httpx.AsyncClient, event: dict[str, Any]) -> None:
            assert event["user"]["id"] == str(MINJI)
            await respond(http, event, 4, content="public")
            webhook = f"{API}/webhooks/{APPLICATION}/{event['token']}"
            await http.post(webhook, json={"content": "private", "flags": 64})

        found = await given(sandbox, connect, answer, guild_id=None)
        channel = (
            await sandbox.http.post(f"{API}/users/@me/channels", json={"recipient_id": str(MINJI)}, headers=BOT)
        ).json()
        assert (found["guild_id"], found["channel_id"]) == (None, channel["id"])
        messages = (await sandbox.http.get(f"{API}/channels/{channel['id']}/messages", headers=BOT)).json()
        assert [message["content"] for message in messages] == ["public"]

    async def test_command_goes_to_the_first_shard(self, sandbox: RunningSandbox, connect: Connect) -> None:
        command = {"command": "x", "user_id": str(MINJI), "unregistered": True, "wait_s": 0}
        async with connect() as first, connect() as second:
            await second.identify(shard=[1, 2])
            found = (await sandbox.http.post(f"{CONTROL}/interactions", json=command)).json()
            assert found["status"] == "not_delivered"
            await first.identify(shard=[0, 2])
            await sandbox.http.post(f"{CONTROL}/interactions", json=command)
            assert (await first.until("INTERACTION_CREATE"))["context"] == 1

    async def test_command_of_guilds_only_is_not_there(self, bot: httpx.AsyncClient) -> None:
        commands = [
            {"name": name, "description": name, "contexts": contexts}
            for name, contexts in (("here", [0]), ("there", [1]), ("both", [0, 1]), ("everywhere", None))
        ]
        (await bot.put(f"{API}/applications/{APPLICATION}/commands", json=commands)).raise_for_status()
        body = {"command": "x", "user_id": str(MINJI)}
        refused = await bot.post(f"{CONTROL}/interactions", json=body)
        assert refused.json()["detail"].endswith("there is there, both, everywhere")
        refused = await bot.post(f"{CONTROL}/interactions", json=body | {"guild_id": str(SEOUL_DEVELOPERS)})
        assert refused.json()["detail"].endswith("there is here, both, everywhere")

    async def test_user_who_shares_no_guild_with_the_bot_is_refused(self, http: httpx.AsyncClient) -> None:
        body = {"command": "x", "user_id": str(EMMA), "unregistered": True}
        refused = await http.post(f"{CONTROL}/interactions", json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "no_shared_guild")


class TestContexts:
    @pytest.mark.parametrize(
        ("field", "value"),
        [("contexts", [3]), ("contexts", []), ("contexts", [1, 1]), ("contexts", "0"), ("integration_types", [2])],
    )
    async def test_contexts_that_discord_does_not_know_are_refused(
        self, bot: httpx.AsyncClient, field: str, value: object
    ) -> None:
        command = {"name": "x", "description": "x", field: value}
        refused = await bot.post(f"{API}/applications/{APPLICATION}/commands", json=command)
        assert (refused.status_code, refused.json()["code"]) == (400, 50035)
        assert field in refused.json()["errors"]
