"""The rules of accounts. Each function needs an open unit of work, but for those that only read."""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bongsu import outbox
from bongsu.contracts.jobs import EmailRecipient, NotificationJob, variables_context
from bongsu.contracts.queues import LANES, NOTIFY_JOBS
from bongsu.identity import audit
from bongsu.identity.audit import SYSTEM, Actor
from bongsu.identity.emails import normalise_email
from bongsu.identity.models import Revocation, User, UserSession
from bongsu.identity.revocations import revoke_user
from bongsu.identity.scopes import Role
from bongsu.identity.sweeps import sweep
from bongsu.identity.vault import Vault
from bongsu.mixins import uuid7
from bongsu_auth.accounts.models import Registration
from bongsu_auth.accounts.users import UserDatabase
from bongsu_auth.errors import UserNotFound, VerificationRefused

MAX_ATTEMPTS = 10
"""Wrong passwords given with one token; then it is of no use any more."""

MAX_MAILS = 5
"""Mails for one sign-up, the first one included."""


@dataclass(frozen=True, slots=True)
class SignUp:
    """What somebody signs up with, its password hashed."""

    email: str
    hashed_password: str
    name: str | None
    locale: str
    browser: str
    """A secret that only the browser that signs up has."""


@dataclass(frozen=True, slots=True)
class Mails:
    """Sends mails by way of notify: a row in the outbox, its variables sealed."""

    vault: Vault
    public_url: str
    per_hour: int
    registration_lifetime: timedelta
    new_accounts: str

    async def send(self, *, template: str, to: str, locale: str, link: str) -> None:
        """Asks notify for a mail, in the caller's transaction."""
        job_id = uuid7()
        variables = json.dumps({"link": link}, ensure_ascii=False)
        job = NotificationJob(
            id=job_id,
            template=template,
            locale="en" if locale == "en" else "ko",
            to=EmailRecipient(email=to),
            sealed_variables=self.vault.seal(variables, aad=variables_context(job_id)),
            expires_at=datetime.now(UTC) + self.registration_lifetime,
        )
        await outbox.append(NOTIFY_JOBS, job.model_dump(mode="json"), lane=LANES["high"], id=job_id)


async def register(sign_up: SignUp, mails: Mails) -> None:
    """Takes a sign-up: the same statements whether the address is known or not, and one mail to it.

    Of more than may be written to the address nothing is kept: nobody could prove the address with it.
    """
    now = datetime.now(UTC)
    if await _mails_lately(sign_up.email, now) >= mails.per_hour:
        return
    token = secrets.token_urlsafe(32)
    known = await User.filter_by(email_norm=sign_up.email).exists()
    registration_id = uuid7()
    await Registration.create(
        id=registration_id,
        email_norm=sign_up.email,
        hashed_password=sign_up.hashed_password,
        name=sign_up.name,
        locale=sign_up.locale,
        token_digest=digest(token),
        sealed_token=mails.vault.seal(token, aad=_token_context(registration_id)),
        browser_digest=digest(sign_up.browser),
        mails=1,
        expires_at=now + mails.registration_lifetime,
    )
    await _write(mails, to=sign_up.email, locale=sign_up.locale, token=None if known else token)


async def resend(email: str, browser: str | None, mails: Mails) -> None:
    """Sends the link of a waiting sign-up again: of this browser's, else of the newest. Without one, nothing."""
    now = datetime.now(UTC)
    waiting = await Registration.filter_by(email_norm=email, expires_at__gt=now).order_by("-id").limit(20).all()
    if not waiting or await _mails_lately(email, now) >= mails.per_hour:
        return
    chosen = next((one for one in waiting if browser is not None and is_of_browser(one, browser)), waiting[0])
    if not await Registration.filter_by(id=chosen.id, mails__lt=MAX_MAILS).update(mails=Registration.mails + 1):
        return
    known = await User.filter_by(email_norm=email).exists()
    token = mails.vault.open_text(chosen.sealed_token, aad=_token_context(chosen.id))
    await _write(mails, to=email, locale=chosen.locale, token=None if known else token)


async def waiting_registration(token: str) -> Registration | None:
    """The sign-up that a token is of, if it still waits."""
    found = await Registration.filter_by(token_digest=digest(token)).first()
    if found is None or found.expires_at <= datetime.now(UTC) or found.attempts >= MAX_ATTEMPTS:
        return None
    return found


def is_of_browser(registration: Registration, browser: str) -> bool:
    """Whether the sign-up was made in the browser that holds this secret."""
    return hmac.compare_digest(registration.browser_digest, digest(browser))


async def count_attempt(registration_id: UUID) -> None:
    """Counts a wrong password given with a token."""
    await Registration.filter_by(id=registration_id).update(attempts=Registration.attempts + 1)


async def activate(registration_id: UUID, mails: Mails, actor: Actor) -> User:
    """Makes an account of a sign-up whose address is proven, and drops the others for the address.

    :raises VerificationRefused: it was used, or another sign-up for the address was proven first.
    :raises bongsu.mixins.Conflict: the latter happened this very moment.
    """
    # The lock makes two uses of one token take turns.
    registration = await Registration.filter_by(id=registration_id).lock().one_or_none()
    if registration is None or await User.filter_by(email_norm=registration.email_norm).exists():
        raise VerificationRefused
    user = await UserDatabase().create(
        {
            "email": registration.email_norm,
            "email_verified_at": datetime.now(UTC),
            "hashed_password": registration.hashed_password,
            "name": registration.name,
            "locale": registration.locale,
            "sending": mails.new_accounts,
        }
    )
    await Registration.filter_by(email_norm=registration.email_norm).delete()
    await audit.record(
        "account.created", Actor(user.id, address=actor.address), subject_id=user.id, target=f"user:{user.id}"
    )
    return user


async def create_user(  # noqa: PLR0913 - each is one fact about the user
    *, email: str, hashed_password: str, name: str | None, role: Role, locale: str, sending: str
) -> User:
    """An account with a proven address, without a mail: for operators.

    :raises ValueError: it is no address.
    :raises bongsu.mixins.Conflict: another account has the address.
    """
    user = await UserDatabase().create(
        {
            "email": email,
            "email_verified_at": datetime.now(UTC),
            "hashed_password": hashed_password,
            "name": name,
            "role": role.value,
            "locale": locale,
            "sending": sending,
        }
    )
    await audit.record("account.created", subject_id=user.id, target=f"user:{user.id}", details={"role": role.value})
    return user


async def find(email: str) -> User:
    """The account with an address.

    :raises UserNotFound: there is none.
    """
    try:
        user = await User.filter_by(email_norm=normalise_email(email)).first()
    except ValueError:
        user = None
    if user is None:
        raise UserNotFound
    return user


async def set_role(user: User, role: Role, actor: Actor = SYSTEM) -> Revocation | None:
    """Gives a role to a user of this unit; tokens that tell the old one are denied."""
    await User.filter_by(id=user.id).lock().one()  # the user is read again with it
    if user.role == role:
        return None
    before = user.role
    await user.update(role=role.value)
    await audit.record(
        "user.role_changed",
        actor,
        subject_id=user.id,
        target=f"user:{user.id}",
        details={"from": before, "to": role.value},
    )
    return await revoke_user(user)


async def block(user: User, actor: Actor = SYSTEM) -> Revocation:
    """Blocks an account: its tokens are denied, its sessions end, and its keys stop working."""
    await user.update(status="blocked")
    await UserSession.filter_by(user_id=user.id, ended_at__isnull=True).update(
        ended_at=datetime.now(UTC), end_reason="user_blocked"
    )
    await audit.record("user.blocked", actor, subject_id=user.id, target=f"user:{user.id}")
    return await revoke_user(user)


async def unblock(user: User, actor: Actor = SYSTEM) -> None:
    """Lets a blocked account be used again; it has to sign in anew."""
    await user.update(status="active")
    await audit.record("user.unblocked", actor, subject_id=user.id, target=f"user:{user.id}")


async def update_me(user_id: UUID, changes: dict[str, str | None]) -> User:
    """Changes one's own account."""
    user = await User.get(user_id)
    user.fill(**changes)
    await user.save()
    return user


async def sweep_registrations() -> int:
    """Removes sign-ups that were never proven; how many."""
    return await sweep(Registration, expires_at__lt=datetime.now(UTC))


def digest(secret: str) -> str:
    """How a random secret is stored: it has too many possible values to be guessed from its hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


async def _mails_lately(email: str, now: datetime) -> int:
    """The sign-up mails to an address within the last hour; with them the earlier ones of a sign-up asked for again."""
    lately = Registration.filter_by(email_norm=email, updated_at__gt=now - timedelta(hours=1))
    return int((await lately.aggregate(total=("sum", "mails")))["total"] or 0)


async def _write(mails: Mails, *, to: str, locale: str, token: str | None) -> None:
    """The mail with the link; to the owner of a known address, that there is an account already."""
    if token is None:
        await mails.send(template="account-exists", to=to, locale=locale, link=f"{mails.public_url}/login")
    else:
        link = f"{mails.public_url}/verify?token={token}"
        await mails.send(template="verify-email", to=to, locale=locale, link=link)


def _token_context(registration_id: UUID) -> str:
    return f"registrations.token:{registration_id}"
