"""Verifies signed requests: the signature, the key and its allow-list. `callers.py` claims the nonce afterwards."""

from starlette.requests import Request

from bongsu.identity.api_keys import KeyDirectory, KnownKey
from bongsu.identity.errors import AddressNotAllowed, SignatureRefused, SignatureUnreadable
from bongsu.identity.nonces import Nonce
from bongsu.identity.signature_base import HttpRequest
from bongsu.identity.signatures import DUMMY_SECRET, SignatureMalformed, SignatureReader


class SignedRequestVerifier:
    """Verifies requests that clients sign with an API key (RFC 9421, `hmac-sha256`).

    :param public_url: the URL that clients call; signatures must cover its authority.
    :param keys: finds the keys by the `keyid` of signatures.
    """

    def __init__(self, public_url: str, keys: KeyDirectory) -> None:
        self._reader = SignatureReader(public_url)
        self._keys = keys

    async def verify(self, request: Request, address: str | None) -> tuple[KnownKey, Nonce]:
        """Return the key that signed the request, and its nonce: until that is claimed, it may be a replay.

        A request may carry other signatures as well, such as a gateway's. Answer and work are the same whether a key
        is unknown, stopped or its owner blocked, and whether the signature is wrong or old.

        :param address: the client's, for the allow-list.
        :raises SignatureUnreadable: the request has no signature of the required form.
        :raises SignatureRefused: no active API key made one of them.
        :raises AddressNotAllowed: the key's allow-list does not contain the address.
        """
        scope = request.scope
        received = HttpRequest.of(
            request.method, scope["raw_path"], scope["query_string"], request.headers.raw, await request.body()
        )
        try:
            claims = self._reader.read(received)
        except SignatureMalformed as error:
            raise SignatureUnreadable(f"Cannot read the signature: {error}") from None
        accepted = None
        for claim in claims:
            key = await self._keys.find(claim.key_id)
            # Two checks for every claim, so that the time says nothing about the key.
            secrets = (*(key.secrets if key is not None else ()), DUMMY_SECRET, DUMMY_SECRET)
            is_authentic = claim.is_signed_with(secrets[0]) | claim.is_signed_with(secrets[1])
            if key is not None and is_authentic:
                if accepted is not None:
                    # Only one nonce is claimed: by the other signature, the request would work a second time.
                    raise SignatureRefused
                accepted = key, claim
        if accepted is None:
            raise SignatureRefused
        key, claim = accepted
        if not key.is_usable_from(address):
            raise AddressNotAllowed
        return key, Nonce.of(claim.key_id, claim.nonce)
