"""Requests of API clients that sign users in through a provider."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from bongsu.contracts.text import Matching
from bongsu_auth.accounts.schemas import Strict


class AuthorizeIn(Strict):
    """Where the browser goes afterwards, and the PKCE challenge (RFC 7636)."""

    redirect_uri: Annotated[
        str,
        StringConstraints(min_length=1, max_length=2000),
        Field(description="One of the redirect URIs that the operator allows", examples=["com.example.app:/callback"]),
    ]
    code_challenge: Annotated[
        str,
        Matching(r"^[A-Za-z0-9_-]{43}$", "must be 43 characters of base64url, without padding"),
        Field(description="`base64url(sha256(code_verifier))`, without padding"),
    ]
    code_challenge_method: Literal["S256"] = "S256"
    state: Annotated[
        Annotated[str, Matching(r"^[\x20-\x7e]{1,512}$", "must be 1 to 512 characters of printable ASCII")] | None,
        Field(description="Comes back with the browser, unchanged"),
    ] = None


class ExchangeIn(Strict):
    """The code that came with the browser, and the PKCE verifier."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    code_verifier: Annotated[
        str,
        Matching(r"^[A-Za-z0-9._~-]{43,128}$", "must be 43 to 128 of A-Z, a-z, 0-9, `.`, `_`, `~` and `-`"),
    ]
