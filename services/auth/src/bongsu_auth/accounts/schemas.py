"""What goes over HTTP about accounts."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from bongsu.identity.emails import normalise_email
from bongsu.identity.models import User
from bongsu_auth.accounts.passwords import MAX_CHARS, MIN_CHARS
from bongsu_auth.accounts.users import password_problem

Locale = Literal["ko", "en"]


def _no_control_characters(value: str) -> str:
    if any(not char.isprintable() for char in value):
        raise ValueError("must not hold control characters")
    return value


Email = Annotated[
    str,
    StringConstraints(max_length=320),
    AfterValidator(normalise_email),
    Field(json_schema_extra={"format": "email"}, examples=["jiwoo@example.com"]),
]
PersonName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_no_control_characters),
]
Token = Annotated[str, StringConstraints(min_length=1, max_length=512)]


def _encodable(value: object) -> object:
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("must not hold half a character (a lone surrogate)")
    return value


def _password_length(value: object) -> object:
    if isinstance(value, str) and not MIN_CHARS <= len(value) <= MAX_CHARS:
        raise ValueError(f"a password has {MIN_CHARS} to {MAX_CHARS} characters")
    return _encodable(value)


NewPassword = Annotated[
    SecretStr,
    BeforeValidator(_password_length, json_schema_input_type=str),
    Field(
        min_length=MIN_CHARS,
        max_length=MAX_CHARS,
        description=f"{MIN_CHARS} to {MAX_CHARS} characters; not the email address",
    ),
]
GivenPassword = Annotated[
    SecretStr,
    BeforeValidator(_encodable, json_schema_input_type=str),
    Field(min_length=1, max_length=MAX_CHARS),
]


class Strict(BaseModel):
    """A body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class RegisterIn(Strict):
    """A sign-up."""

    email: Email
    password: NewPassword
    name: PersonName | None = None
    locale: Locale | None = Field(default=None, description="Of the mails; else it follows Accept-Language")

    @field_validator("password")
    @classmethod
    def _is_not_the_address(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if problem := password_problem(value.get_secret_value(), info.data.get("email")):
            raise ValueError(problem)
        return value


class VerifyIn(Strict):
    """The token of the link, and the password unless this is the browser that signed up."""

    token: Token
    password: GivenPassword | None = None


class ResendIn(Strict):
    """Whose mail to send again."""

    email: Email


class Accepted(BaseModel):
    """It was taken; what comes of it goes to the address by mail."""

    status: Literal["accepted"] = "accepted"


class Verified(BaseModel):
    """The address is proven, and the account is there."""

    status: Literal["verified"] = "verified"


class MePatch(Strict):
    """What one may change of oneself; what is left out stays."""

    name: PersonName | None = None
    locale: Locale | None = None


class Me(BaseModel):
    """One's own account."""

    id: UUID
    email: str | None
    email_verified: bool
    name: str | None
    nickname: str | None
    picture: str | None
    phone_number: str | None
    gender: str | None
    birth_year: int | None
    birthday: str | None = Field(description="`MM-DD`")
    age_range: str | None = Field(description="`30-39`, or `90-` and older")
    locale: str
    role: str
    status: str
    sending: str
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> Self:
        """From the row."""
        return cls(
            id=user.id,
            email=user.email_norm,
            email_verified=user.is_verified,
            name=user.name,
            nickname=user.nickname,
            picture=user.picture,
            phone_number=user.phone_number,
            gender=user.gender,
            birth_year=user.birth_year,
            birthday=user.birthday,
            age_range=user.age_range,
            locale=user.locale,
            role=user.role,
            status=user.status,
            sending=user.sending,
            created_at=user.created_at,
        )
