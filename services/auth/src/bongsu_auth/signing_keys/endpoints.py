"""`/.well-known/jwks.json`."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from bongsu.identity.dependencies import identity_of
from bongsu.identity.key_source import JWKS_MAX_AGE_S
from bongsu.runtime.problems import problems


class Jwk(BaseModel):
    """A public Ed25519 key (RFC 8037)."""

    kty: str
    crv: str
    use: str
    alg: str
    kid: str
    x: str


class JwkSet(BaseModel):
    """The keys that sign access tokens now, signed those that are still valid, or will sign the next."""

    keys: list[Jwk]


router = APIRouter(tags=["signing keys"])


@router.get("/.well-known/jwks.json", responses=problems(503))
async def get_jwks(request: Request, response: Response) -> JwkSet:
    """Get the public keys that verify access tokens."""
    # The source follows the table: it has a new key seconds after its creation, long before the key signs.
    source = identity_of(request).key_source
    if not source.jwks():  # the database did not answer when this process started: it does now, or this is a 503
        await source.refresh()
    response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE_S}"
    return JwkSet(keys=[Jwk(**key) for key in source.jwks()])
