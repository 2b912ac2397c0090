"""Each page: accessible, within its window and within its policy; light and dark, wide and narrow."""

from collections.abc import Callable

import pytest

from services.dashboard.tests.browser.conftest import Opener
from services.dashboard.tests.browser.scenes import (
    ABSENT,
    ACTIVE,
    BUSY,
    HOSTILE,
    KEY,
    LEE,
    OUTAGE,
    cut_off,
    first_run,
    full,
    managing,
    silent,
)
from services.dashboard.tests.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

WIDE, NARROW = (1280, 860), (320, 640)
OF_EVERYONE = [
    "/design",
    "/login",
    "/login?error=denied",
    "/register",
    "/verify?token=x",
    "/verify",
    "/nothing",
    "/forgot",
    "/reset?token=x",
    "/reset",
    "/email/confirm?token=x",
    "/email/confirm",
]
OF_USERS = [
    "/",
    "/guilds",
    "/guilds?q=nothing+like+it",
    f"/guilds/{ACTIVE}",
    f"/guilds/{ACTIVE}#remove",
    f"/guilds/{ACTIVE}/activity",
    f"/guilds/{ACTIVE}/messages/new",
    f"/guilds/{ACTIVE}/modules",
    f"/guilds/{ABSENT}/modules",
    f"/guilds/{ACTIVE}/access",
    f"/guilds/{ACTIVE}/commands",
    f"/guilds/{BUSY}",
    f"/guilds/{ABSENT}",
    f"/guilds/{ABSENT}/added",
    f"/guilds/{OUTAGE}",
    f"/guilds/{HOSTILE}",
    "/notifications",
    "/notifications?status=undelivered",
    "/notifications?q=nothing+like+it",
    "/notifications/new",
    "/notifications/new#discord",
    "/notifications/new#kakao",
    "/keys",
    "/keys/new",
    f"/keys/{KEY}",
    f"/keys/{KEY}/rotate",
    f"/keys/{KEY}/delete",
    "/account",
    "/account/activity",
    "/account/password",
    "/account/email",
    "/account/confirm",
    "/account/two-step",
    "/account/delete",
    "/logout",
    "/nothing",
]


async def _is_clean(opened: Opener, stage: Stage, path: str, *, signed_in: bool, look: str) -> None:
    size, scheme, language = (WIDE, "light", "ko-KR") if look == "wide and light" else (NARROW, "dark", "en-US")
    if signed_in and language == "en-US":
        stage.speak("en")
    tab = await opened(stage, signed_in=signed_in, size=size, scheme=scheme, language=language)
    await tab.open(path)
    await tab.page.locator("[hx-trigger=load]").wait_for(state="detached")
    assert await tab.inaccessible() == []
    assert await tab.violations() == []
    assert await tab.overflow() == 0
    # A page that says 404 is one that the console reports.
    assert [text for text in tab.complaints if "Failed to load resource" not in text] == []


@pytest.mark.parametrize("look", ["wide and light", "narrow and dark"])
class TestPages:
    @pytest.mark.parametrize("path", OF_EVERYONE)
    async def test_for_everyone(self, opened: Opener, path: str, look: str) -> None:
        await _is_clean(opened, full(), path, signed_in=False, look=look)

    @pytest.mark.parametrize("path", OF_USERS)
    async def test_for_users(self, opened: Opener, path: str, look: str) -> None:
        await _is_clean(opened, full(), path, signed_in=True, look=look)

    @pytest.mark.parametrize("number", [1, 3, 5])
    async def test_a_notification(self, opened: Opener, number: int, look: str) -> None:
        stage = full()
        path = f"/notifications/{stage.notifications.items[number].id}"
        await _is_clean(opened, stage, path, signed_in=True, look=look)

    async def test_the_confirmation_of_a_cancellation(self, opened: Opener, look: str) -> None:
        stage = full()
        path = f"/notifications/{stage.notifications.items[0].id}/cancel"
        await _is_clean(opened, stage, path, signed_in=True, look=look)

    @pytest.mark.parametrize(
        ("scene", "path"),
        [
            (first_run, "/"),
            (first_run, "/guilds"),
            (first_run, "/notifications"),
            (first_run, "/keys"),
            (silent, "/"),
            (silent, "/guilds"),
            (silent, f"/guilds/{ACTIVE}"),
            (silent, "/notifications"),
            (managing, "/users"),
            (managing, f"/users/{LEE}"),
            (managing, "/audit"),
            (managing, "/admin/guilds"),
            (managing, "/admin/guilds/blocked"),
            (managing, f"/admin/guilds/{ACTIVE}"),
            (managing, "/audit?actor=nobody@example.com"),
            (cut_off, "/"),
            (cut_off, "/guilds"),
            (cut_off, f"/guilds/{ACTIVE}"),
            (cut_off, f"/guilds/{ABSENT}"),
        ],
    )
    async def test_in_other_circumstances(
        self, opened: Opener, scene: Callable[[], Stage], path: str, look: str
    ) -> None:
        await _is_clean(opened, scene(), path, signed_in=True, look=look)


async def test_nothing_moves_where_the_system_asks_for_less_motion(opened: Opener) -> None:
    tab = await opened(full(), signed_in=False)
    await tab.page.emulate_media(reduced_motion="reduce")
    await tab.open("/login")
    moved = """
        const main = document.querySelector("main"), styles = getComputedStyle(main), before = styles.paddingLeft;
        document.documentElement.style.setProperty("--gutter", "100px");
        [before, styles.paddingLeft, document.getAnimations().length]
    """
    before, after, moving = await tab.page.evaluate(moved)
    assert before != "100px"
    # In the same frame: a transition, however short, would show the old layout beside the new one.
    assert (after, moving) == ("100px", 0)
