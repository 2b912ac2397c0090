"""Content-Digest (RFC 9530), which ties a signature to the body."""

import hashlib
import hmac
from typing import Literal

import http_sf

from bongsu.identity.structured_fields import StructuredFieldError, parse_dictionary

DigestAlgorithm = Literal["sha-256", "sha-512"]

_HASHES = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


def content_digest(body: bytes, algorithm: DigestAlgorithm = "sha-256") -> str:
    """Return the Content-Digest field of a body: `sha-256=:…:`."""
    return http_sf.ser({algorithm: _HASHES[algorithm](body).digest()})


def digest_matches(field_value: str, body: bytes) -> bool:
    """Whether every sha-256 and sha-512 digest of a Content-Digest field is the body's, and there is one.

    Other algorithms are ignored.
    """
    try:
        members = parse_dictionary(field_value)
    except StructuredFieldError:
        return False
    known = [algorithm for algorithm in _HASHES if algorithm in members]
    for algorithm in known:
        digest = members[algorithm][0]
        if not isinstance(digest, bytes) or not hmac.compare_digest(digest, _HASHES[algorithm](body).digest()):
            return False
    return bool(known)
