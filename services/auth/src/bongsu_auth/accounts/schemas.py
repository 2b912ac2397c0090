"""Requests and responses of accounts."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi_users import schemas
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
from pydantic.config import JsonDict

from bongsu.contracts.text import require_single_line
from bongsu.identity.emails import normalise_email
from bongsu.identity.scopes import Role
from bongsu_auth.accounts.passwords import MAX_CHARS, MIN_CHARS, password_problem

Locale = Literal["ko", "en"]


Email = Annotated[
    str,
    StringConstraints(max_length=320),
    AfterValidator(normalise_email),
    Field(json_schema_extra={"format": "email"}, examples=["jiwoo@example.com"]),
]
PersonName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(require_single_line),
]
Token = Annotated[str, StringConstraints(min_length=1, max_length=512)]


def _encodable(value: object) -> object:
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("must not contain a lone surrogate")
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
        description=f"{MIN_CHARS} to {MAX_CHARS} characters; not the email address, and not a common password",
    ),
]
GivenPassword = Annotated[
    SecretStr,
    BeforeValidator(_encodable, json_schema_input_type=str),
    Field(min_length=1, max_length=MAX_CHARS),
]


class Strict(BaseModel):
    """A request body. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class UserCreate(schemas.BaseUserCreate):
    """An account that an operator creates."""

    model_config = ConfigDict(use_enum_values=True)

    email: Email
    name: PersonName | None = None
    locale: Locale = "ko"
    role: Role = Role.USER
    sending: str = "trial"


def without_null(schema: JsonDict) -> None:
    """Document a field that may be left out but not be null; the endpoint refuses null."""
    alternatives = schema.pop("anyOf")
    assert isinstance(alternatives, list)  # noqa: S101 - the field's type is a union
    schema.update(next(one for one in alternatives if isinstance(one, dict) and one != {"type": "null"}))


class RegisterIn(Strict):
    """A sign-up."""

    email: Email
    password: NewPassword
    name: PersonName | None = None
    locale: Locale | None = Field(default=None, description="Language of the mails. Default: from `Accept-Language`")

    @field_validator("password")
    @classmethod
    def _is_not_the_address(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if problem := password_problem(value.get_secret_value(), info.data.get("email")):
            raise ValueError(problem)
        return value


class VerifyIn(Strict):
    """The token from the link, and a password in any other browser than the one that signed up."""

    token: Token
    password: NewPassword | None = Field(
        default=None, description="The password of the account; replaces the sign-up's"
    )


class ResendIn(Strict):
    """The address of a sign-up."""

    email: Email


class Accepted(BaseModel):
    """Request accepted. The outcome goes to the address by mail."""

    status: Literal["accepted"] = "accepted"


class Verified(BaseModel):
    """The address is verified and the account exists."""

    status: Literal["verified"] = "verified"


class MePatch(Strict):
    """Changes to your account. A missing field stays as it is."""

    name: PersonName | None = None
    locale: Locale | None = Field(default=None, json_schema_extra=without_null)


class Me(BaseModel):
    """Your account."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str | None = Field(validation_alias="email_norm")
    email_verified: bool = Field(validation_alias="is_verified")
    name: str | None
    nickname: str | None
    picture: str | None
    phone_number: str | None
    gender: str | None
    birth_year: int | None
    birthday: str | None = Field(description="`MM-DD`")
    age_range: str | None = Field(description="`30-39`, or `90-` for 90 and older")
    locale: str
    role: str
    status: str
    sending: str
    has_password: bool
    mfa_enabled: bool = Field(validation_alias="has_second_factor", description="Whether sign-in takes a code as well")
    created_at: datetime
