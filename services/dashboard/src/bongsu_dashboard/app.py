"""Builds the dashboard."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from fastapi import Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware

from bongsu.broker import Broker
from bongsu.runtime.dependencies import provide
from bongsu.runtime.health import add_health
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.middleware import add_middleware
from bongsu_dashboard.accounts import endpoints as accounts
from bongsu_dashboard.accounts.http import HttpAuthClient
from bongsu_dashboard.accounts.port import AuthClient
from bongsu_dashboard.accounts.service import Accounts
from bongsu_dashboard.all_guilds import endpoints as all_guilds
from bongsu_dashboard.all_guilds.service import AllGuilds
from bongsu_dashboard.audit import endpoints as audit
from bongsu_dashboard.audit.http import HttpAuditClient
from bongsu_dashboard.audit.port import AuditClient
from bongsu_dashboard.audit.service import AuditLog
from bongsu_dashboard.deletion import endpoints as leaving
from bongsu_dashboard.design import endpoints as design
from bongsu_dashboard.guild_access import endpoints as guild_access
from bongsu_dashboard.guild_access.service import GuildAccess
from bongsu_dashboard.guild_activity import endpoints as guild_activity
from bongsu_dashboard.guild_activity.service import Activity
from bongsu_dashboard.guild_commands import endpoints as guild_commands
from bongsu_dashboard.guild_commands.service import CommandSwitches
from bongsu_dashboard.guild_messages import endpoints as guild_messages
from bongsu_dashboard.guild_messages.service import GuildMessages
from bongsu_dashboard.guild_modules import endpoints as guild_modules
from bongsu_dashboard.guild_modules.announcements import Announcements
from bongsu_dashboard.guild_modules.http import HttpSubscriptionClient
from bongsu_dashboard.guild_modules.port import SubscriptionClient
from bongsu_dashboard.guild_modules.service import Modules
from bongsu_dashboard.guilds import endpoints as guilds
from bongsu_dashboard.guilds.http import HttpGuildDirectory
from bongsu_dashboard.guilds.pending import PendingInstalls
from bongsu_dashboard.guilds.port import Bot, GuildDirectory
from bongsu_dashboard.guilds.rpc import RpcBot
from bongsu_dashboard.guilds.service import Guilds
from bongsu_dashboard.home import endpoints as home
from bongsu_dashboard.home.service import Home
from bongsu_dashboard.keys import endpoints as keys
from bongsu_dashboard.keys.http import HttpKeyClient
from bongsu_dashboard.keys.port import KeyClient
from bongsu_dashboard.keys.service import Keys
from bongsu_dashboard.notifications import endpoints as notifications
from bongsu_dashboard.notifications.http import HttpNotifyClient
from bongsu_dashboard.notifications.port import NotifyClient
from bongsu_dashboard.notifications.service import Notifications
from bongsu_dashboard.pages import assets
from bongsu_dashboard.pages.addresses import origin_of
from bongsu_dashboard.pages.dependencies import require_own_form, require_own_form_of_user
from bongsu_dashboard.pages.failures import LastResort, add_failures
from bongsu_dashboard.pages.guards import SecurityHeaders, security_headers
from bongsu_dashboard.pages.rendering import Pages
from bongsu_dashboard.preferences import endpoints as preferences
from bongsu_dashboard.second_factor import endpoints as second_factor
from bongsu_dashboard.security import endpoints as security
from bongsu_dashboard.security.http import HttpCredentialClient
from bongsu_dashboard.security.port import CredentialClient
from bongsu_dashboard.security.service import Security
from bongsu_dashboard.settings import DashboardSettings
from bongsu_dashboard.sign_in import endpoints as sign_in
from bongsu_dashboard.sign_in.service import SignIn
from bongsu_dashboard.upstream import Upstream
from bongsu_dashboard.users import endpoints as users
from bongsu_dashboard.users.http import HttpUserClient
from bongsu_dashboard.users.port import UserClient
from bongsu_dashboard.users.service import Users

MAX_BODY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Ports:
    """The services that the dashboard calls."""

    auth: AuthClient
    directory: GuildDirectory
    notify: NotifyClient
    bot: Bot
    credentials: CredentialClient
    users: UserClient
    keys: KeyClient
    audit: AuditClient
    subscriptions: SubscriptionClient


def create_app(
    *,
    settings: DashboardSettings,
    public_url: str,
    auth: httpx.AsyncClient,
    notify: httpx.AsyncClient,
    broker: Broker,
) -> FastAPI:
    """Build the dashboard over the HTTP APIs of auth and notify, and the broker. The caller closes all three."""
    auth_api, notify_api = Upstream("auth", auth), Upstream("notify", notify)
    ports = Ports(
        auth=HttpAuthClient(auth_api),
        credentials=HttpCredentialClient(auth_api),
        users=HttpUserClient(auth_api),
        keys=HttpKeyClient(auth_api),
        audit=HttpAuditClient(auth_api),
        subscriptions=HttpSubscriptionClient(notify_api),
        directory=HttpGuildDirectory(auth_api),
        notify=HttpNotifyClient(notify_api),
        bot=RpcBot(broker, timeout_s=settings.bot_timeout_s, leave_timeout_s=settings.leave_timeout_s),
    )
    app = create_pages(settings=settings, public_url=public_url, ports=ports)
    add_health(app)
    return app


def create_pages(*, settings: DashboardSettings, public_url: str, ports: Ports) -> FastAPI:
    """Build the pages over any ports."""
    app = FastAPI(title="Bongsu dashboard", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    pages = Pages(public_url=public_url, cdn_url=settings.discord_cdn_url, discord_url=settings.discord_url)
    guilds_service = Guilds(ports.directory, ports.bot, ports.notify)
    announcements = Announcements(guilds_service, ports.subscriptions)
    provide(
        app,
        pages,
        pages.assets,
        Accounts(ports.auth),
        SignIn(ports.auth),
        Security(ports.credentials),
        Users(ports.users),
        Keys(ports.keys),
        AuditLog(ports.audit, ports.users),
        Notifications(ports.notify),
        guilds_service,
        PendingInstalls(settings.install_wait_s),
        Activity(guilds_service, ports.bot, ports.notify),
        GuildMessages(guilds_service, ports.notify),
        announcements,
        Modules(guilds_service, ports.directory, ports.bot, announcements),
        GuildAccess(guilds_service, ports.directory, ports.bot),
        CommandSwitches(guilds_service, ports.directory, ports.bot),
        AllGuilds(ports.directory, ports.bot),
        Home(guilds_service, ports.notify),
    )
    metrics = Metrics("dashboard")
    app.state.metrics = metrics
    add_failures(app)

    for public in (sign_in.router, security.router, second_factor.router, preferences.router):
        app.include_router(public, dependencies=[Depends(require_own_form)])
    for private in (
        sign_in.sign_out_router,
        home.router,
        guilds.router,
        guild_activity.router,
        guild_messages.router,
        guild_modules.router,
        guild_access.router,
        guild_commands.router,
        notifications.router,
        accounts.router,
        security.account_router,
        second_factor.account_router,
        leaving.router,
        users.router,
        all_guilds.router,
        keys.router,
        audit.router,
    ):
        app.include_router(private, dependencies=[Depends(require_own_form_of_user)])
    if urlsplit(public_url).scheme == "http":
        app.include_router(design.router)
    app.include_router(assets.router)

    last_page = pages.html("failures/last.html", {})
    app.add_middleware(LastResort, page=last_page)
    add_middleware(app, metrics=metrics, max_body_bytes=MAX_BODY_BYTES)
    # The CSRF token differs each time it is rendered, so that the length of a compressed page reveals nothing.
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)
    # Outermost, so that every answer has them.
    headers = security_headers(
        images=(origin_of(settings.discord_cdn_url),),
        form_targets=(origin_of(settings.discord_url), *map(origin_of, settings.link_urls)),
        https=urlsplit(public_url).scheme == "https",
    )
    app.add_middleware(SecurityHeaders, headers=headers)
    return app
