"""From sending a browser to a provider until it is known who came back. No transaction is open while one is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bongsu.identity.models import LinkedAccount, User
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.runtime.logging import get_logger
from bongsu_auth.errors import ProviderNotFound
from bongsu_auth.oauth import states
from bongsu_auth.oauth.grants import GrantLost, Grants
from bongsu_auth.oauth.port import AuthorizationRequest, Grant, Profile, Provider, ProviderFailed
from bongsu_auth.oauth.profiles import fill
from bongsu_auth.oauth.service import PROFILE_AGAIN_AFTER, Arrival
from bongsu_auth.oauth.states import Begun, Purpose, Taken, Visitor

log = get_logger(__name__)

MAX_PROFILE_ATTEMPTS = 5
PROFILES_A_SWEEP = 20


@dataclass(frozen=True, slots=True)
class Departure:
    """Where to send the browser, and the secret that it must come back with (for the cookie of `state`)."""

    authorization_url: str
    state: str
    browser: str


class Flows:
    """Sends browsers to providers, and receives them back.

    :param public_url: ours: the callbacks' addresses come from it, whatever a request says its host is.
    """

    def __init__(
        self, providers: Sequence[Provider], *, database: Database, vault: Vault, grants: Grants, public_url: str
    ) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._database = database
        self._vault = vault
        self._grants = grants
        self._public_url = public_url

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Those that are configured."""
        return tuple(self._providers.values())

    def provider(self, name: str) -> Provider:
        """One of them.

        :raises ProviderNotFound: it is not configured.
        """
        found = self._providers.get(name)
        if found is None:
            raise ProviderNotFound
        return found

    async def begin(
        self, purpose: Purpose, *, scopes: tuple[str, ...] | None = None, more: Mapping[str, str] | None = None
    ) -> Departure:
        """Begins a flow.

        :param scopes: in place of those of the settings.
        :param more: further parameters of the provider's own.
        """
        provider = self.provider(purpose.provider)
        begun: Begun = await self._database.run(lambda: states.begin(purpose, self._vault))
        request = AuthorizationRequest(
            redirect_uri=self._callback(provider),
            state=begun.state,
            code_challenge=begun.code_challenge,
            nonce=begun.nonce,
            scopes=scopes,
            more=more or {},
        )
        return Departure(await provider.authorization_url(request), begun.state, begun.browser)

    async def take(self, provider: Provider, state: str, visitor: Visitor) -> Taken:
        """What the browser was sent for; errors as `states.take`."""
        return await self._database.run(lambda: states.take(state, provider.name, visitor, self._vault))

    async def exchange(self, provider: Provider, taken: Taken, code: str) -> Grant:
        """The grant for the code that the browser came back with; raises `ProviderFailed`."""
        return await provider.exchange(code, redirect_uri=self._callback(provider), verifier=taken.verifier)

    async def arrival(self, provider: Provider, taken: Taken, grant: Grant) -> Arrival:
        """Who came back; raises `ProviderFailed`."""
        account = await provider.account(grant, nonce=taken.nonce)
        more: Profile | None
        try:
            more = await provider.more_profile(grant.access_token, grant.scopes or ())
        except ProviderFailed as error:
            log.warning("profile.failed", provider=provider.name, error=type(error).__name__)
            more = None
        return Arrival(provider.name, account, grant, more)

    async def retry_profiles(self) -> int:
        """Reads the profiles that could not be read at the sign-in; how many were. Any number of replicas may."""
        due = await LinkedAccount.filter_by(profile_due_at__lt=datetime.now(UTC)).limit(PROFILES_A_SWEEP).all()
        read = 0
        for linked in due:
            provider = self._providers.get(linked.provider)
            if provider is not None and await self._claim(linked):
                read += await self._read_profile(linked, provider)
        return read

    async def _claim(self, linked: LinkedAccount) -> bool:
        attempts = linked.profile_attempts + 1
        wait = PROFILE_AGAIN_AFTER * 2**attempts
        changed = await LinkedAccount.filter_by(id=linked.id, profile_due_at=linked.profile_due_at).update(
            profile_attempts=attempts,
            profile_due_at=datetime.now(UTC) + wait if attempts < MAX_PROFILE_ATTEMPTS else None,
        )
        return changed == 1

    async def _read_profile(self, linked: LinkedAccount, provider: Provider) -> bool:
        scopes = tuple(linked.scopes.split())
        try:
            profile = await self._grants.use(linked, provider, lambda token: provider.more_profile(token, scopes))
        except (ProviderFailed, GrantLost) as error:
            log.warning("profile.failed", provider=provider.name, error=type(error).__name__)
            return False

        async def filled() -> None:
            user = await User.get_or_none(linked.user_id)
            if user is not None:
                await fill(user, profile)
                await LinkedAccount.filter_by(id=linked.id).update(profile_due_at=None)

        await self._database.run(filled)
        return True

    def _callback(self, provider: Provider) -> str:
        return f"{self._public_url}/auth/oauth/{provider.name}/callback"
