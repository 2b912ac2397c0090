import math

import httpx
import pytest

from bongsu_sandbox.discord.users.personas import BEACON_HILL, MINJI, SEOUL_DEVELOPERS
from sandbox.tests.discord.conftest import API, APPLICATION, CONTROL, TOKEN

SEOUL_CHANNEL = SEOUL_DEVELOPERS + 11
MESSAGES = f"{API}/channels/{SEOUL_CHANNEL}/messages"


class TestErrors:
    @pytest.mark.parametrize("token", ["Bot wrong", "Bearer wrong", TOKEN])
    async def test_a_wrong_token_is_unauthorised(self, token: str, http: httpx.AsyncClient) -> None:
        answer = await http.get(f"{API}/users/@me", headers={"Authorization": token})
        assert (answer.status_code, answer.json()) == (401, {"message": "401: Unauthorized", "code": 0})
        assert answer.headers["content-type"] == "application/json"

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            (f"/guilds/{BEACON_HILL}", 10004),
            ("/guilds/x", 10004),
            (f"/guilds/{SEOUL_DEVELOPERS}/members/1", 10007),
            ("/channels/1", 10003),
            ("/nothing", 0),
        ],
    )
    async def test_unknown_resource_is_answered_with_its_error_code(
        self, path: str, code: int, bot: httpx.AsyncClient
    ) -> None:
        answer = await bot.get(f"{API}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, code)

    async def test_a_wrong_field_is_named(self, bot: httpx.AsyncClient) -> None:
        answer = await bot.post(MESSAGES, json={"content": "x" * 2001})
        assert answer.json() == {
            "message": "Invalid Form Body",
            "code": 50035,
            "errors": {
                "content": {
                    "_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}]
                }
            },
        }

    async def test_broken_json_is_reported(self, bot: httpx.AsyncClient) -> None:
        answer = await bot.post(MESSAGES, content="{", headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, 50109)


class TestMessages:
    async def test_a_message_is_listed_newest_first(self, bot: httpx.AsyncClient) -> None:
        for text in ("하나", "둘"):
            assert (await bot.post(MESSAGES, json={"content": text})).status_code == 200
        assert [message["content"] for message in (await bot.get(MESSAGES)).json()] == ["둘", "하나"]

    async def test_an_enforced_nonce_gives_the_first_message_again(self, bot: httpx.AsyncClient) -> None:
        body = {"content": "once", "nonce": "n" * 22, "enforce_nonce": True}
        ids = {(await bot.post(MESSAGES, json=body)).json()["id"] for _ in range(3)}
        assert len(ids) == 1
        assert len((await bot.get(MESSAGES)).json()) == 1

    async def test_nonce_is_only_returned_when_not_enforced(self, bot: httpx.AsyncClient) -> None:
        for _ in range(2):
            assert (await bot.post(MESSAGES, json={"content": "x", "nonce": "n"})).json()["nonce"] == "n"
        assert len((await bot.get(MESSAGES)).json()) == 2

    @pytest.mark.parametrize(("body", "code"), [({}, 50006), ({"content": "x", "nonce": "n" * 26}, 50035)])
    async def test_invalid_message_is_refused(self, body: dict[str, str], code: int, bot: httpx.AsyncClient) -> None:
        assert (await bot.post(MESSAGES, json=body)).json()["code"] == code

    async def test_files_come_with_a_payload(self, bot: httpx.AsyncClient) -> None:
        files = {"files[0]": ("보고서.txt", b"1234", "text/plain")}
        answer = await bot.post(MESSAGES, data={"payload_json": '{"content": "봐요"}'}, files=files)
        assert answer.json()["content"] == "봐요"
        assert answer.json()["attachments"][0]["size"] == 4

    async def test_a_channel_of_a_guild_without_the_bot_is_closed(self, bot: httpx.AsyncClient) -> None:
        answer = await bot.post(f"{API}/channels/{BEACON_HILL + 11}/messages", json={"content": "x"})
        assert (answer.status_code, answer.json()["code"]) == (403, 50001)


class TestRateLimits:
    async def test_bucket_is_reported_and_enforced(self, bot: httpx.AsyncClient) -> None:
        answers = [await bot.post(MESSAGES, json={"content": "x"}) for _ in range(6)]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert 0 < answers[5].json()["retry_after"] <= 5
        assert answers[5].headers["via"]

    async def test_another_channel_has_a_bucket_of_its_own(self, bot: httpx.AsyncClient) -> None:
        await bot.put(f"{CONTROL}/rate-limits", json={"messages": 1})
        other = f"{API}/channels/{SEOUL_CHANNEL + 1}/messages"
        assert [(await bot.post(url, json={"content": "x"})).status_code for url in (MESSAGES, other)] == [200, 200]

    async def test_the_proxy_s_own_429_has_neither_via_nor_json(self, bot: httpx.AsyncClient) -> None:
        await bot.post("/sandbox/faults", json={"target": "discord", "kind": "no_via"})
        answer = await bot.get(f"{API}/users/@me")
        assert answer.status_code == 429
        assert "via" not in answer.headers
        assert answer.headers["content-type"] != "application/json"


class TestCommands:
    async def test_a_command_keeps_its_id(self, bot: httpx.AsyncClient) -> None:
        url = f"{API}/applications/{APPLICATION}/commands"
        first = (await bot.put(url, json=[{"name": "ping", "description": "Answer"}])).json()
        again = (await bot.put(url, json=[{"name": "ping", "description": "Answers", "type": 1}])).json()
        assert (first[0]["id"], again[0]["description"], again[0]["type"]) == (again[0]["id"], "Answers", 1)
        assert (await bot.get(url)).json() == again

    @pytest.mark.parametrize("command", [{"name": "Ping", "description": "x"}, {"name": "ping"}, {"description": "x"}])
    async def test_invalid_command_is_reported_with_its_index(
        self, command: dict[str, str], bot: httpx.AsyncClient
    ) -> None:
        answer = await bot.put(f"{API}/applications/{APPLICATION}/commands", json=[command])
        assert answer.status_code == 400
        assert "0" in answer.json()["errors"]

    async def test_another_application_s_are_closed(self, bot: httpx.AsyncClient) -> None:
        assert (await bot.get(f"{API}/applications/1/commands")).status_code == 403


class TestLeaving:
    async def test_the_bot_leaves_once(self, bot: httpx.AsyncClient) -> None:
        url = f"{API}/users/@me/guilds/{SEOUL_DEVELOPERS}"
        assert [(await bot.delete(url)).status_code for _ in range(2)] == [204, 404]
        assert (await bot.get(f"{API}/users/@me/guilds")).json() == []


class TestControl:
    async def test_a_guild_can_be_made(self, bot: httpx.AsyncClient) -> None:
        made = await bot.post(f"{CONTROL}/guilds", json={"name": "{{7*7}}", "owner_id": str(MINJI), "bot": True})
        assert made.status_code == 201
        found = (await bot.get(f"{API}/guilds/{made.json()['id']}", params={"with_counts": "true"})).json()
        assert (found["name"], found["approximate_member_count"]) == ("{{7*7}}", 2)

    async def test_the_first_state_comes_back(self, bot: httpx.AsyncClient) -> None:
        await bot.patch(f"{CONTROL}/guilds/{SEOUL_DEVELOPERS}", json={"bot": False, "name": "x"})
        await bot.post(f"{CONTROL}/reset")
        assert [guild["name"] for guild in (await bot.get(f"{API}/users/@me/guilds")).json()] == ["서울 개발자 모임"]

    @pytest.mark.parametrize(
        "body",
        [
            {"command": "none", "user_id": str(MINJI), "guild_id": str(SEOUL_DEVELOPERS)},
            {"command": "none", "user_id": "1", "guild_id": str(SEOUL_DEVELOPERS)},
            {"command": "", "user_id": str(MINJI), "guild_id": str(SEOUL_DEVELOPERS)},
        ],
    )
    async def test_a_command_that_cannot_be_given_is_refused(
        self, body: dict[str, str], http: httpx.AsyncClient
    ) -> None:
        assert (await http.post(f"{CONTROL}/interactions", json=body)).status_code in {404, 422}

    async def test_without_a_bot_a_command_is_not_delivered(self, http: httpx.AsyncClient) -> None:
        body = {"command": "x", "user_id": str(MINJI), "guild_id": str(SEOUL_DEVELOPERS), "unregistered": True}
        assert (await http.post(f"{CONTROL}/interactions", json=body)).json()["status"] == "not_delivered"


class TestGlobalLimit:
    async def test_requests_of_a_token_beyond_the_global_limit_are_refused(
        self, http: httpx.AsyncClient, bot: httpx.AsyncClient
    ) -> None:
        await http.put(f"{CONTROL}/rate-limits", json={"total": 1, "total_per_s": 60})
        answers = [await bot.get(f"{API}{path}") for path in ("/users/@me", "/gateway", "/applications/@me")]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        body, headers = refused[0].json(), refused[0].headers
        assert body["message"] == "You are being rate limited."
        assert (body["global"], headers["x-ratelimit-global"], headers["x-ratelimit-scope"]) == (True, "true", "global")
        assert 0 < body["retry_after"] <= 60
        assert headers["retry-after"] == str(math.ceil(body["retry_after"]))


class TestSingleCommands:
    @pytest.mark.parametrize("path", ["commands", f"guilds/{SEOUL_DEVELOPERS}/commands"])
    async def test_single_commands_are_created_read_changed_and_deleted(
        self, path: str, bot: httpx.AsyncClient
    ) -> None:
        url = f"{API}/applications/{APPLICATION}/{path}"
        made = await bot.post(url, json={"name": "roll", "description": "Roll"})
        assert (made.status_code, made.json()["name"]) == (201, "roll")
        again = await bot.post(url, json={"name": "roll", "description": "Roll a die"})
        assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
        one = f"{url}/{made.json()['id']}"
        assert (await bot.get(one)).json()["description"] == "Roll a die"
        assert (await bot.patch(one, json={"name": "dice"})).json()["name"] == "dice"
        assert [command["name"] for command in (await bot.get(url)).json()] == ["dice"]
        assert (await bot.delete(one)).status_code == 204
        assert (await bot.get(one)).json()["code"] == 10063

    async def test_commands_of_a_guild_without_the_bot_are_closed(self, bot: httpx.AsyncClient) -> None:
        answer = await bot.get(f"{API}/applications/{APPLICATION}/guilds/{BEACON_HILL}/commands")
        assert (answer.status_code, answer.json()["code"]) == (403, 50001)

    async def test_invalid_command_names_the_field(self, bot: httpx.AsyncClient) -> None:
        answer = await bot.post(f"{API}/applications/{APPLICATION}/commands", json={"name": "Not valid"})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["name"])


class TestEdits:
    async def test_message_is_edited_and_deleted_by_its_author(self, bot: httpx.AsyncClient) -> None:
        made = (await bot.post(MESSAGES, json={"content": "before", "embeds": [{"title": "kept"}]})).json()
        one = f"{MESSAGES}/{made['id']}"
        edited = (await bot.patch(one, json={"content": "after"})).json()
        assert (edited["content"], edited["embeds"], edited["timestamp"]) == (
            "after",
            [{"type": "rich", "title": "kept"}],
            made["timestamp"],
        )
        assert edited["edited_timestamp"] is not None
        assert (await bot.delete(one)).status_code == 204
        assert (await bot.get(one)).json()["code"] == 10008
        assert (await bot.get(MESSAGES)).json() == []


class TestUsers:
    async def test_user_is_found_by_id(self, bot: httpx.AsyncClient) -> None:
        found = (await bot.get(f"{API}/users/{MINJI}")).json()
        assert found["id"] == str(MINJI)
        assert "email" not in found
        assert (await bot.get(f"{API}/users/1")).json()["code"] == 10013

    async def test_direct_messages_have_a_channel(self, bot: httpx.AsyncClient) -> None:
        channel = (await bot.post(f"{API}/users/@me/channels", json={"recipient_id": str(MINJI)})).json()
        assert (channel["type"], channel["recipients"][0]["id"]) == (1, str(MINJI))
        url = f"{API}/channels/{channel['id']}"
        assert (await bot.get(url)).json() == channel
        assert (await bot.post(f"{url}/messages", json={"content": "안녕"})).json()["content"] == "안녕"
