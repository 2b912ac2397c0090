"""The forms of signing up and in."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, StringConstraints

from bongsu.identity.emails import normalise_email

MIN_PASSWORD_CHARS = 10
MAX_PASSWORD_CHARS = 256

Email = Annotated[str, StringConstraints(max_length=320, min_length=1), AfterValidator(normalise_email)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _given(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("missing")
    return value


class SignInForm(_Form):
    """A sign-in; `next` is where it leads."""

    email: Email
    password: Annotated[SecretStr, AfterValidator(_given)]
    next: str = "/"


class RegisterForm(_Form):
    """A sign-up."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    email: Email
    password: SecretStr


class ResendForm(_Form):
    """Whose mail to send again."""

    email: Email


class VerifyForm(_Form):
    """The token of a mail's link, and the password where this is another browser than the one that signed up."""

    token: Token
    password: SecretStr = SecretStr("")


class SignOutForm(_Form):
    """Nothing but the form's own token."""
