"""Content-Digest (RFC 9530): what ties a signature to the body."""

import hashlib
import hmac
from typing import Literal

import http_sf

from bongsu.identity.structured_fields import StructuredFieldError, parse_dictionary

DigestAlgorithm = Literal["sha-256", "sha-512"]

_HASHES = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


def content_digest(body: bytes, algorithm: DigestAlgorithm = "sha-256") -> str:
    """The value of the Content-Digest field for a body: `sha-256=:…:`."""
    return http_sf.ser({algorithm: _HASHES[algorithm](body).digest()})


def digest_matches(field_value: str, body: bytes) -> bool:
    """Whether a Content-Digest field names the body by sha-256 or sha-512, recomputed, and by nothing wrong.

    Algorithms that are not known are passed over; one that is known must be right, and there must be one.
    """
    try:
        members = parse_dictionary(field_value)
    except StructuredFieldError:
        return False
    known = 0
    for algorithm, hash_of in _HASHES.items():
        if algorithm not in members:
            continue
        digest = members[algorithm][0]
        if not isinstance(digest, bytes) or not hmac.compare_digest(digest, hash_of(body).digest()):
            return False
        known += 1
    return known > 0
