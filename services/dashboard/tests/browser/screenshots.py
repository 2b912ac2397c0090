"""Pictures of every page, in both themes and languages: `make screenshots`."""

import argparse
import asyncio
import base64
import logging
import shutil
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

import structlog
from playwright.async_api import BrowserContext, async_playwright

from services.dashboard.tests.browser.scenes import (
    ABSENT,
    ACTIVE,
    BUSY,
    KEY,
    LEE,
    OUTAGE,
    cut_off,
    first_run,
    full,
    managing,
    running,
    silent,
)
from services.dashboard.tests.fakes import MINA
from services.dashboard.tests.stage import Stage

QUALITY = 80
MAX_HEIGHT_PX = 3600
PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def pages_of(stage: Stage) -> Mapping[str, str]:
    """Paths by the name of their picture."""
    items = stage.notifications.items
    return {
        "home": "/",
        "guilds": "/guilds",
        "guild": f"/guilds/{ACTIVE}",
        "guild-remove": f"/guilds/{ACTIVE}#remove",
        "guild-permissions": f"/guilds/{BUSY}",
        "guild-not-added": f"/guilds/{ABSENT}",
        "guild-outage": f"/guilds/{OUTAGE}",
        "guild-modules": f"/guilds/{ACTIVE}/modules",
        "guild-access": f"/guilds/{ACTIVE}/access",
        "guild-commands": f"/guilds/{ACTIVE}/commands",
        "guild-activity": f"/guilds/{ACTIVE}/activity",
        "guild-message": f"/guilds/{ACTIVE}/messages/new",
        "notifications": "/notifications",
        "notifications-filtered": "/notifications?status=undelivered",
        "notification-waiting": f"/notifications/{items[0].id}",
        "notification-delivered": f"/notifications/{items[1].id}",
        "notification-failed": f"/notifications/{items[3].id}",
        "notification-cancel": f"/notifications/{items[0].id}/cancel",
        "notification-cancelled": f"/notifications/{items[5].id}",
        "send": "/notifications/new",
        "send-discord": "/notifications/new#discord",
        "send-kakao": "/notifications/new#kakao",
        "keys": "/keys",
        "key": f"/keys/{KEY}",
        "key-new": "/keys/new",
        "key-rotate": f"/keys/{KEY}/rotate",
        "account": "/account",
        "account-activity": "/account/activity",
        "account-password": "/account/password",
        "account-two-step": "/account/two-step",
        "account-leave": "/account/delete",
        "not-found": "/nothing",
    }


SIGNED_OUT = {
    "login": "/login",
    "register": "/register",
    "verify": "/verify?token=x",
    "forgot": "/forgot",
    "design": "/design",
}
SCENES: Mapping[str, tuple[Callable[[], Stage], Callable[[Stage], Mapping[str, str]]]] = {
    "": (full, pages_of),
    "signed-out": (full, lambda _stage: SIGNED_OUT),
    "first-run": (first_run, lambda _stage: {"home": "/", "guilds": "/guilds", "notifications": "/notifications"}),
    "silent": (silent, lambda _stage: {"home": "/", "guilds": "/guilds", "guild": f"/guilds/{ACTIVE}"}),
    "cut-off": (cut_off, lambda _stage: {"guild": f"/guilds/{ACTIVE}"}),
    "administrator": (
        managing,
        lambda _stage: {
            "users": "/users",
            "user": f"/users/{LEE}",
            "audit": "/audit",
            "guilds": "/admin/guilds",
            "blocked-guilds": "/admin/guilds/blocked",
            "guild": f"/admin/guilds/{ACTIVE}",
        },
    ),
}


async def take_pictures(into: Path, width: int, only: str, kind: str) -> None:
    """Take every picture whose name contains `only`."""
    program = next(path for name in PROGRAMS if (path := shutil.which(name)))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for (scene, (make, pages)), language in product(SCENES.items(), ("ko", "en")):
            stage = make()
            users = stage.accounts.users
            stage.accounts.users = {
                token: user.model_copy(update={"locale": language}) for token, user in users.items()
            }
            wanted = {f"{scene}-{name}".lstrip("-"): path for name, path in pages(stage).items()}
            wanted = {name: path for name, path in wanted.items() if only in name}
            if not wanted:
                continue
            async with running(stage) as site:
                for theme in ("light", "dark"):
                    context = await browser.new_context(
                        viewport={"width": width, "height": 860 if width > 700 else 640},
                        color_scheme="dark" if theme == "dark" else "light",
                        locale="ko-KR" if language == "ko" else "en-US",
                        timezone_id="Asia/Seoul",
                        reduced_motion="reduce",
                    )
                    if scene != "signed-out":
                        await context.add_cookies([{"name": site.access_cookie, "value": MINA, "url": site.url}])
                    for name, path in wanted.items():
                        picture = await take_picture(context, site.url + path, width, kind)
                        (into / f"{name}.{language}.{theme}.{kind}").write_bytes(picture)
                    await context.close()
        await browser.close()


async def take_picture(context: BrowserContext, address: str, width: int, kind: str) -> bytes:
    """Take a picture of a whole page."""
    quality = {"quality": QUALITY} if kind == "webp" else {}
    page = await context.new_page()
    await page.goto(address, wait_until="load")
    await page.locator("[hx-trigger=load]").wait_for(state="detached")
    # The fragment of an address scrolls the page, and a picture of all of it shows what is fixed above the window.
    await page.evaluate("scrollTo(0, 0)")
    height: int = await page.evaluate("document.documentElement.scrollHeight")
    session = await context.new_cdp_session(page)
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, MAX_HEIGHT_PX), "scale": 1}
    taken = await session.send(
        "Page.captureScreenshot",
        {"format": kind, **quality, "captureBeyondViewport": True, "clip": clip},
    )
    await page.close()
    return base64.b64decode(taken["data"])


def main() -> None:
    """Read the arguments and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path("docs/screenshots"))
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--only", default="")
    parser.add_argument("--kind", choices=("webp", "png"), default="webp")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_pictures(arguments.into, arguments.width, arguments.only, arguments.kind))


if __name__ == "__main__":
    main()
