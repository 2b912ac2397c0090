"""Colleagues manage notifications from Discord, with the authority of their linked account."""

from typing import Any

import httpx
import pytest
from harness.people import Person, email, new_address, sign_in_with_discord
from harness.stack import Stack, items

from tests.eventually import wait_until

ADMINISTRATOR = {"email": "admin@bongsu.test", "password": "five-beacons-at-dusk"}
COLLEAGUE, MEMBER = "200000000000000005", "200000000000000003"
GUILD = "300000000006422528"
"""A guild of the sandbox that both are in, with the bot."""


@pytest.fixture(scope="module")
def administrator(stack: Stack) -> httpx.Client:
    client = stack.client()
    signed_in = client.post("/auth/login", json=ADMINISTRATOR)
    client.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
    return client


def run(stack: Stack, user_id: str, command: str, **options: str) -> dict[str, Any]:
    """Run a slash command as a persona, and return the settled interaction."""
    body = {"command": command, "options": options, "user_id": user_id, "guild_id": GUILD, "locale": "en-US"}
    with stack.client() as client:

        def give() -> httpx.Response:
            return client.post("/sandbox/discord/control/interactions", json=body | {"wait_s": 20})

        answer = give()
        if answer.status_code == 422 and answer.json()["code"] == "no_command":
            wait_until(lambda: client.get("/sandbox/discord/control/state").json()["commands"], 60, "commands exist")
            answer = give()
        assert answer.status_code == 200, answer.text
    interaction: dict[str, Any] = answer.json()
    assert (interaction["status"], interaction["ephemeral"]) == ("answered", True), interaction
    return interaction


class TestNotifications:
    @pytest.mark.timeout(120)
    def test_staff_find_retry_and_see_a_failed_notification_and_a_member_is_refused(
        self, stack: Stack, person: Person, administrator: httpx.Client
    ) -> None:
        colleague, member = (sign_in_with_discord(stack.client(), persona) for persona in (COLLEAGUE, MEMBER))
        administrator.patch(f"/auth/users/{colleague}", json={"role": "staff"}).raise_for_status()
        program, to = person.program(), new_address()
        fault = {"target": "ses", "kind": "error", "detail": "MessageRejected"}
        program.client.post("/sandbox/faults", json=fault).raise_for_status()
        try:
            failed = program.accepted(email(to, subject="Rejected at first"))["id"]
            program.when(failed, "failed")
        finally:
            program.client.delete("/sandbox/faults").raise_for_status()

        for command, options in (("search", {"recipient": to}), ("retry", {"notification_id": failed})):
            refused = run(stack, MEMBER, f"notifications {command}", **options)
            assert "Your role doesn't allow this command" in str(refused["answers"])
            assert failed not in str(refused["answers"])

        found = run(stack, COLLEAGUE, "notifications search", recipient=to, status="failed")
        assert failed in str(found["answers"])
        retried = run(stack, COLLEAGUE, "notifications retry", notification_id=failed)
        assert "will be sent again" in str(retried["answers"])

        def shown() -> str:
            return str(run(stack, COLLEAGUE, "notifications show", notification_id=failed)["answers"])

        wait_until(lambda: "'title': 'Sent'" in shown() or "'title': 'Delivered'" in shown(), 30, "Discord shows it")
        assert len(items(program.client, "/sandbox/mailbox", to=to)) == 1

        entries = [
            (entry["action"], entry["actor_id"], (entry["details"] or {}).get("command"))
            for entry in administrator.get("/auth/audit", params={"limit": 100}).json()["items"]
        ]
        assert ("discord_command.refused", member, "notifications retry") in entries
        assert ("discord_command.authorised", colleague, "notifications retry") in entries
        assert ("notification.retried", colleague, None) in entries


class TestSubscriptions:
    @pytest.mark.timeout(120)
    def test_manager_subscribes_a_channel_and_gets_the_topic_once_and_a_member_is_refused(
        self, stack: Stack, person: Person
    ) -> None:
        for persona in (COLLEAGUE, MEMBER):
            sign_in_with_discord(stack.client(), persona)
        owner: str = person.client.get("/auth/me").json()["id"]
        refused = run(stack, MEMBER, "notify subscribe", topic="releases", owner=owner)
        assert "You need the Manage Server permission" in str(refused["answers"])
        subscribed = run(stack, COLLEAGUE, "notify subscribe", topic="releases", owner=owner)
        assert "now gets the notifications" in str(subscribed["answers"])
        assert owner in str(run(stack, COLLEAGUE, "notify list")["answers"])

        program, text = person.program(), f"Release {new_address()}"
        body = {"channel": "discord", "to": {"topic": "releases"}, "content": {"text": text}}
        program.when(program.accepted(body)["id"], "delivered")

        def texts() -> list[str]:
            found = items(program.client, f"/sandbox/discord/control/channels/{int(GUILD) + 11}/messages")
            return [one["content"] for one in found]

        wait_until(lambda: text in texts(), 30, "the channel shows it")
        assert texts().count(text) == 1
        removed = run(stack, COLLEAGUE, "notify unsubscribe", topic="releases")
        assert "no longer gets" in str(removed["answers"])
