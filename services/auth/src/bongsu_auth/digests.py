"""How random secrets are stored."""

import hashlib


def digest(secret: str) -> str:
    """Return the stored form of a random secret, which has too many possible values to be guessed from a hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
