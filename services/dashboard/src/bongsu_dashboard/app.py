"""Builds the dashboard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from fastapi import Depends, FastAPI

from bongsu.broker import Broker
from bongsu.runtime.http import add_health
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.request_log import RequestLog
from bongsu_dashboard.accounts import endpoints as accounts
from bongsu_dashboard.accounts.http import HttpAccounts
from bongsu_dashboard.accounts.port import Accounts
from bongsu_dashboard.guilds import endpoints as guilds
from bongsu_dashboard.guilds.http import HttpGuildDirectory
from bongsu_dashboard.guilds.port import Bot, GuildDirectory
from bongsu_dashboard.guilds.rpc import RpcBot
from bongsu_dashboard.home import endpoints as home
from bongsu_dashboard.notifications import endpoints as notifications
from bongsu_dashboard.notifications.http import HttpNotifications
from bongsu_dashboard.notifications.port import Notifications
from bongsu_dashboard.pages.dependencies import own_form, own_form_of_user
from bongsu_dashboard.pages.failures import LastResort, add_failures
from bongsu_dashboard.pages.guards import SecurityHeaders, security_headers
from bongsu_dashboard.pages.rendering import Pages
from bongsu_dashboard.preferences import endpoints as preferences
from bongsu_dashboard.settings import DashboardSettings
from bongsu_dashboard.sign_in import endpoints as sign_in
from bongsu_dashboard.upstream import Upstream

MAX_BODY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Ports:
    """What the dashboard needs of the outside."""

    accounts: Accounts
    directory: GuildDirectory
    notifications: Notifications
    bot: Bot

    @classmethod
    def over(
        cls, settings: DashboardSettings, *, auth: httpx.AsyncClient, notify: httpx.AsyncClient, broker: Broker
    ) -> "Ports":
        """The real ones. Whoever made the clients and the broker closes them."""
        auth_api = Upstream("auth", auth)
        return cls(
            accounts=HttpAccounts(auth_api),
            directory=HttpGuildDirectory(auth_api),
            notifications=HttpNotifications(Upstream("notify", notify)),
            bot=RpcBot(broker, timeout_s=settings.bot_timeout_s, leave_timeout_s=settings.leave_timeout_s),
        )


def create_app(
    *,
    settings: DashboardSettings,
    public_url: str,
    auth: httpx.AsyncClient,
    notify: httpx.AsyncClient,
    broker: Broker,
) -> FastAPI:
    """The pages, over the HTTP APIs of auth and notify and the broker. Whoever calls this closes all three."""
    ports = Ports.over(settings, auth=auth, notify=notify, broker=broker)
    app = create_pages(settings=settings, public_url=public_url, ports=ports)

    async def broker_answers() -> bool:
        return broker.connected

    add_health(app, required={}, reported={"broker": broker_answers})
    return app


def create_pages(*, settings: DashboardSettings, public_url: str, ports: Ports) -> FastAPI:
    """The pages, over any ports."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(
        title="Bongsu dashboard",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    pages = Pages(public_url=public_url, cdn_url=settings.discord_cdn_url)
    metrics = Metrics("dashboard")
    app.state.metrics = metrics
    app.state.pages = pages
    app.state.accounts = ports.accounts
    add_failures(app)

    guild_pages = guilds.GuildPages(
        directory=ports.directory, bot=ports.bot, notifications=ports.notifications, wait_s=settings.install_wait_s
    )
    for_everyone = [Depends(own_form)]
    for_users = [Depends(own_form_of_user)]
    app.include_router(sign_in.create_router(ports.accounts), dependencies=for_everyone)
    app.include_router(sign_in.create_sign_out_router(ports.accounts), dependencies=for_users)
    app.include_router(preferences.create_router(ports.accounts), dependencies=for_everyone)
    app.include_router(home.create_router(guild_pages), dependencies=for_users)
    app.include_router(guilds.create_router(guild_pages), dependencies=for_users)
    app.include_router(notifications.create_router(ports.notifications), dependencies=for_users)
    app.include_router(accounts.create_router(ports.accounts), dependencies=for_users)
    app.include_router(pages.assets.create_router())

    last_page = pages.html("failures/last.html", {})
    app.add_middleware(LastResort, page=last_page)
    app.add_middleware(RequestLog, metrics=metrics, max_body_bytes=MAX_BODY_BYTES)
    # Outermost, so that every answer has them.
    headers = security_headers(
        images=(_origin(settings.discord_cdn_url),),
        form_targets=(_origin(settings.discord_url),),
        https=urlsplit(public_url).scheme == "https",
    )
    app.add_middleware(SecurityHeaders, headers=headers)
    return app


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
