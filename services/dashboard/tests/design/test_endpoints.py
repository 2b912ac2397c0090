import importlib.resources
import re

import httpx

from services.dashboard.tests.stage import Stage

LIBRARY = importlib.resources.files("bongsu_dashboard") / "templates"
OF_FRAMES = {"brand", "mark", "token", "form_problems", "switches", "language_buttons", "language_of_form"}
"""Macros of the page's frame, and those that show nothing by themselves, or nothing where scripts run."""


class TestComponents:
    async def test_every_macro_of_the_library_is_shown(self, stage: Stage) -> None:
        assert (await stage.browser().get("/design")).status_code == 200
        library = (LIBRARY / "layout" / "ui.html").read_text(encoding="utf-8")
        page = (LIBRARY / "design" / "design.html").read_text(encoding="utf-8")
        macros = set(re.findall(r"macro (\w+)\(", library)) - OF_FRAMES
        assert {name for name in macros if f"{name}(" not in page} == set()

    async def test_every_icon_is_shown(self) -> None:
        library = (LIBRARY / "layout" / "ui.html").read_text(encoding="utf-8")
        page = (LIBRARY / "design" / "design.html").read_text(encoding="utf-8")
        icons = re.findall(r'if name == "(\w+)"', library)
        assert {name for name in icons if f'"{name}"' not in page} == set()

    async def test_page_does_not_exist_behind_https(self, stage: Stage) -> None:
        app = stage.app("https://bongsu.example")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://bongsu.example") as client:
            assert (await client.get("/design")).status_code == 404
