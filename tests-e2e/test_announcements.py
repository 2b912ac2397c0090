"""A manager has a topic relayed to a channel of a server, from the page of its modules."""

import re

import httpx
import pytest
from harness.people import Person, new_address
from harness.stack import Stack, items

from tests.eventually import wait_until

MANAGER = "200000000000000005"
GUILD = 300000000006422528
"""A server of the sandbox that the persona manages, with the bot."""
CHANNEL = GUILD + 11
PAGE = f"/guilds/{GUILD}/modules"


def sign_in_with_discord(stack: Stack) -> httpx.Client:
    browser = stack.client()
    browser.headers["Sec-Fetch-Site"] = "same-origin"
    redirected = browser.get("/auth/oauth/discord/authorize", params={"next": "/"})
    allowed = browser.post(redirected.headers["location"], data={"persona": MANAGER, "decision": "allow"})
    browser.get(allowed.headers["location"])
    return browser


def submit(browser: httpx.Client, path: str, **fields: str) -> None:
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(PAGE).text)
    assert token is not None
    answer = browser.post(path, data={"csrf_token": token[1], **fields})
    assert (answer.status_code, answer.headers.get("location")) == (303, PAGE), answer.text


@pytest.mark.timeout(180)
def test_topic_is_relayed_to_the_channel_once_until_the_announcements_are_switched_off(
    stack: Stack, person: Person
) -> None:
    browser, program = sign_in_with_discord(stack), person.program()
    wait_until(lambda: 'id="f-announce-channel"' in browser.get(PAGE).text, 60, "the bot is ready")
    owner: str = person.client.get("/auth/me").json()["id"]

    def publish() -> tuple[str, str]:
        """Publish to the topic, and return the text, and the detail of the relay."""
        text = f"Release {new_address()}"
        body = {"channel": "discord", "to": {"topic": "releases.web"}, "content": {"text": text}}
        relayed = program.when(program.accepted(body)["id"], "delivered")
        return text, relayed["timeline"][-1]["detail"]

    def count(text: str) -> int:
        found = items(program.client, f"/sandbox/discord/control/channels/{CHANNEL}/messages")
        return [one["content"] for one in found].count(text)

    submit(browser, f"{PAGE}/announcements", topic="releases.web", owner=owner, channel=str(CHANNEL))
    assert "releases.web" in browser.get(PAGE).text
    first, detail = publish()
    assert detail == "relayed to 1 channel"
    wait_until(lambda: count(first), 30, "the channel shows it")

    listed = browser.get("/v1/subscriptions", params={"guild_id": str(GUILD), "topic": "releases.web"})
    (subscription,) = listed.json()["items"]
    submit(browser, f"{PAGE}/announcements/off", subscription=subscription["id"])
    assert "releases.web" not in browser.get(PAGE).text
    second, detail = publish()
    assert detail == "relayed to 0 channels"
    assert (count(first), count(second)) == (1, 0)
