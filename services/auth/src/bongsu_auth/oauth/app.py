"""Builds sign-in at providers, and what uses the accounts that are linked there."""

from dataclasses import dataclass

import httpx

from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_auth.accounts.manager import UserManager
from bongsu_auth.client_sign_in.service import ClientSignIns
from bongsu_auth.guilds.service import UserGuilds
from bongsu_auth.kakao_tokens.service import KakaoTokens
from bongsu_auth.notices.service import SecurityNotices
from bongsu_auth.oauth.backend import Backends
from bongsu_auth.oauth.clients import make_http
from bongsu_auth.oauth.discord import DiscordBackend
from bongsu_auth.oauth.google import GoogleBackend
from bongsu_auth.oauth.grants import Grants
from bongsu_auth.oauth.identities import Identities
from bongsu_auth.oauth.kakao import API as KAKAO_API
from bongsu_auth.oauth.kakao import KakaoBackend
from bongsu_auth.oauth.service import Flows
from bongsu_auth.sessions.service import Sessions
from bongsu_auth.settings import AuthSettings


@dataclass(frozen=True, slots=True)
class SignInAtProviders:
    """The services of sign-in at providers.

    :param http: the client for all providers, to be closed.
    :param provided: what endpoints need, for `provide`.
    """

    http: httpx.AsyncClient
    flows: Flows
    provided: tuple[object, ...]


def create_sign_in_at_providers(  # noqa: PLR0913 - each is one collaborator
    settings: AuthSettings,
    *,
    database: Database,
    vault: Vault,
    public_url: str,
    sessions: Sessions,
    users: UserManager,
    notices: SecurityNotices,
    transport: httpx.AsyncBaseTransport | None = None,
) -> SignInAtProviders:
    """Build a backend for each provider that is configured, and the services on them.

    :param transport: replaces the network to providers, in tests.
    """
    http = make_http(public_url, transport)
    grants = Grants(vault, database)
    identities = Identities(grants, sessions, users, notices, new_accounts=settings.new_accounts)
    backends = Backends(
        *(
            backend(connection, http, identities, database)
            for backend in (DiscordBackend, GoogleBackend, KakaoBackend)
            if (connection := settings.connection(backend.name)) is not None
        )
    )
    discord = backends.by_name.get(DiscordBackend.name)
    guilds = UserGuilds(discord if isinstance(discord, DiscordBackend) else None, grants)
    flows = Flows(
        backends.by_name,
        database=database,
        vault=vault,
        grants=grants,
        identities=identities,
        guilds=guilds,
        public_url=public_url,
        install_permissions=settings.discord_permissions,
    )
    clients = ClientSignIns(database, flows, frozenset(settings.redirect_uris), public_url)
    kakao_tokens = KakaoTokens(
        database, backends.by_name.get(KakaoBackend.name), grants, api_url=settings.kakao_api_url or KAKAO_API
    )
    return SignInAtProviders(http, flows, (backends, flows, identities, grants, guilds, clients, kakao_tokens))
