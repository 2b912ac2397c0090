"""Every route of a guild, as the app has them, against everyone who does not manage it now."""

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from services.dashboard.tests.fakes import JUN, MINA, FakeBot, FakeDirectory, a_guild, a_summary, a_user
from services.dashboard.tests.stage import Stage, text_of

GUILD, OTHER = 8 << 22, 9 << 22
FIELDS: dict[str, str | list[str]] = {"name": "봉수대 개발팀", "attempt": "a" * 24}
MESSAGE: dict[str, str | list[str]] = {"channel": str(GUILD + 1), "text": "봉수가 올랐습니다", "attempt": "a" * 24}

ACCESS: dict[str, str | list[str]] = {"role": str(GUILD + 4), "revision": "0", "attempt": "a" * 24}
COMMANDS: dict[str, str | list[str]] = {"on": ["ping"], "revision": "0", "attempt": "a" * 24}
ANNOUNCEMENT: dict[str, str | list[str]] = {"topic": "releases", "channel": str(GUILD + 1)}
OFF: dict[str, str | list[str]] = {"subscription": "0197c2a4-1f00-7000-8000-000000000000"}
MODULE: dict[str, str | list[str]] = {
    "module": "feed",
    "act": "on",
    "channel": str(GUILD + 1),
    "revision": "0",
    "attempt": "a" * 24,
}


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """Method and address of each route of a guild."""
    routers = [route.original_router for route in app.routes if hasattr(route, "original_router")]
    return sorted(
        (method, route.path.format(guild_id=GUILD))
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and route.path.startswith("/guilds/{guild_id}")
        for method in route.methods or ()
    )


def stage_of(kind: str) -> Stage:
    """Mina as an outsider; the guild is Jun's, and the bot is in it."""
    theirs, mine = a_guild(GUILD, "봉수대 개발팀"), a_guild(OTHER, "Indie Makers")
    stage = Stage(
        directory=FakeDirectory(managed_by={JUN: [theirs], MINA: [mine] if kind == "manager of another guild" else []}),
        bot=FakeBot(known={GUILD: a_summary(GUILD), OTHER: a_summary(OTHER)}),
    )
    stage.accounts.users[JUN] = a_user(email="jun@example.com")
    if kind == "manager until a minute ago":
        stage.directory.cached[MINA] = [theirs]
    stage.directory.linked = kind != "without a link"
    if kind in ("member", "delegate"):
        stage.directory.others_of[MINA] = [theirs]
    if kind == "delegate":
        stage.bot.delegates[stage.accounts.users[MINA].id] = {GUILD}
    return stage


async def statuses(kind: str) -> dict[tuple[str, str], int]:
    """What each route answers; none changes anything."""
    stage = stage_of(kind)
    browser = stage.browser() if kind == "signed out" else stage.mina()
    await browser.get("/login" if kind == "signed out" else "/account")
    found = {}
    for method, path in routes_of(stage.app()):
        fields = {
            "remove": FIELDS,
            "messages": MESSAGE,
            "modules": MODULE,
            "access": ACCESS,
            "commands": COMMANDS,
            "announcements": ANNOUNCEMENT,
            "off": OFF,
        }.get(path.rpartition("/")[2], {})
        answer = await browser.get(path) if method == "GET" else await browser.post(path, fields)
        is_seen = kind == "manager until a minute ago" or (kind, path) == ("delegate", f"/guilds/{GUILD}/modules")
        assert "봉수대 개발팀" not in text_of(answer.text) or is_seen, path
        found[method, path] = answer.status_code
    assert (stage.notifications.messages, stage.bot.modules, stage.bot.delegations) == ([], {}, {})
    assert (stage.bot.left, stage.bot.commands_off, stage.subscriptions.changes) == ([], {}, [])
    assert (stage.directory.installs, stage.directory.assertions) == ([], [])
    assert len(found) >= 5
    return found


class TestAccess:
    @pytest.mark.parametrize("kind", ["manager of no guild", "manager of another guild", "member"])
    async def test_every_route_is_not_found_by_outsiders(self, kind: str) -> None:
        assert set((await statuses(kind)).values()) == {404}

    async def test_a_delegate_finds_the_modules_and_nothing_else(self) -> None:
        found = await statuses("delegate")
        assert {path.rpartition("/")[2] for (_, path), status in found.items() if status != 404} == {"modules"}
        assert set(found.values()) == {200, 404}

    async def test_a_former_manager_changes_nothing_while_the_list_is_cached(self) -> None:
        found = await statuses("manager until a minute ago")
        assert {path: status for (method, path), status in found.items() if method == "POST" and status != 404} == {}

    async def test_every_route_leads_to_the_sign_in_without_a_session(self) -> None:
        assert set((await statuses("signed out")).values()) == {303, 307}

    async def test_every_route_leads_to_the_link_without_one(self) -> None:
        found = await statuses("without a link")
        assert {status for (method, _), status in found.items() if method == "GET"} == {200}
        assert {status for (method, _), status in found.items() if method == "POST"} == {303}
