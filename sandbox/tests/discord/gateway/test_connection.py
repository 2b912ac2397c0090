import asyncio
import time
from typing import Any

import aiohttp
import pytest

from bongsu_sandbox.discord.users.personas import BEACON_HILL, SEOUL_DEVELOPERS
from bongsu_sandbox.running import RunningSandbox
from sandbox.tests.discord.conftest import CONTROL, TOKEN, Connect, Socket
from tests.eventually import eventually


async def change(sandbox: RunningSandbox, guild: int, **changes: object) -> None:
    (await sandbox.http.patch(f"{CONTROL}/guilds/{guild}", json=changes)).raise_for_status()


async def gateway(sandbox: RunningSandbox) -> dict[str, Any]:
    found: dict[str, Any] = (await sandbox.http.get(f"{CONTROL}/state")).json()["gateway"]
    return found


async def talk(socket: Socket) -> None:
    """Send messages that are no heartbeats, slower than the limit."""
    # It waits for nothing: the pauses keep it below the limit of 120 messages a minute.
    while True:
        await socket.send(3, {})
        await asyncio.sleep(0.6)


class TestIdentify:
    @pytest.mark.parametrize("query", ["v=10&encoding=json", "v=10&encoding=json&compress=zlib-stream", ""])
    async def test_ready_names_the_session_and_the_guilds_that_follow(self, query: str, connect: Connect) -> None:
        async with connect(query) as socket:
            ready = (await socket.identify())["d"]
            assert ready["resume_gateway_url"].endswith("/sandbox/discord/gateway")
            assert ready["guilds"] == [{"id": str(SEOUL_DEVELOPERS), "unavailable": True}]
            guild = await socket.until("GUILD_CREATE")
            assert guild["name"] == "서울 개발자 모임"
            assert [member["user"]["bot"] for member in guild["members"]] == [True]
            assert guild["roles"][0]["colors"]["primary_color"] == 0

    async def test_each_shard_gets_its_own_guilds(self, connect: Connect, sandbox: RunningSandbox) -> None:
        await change(sandbox, BEACON_HILL, bot=True)
        async with connect() as first, connect() as second:
            shards = [await first.identify(shard=[0, 2]), await second.identify(shard=[1, 2])]
        found = [[guild["id"] for guild in ready["d"]["guilds"]] for ready in shards]
        assert found == [[str(SEOUL_DEVELOPERS)], [str(BEACON_HILL)]]

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"token": "wrong"}, 4004),
            ({"shard": [2, 2]}, 4010),
            ({"shard": "0"}, 4010),
            ({"intents": None}, 4013),
            ({"intents": 1 << 40}, 4013),
            ({"intents": 1 | 1 << 15}, 4014),
            ({"properties": None}, 4002),
            ({"properties": "linux"}, 4002),
        ],
    )
    async def test_invalid_identify_closes_the_connection_with_its_code(
        self, changes: dict[str, object], code: int, connect: Connect
    ) -> None:
        async with connect() as socket:
            assert await socket.identify(**changes) == {"close": code}

    @pytest.mark.parametrize("query", ["v=10&encoding=etf", "v=10&encoding=json&compress=zstd-stream"])
    async def test_encoding_that_is_not_spoken_is_refused(self, query: str, connect: Connect) -> None:
        async with connect(query) as socket:
            assert await socket.next() == {"close": 4002}

    async def test_second_identify_of_a_bucket_is_an_invalid_session(
        self, connect: Connect, sandbox: RunningSandbox
    ) -> None:
        await sandbox.http.patch(f"{CONTROL}/gateway", json={"identify_s": 60, "max_concurrency": 2})
        async with connect() as first, connect() as second, connect() as third:
            assert (await first.identify(shard=[0, 3]))["t"] == "READY"
            assert (await second.identify(shard=[1, 3]))["t"] == "READY"
            assert (await third.identify(shard=[2, 3])) == {"op": 9, "d": False, "s": None, "t": None}


class TestProtocol:
    async def test_client_that_sends_too_much_is_cut_off(self, connect: Connect) -> None:
        async with connect() as socket:
            await socket.next()
            for _ in range(121):
                await socket.send(1, None)
            while (message := await socket.next()).get("op") == 11:
                pass
            assert message == {"close": 4008}

    async def test_client_that_sends_no_heartbeats_but_others_is_ended(
        self, connect: Connect, sandbox: RunningSandbox
    ) -> None:
        await sandbox.http.patch(f"{CONTROL}/gateway", json={"heartbeat_ms": 2000})
        async with connect() as socket:
            await socket.identify()
            await socket.until("GUILD_CREATE")
            async with asyncio.TaskGroup() as group:
                talking = group.create_task(talk(socket))
                assert await socket.next() == {"close": 4009}
                talking.cancel()

    async def test_server_asks_for_a_heartbeat(self, connect: Connect, sandbox: RunningSandbox) -> None:
        async with connect() as socket:
            await socket.identify()
            await socket.until("GUILD_CREATE")
            asked = await sandbox.http.post(f"{CONTROL}/gateway/heartbeat")
            assert asked.json() == {"asked": 1}
            assert (await socket.next())["op"] == 1

    async def test_deleted_guild_is_reported_and_gone(self, connect: Connect, sandbox: RunningSandbox) -> None:
        async with connect() as socket:
            await socket.identify()
            await socket.until("GUILD_CREATE")
            assert (await sandbox.http.delete(f"{CONTROL}/guilds/{SEOUL_DEVELOPERS}")).status_code == 204
            assert await socket.until("GUILD_DELETE") == {"id": str(SEOUL_DEVELOPERS)}
        state = (await sandbox.http.get(f"{CONTROL}/state")).json()
        assert str(SEOUL_DEVELOPERS) not in [guild["id"] for guild in state["guilds"]]

    async def test_joining_a_guild_in_an_outage_creates_an_unavailable_one(
        self, connect: Connect, sandbox: RunningSandbox
    ) -> None:
        await change(sandbox, BEACON_HILL, unavailable=True)
        async with connect() as socket:
            await socket.identify()
            await socket.until("GUILD_CREATE")
            await change(sandbox, BEACON_HILL, bot=True)
            assert await socket.until("GUILD_CREATE") == {"id": str(BEACON_HILL), "unavailable": True}

    async def test_a_heartbeat_is_acknowledged(self, connect: Connect) -> None:
        async with connect() as socket:
            await socket.next()
            await socket.send(1, None)
            assert (await socket.next())["op"] == 11

    async def test_an_acknowledgement_comes_no_faster_than_over_a_network(self, connect: Connect) -> None:
        async with connect() as socket:
            await socket.next()
            sent_at = time.monotonic()
            await socket.send(1, None)
            await socket.next()
            # Less than py-cord's thread needs to note when it sent, and the latency would be an interval too long.
            assert time.monotonic() - sent_at >= 0.04

    async def test_a_connection_without_heartbeats_is_ended(self, connect: Connect, sandbox: RunningSandbox) -> None:
        async with connect() as socket:
            await socket.identify()
            await socket.until("GUILD_CREATE")
            # From its next heartbeat on, its last one: so short an interval leaves no time for what comes before.
            await sandbox.http.patch(f"{CONTROL}/gateway", json={"heartbeat_ms": 100})
            await socket.send(1, None)
            assert (await socket.next())["op"] == 11
            assert await socket.next() == {"close": 4009}

    @pytest.mark.parametrize(
        ("text", "code"), [("{", 4002), ("[]", 4002), ('{"op": 99}', 4001), ('{"op": 3, "d": {}}', 4003)]
    )
    async def test_other_messages_end_the_connection(self, text: str, code: int, connect: Connect) -> None:
        async with connect() as socket:
            await socket.next()
            await socket.send_text(text)
            assert await socket.next() == {"close": code}

    async def test_another_version_is_refused(self, connect: Connect) -> None:
        async with connect("v=6") as socket:
            assert await socket.next() == {"close": 4012}

    async def test_a_browser_s_page_is_refused(self, connect: Connect) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            async with connect(Origin="https://elsewhere.example"):
                pass


class TestResume:
    async def test_resume_replays_missed_events(self, connect: Connect, sandbox: RunningSandbox) -> None:
        async with connect() as socket:
            ready = (await socket.identify())["d"]
            await socket.until("GUILD_CREATE")
            await sandbox.http.post(f"{CONTROL}/gateway/drop", json={"how": "reset"})
            assert "close" in await socket.next()
        await change(sandbox, SEOUL_DEVELOPERS, name="Renamed")
        async with connect() as again:
            missed = await again.resume(ready["session_id"], socket.sequence)
            assert (missed["t"], missed["d"]["name"]) == ("GUILD_UPDATE", "Renamed")
            assert (await again.next())["t"] == "RESUMED"
        assert (await gateway(sandbox))["identifies"] == 1

    async def test_a_session_that_the_bot_ended_is_over(self, connect: Connect, sandbox: RunningSandbox) -> None:
        async with connect() as socket:
            ready = (await socket.identify())["d"]

        async def session_is_over() -> bool:
            return not (await gateway(sandbox))["sessions"]

        await eventually(session_is_over)
        async with connect() as again:
            answer = await again.resume(ready["session_id"], 1)
            assert (answer["op"], answer["d"]) == (9, False)

    @pytest.mark.parametrize("drop", [{"how": "invalid_session"}, {"how": "close", "code": 4007}])
    async def test_an_invalidated_session_gets_no_events_and_is_not_resumed(
        self, drop: dict[str, Any], connect: Connect, sandbox: RunningSandbox
    ) -> None:
        async with connect() as socket:
            ready = (await socket.identify())["d"]
            await socket.until("GUILD_CREATE")
            assert (await sandbox.http.post(f"{CONTROL}/gateway/drop", json=drop)).json() == {"dropped": 1}
            ended = await socket.next()
            assert ended.get("op") == 9 or ended == {"close": 4007}
            await change(sandbox, SEOUL_DEVELOPERS, name="Renamed")
            if ended.get("op") == 9:
                await socket.send(2, {"token": TOKEN, "intents": 1, "properties": {}})
                assert (await socket.next())["t"] == "READY"
        async with connect() as again:
            answer = await again.resume(ready["session_id"], socket.sequence)
            assert (answer["op"], answer["d"]) == (9, False)

    @pytest.mark.parametrize("sequence", [99, None])
    async def test_a_sequence_that_never_was_is_invalid(
        self, sequence: int | None, connect: Connect, sandbox: RunningSandbox
    ) -> None:
        async with connect() as socket:
            ready = (await socket.identify())["d"]
            await sandbox.http.post(f"{CONTROL}/gateway/drop", json={"how": "close"})
            await socket.until("GUILD_CREATE")
        async with connect() as again:
            assert (await again.resume(ready["session_id"], sequence))["op"] == 9


class TestEvents:
    async def test_a_guild_comes_and_goes(self, connect: Connect, sandbox: RunningSandbox) -> None:
        async with connect() as socket:
            await socket.identify()
            await socket.until("GUILD_CREATE")
            await change(sandbox, BEACON_HILL, bot=True)
            joined = await socket.until("GUILD_CREATE")
            assert joined["id"] == str(BEACON_HILL)
            assert "unavailable" not in joined
            await change(sandbox, BEACON_HILL, bot=False)
            assert await socket.until("GUILD_DELETE") == {"id": str(BEACON_HILL)}

    async def test_guild_delete_marks_an_outage_as_unavailable(self, connect: Connect, sandbox: RunningSandbox) -> None:
        async with connect() as socket:
            await socket.identify()
            await change(sandbox, SEOUL_DEVELOPERS, unavailable=True)
            assert await socket.until("GUILD_DELETE") == {"id": str(SEOUL_DEVELOPERS), "unavailable": True}
            await change(sandbox, SEOUL_DEVELOPERS, unavailable=False)
            assert (await socket.until("GUILD_CREATE"))["unavailable"] is False

    async def test_guilds_are_not_sent_without_the_intent(self, connect: Connect, sandbox: RunningSandbox) -> None:
        async with connect() as socket:
            await socket.identify(intents=0)
            await change(sandbox, BEACON_HILL, bot=True)
            await sandbox.http.post(f"{CONTROL}/gateway/drop", json={"how": "reconnect"})
            events = []
            while (message := await socket.next())["op"] != 7:
                events.append(message["t"])
            assert events == []


class TestFaults:
    @pytest.mark.parametrize(
        ("kind", "fields", "expected"),
        [
            ("error", {"detail": "4011"}, {"close": 4011}),
            ("error", {}, {"close": 4000}),
            ("throttle", {}, {"close": 4008}),
            ("invalid_session", {}, {"op": 9, "d": False, "s": None, "t": None}),
        ],
    )
    async def test_identify_is_answered_so(
        self,
        kind: str,
        fields: dict[str, object],
        expected: dict[str, object],
        connect: Connect,
        sandbox: RunningSandbox,
    ) -> None:
        await sandbox.fault(kind, target="gateway", **fields)
        async with connect() as socket:
            assert await socket.identify() == expected

    async def test_connection_is_closed_after_ready_and_after_resumed_and_the_session_stays(
        self, connect: Connect, sandbox: RunningSandbox
    ) -> None:
        await sandbox.fault("accept_then_reset", target="gateway")

        async def read_until_close(socket: Socket) -> list[object]:
            kinds: list[object] = []
            while "close" not in (message := await socket.next()):
                kinds.append(message["t"])
            return [*kinds, message["close"]]

        async with connect() as socket:
            ready = await socket.identify()
            assert (ready["t"], (await read_until_close(socket))[-1]) == ("READY", 4000)
        async with connect() as socket:
            resumed = await socket.resume(ready["d"]["session_id"], 2)
            assert [resumed["t"], *await read_until_close(socket)] == ["RESUMED", 4000]

    async def test_unavailable_fails_the_handshake(self, connect: Connect, sandbox: RunningSandbox) -> None:
        await sandbox.fault("unavailable", target="gateway")
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            async with connect():
                pass

    async def test_reset_cuts_the_connection(self, connect: Connect, sandbox: RunningSandbox) -> None:
        await sandbox.fault("reset", target="gateway")
        with pytest.raises(aiohttp.ClientError):
            async with connect():
                pass

    async def test_a_connection_that_hangs_goes_on_when_the_fault_is_over(
        self, connect: Connect, sandbox: RunningSandbox
    ) -> None:
        await sandbox.fault("hang", target="gateway")
        async with connect() as socket:
            await sandbox.clear_faults()
            assert (await socket.next())["op"] == 10
