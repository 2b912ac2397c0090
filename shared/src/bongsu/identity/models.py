"""The identity tables. auth owns and migrates them; every service reads them and adds nonces and audit entries."""

from datetime import UTC, datetime
from typing import ClassVar, Literal
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.identity.scopes import Role
from bongsu.mixins import AsciiKey, BaseModel, ExactString, Json, UTCDateTime, UUIDKey

UserStatus = Literal["active", "blocked"]
KeyStatus = Literal["active", "stopped"]
KeyMode = Literal["live", "test"]
RevokedKind = Literal["session", "user"]


class AuthModel(BaseModel):
    """The base of the tables that auth owns."""

    __abstract__ = True
    __owner__: ClassVar[str] = "auth"


class User(AuthModel):
    """A user. The row is created when the address is verified."""

    __tablename__ = "users"

    email_norm: Mapped[str | None] = mapped_column(ExactString(254))
    """In the spelling of `emails.normalise_email`; None for a user who signed in without an address."""
    email_verified_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    hashed_password: Mapped[str] = mapped_column(String(255), default="")
    """Empty for an account without a password."""
    name: Mapped[str | None] = mapped_column(String(100))
    mfa_enabled_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    """Since when sign-in takes a code as well; None where it does not."""
    locale: Mapped[str] = mapped_column(AsciiKey(8), default="ko")
    role: Mapped[str] = mapped_column(AsciiKey(16), default=Role.USER.value)
    status: Mapped[UserStatus] = mapped_column(AsciiKey(8), default="active")
    sending: Mapped[str] = mapped_column(AsciiKey(8), default="trial")
    """`trial`: may send to the own verified address and to simulators; `live`: approved by an administrator."""
    tokens_denied_until: Mapped[int] = mapped_column(BigInteger, default=0)
    """Tokens issued in or before this second (since 1970) are revoked; new ones are dated after it."""
    nickname: Mapped[str | None] = mapped_column(String(100))
    picture: Mapped[str | None] = mapped_column(String(500))
    """An https URL."""
    phone_number: Mapped[str | None] = mapped_column(AsciiKey(32))
    gender: Mapped[str | None] = mapped_column(AsciiKey(16))
    birth_year: Mapped[int | None] = mapped_column(SmallInteger)
    birthday: Mapped[str | None] = mapped_column(AsciiKey(5))
    """`MM-DD`."""
    age_range: Mapped[str | None] = mapped_column(AsciiKey(8))
    """`30-39`, or `90-` for 90 and older."""

    __table_args__ = (UniqueConstraint("email_norm", name="uq_users_email_norm"),)

    @property
    def email(self) -> str:
        """The address, or an empty string."""
        return self.email_norm or ""

    @email.setter
    def email(self, value: str) -> None:
        self.email_norm = value or None

    @property
    def is_active(self) -> bool:
        """Whether the account may be used."""
        return self.status == "active"

    @is_active.setter
    def is_active(self, value: bool) -> None:
        self.status = "active" if value else "blocked"

    @property
    def is_verified(self) -> bool:
        """Whether the address was verified."""
        return self.email_verified_at is not None

    @is_verified.setter
    def is_verified(self, value: bool) -> None:
        self.email_verified_at = datetime.now(UTC) if value else None

    @property
    def has_password(self) -> bool:
        """Whether the account has a password."""
        return bool(self.hashed_password)

    @property
    def has_second_factor(self) -> bool:
        """Whether sign-in takes a code as well."""
        return self.mfa_enabled_at is not None

    @property
    def is_superuser(self) -> bool:
        """Whether the role is the highest one."""
        return self.role == Role.ADMINISTRATOR

    @is_superuser.setter
    def is_superuser(self, value: bool) -> None:
        self.role = (Role.ADMINISTRATOR if value else Role.USER).value


class UserSession(AuthModel):
    """A sign-in, with the state of its refresh token. Its id is the `sid` of its tokens."""

    __tablename__ = "sessions"

    user_id: Mapped[UUID] = mapped_column(UUIDKey(), ForeignKey("users.id", ondelete="CASCADE"))
    sealed_refresh_key: Mapped[str] = mapped_column(Text)
    generation: Mapped[int] = mapped_column(Integer, default=1)
    """The number of the newest refresh token."""
    predecessor: Mapped[int | None] = mapped_column(Integer)
    """The number of the token that was exchanged for it; None for the first one."""
    rotated_at: Mapped[datetime] = mapped_column(UTCDateTime())
    """When the newest token was issued."""
    auth_time: Mapped[datetime] = mapped_column(UTCDateTime())
    amr: Mapped[str] = mapped_column(AsciiKey(64))
    user_agent: Mapped[str | None] = mapped_column(String(255))
    address: Mapped[str | None] = mapped_column(AsciiKey(45))
    idle_expires_at: Mapped[datetime] = mapped_column(UTCDateTime())
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    end_reason: Mapped[str | None] = mapped_column(AsciiKey(32))

    @property
    def usable_until(self) -> datetime:
        """When it expires, unless its refresh token is used before."""
        return min(self.idle_expires_at, self.expires_at)

    __table_args__ = (
        Index("ix_sessions_user_ended", "user_id", "ended_at", "id"),
        Index("ix_sessions_expires", "expires_at"),
    )


class LinkedAccount(AuthModel):
    """A user's account at a provider. It belongs to one user, and a user has one at each provider."""

    __tablename__ = "linked_accounts"

    user_id: Mapped[UUID] = mapped_column(UUIDKey(), ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(AsciiKey(16))
    subject: Mapped[str] = mapped_column(AsciiKey(255))
    """The provider's id of the account."""
    display_name: Mapped[str | None] = mapped_column(String(100))
    """The provider's name for the account, for the user to recognise it by."""
    sealed_access_token: Mapped[str | None] = mapped_column(Text)
    """None when the provider no longer accepts the consent, and the user has to give it again."""
    sealed_refresh_token: Mapped[str | None] = mapped_column(Text)
    token_expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    token_renewal_until: Mapped[datetime | None] = mapped_column(UTCDateTime())
    """Until when the process that renews the tokens has the row to itself; None while no process does."""
    scopes: Mapped[str] = mapped_column(Text)
    """The scopes that the user allowed, space-separated."""
    last_used_at: Mapped[datetime] = mapped_column(UTCDateTime())
    profile_due_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    """When to read the rest of the profile again; None when it was read, or no attempt is left."""
    profile_attempts: Mapped[int] = mapped_column(SmallInteger, default=0)

    @property
    def relink_needed(self) -> bool:
        """Whether the user has to link it again: the provider no longer accepts its tokens."""
        return self.sealed_access_token is None

    __table_args__ = (
        UniqueConstraint("provider", "subject", name="uq_linked_accounts_subject"),
        UniqueConstraint("user_id", "provider", name="uq_linked_accounts_user"),
        Index("ix_linked_accounts_profile_due", "profile_due_at"),
    )

    @classmethod
    async def find_subject(cls, user_id: UUID, provider: str) -> str | None:
        """Return the provider's id of a user's linked account (Discord's is a snowflake), or None."""
        linked = await cls.filter_by(user_id=user_id, provider=provider).first()
        return None if linked is None else linked.subject


class ApiKey(AuthModel):
    """A key with which a program signs requests."""

    __tablename__ = "api_keys"

    user_id: Mapped[UUID] = mapped_column(UUIDKey(), ForeignKey("users.id", ondelete="CASCADE"))
    access_key: Mapped[str] = mapped_column(AsciiKey(40))
    sealed_secret: Mapped[str] = mapped_column(Text)
    sealed_previous_secret: Mapped[str | None] = mapped_column(Text)
    previous_until: Mapped[datetime | None] = mapped_column(UTCDateTime())
    """The end of the overlap after a rotation, in which the previous secret works too."""
    memo: Mapped[str | None] = mapped_column(String(200))
    scopes: Mapped[str] = mapped_column(AsciiKey(255))
    mode: Mapped[KeyMode] = mapped_column(AsciiKey(8), default="live")
    status: Mapped[KeyStatus] = mapped_column(AsciiKey(8), default="active")
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime())

    __table_args__ = (
        UniqueConstraint("access_key", name="uq_api_keys_access_key"),
        Index("ix_api_keys_user", "user_id", "id"),
    )


class AllowlistEntry(AuthModel):
    """A network from which a key may be used."""

    __tablename__ = "api_key_allowlist"

    key_id: Mapped[UUID] = mapped_column(UUIDKey(), ForeignKey("api_keys.id", ondelete="CASCADE"))
    cidr: Mapped[str] = mapped_column(AsciiKey(49))

    __table_args__ = (UniqueConstraint("key_id", "cidr", name="uq_api_key_allowlist_entry"),)


class SigningKeyRow(AuthModel):
    """A key that signs tokens, from `signs_from` on. It is published as soon as it exists."""

    __tablename__ = "signing_keys"

    generation: Mapped[int] = mapped_column(Integer)
    """Unique, so that two processes cannot both create the next key."""
    kid: Mapped[str] = mapped_column(AsciiKey(64))
    public_key: Mapped[str] = mapped_column(AsciiKey(64))
    """32 bytes in base64url."""
    sealed_private_key: Mapped[str] = mapped_column(Text)
    signs_from: Mapped[datetime] = mapped_column(UTCDateTime())
    trusted_until: Mapped[datetime | None] = mapped_column(UTCDateTime())
    """None until there is a successor."""

    __table_args__ = (
        UniqueConstraint("generation", name="uq_signing_keys_generation"),
        UniqueConstraint("kid", name="uq_signing_keys_kid"),
    )


class Revocation(AuthModel):
    """Tokens that are revoked before they expire. The row is deleted after the last of them has expired."""

    __tablename__ = "revocations"

    kind: Mapped[RevokedKind] = mapped_column(AsciiKey(8))
    subject_id: Mapped[UUID] = mapped_column(UUIDKey())
    denied_until: Mapped[int] = mapped_column(BigInteger)
    """The subject's tokens issued in or before this second (since 1970) are revoked."""
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())

    __table_args__ = (
        Index("ix_revocations_created", "created_at"),
        Index("ix_revocations_expires", "expires_at"),
    )


class RequestNonce(AuthModel):
    """A used nonce: a second insert of its digest fails."""

    __tablename__ = "request_nonces"

    digest: Mapped[str] = mapped_column(AsciiKey(43))
    """SHA-256 of key and nonce, in base64url."""
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())

    __table_args__ = (
        UniqueConstraint("digest", name="uq_request_nonces_digest"),
        Index("ix_request_nonces_expires", "expires_at"),
    )


class AuditEntry(AuthModel):
    """An entry of the audit log. Rows are never changed."""

    __tablename__ = "audit_log"

    action: Mapped[str] = mapped_column(AsciiKey(64))
    actor_id: Mapped[UUID | None] = mapped_column(UUIDKey())
    actor_key_id: Mapped[UUID | None] = mapped_column(UUIDKey())
    subject_id: Mapped[UUID | None] = mapped_column(UUIDKey())
    """The user who is affected."""
    target: Mapped[str | None] = mapped_column(AsciiKey(128))
    address: Mapped[str | None] = mapped_column(AsciiKey(45))
    details: Mapped[dict[str, str | int] | None] = mapped_column(Json())

    __table_args__ = (
        Index("ix_audit_log_actor", "actor_id", "id"),
        Index("ix_audit_log_subject", "subject_id", "id"),
        Index("ix_audit_log_action", "action", "id"),
    )
