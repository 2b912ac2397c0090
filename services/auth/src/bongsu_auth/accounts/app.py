"""Builds accounts: sign-up, sessions, credentials, and the limits that guard them."""

from dataclasses import dataclass
from datetime import timedelta

from pwdlib.hashers.argon2 import Argon2Hasher

from bongsu.identity.callers import Identity
from bongsu.identity.tokens import TokenIssuer
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_auth.accounts.credentials import Credentials
from bongsu_auth.accounts.limits import SignUpLimit
from bongsu_auth.accounts.links import MailLinks
from bongsu_auth.accounts.mails import SignUpMails
from bongsu_auth.accounts.manager import SignUps, UserManager
from bongsu_auth.accounts.passwords import PasswordHasher
from bongsu_auth.accounts.users import UserDatabase
from bongsu_auth.mails import Mails
from bongsu_auth.mfa.service import Mfa
from bongsu_auth.notices.service import SecurityNotices
from bongsu_auth.sessions.access_tokens import AccessTokens
from bongsu_auth.sessions.devices import Devices
from bongsu_auth.sessions.limits import GuessLimits
from bongsu_auth.sessions.rotation import Lifetimes
from bongsu_auth.sessions.service import Sessions
from bongsu_auth.sessions.sign_ins import PasswordSignIns
from bongsu_auth.settings import AuthSettings


@dataclass(frozen=True, slots=True)
class AccountServices:
    """The services of accounts.

    :param provided: what endpoints need, for `provide`.
    """

    users: UserManager
    sessions: Sessions
    mfa: Mfa
    notices: SecurityNotices
    access_tokens: AccessTokens
    hasher: PasswordHasher
    sign_up_limit: SignUpLimit
    limits: GuessLimits
    sign_ins: PasswordSignIns
    provided: tuple[object, ...]

    async def close(self) -> None:
        """Wait for transactions in flight, and end the threads that hash."""
        await self.sign_ins.close()
        await self.limits.close()
        await self.sign_up_limit.close()
        self.hasher.close()


def create_accounts(  # noqa: PLR0913 - each is one collaborator
    settings: AuthSettings,
    *,
    identity: Identity,
    database: Database,
    vault: Vault,
    public_url: str,
    argon2: Argon2Hasher,
) -> AccountServices:
    """Build the services of accounts. The caller closes them."""
    mails = Mails(vault, public_url)
    notices = SecurityNotices(mails)
    access_tokens = AccessTokens(TokenIssuer(public_url, lifetime_s=settings.access_token_s), vault)
    sessions = Sessions(
        database,
        identity.revocations,
        vault,
        access_tokens,
        Lifetimes(
            idle=timedelta(days=settings.refresh_idle_days),
            absolute=timedelta(days=settings.refresh_absolute_days),
            grace=timedelta(seconds=settings.refresh_grace_s),
        ),
        notices=notices,
        max_open=settings.max_sessions,
    )
    mfa = Mfa(vault, notices)
    hasher = PasswordHasher(workers=settings.password_workers, queue=settings.password_queue, argon2=argon2)
    sign_up_limit = SignUpLimit(database, settings.sign_ups_per_hour)
    sign_up_mails = SignUpMails(mails, settings.mails_per_hour, settings.registration_lifetime)
    sign_ups = SignUps(vault, sign_up_mails, sign_up_limit, settings.new_accounts)
    credentials = Credentials(database, MailLinks(mails), sessions, notices)
    users = UserManager(UserDatabase(), hasher, database, sign_ups, credentials)
    limits = GuessLimits(
        database,
        per_account_and_address=settings.login_failures,
        per_account=settings.login_failures_account,
        per_address=settings.login_failures_address,
        first_wait_s=settings.login_wait_s,
    )
    sign_ins = PasswordSignIns(database, sessions, limits)
    return AccountServices(
        users=users,
        sessions=sessions,
        mfa=mfa,
        notices=notices,
        access_tokens=access_tokens,
        hasher=hasher,
        sign_up_limit=sign_up_limit,
        limits=limits,
        sign_ins=sign_ins,
        provided=(users, sign_up_limit, sessions, sign_ins, limits, Devices(vault), notices, credentials, mfa),
    )
