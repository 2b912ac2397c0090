"""Email addresses in the format of SES: ASCII, display names as MIME encoded-words."""

import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from bongsu_sandbox.ses.errors import bad_request

_WITH_NAME = re.compile(r"""^\s*(?P<name>[^<>"]*?|"(?:[^"\\]|\\.)*")\s*<\s*(?P<address>[^<>]*?)\s*>\s*$""", re.DOTALL)
_LOCAL = re.compile(r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+$")
_LABEL = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$")


@dataclass(frozen=True, slots=True)
class Address:
    """A bare address and the display name, decoded."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        """The part after the `@`, in lower case."""
        return self.address.rpartition("@")[2].lower()

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


def parse_address(written: str) -> Address:
    """Read `a@b.c` or `Name <a@b.c>`.

    :raises SesError: BadRequestException, with what is wrong.
    """
    if len(written.encode()) > 320:
        raise bad_request("Address with its display name is longer than 320 bytes")
    match = _WITH_NAME.match(written)
    address = match["address"] if match else written.strip()
    _check(address)
    return Address(address, decode_name(match["name"]) if match else "")


def decode_name(written: str) -> str:
    """Remove the quotes of a display name and decode its encoded-words.

    :raises SesError: BadRequestException for raw non-ASCII text: SES wants encoded-words there.
    """
    if not written.isascii():
        raise bad_request("Display name contains non-ASCII characters: use MIME encoded-word syntax (RFC 2047)")
    if any(ord(character) < 32 for character in written):
        raise bad_request("Display name contains control characters")
    if len(written) >= 2 and written[0] == written[-1] == '"':
        written = re.sub(r"\\(.)", r"\1", written[1:-1])
    if "=?" not in written:
        return written
    name = decode_words(written)
    if name is None:
        raise bad_request(f"Display name cannot be decoded: {written}")
    return name


def decode_words(text: str) -> str | None:
    """Decode MIME encoded-words; None if they are malformed."""
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return None


def _check(address: str) -> None:
    local, at, domain = address.rpartition("@")
    if not at or not domain:
        raise bad_request("Missing final '@domain'")
    if not local:
        raise bad_request("Missing local part before '@'")
    if any(character.isspace() or not character.isprintable() for character in local):
        raise bad_request("Local address contains control or whitespace")
    if len(local) > 64:
        raise bad_request("Local address is longer than 64 characters")
    if not _LOCAL.match(local):
        raise bad_request(f"Local address contains illegal characters: {local}")
    if local.startswith(".") or local.endswith(".") or ".." in local:
        raise bad_request("Local address has a misplaced dot")
    labels = domain.split(".")
    if len(address) > 320 or len(domain) > 255 or any(len(label) > 63 for label in labels):
        raise bad_request("Domain is too long")
    if not domain.isascii():
        raise bad_request(f"Domain contains non-ASCII characters, use Punycode: {domain}")
    if len(labels) < 2 or not all(_LABEL.match(label) for label in labels):
        raise bad_request(f"Domain contains illegal characters or dots: {domain}")
