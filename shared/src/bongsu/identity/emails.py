"""Email addresses, in one spelling each, so that two spellings never become two accounts."""

import re
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

_PLAIN_LOCAL = re.compile(r"(?=.{1,64}@)[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@")
"""The part before the @ of most addresses, which needs no other check."""


def normalise_email(value: str) -> str:
    """Return an address in the spelling under which it is stored, compared and sent to.

    The part before the @ must be ASCII: SES delivers to no other, and look-alikes such as the Kelvin sign would fold
    onto other letters. It is put in lower case, as is the domain in its ASCII form (IDNA).

    :raises ValueError: the text is not an address; the message says what to change.
    """
    plain = _PLAIN_LOCAL.match(value)
    local, domain = (plain.group()[:-1], _normalise_domain(value[plain.end() :])) if plain else _normalise_parts(value)
    address = f"{local}@{domain}".lower()
    if len(address) > 254:
        raise ValueError("is longer than an email address can be (254 characters)")
    return address


@lru_cache(maxsize=4096)
def _normalise_domain(domain: str) -> str:
    # Most addresses are at few domains, whose check takes most of the time.
    return _normalise_parts(f"a@{domain}")[1]


def _normalise_parts(value: str) -> tuple[str, str]:
    try:
        # `test_environment` allows `.test`, the domain of demos and simulator addresses.
        found = validate_email(
            value,
            allow_smtputf8=False,
            allow_empty_local=False,
            check_deliverability=False,
            test_environment=True,
            strict=True,  # the part before the @ has at most 64 characters
        )
    except EmailNotValidError as error:
        raise ValueError(f"is not an email address: {error}") from error
    return found.local_part, found.ascii_domain
