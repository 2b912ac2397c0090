"""`/.well-known/jwks.json`."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from bongsu.identity.key_source import JWKS_MAX_AGE_S
from bongsu.runtime.problems import problems
from bongsu_auth.wiring import Wiring


class Jwk(BaseModel):
    """A public Ed25519 key (RFC 8037)."""

    kty: str
    crv: str
    use: str
    alg: str
    kid: str
    x: str


class JwkSet(BaseModel):
    """The keys that sign access tokens now, signed those that may still be around, or will sign the next."""

    keys: list[Jwk]


def create_router(wiring: Wiring) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["signing keys"])

    @router.get("/.well-known/jwks.json", responses=problems(503))
    async def jwks(response: Response) -> JwkSet:
        """The public keys with which access tokens are verified."""
        # The source follows the table: a new key is there seconds after it was made, long before it signs.
        source = wiring.identity.key_source
        if not source.jwks():  # the database was away when this process started: it answers now, or this is a 503
            await source.refresh()
        response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE_S}"
        return JwkSet(keys=[Jwk(**key) for key in source.jwks()])

    return router
