"""Rendering of templates as responses."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Final, Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx
import jinja2
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.routing import Match

from bongsu.contracts.rpc import BOT_PERMISSIONS
from bongsu.identity.cookies import AuthCookies, is_same_origin
from bongsu.identity.redirects import HOME
from bongsu_dashboard.accounts.user import User
from bongsu_dashboard.browser import Browser, SetCookie
from bongsu_dashboard.forms.problems import FieldProblem
from bongsu_dashboard.pages import guards
from bongsu_dashboard.pages.addresses import oauth_url, origin_of, path_of, safe_path, with_next
from bongsu_dashboard.pages.assets import Assets
from bongsu_dashboard.pages.catalogue import Catalogue, Texts, choose_language
from bongsu_dashboard.pages.cookies import FLASH_S, YEAR_S, PageCookies

Theme = Literal["system", "light", "dark"]
DRAFT: Final = "/preferences/draft"
"""The address of a page in another language with what was typed in its form: `?form=<id>&page=<address>`."""
THEMES: Final[tuple[Theme, ...]] = ("system", "light", "dark")
FLASH_TONES: Final = {"ok": "ok", "note": "note", "bad": "bad"}
MAX_FLASH_DIGITS: Final = 6
URL_CHARS: Final = ":/%#?=@[]!$&'()*+,;"
"""Characters that an address in a header keeps; the rest is percent-encoded, as in `Location`."""
PAGE_HEADERS: Final = {"Cache-Control": "no-store", "Vary": "HX-Request, Cookie, Accept-Language"}


# One of each a process: to compile the templates takes longer than to render a page.
_assets = cache(Assets)
_catalogue = cache(Catalogue)


@cache
def _environment(cdn_url: str, discord_url: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bongsu_dashboard"),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(oauth_url=oauth_url, machine=machine)
    environment.globals.update(asset=_assets().url, with_next=with_next, themes=THEMES)
    environment.globals.update(cdn_url=cdn_url, discord_url=discord_url, bot_permissions=BOT_PERMISSIONS)
    return environment


class Pages:
    """Templates, texts and static files."""

    def __init__(self, *, public_url: str, cdn_url: str, discord_url: str) -> None:
        self.public_url = public_url
        self.cookies = PageCookies.of(public_url)
        self.token_cookies = AuthCookies.of(public_url)
        self.assets = _assets()
        self.catalogue = _catalogue()
        self._environment = _environment(cdn_url.rstrip("/"), discord_url.rstrip("/"))

    def html(self, template: str, context: Mapping[str, object]) -> str:
        return self._environment.get_template(template).render(context)


@dataclass(slots=True)
class Render:
    """Renders the responses to one request: `render("guilds/list.html", guilds=…)`.

    `user` is set once it is known, and its language counts from then on.
    """

    request: Request
    pages: Pages
    user: User | None = None
    _secret: str | None = field(default=None, init=False)

    def __call__(
        self,
        template: str,
        *,
        fragment: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        flash: str | None = None,
        **context: object,
    ) -> Response:
        """Render a page, or only its `fragment` for htmx.

        :param flash: a message on this page: tone and key in the catalogue (`ok.bot_added`), with or without a number
            (`ok.cancelled_all:3`).
        """
        name = fragment if fragment is not None and self.is_partial else template
        texts = self.texts
        html = self.pages.html(
            name,
            {
                "t": texts,
                "lang": texts.language,
                "theme": self.theme,
                "user": self.user,
                "path": self.request.url.path,
                "here": self.here,
                "csrf_token": self._form_token,
                "flashes": [*self._flashes().values(), *self._parse_flashes(flash)],
                "problem": self._describe,
                "back": self.back,
                "request_id": self.request.scope["state"]["request_id"],
                **context,
            },
        )
        response = HTMLResponse(
            html, status_code=status, headers={**PAGE_HEADERS, "Content-Language": texts.language, **(headers or {})}
        )
        self._finish(response, is_page=name == template)
        return response

    def redirect(self, to: str, *, flash: str | None = None, status: int = 303) -> Response:
        """Redirect to a page or a known site: by 303, or by HX-Redirect for htmx.

        :param flash: the message for the next page: tone and key in the catalogue (`ok.bot_removed`).
        """
        response: Response
        if self.is_htmx:
            response = Response(
                status_code=204 if status == 303 else status, headers={"HX-Redirect": quote(to, safe=URL_CHARS)}
            )
        else:
            response = RedirectResponse(to, status_code=status)
        response.headers.update(PAGE_HEADERS)
        if flash is not None:
            # For the page that this leads to, and so for this tab: other pages neither show nor consume it.
            path = urlsplit(to).path
            name = f"{self.pages.cookies.flash}{secrets.token_hex(4)}"
            value = f"{flash}|{quote(path, safe='')}"
            self.pages.cookies.set(response, name, value, max_age_s=FLASH_S, path=path)
        self._keep_secret(response)
        return response

    async def load_page(self, address: str, language: str) -> Response:
        """Return a page of this app as this browser would get it in a language."""
        cookies = {**self.request.cookies, self.pages.cookies.language: language}
        passed = {b"user-agent", b"x-forwarded-for", b"accept-language", b"host"}
        headers = [(name, value) for name, value in self.request.headers.raw if name in passed]
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        headers.append((b"cookie", cookie.encode("latin-1", "ignore")))
        transport = httpx.ASGITransport(self.request.app, raise_app_exceptions=False, client=self._peer)
        async with httpx.AsyncClient(transport=transport, base_url=self.pages.public_url) as client:
            loaded = await client.get(self.page_of(address), headers=headers)
        response = Response(loaded.content, status_code=loaded.status_code, media_type=loaded.headers["content-type"])
        response.headers.update({**PAGE_HEADERS, "Content-Language": language})
        if "location" in loaded.headers:
            response.headers["Location"] = loaded.headers["location"]
        for cookie in loaded.headers.get_list("set-cookie"):
            response.headers.append("set-cookie", cookie)
        return response

    @property
    def _peer(self) -> tuple[str, int]:
        client = self.request.client
        return (client.host, client.port) if client is not None else ("0.0.0.0", 0)  # noqa: S104 - no address

    @property
    def is_htmx(self) -> bool:
        return self.request.headers.get("hx-request") == "true"

    @property
    def is_partial(self) -> bool:
        """Whether htmx wants a fragment of a page."""
        return self.is_htmx and self.request.headers.get("hx-request-type") != "full"

    @property
    def texts(self) -> Texts:
        """The texts in the language that this browser chose, or the account has, or the browser prefers."""
        chosen = self.request.cookies.get(self.pages.cookies.language)
        own = self.user.locale if self.user is not None else None
        accept = self.request.headers.get("accept-language")
        return self.pages.catalogue.texts(choose_language(chosen, own, accept=accept))

    @property
    def theme(self) -> Theme:
        chosen = self.request.cookies.get(self.pages.cookies.theme)
        return next((theme for theme in THEMES if theme == chosen), "system")

    @property
    def here(self) -> str:
        """The path of the page that the user is on; for a form or a fragment, the page that contains it."""
        host = self.request.headers.get("host", "")
        if self.is_htmx:
            return path_of(self.request.headers.get("hx-current-url"), host)
        if self.request.method not in ("GET", "HEAD"):
            return self.page_of(path_of(self.request.headers.get("referer"), host))
        url = self.request.url
        return f"{url.path}?{url.query}" if url.query else url.path

    def back(self, path: str) -> str:
        """Return the address of a list to go back to, with its filter if the user comes from there."""
        came_from = path_of(self.request.headers.get("referer"), self.request.headers.get("host", ""))
        return came_from if came_from.partition("?")[0] == path else path

    def page_of(self, address: str) -> str:
        """Return the page of an address; of one that only takes forms, the page that such a form is on."""
        path, _, query = address.partition("?")
        if path == DRAFT:
            return self.page_of(safe_path(parse_qs(query).get("page", [HOME])[0]))
        if self._match_get(path) is not Match.PARTIAL:
            return address
        while path != HOME and self._match_get(path) is not Match.FULL:
            path = path.rpartition("/")[0] or HOME
        return path

    def _match_get(self, path: str) -> Match:
        """Return how well the routes match a GET; PARTIAL is another method's path."""
        scope = {**self.request.scope, "method": "GET", "path": path, "raw_path": path.encode()}
        matches: list[Match] = [route.matches(scope)[0] for route in self.request.app.routes]
        return max(matches, key=lambda match: match.value)

    @property
    def browser(self) -> Browser:
        request, tokens = self.request, self.pages.token_cookies
        peer = request.client.host if request.client is not None else None
        known = request.headers.get("x-forwarded-for")
        return Browser(
            access_token=request.cookies.get(tokens.access),
            addresses=", ".join(part for part in (known, peer) if part) or None,
            user_agent=request.headers.get("user-agent"),
            language=self.texts.language,
            request_id=request.scope["state"]["request_id"],
            cookies={
                name: value
                for name in (tokens.registration, tokens.device, tokens.mfa)
                if (value := request.cookies.get(name)) is not None
            },
        )

    @property
    def is_own_form(self) -> bool:
        """Whether a page of this site sent the request. See `is_token` for the CSRF token."""
        return is_same_origin(self.request.headers, origin_of(self.pages.public_url))

    def is_token(self, token: str) -> bool:
        """Whether a CSRF token belongs to this browser and session."""
        secret = self.request.cookies.get(self.pages.cookies.form, "")
        return guards.is_form_token(token, secret, self.browser.session_id)

    def pass_on(self, response: Response, cookies: tuple[SetCookie, ...]) -> Response:
        """Pass auth's cookies on to the browser."""
        for cookie in cookies:
            response.headers.append("set-cookie", cookie)
        return response

    def remember(self, response: Response, theme: Theme | None = None, language: str | None = None) -> Response:
        """Store a preference in the browser."""
        cookies = self.pages.cookies
        if theme is not None:
            cookies.set(response, cookies.theme, theme, max_age_s=YEAR_S)
        if language is not None:
            cookies.set(response, cookies.language, language, max_age_s=YEAR_S)
        return response

    def _form_token(self) -> str:
        kept = self.request.cookies.get(self.pages.cookies.form)
        if kept is None and self._secret is None:
            self._secret = guards.new_secret()
        return guards.form_token(kept or self._secret or "", self.browser.session_id)

    def _keep_secret(self, response: Response) -> None:
        if self._secret is not None:
            self.pages.cookies.set(response, self.pages.cookies.form, self._secret)

    def _flashes(self) -> dict[str, tuple[str, str]]:
        """Return tone and text of each message for this page, by the name of its cookie."""
        found: dict[str, tuple[str, str]] = {}
        for name, value in self.request.cookies.items():
            flash, _, path = value.partition("|")
            if name.startswith(self.pages.cookies.flash) and unquote(path) == self.request.url.path:
                for parsed in self._parse_flashes(flash):
                    found[name] = parsed
        return found

    def _parse_flashes(self, flash: str | None) -> list[tuple[str, str]]:
        tone, _, rest = (flash or "").partition(".")
        key, _, number = rest.partition(":")
        if tone not in FLASH_TONES or len(number) > MAX_FLASH_DIGITS:
            return []
        try:
            return [(tone, self.texts(f"flash.{key}", **({"n": int(number)} if number.isdecimal() else {})))]
        except KeyError:  # the browser sent another key, or no number
            return []

    def _finish(self, response: Response, *, is_page: bool) -> None:
        self._keep_secret(response)
        for name in self._flashes() if is_page else ():
            self.pages.cookies.clear(response, name, path=self.request.url.path)

    def _describe(self, problem: FieldProblem) -> str:
        key, texts = f"form.{problem.kind}", self.texts
        return texts(key if key in texts else "form.invalid", **problem.facts)


def machine(moment: datetime) -> str:
    """Format a time for the `datetime` attribute."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
