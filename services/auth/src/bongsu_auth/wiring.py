"""What the endpoints of auth work with, built once by `app.create_app`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

import httpx

from bongsu.identity.assertions import AssertionIssuer
from bongsu.identity.callers import Identity
from bongsu.identity.tokens import TokenIssuer
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_auth.accounts.limits import SignUpLimit
from bongsu_auth.accounts.passwords import PasswordHasher
from bongsu_auth.accounts.service import Mails
from bongsu_auth.accounts.users import UserDatabase, UserManager
from bongsu_auth.guilds.service import GuildDirectory
from bongsu_auth.oauth.clients import make_http
from bongsu_auth.oauth.discord import Discord
from bongsu_auth.oauth.flows import Flows
from bongsu_auth.oauth.google import Google
from bongsu_auth.oauth.grants import Grants
from bongsu_auth.oauth.kakao import Kakao
from bongsu_auth.oauth.port import Provider
from bongsu_auth.oauth.service import OAuth
from bongsu_auth.sessions.limits import LoginLimits
from bongsu_auth.sessions.service import Lifetimes, Sessions
from bongsu_auth.settings import AuthSettings


@dataclass(frozen=True, slots=True)
class Wiring:
    """The service's collaborators."""

    settings: AuthSettings
    database: Database
    identity: Identity
    vault: Vault
    hasher: PasswordHasher
    users: UserManager
    mails: Mails
    sessions: Sessions
    limits: LoginLimits
    sign_ups: SignUpLimit
    providers_http: httpx.AsyncClient
    grants: Grants
    flows: Flows
    oauth: OAuth
    guilds: GuildDirectory
    assertions: AssertionIssuer

    @classmethod
    def build(  # noqa: PLR0913 - each is one collaborator
        cls,
        *,
        settings: AuthSettings,
        identity: Identity,
        database: Database,
        vault: Vault,
        public_url: str,
        providers_transport: httpx.AsyncBaseTransport | None = None,
    ) -> Self:
        """From the settings.

        :param providers_transport: in place of the network, where providers are.
        """
        hasher = PasswordHasher(workers=settings.password_workers, queue=settings.password_queue)
        sessions = Sessions(
            vault,
            TokenIssuer(public_url, lifetime_s=settings.access_token_s),
            Lifetimes(
                idle=timedelta(days=settings.refresh_idle_days),
                absolute=timedelta(days=settings.refresh_absolute_days),
                grace=timedelta(seconds=settings.refresh_grace_s),
            ),
            max_open=settings.max_sessions,
        )
        http, grants = make_http(providers_transport), Grants(vault, database)
        discord = _discord(settings, http)
        return cls(
            settings=settings,
            database=database,
            identity=identity,
            vault=vault,
            hasher=hasher,
            users=UserManager(UserDatabase(), hasher),
            mails=Mails(
                vault=vault,
                public_url=public_url,
                per_hour=settings.mails_per_hour,
                registration_lifetime=settings.registration_lifetime,
                new_accounts=settings.new_accounts,
            ),
            sessions=sessions,
            limits=LoginLimits(
                per_account_and_address=settings.login_failures,
                per_account=settings.login_failures_account,
                per_address=settings.login_failures_address,
            ),
            sign_ups=SignUpLimit(per_hour=settings.sign_ups_per_hour),
            providers_http=http,
            grants=grants,
            flows=Flows(
                _providers(settings, discord, http),
                database=database,
                vault=vault,
                grants=grants,
                public_url=public_url,
            ),
            oauth=OAuth(grants, sessions, new_accounts=settings.new_accounts),
            guilds=GuildDirectory(discord, grants),
            assertions=AssertionIssuer(public_url),
        )


def _discord(settings: AuthSettings, http: httpx.AsyncClient) -> Discord | None:
    connection = settings.connection("discord")
    return Discord(connection, http) if connection is not None else None


def _providers(settings: AuthSettings, discord: Discord | None, http: httpx.AsyncClient) -> list[Provider]:
    """Those that are configured, in the order in which they are shown."""
    found: list[Provider] = [discord] if discord is not None else []
    if (google := settings.connection("google")) is not None:
        found.append(Google(google, http))
    if (kakao := settings.connection("kakao")) is not None:
        found.append(Kakao(kakao, http))
    return found
