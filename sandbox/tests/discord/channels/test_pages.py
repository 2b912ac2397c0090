import asyncio
import re
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from bongsu_sandbox.discord.guilds.models import direct_channel_id
from bongsu_sandbox.discord.users.personas import BEACON_HILL, HANEUL, JAMES, MINJI, SEOJUN, SEOUL_DEVELOPERS
from bongsu_sandbox.running import RunningSandbox
from sandbox.tests.discord.conftest import API, APPLICATION, BOT, CONTROL, Connect

MESSAGES = f"{API}/channels/{SEOUL_DEVELOPERS + 11}/messages"


class TestPages:
    @pytest.mark.parametrize("language", ["ko", "en"])
    async def test_the_page_shows_names_as_text(self, language: str, bot: httpx.AsyncClient) -> None:
        await bot.patch(f"{CONTROL}/guilds/{SEOUL_DEVELOPERS}", json={"name": "<img src=x onerror=alert(1)>"})
        await bot.post(MESSAGES, json={"content": "<script>1</script>", "embeds": [{"title": "<b>"}]})
        page = await bot.get("/sandbox/discord", headers={"Accept-Language": language})
        assert page.status_code == 200
        assert "<img src=x" not in page.text
        assert "<script>1" not in page.text
        assert "&lt;b&gt;" in page.text

    async def test_page_runs_a_command_with_options_and_presses_its_button(
        self, sandbox: RunningSandbox, connect: Connect
    ) -> None:
        http = sandbox.http
        option = {"type": 3, "name": "topic", "description": "Topic", "required": True}
        find = {"type": 1, "name": "find", "description": "Find", "options": [option]}
        commands = [{"name": "beacons", "description": "Beacons", "options": [find]}]
        await http.put(f"{API}/applications/{APPLICATION}/commands", json=commands, headers=BOT)
        query = {"channel": str(SEOUL_DEVELOPERS + 11), "command": "beacons find"}
        assert 'name="option.topic"' in (await http.get("/sandbox/discord", params=query)).text
        async with connect() as socket:
            await socket.identify()
            form = {
                "command": "beacons find",
                "guild_id": str(SEOUL_DEVELOPERS),
                "channel_id": str(SEOUL_DEVELOPERS + 11),
                "user_id": str(MINJI),
                "option.topic": "봉화",
            }
            running = asyncio.create_task(http.post("/sandbox/discord/commands", params=query, data=form))
            event = await socket.until("INTERACTION_CREATE")
            assert event["data"]["options"][0]["options"] == [{"name": "topic", "type": 3, "value": "봉화"}]
            button = {"type": 2, "style": 1, "label": "More beacons", "custom_id": "more"}
            data = {"content": "first page", "flags": 64, "components": [{"type": 1, "components": [button]}]}
            callback = f"{API}/interactions/{event['id']}/{event['token']}/callback"
            await http.post(callback, json={"type": 4, "data": data})
            assert (await running).status_code == 303
            page = (await http.get("/sandbox/discord", params=query)).text
            assert "More beacons" in page
            pressed = {"interaction_id": event["id"], "custom_id": "more"}
            pressing = asyncio.create_task(http.post("/sandbox/discord/press", params=query, data=pressed))
            press = await socket.until("INTERACTION_CREATE")
            assert press["data"] == {"custom_id": "more", "component_type": 2}
            await http.post(
                f"{API}/interactions/{press['id']}/{press['token']}/callback",
                json={"type": 7, "data": {"content": "second page"}},
            )
            assert (await pressing).status_code == 303
            assert "second page" in (await http.get("/sandbox/discord", params=query)).text

    async def test_tree_has_the_channels_of_servers_with_the_bot_and_direct_messages_of_their_members(
        self, bot: httpx.AsyncClient
    ) -> None:
        page = (await bot.get("/sandbox/discord", params={"channel": str(SEOUL_DEVELOPERS + 12)})).text
        channels = [int(found) for found in re.findall(r'<a href="/sandbox/discord\?channel=(\d+)"', page)]
        members = (MINJI, JAMES, SEOJUN, HANEUL)
        assert channels == [SEOUL_DEVELOPERS + 11, SEOUL_DEVELOPERS + 12, *map(direct_channel_id, members)]
        assert re.findall(r'channel=(\d+)" aria-current="page"', page) == [str(SEOUL_DEVELOPERS + 12)]
        assert len(re.findall('class="server"', page)) == 5

    async def test_server_without_the_bot_shows_its_channels_and_runs_no_command(self, bot: httpx.AsyncClient) -> None:
        page = (await bot.get("/sandbox/discord", params={"channel": str(BEACON_HILL + 11)})).text
        assert f"channel={BEACON_HILL + 12}" in page
        assert "/sandbox/discord/commands" not in page

    async def test_private_answer_is_marked_and_only_in_its_channel(
        self, sandbox: RunningSandbox, connect: Connect
    ) -> None:
        http = sandbox.http
        ping = [{"name": "ping", "description": "Ping"}]
        await http.put(f"{API}/applications/{APPLICATION}/commands", json=ping, headers=BOT)
        direct = {"channel": str(direct_channel_id(MINJI)), "command": "ping"}
        assert f'name="user_id" value="{MINJI}"' in (await http.get("/sandbox/discord", params=direct)).text
        async with connect() as socket:
            await socket.identify()
            form = {"command": "ping", "user_id": str(MINJI)}
            running = asyncio.create_task(http.post("/sandbox/discord/commands", params=direct, data=form))
            event = await socket.until("INTERACTION_CREATE")
            callback = f"{API}/interactions/{event['id']}/{event['token']}/callback"
            await http.post(callback, json={"type": 4, "data": {"content": "<b>secret</b>", "flags": 64}})
            shown = urlsplit((await running).headers["location"])
        assert dict(parse_qsl(shown.query)) == direct | {"who": str(MINJI)}
        page = (await http.get("/sandbox/discord", params=direct)).text
        assert "&lt;b&gt;secret" in page
        assert "Only 김민지 can see this" in page
        elsewhere = (await http.get("/sandbox/discord", params={"channel": str(SEOUL_DEVELOPERS + 11)})).text
        assert "secret" not in elsewhere

    async def test_command_that_the_bot_did_not_get_is_shown_as_such(self, bot: httpx.AsyncClient) -> None:
        body = {"command": "x", "user_id": str(MINJI), "guild_id": str(SEOUL_DEVELOPERS), "unregistered": True}
        await bot.post(f"{CONTROL}/interactions", json=body)
        assert "the bot is not connected" in (await bot.get("/sandbox/discord")).text

    @pytest.mark.parametrize(("url", "linked"), [("https://a.example/x", True), ("javascript:alert(1)", False)])
    async def test_link_button_leads_to_the_web_only(self, bot: httpx.AsyncClient, url: str, linked: bool) -> None:
        button = {"type": 2, "style": 5, "label": "Open", "url": url}
        body = {"content": "link", "components": [{"type": 1, "components": [button]}]}
        assert (await bot.post(MESSAGES, json=body)).is_success
        page = (await bot.get("/sandbox/discord", params={"channel": str(SEOUL_DEVELOPERS + 11)})).text
        assert (f'href="{url}"' in page) == linked

    async def test_button_that_is_gone_is_an_alert(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/sandbox/discord/press", data={"interaction_id": "1", "custom_id": "x"})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
