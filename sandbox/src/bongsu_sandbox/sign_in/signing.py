"""The key with which a stand-in signs ID tokens, and its JWKS."""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

ALGORITHM = "RS256"


class SigningKey:
    """An RSA key in a file, which is created at the first use."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sign(self, claims: dict[str, Any]) -> str:
        """Return a JWT."""
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._jwk["kid"]})

    def to_jwks(self) -> dict[str, Any]:
        """Return the JSON Web Key Set with the public key."""
        return {"keys": [self._jwk]}

    @cached_property
    def _key(self) -> RSAPrivateKey:
        return read_or_create_key(self._path)

    @cached_property
    def _jwk(self) -> dict[str, Any]:
        public: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        kid = hashlib.sha256(public["n"].encode()).hexdigest()[:16]
        return {"kty": public["kty"], "n": public["n"], "e": public["e"], "kid": kid, "use": "sig", "alg": ALGORITHM}


def read_or_create_key(path: Path) -> RSAPrivateKey:
    """Read the key of a file, or create it."""
    try:
        found = serialization.load_pem_private_key(path.read_bytes(), None)
    except (FileNotFoundError, ValueError):
        found = None
    if isinstance(found, RSAPrivateKey):
        return found
    key = generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pem)
    return key
