"""Flows: a browser goes to a provider and comes back. No transaction is open during a request to a provider."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bongsu import outbox
from bongsu.contracts.guilds import GuildInstalled
from bongsu.contracts.queues import BOT_GUILDS_INSTALLED
from bongsu.contracts.rpc import guild_target
from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.identity.models import LinkedAccount, User
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.runtime.logging import get_logger
from bongsu_auth.errors import FlowFailed, IdTokenForged, ProviderDown, ProviderNotFound
from bongsu_auth.guilds.service import UserGuilds
from bongsu_auth.oauth import states
from bongsu_auth.oauth.grants import GrantLost, Grants
from bongsu_auth.oauth.identities import PROFILE_RETRY_AFTER, Identities
from bongsu_auth.oauth.port import (
    AuthorizationRequest,
    Grant,
    IdTokenRefused,
    Profile,
    Provider,
    ProviderFailed,
    ProviderUnavailable,
)
from bongsu_auth.oauth.profiles import fill_empty_fields
from bongsu_auth.oauth.states import CallbackBrowser, ConsumedState, FlowContext
from bongsu_auth.sessions.recent import require_recent

log = get_logger(__name__)

MAX_PROFILE_ATTEMPTS = 5
PROFILES_PER_SWEEP = 20

INSTALL_PROVIDER = "discord"
# With `identify`, Discord requires the code grant: it names the guild to us and not only to the browser.
INSTALL_SCOPES = ("bot", "applications.commands", "identify")


@dataclass(frozen=True, slots=True)
class AuthorizationRedirect:
    """The URL for the browser, and the secret that it must bring back in the cookie of `state`."""

    authorization_url: str
    state: str
    browser: str


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """What the browser brings from the provider: a code or an error, and the issuer if the provider names it."""

    code: str | None = None
    error: str | None = None
    issuer: str | None = None


@contextmanager
def ending_flow(provider: Provider) -> Iterator[None]:
    """Raise a provider's failure as what ends the flow.

    :raises FlowFailed: the provider refuses, or does not answer.
    :raises IdTokenForged: its ID token is not valid for this sign-in.
    """
    try:
        yield
    except IdTokenRefused as refused:
        log.warning("oauth.id_token_refused", provider=provider.name, reason=str(refused))
        raise IdTokenForged from refused
    except ProviderFailed as failure:
        log.warning("oauth.provider_failed", provider=provider.name, reason=str(failure))
        is_down = isinstance(failure, ProviderUnavailable)
        raise FlowFailed(
            f"{provider.label} did not sign you in", code="provider_unavailable" if is_down else "provider_error"
        ) from failure


class Flows:
    """Starts flows, and completes them. Every method opens its own units of work.

    :param public_url: ours: callback URLs follow from it, whatever the Host header of a request is.
    :param install_permissions: Discord's bit field of what the bot may do in a guild.
    """

    def __init__(  # noqa: PLR0913 - each is one collaborator
        self,
        providers: Mapping[str, Provider],
        *,
        database: Database,
        vault: Vault,
        grants: Grants,
        identities: Identities,
        guilds: UserGuilds,
        public_url: str,
        install_permissions: int,
    ) -> None:
        self._providers = providers
        self._database = database
        self._vault = vault
        self._grants = grants
        self._identities = identities
        self._guilds = guilds
        self._public_url = public_url
        self._install_permissions = install_permissions

    async def start(
        self,
        context: FlowContext,
        browser: str | None = None,
        *,
        scopes: tuple[str, ...] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> AuthorizationRedirect:
        """Start a flow.

        :param browser: the value of the flow cookie that the browser has.
        :param scopes: None for those of the settings.
        :param extra: parameters of the provider's own.
        :raises ProviderNotFound: it is not configured.
        :raises ProviderDown: its endpoints cannot be read.
        """
        provider = self._find(context.provider)
        try:
            await provider.prepare()
        except ProviderFailed as failure:
            log.warning("oauth.provider_failed", provider=provider.name, reason=str(failure))
            raise ProviderDown from failure
        new = await self._database.run(states.create, context, self._vault, browser)
        request = AuthorizationRequest(
            redirect_uri=self._callback_url(context.provider),
            state=new.state,
            code_challenge=new.code_challenge,
            nonce=new.nonce,
            scopes=scopes,
            extra=extra or {},
        )
        return AuthorizationRedirect(await provider.authorization_url(request), new.state, new.browser)

    async def start_link(
        self, provider: str, next_path: str, user_id: UUID, session_id: UUID | None
    ) -> AuthorizationRedirect:
        """Start linking an account.

        :raises ReauthenticationRequired: the user did not authenticate recently.
        """
        self._find(provider)
        await require_recent(user_id, session_id)
        return await self.start(FlowContext(provider, "link", next_path, user_id, session_id))

    async def start_install(
        self, guild_id: str, next_path: str, user_id: UUID, session_id: UUID | None, actor: Actor
    ) -> AuthorizationRedirect:
        """Start adding the bot to a guild.

        :raises GuildNotFound: the user does not manage the guild, as Discord says now.
        """
        self._find(INSTALL_PROVIDER)
        guild = await self._guilds.require_manageable(user_id, guild_id)
        redirect = await self.start(
            FlowContext(INSTALL_PROVIDER, "install", next_path, user_id, session_id),
            scopes=INSTALL_SCOPES,
            extra={
                "permissions": str(self._install_permissions),
                "guild_id": guild.id,
                "disable_guild_select": "true",
            },
        )
        target = guild_target(int(guild.id))
        await self._database.run(audit.record, "discord.install_begun", actor, subject_id=user_id, target=target)
        return redirect

    async def consume(self, provider: str, state: str, browser: CallbackBrowser) -> ConsumedState:
        """Return what the flow is for; errors as `states.consume`."""
        return await self._database.run(states.consume, state, provider, browser, self._vault)

    async def exchange(self, provider: Provider, consumed: ConsumedState, answer: ProviderAnswer) -> Grant:
        """Exchange the code that the browser brought.

        :raises FlowFailed: it brought none, or another issuer's; or the provider refuses it, or does not answer.
        """
        with ending_flow(provider):
            if answer.issuer is not None and not await provider.is_issuer(answer.issuer):
                # The code may be another provider's: this one must not learn it.
                log.warning("oauth.issuer_refused", provider=provider.name)
                raise FlowFailed
            if answer.error is not None or not answer.code:
                raise FlowFailed(code="denied" if answer.error == "access_denied" else "provider_error")
            return await provider.exchange(
                answer.code, redirect_uri=self._callback_url(provider.name), verifier=consumed.verifier
            )

    async def record_install(self, grant: Grant, actor: Actor) -> str:
        """Record to which guild the bot was added, report it to the bot, and return it.

        Only the guild in the token response counts: the browser's parameters can be changed on the way. The grant is
        dropped and not revoked: Discord would revoke the one for signing in with it.

        :raises FlowFailed: the response names no guild.
        """
        if grant.guild_id is None:
            raise FlowFailed
        target = guild_target(int(grant.guild_id))
        async with self._database.unit():
            await audit.record("discord.bot_added", actor, subject_id=actor.user_id, target=target)
            if actor.user_id is not None:
                event = GuildInstalled(guild_id=int(grant.guild_id), user_id=actor.user_id, at=datetime.now(UTC))
                await outbox.append(BOT_GUILDS_INSTALLED, event.model_dump(mode="json"))
        return grant.guild_id

    async def unlink(self, provider: str, user_id: UUID, session_id: UUID | None, actor: Actor) -> None:
        """Unlink an account, then revoke its tokens as far as the provider answers.

        :raises ReauthenticationRequired: the user did not authenticate recently.
        :raises ServiceError: as `Identities.unlink`.
        """
        await require_recent(user_id, session_id)
        await self.revoke(await self._database.run(self._identities.unlink, user_id, provider, actor))

    async def revoke(self, linked: LinkedAccount) -> None:
        """Revoke the tokens of an account that is no longer linked, as far as the provider answers."""
        provider, token = linked.provider, self._grants.access_token(linked)
        if token is None:
            return
        try:
            await self._find(provider).revoke(token)
        except (ProviderFailed, ProviderNotFound) as error:
            log.warning("oauth.revocation_failed", provider=provider, error=type(error).__name__)

    async def retry_profiles(self) -> int:
        """Fetch the profiles that could not be fetched at the sign-in. Returns how many. Any replica may run it."""
        due = await LinkedAccount.filter_by(profile_due_at__lt=datetime.now(UTC)).limit(PROFILES_PER_SWEEP).all()
        fetched = 0
        for linked in due:
            provider = self._providers.get(linked.provider)
            if provider is not None and await _claim(linked):
                fetched += await self._retry_profile(linked, provider)
        return fetched

    async def _retry_profile(self, linked: LinkedAccount, provider: Provider) -> bool:
        scopes = tuple(linked.scopes.split())
        try:
            profile = await self._grants.use(
                linked, provider, lambda token: provider.fetch_extra_profile(token, scopes)
            )
        except (ProviderFailed, GrantLost) as error:
            log.warning("profile.failed", provider=provider.name, error=type(error).__name__)
            return False
        await self._database.run(_store_profile, linked, profile)
        return True

    def _find(self, provider: str) -> Provider:
        found = self._providers.get(provider)
        if found is None:
            raise ProviderNotFound
        return found

    def _callback_url(self, provider: str) -> str:
        return f"{self._public_url}/auth/oauth/{provider}/callback"


async def _claim(linked: LinkedAccount) -> bool:
    """Schedule the next attempt, unless another replica just did."""
    attempts = linked.profile_attempts + 1
    wait = PROFILE_RETRY_AFTER * 2**attempts
    changed = await LinkedAccount.filter_by(id=linked.id, profile_due_at=linked.profile_due_at).update(
        profile_attempts=attempts,
        profile_due_at=datetime.now(UTC) + wait if attempts < MAX_PROFILE_ATTEMPTS else None,
    )
    return changed == 1


async def _store_profile(linked: LinkedAccount, profile: Profile) -> None:
    user = await User.get_or_none(linked.user_id)
    if user is not None:
        await fill_empty_fields(user, profile)
        await LinkedAccount.filter_by(id=linked.id).update(profile_due_at=None)
