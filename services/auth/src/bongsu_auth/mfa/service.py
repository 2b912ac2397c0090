"""The rules of second factors. Methods run in the caller's unit of work."""

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from bongsu.identity.audit import Actor
from bongsu.identity.models import User, UserSession
from bongsu.identity.sweeps import sweep
from bongsu.identity.vault import Vault
from bongsu_auth.digests import digest
from bongsu_auth.errors import CodeRefused, MfaEnabled, MfaExpired, MfaNotEnabled, MfaNotStarted
from bongsu_auth.mfa import codes
from bongsu_auth.mfa.models import MfaChallenge, RecoveryCode, TotpFactor
from bongsu_auth.notices.service import SecurityNotices

CHALLENGE_LIFETIME = timedelta(minutes=10)
ISSUER = "Bongsu"

Factor = Literal["otp", "recovery"]


@dataclass(frozen=True, slots=True)
class Mfa:
    """Turns second factors on and off, and checks their codes.

    :param vault: seals the secrets of authenticator apps.
    """

    vault: Vault
    notices: SecurityNotices

    async def start(self, user_id: UUID) -> tuple[str, str]:
        """Create a secret for an authenticator app. Returns it and its `otpauth:` URI.

        :raises MfaEnabled: one is turned on already.
        """
        user = await User.filter_by(id=user_id).lock().one()
        if user.mfa_enabled_at is not None:
            raise MfaEnabled
        secret = codes.new_secret()
        await TotpFactor.filter_by(user_id=user_id).delete()
        await TotpFactor.create(
            user_id=user_id, sealed_secret=self.vault.seal(secret, aad=_context(user_id)), last_step=0
        )
        return secret, codes.uri_of(secret, account=user.email or user.name or str(user.id), issuer=ISSUER)

    async def enable(self, user_id: UUID, session_id: UUID | None, code: str, actor: Actor) -> list[str]:
        """Turn the second factor on with the first code of the app. Returns recovery codes.

        :param session_id: the session in which the code was given.
        :raises MfaEnabled: it is on already.
        :raises MfaNotStarted: there is no secret.
        :raises CodeRefused: the code is wrong.
        """
        user = await User.filter_by(id=user_id).lock().one()
        if user.mfa_enabled_at is not None:
            raise MfaEnabled
        if not await TotpFactor.filter_by(user_id=user_id).exists():
            raise MfaNotStarted
        if not await self._use_app_code(user_id, codes.normalise(code)):
            raise CodeRefused
        await user.update(mfa_enabled_at=datetime.now(UTC))
        if (session := await UserSession.filter_by(id=session_id, user_id=user_id).lock().one_or_none()) is not None:
            await session.update(amr=" ".join(dict.fromkeys([*session.amr.split(), "otp", "mfa"])))
        await self.notices.record("mfa.enabled", user, actor, target=f"user:{user.id}")
        return await _replace_recovery_codes(user_id)

    async def disable(self, user_id: UUID, actor: Actor) -> None:
        """Turn the second factor off, and delete its secret and recovery codes.

        :raises MfaNotEnabled: it is not on.
        """
        user = await _lock_enabled(user_id)
        await forget(user)
        await self.notices.record("mfa.disabled", user, actor, target=f"user:{user.id}")

    async def replace_recovery_codes(self, user_id: UUID, actor: Actor) -> list[str]:
        """Create recovery codes in place of the earlier ones.

        :raises MfaNotEnabled: the second factor is not on.
        """
        user = await _lock_enabled(user_id)
        await self.notices.record("mfa.recovery_codes_replaced", user, actor, target=f"user:{user.id}")
        return await _replace_recovery_codes(user_id)

    @staticmethod
    async def count_recovery_codes(user_id: UUID) -> int:
        """Return how many recovery codes are left."""
        return await RecoveryCode.filter_by(user_id=user_id).count()

    @staticmethod
    async def challenge(user: User, provider: str | None) -> str:
        """Store a sign-in that waits for the second factor. Returns its token.

        :param user: locked, so that a change of the password cannot miss the row.
        """
        token = secrets.token_urlsafe(32)
        await MfaChallenge.create(
            user_id=user.id,
            token_digest=digest(token),
            provider=provider,
            expires_at=datetime.now(UTC) + CHALLENGE_LIFETIME,
        )
        return token

    @staticmethod
    async def find_challenge(token: str) -> MfaChallenge:
        """Return the sign-in of a token.

        :raises MfaExpired: the token is unknown, used or expired.
        """
        found = await MfaChallenge.filter_by(token_digest=digest(token), expires_at__gt=datetime.now(UTC)).first()
        if found is None:
            raise MfaExpired
        return found

    @staticmethod
    async def use_challenge(challenge: MfaChallenge) -> User:
        """Use up the sign-in of a token; return its user, locked.

        :raises MfaExpired: it was used, or voided by a new password, meanwhile.
        """
        user = await User.filter_by(id=challenge.user_id).lock(read=True).one_or_none()
        if user is None or not await MfaChallenge.filter_by(id=challenge.id).delete():
            raise MfaExpired
        return user

    async def use_code(self, user: User, code: str, actor: Actor) -> Factor | None:
        """Use up a code of the app, or a recovery code. Returns which it was; None for a wrong or used one."""
        given = codes.normalise(code)
        if codes.is_of_app(given):
            return "otp" if await self._use_app_code(user.id, given) else None
        used = await RecoveryCode.filter_by(user_id=user.id, code_digest=codes.recovery_digest(given)).delete()
        if not used:
            return None
        left = await self.count_recovery_codes(user.id)
        target = f"user:{user.id}"
        await self.notices.record("mfa.recovery_code_used", user, actor, target=target, subject=str(left))
        return "recovery"

    async def _use_app_code(self, user_id: UUID, code: str) -> bool:
        factor = await TotpFactor.filter_by(user_id=user_id).first()
        if factor is None:
            return False
        secret = self.vault.open_text(factor.sealed_secret, aad=_context(user_id))
        step = codes.matching_step(secret, code, time.time())
        # Compare and set: of several concurrent uses of a code, one succeeds.
        return step is not None and bool(
            await TotpFactor.filter_by(id=factor.id, last_step__lt=step).update(last_step=step)
        )


async def forget(user: User) -> None:
    """Delete everything about the second factor of a user."""
    await user.update(mfa_enabled_at=None)
    for model in (TotpFactor, RecoveryCode, MfaChallenge):
        await model.filter_by(user_id=user.id).delete()


async def sweep_challenges() -> int:
    """Delete expired sign-ins. Returns how many."""
    return await sweep(MfaChallenge, expires_at__lt=datetime.now(UTC))


async def _lock_enabled(user_id: UUID) -> User:
    user = await User.filter_by(id=user_id).lock().one()
    if user.mfa_enabled_at is None:
        raise MfaNotEnabled
    return user


async def _replace_recovery_codes(user_id: UUID) -> list[str]:
    await RecoveryCode.filter_by(user_id=user_id).delete()
    made = [codes.new_recovery_code() for _ in range(codes.RECOVERY_CODES)]
    await RecoveryCode.bulk_create([{"user_id": user_id, "code_digest": codes.recovery_digest(code)} for code in made])
    return made


def _context(user_id: UUID) -> str:
    return f"totp_factors.secret:{user_id}"
