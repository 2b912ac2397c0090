"""Switching the language without scripts keeps what is typed, for the form of every page."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib import resources
from urllib.parse import parse_qs, urlsplit

import pytest

from bongsu_dashboard.forms.refilling import refill
from services.dashboard.tests.fakes import MINA, a_guild, a_summary
from services.dashboard.tests.stage import URL, Stage

GUILD = 300000000000000001
TYPED = "봉화 <b>&amp; \"5\" '빛'"


@dataclass
class Page(HTMLParser):
    """The forms of a page: their fields with what is in them, and the addresses of their buttons for languages."""

    source: str
    fields: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    kinds: dict[str, dict[str, str]] = field(default_factory=dict)
    switches: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self.form = self.select = self.area = ""
        # Without scripts, a browser reads what is in `noscript`.
        self.feed(re.sub("</?noscript>", "", self.source))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self.form = given.get("id", "")
        elif tag == "button" and name == "language" and "formaction" in given:
            self.switches[given["form"]] = given["formaction"]
        elif tag == "select":
            self.select = name
            self.kinds.setdefault(self.form, {})[name] = "select"
        elif tag == "option" and "selected" in given:
            self._add(self.select, given["value"])
        elif tag == "textarea":
            self.area = name
            self._add(name, "")
            self.kinds.setdefault(self.form, {})[name] = "text"
        elif tag == "input" and name and name != "csrf_token":
            kind = given.get("type", "text")
            self.kinds.setdefault(self.form, {})[name] = kind
            if kind not in ("checkbox", "radio"):
                self._add(name, given.get("value", ""))
            elif "checked" in given:
                self._add(name, given["value"])

    def handle_data(self, data: str) -> None:
        if self.area:
            self.fields[self.form][self.area][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            last = self.fields[self.form][self.area]
            last[-1] = last[-1].removeprefix("\n")
            self.area = ""

    def _add(self, name: str, value: str) -> None:
        self.fields.setdefault(self.form, {}).setdefault(name, []).append(value)


FORMS = {
    "/notifications/new": ("send", "message", "talk"),
    f"/guilds/{GUILD}": ("remove-form",),
    f"/guilds/{GUILD}/messages/new": ("message",),
    f"/guilds/{GUILD}/modules": ("announcements-form",),
    "/account": ("profile-form",),
    "/account/email": ("email",),
    "/account/delete": ("delete-form",),
    "/keys/new": ("key-form",),
    "/login": ("login",),
    "/register": ("register-form",),
    "/forgot": ("forgot-form",),
}
SIGNED_OUT = ("/login", "/register", "/forgot")


class TestShowDraft:
    @pytest.mark.parametrize(("path", "form"), [(path, form) for path, forms in FORMS.items() for form in forms])
    async def test_typed_text_is_kept_in_the_other_language_and_nothing_is_done(
        self, stage: Stage, path: str, form: str
    ) -> None:
        stage.directory.managed_by[MINA] = [a_guild(GUILD, "봉수대 개발팀")]
        stage.bot.known[GUILD] = a_summary(GUILD)
        browser = stage.browser() if path in SIGNED_OUT else stage.mina()
        shown = await browser.get(path)
        assert shown.status_code == 200
        before = Page(shown.text)
        kinds = before.kinds[form]
        sent = {name: list(values) for name, values in before.fields[form].items()}
        typed = [name for name, kind in kinds.items() if kind in ("text", "email", "url", "search")]
        sent |= {name: [f"{TYPED} {name}"] for name in typed}

        answer = await browser.post(before.switches[form], {**sent, "language": "en"})
        assert answer.status_code == 200
        assert '<html lang="en"' in answer.text
        after = Page(answer.text)
        kept = {name for name, kind in kinds.items() if kind != "password"}
        assert {name: after.fields[form].get(name, []) for name in kept} == {name: sent.get(name, []) for name in kept}
        assert not any("".join(after.fields[form].get(name, [])) for name in kinds.keys() - kept)
        done = (stage.notifications.sent, stage.notifications.messages)
        assert not any(done)

        # The page is itself again: its switch leads back, although its address takes posts only.
        assert parse_qs(urlsplit(after.switches[form]).query)["page"] == [path]

    async def test_refused_form_of_a_draft_keeps_its_page(self, stage: Stage) -> None:
        browser = stage.mina()
        switch = Page((await browser.get("/notifications/new")).text).switches["send"]
        await browser.post(switch, {"email": "x", "language": "en"})
        refused = await browser.post("/notifications", {"email": "x"}, headers={"Referer": f"{URL}{switch}"})
        assert refused.status_code == 422
        assert Page(refused.text).switches["send"] == switch

    async def test_page_without_its_form_has_the_plain_switch(self, stage: Stage) -> None:
        stage.directory.managed_by[MINA] = [a_guild(GUILD, "봉수대 개발팀")]
        page = (await stage.mina().get(f"/guilds/{GUILD}")).text
        assert ('action="/preferences/language"' in page, "/preferences/draft" in page) == (True, False)

    async def test_another_site_cannot_show_a_draft(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        address = "/preferences/draft?form=profile-form&page=/account"
        assert (await browser.post(address, {"language": "en"}, token="x")).status_code == 403
        evil = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}
        assert (await browser.post(address, {"language": "en"}, headers=evil)).status_code == 403

    @pytest.mark.parametrize("language", ["", "fr", ["ko", "en"]])
    async def test_an_unknown_language_is_refused(self, stage: Stage, language: str | list[str]) -> None:
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post("/preferences/draft?form=f&page=/account", {"language": language})
        assert answer.status_code == 422

    @pytest.mark.parametrize("page", ["https://evil.test/", "//evil.test", "/preferences/draft", "/logout"])
    async def test_only_a_page_of_this_site_is_shown(self, stage: Stage, page: str) -> None:
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post(f"/preferences/draft?form=f&page={page}", {"language": "en"})
        assert answer.status_code == 200
        assert "evil" not in answer.text


class TestRefill:
    def test_choices_follow_what_was_posted(self) -> None:
        html = (
            '<form id="f"><input type="checkbox" name="on" value="a" checked>'
            '<input type="checkbox" name="on" value="b">'
            '<select name="s"><option value="1" selected>x</option><option value="2">y</option></select>'
            '<input type="password" name="p"></form><form id="g"><input name="t" value="other"></form>'
        )
        filled = refill(html, "f", {"on": ["b"], "s": ["2"], "p": ["secret"], "t": ["x"]})
        assert Page(filled).fields == {"f": {"on": ["b"], "s": ["2"], "p": [""]}, "g": {"t": ["other"]}}

    @pytest.mark.parametrize("text", ["", "\n\n x", "</textarea><script>", "&lt;", '"> <img src=x onerror=y>'])
    def test_text_comes_back_as_typed(self, text: str) -> None:
        form = '<form id="f"><textarea name="a">old &amp; gone</textarea><input name="b" value="old"></form>'
        html = f"{form}<p>&copy; &#8364;"
        filled = refill(html, "f", {"a": [text], "b": [text]})
        assert Page(filled).fields == {"f": {"a": [text], "b": [text]}}
        assert filled.endswith("<p>&copy; &#8364;")


TYPED_FIELD = re.compile(r"\{\{ field\((?![^}]*type=\"password\")|<textarea|<select|type=\"(?:radio|checkbox)\"")
NAMED = re.compile(r'(?:set draft_form = |language_of_form\()"([^"]+)"')
FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.DOTALL)


def test_every_form_with_typed_text_has_buttons_for_languages() -> None:
    folder = resources.files("bongsu_dashboard").joinpath("templates")
    sources = [file.read_text() for part in folder.iterdir() if part.name != "design" for file in part.iterdir()]
    named = {name for source in sources for name in NAMED.findall(source)}
    lacking = [
        found[1]
        for source in sources
        for found in FORM.finditer(source)
        if 'method="post"' in found[1] and TYPED_FIELD.search(found[2])
        if not any(f'id="{name}' in found[1] for name in named)
    ]
    assert lacking == []
