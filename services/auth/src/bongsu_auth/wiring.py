"""What the endpoints of auth work with, built once by `app.create_app`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from bongsu.identity.callers import Identity
from bongsu.identity.tokens import TokenIssuer
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_auth.accounts.passwords import PasswordHasher
from bongsu_auth.accounts.service import Mails
from bongsu_auth.accounts.users import UserDatabase, UserManager
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

    @classmethod
    def build(
        cls, *, settings: AuthSettings, identity: Identity, database: Database, vault: Vault, public_url: str
    ) -> Self:
        """From the settings."""
        hasher = PasswordHasher(workers=settings.password_workers, queue=settings.password_queue)
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
            sessions=Sessions(
                vault,
                TokenIssuer(public_url, lifetime_s=settings.access_token_s),
                Lifetimes(
                    idle=timedelta(days=settings.refresh_idle_days),
                    absolute=timedelta(days=settings.refresh_absolute_days),
                    grace=timedelta(seconds=settings.refresh_grace_s),
                ),
            ),
            limits=LoginLimits(
                per_account_and_address=settings.login_failures,
                per_account=settings.login_failures_account,
                per_address=settings.login_failures_address,
            ),
        )
