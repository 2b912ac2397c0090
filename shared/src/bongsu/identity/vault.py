"""Encrypts what must be read again: secret keys, provider tokens, the variables of a mail.

AES-256-GCM under keys that have ids. The first key seals and every key opens. To replace a key, put the new one first,
and keep the old one: it opens what it sealed. The context (`aad`) names the owner of the sealed text, such as
`api_keys.secret:<id>`; a text that was moved to another owner does not open.
"""

import base64
import binascii
import os
import re
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bongsu.identity import base64url

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16


class VaultError(Exception):
    """A key or a sealed text is not usable. No message contains a key or any part of the content."""


class VaultKeysWrong(VaultError, ValueError):
    """The setting is not `id:base64[,id:base64…]` with 32 bytes each."""


class SealBroken(VaultError):
    """A sealed text does not open: it was changed, has another context, or its key is missing."""


class Vault:
    """Seals and opens texts.

    :param keys: key ids and their 32 bytes; the first seals.
    :raises VaultKeysWrong: no key, an id that is not 1 to 32 of `A-Za-z0-9_-`, or a key that is not 32 bytes.
    """

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise VaultKeysWrong("at least one key is needed")
        for key_id, key in keys.items():
            if _KEY_ID.fullmatch(key_id) is None:
                raise VaultKeysWrong("a key id is 1 to 32 of A-Z a-z 0-9 _ -")
            if len(key) != _KEY_BYTES:
                raise VaultKeysWrong(f"the key {key_id} must be {_KEY_BYTES} bytes in base64")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._sealing = next(iter(keys))

    @classmethod
    def parse(cls, setting: str) -> Self:
        """Parse a setting such as `k2:base64,k1:base64` (base64 or base64url, padding optional).

        :raises VaultKeysWrong: as for the class, or an id is given twice.
        """
        keys: dict[str, bytes] = {}
        for part in filter(None, (part.strip() for part in setting.split(","))):
            key_id, colon, text = part.partition(":")
            if not colon:
                raise VaultKeysWrong("each key is written id:base64")
            if key_id in keys:
                raise VaultKeysWrong("a key id is given twice")
            keys[key_id] = _decode_key(key_id, text)
        return cls(keys)

    @staticmethod
    def new_key(key_id: str = "k1") -> str:
        """Create a key, in the form of the setting."""
        return f"{key_id}:{base64.b64encode(os.urandom(_KEY_BYTES)).decode()}"

    def seal(self, plain: bytes | str, *, aad: str) -> str:
        """Seal bytes, or text as UTF-8; return `keyid.base64url`.

        :raises ValueError: the context is empty.
        """
        data = plain.encode() if isinstance(plain, str) else plain
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._sealing].encrypt(nonce, data, _context(self._sealing, aad))
        return f"{self._sealing}.{base64url.encode(nonce + sealed)}"

    def open(self, sealed: str, *, aad: str) -> bytes:
        """Return the bytes that were sealed with the same context.

        :raises SealBroken: the text does not open.
        """
        key_id, _, text = sealed.partition(".")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealBroken("sealed under a key that is missing")
        try:
            data = base64url.decode(text)
        except ValueError:
            raise SealBroken("not a sealed text") from None
        if len(data) < _NONCE_BYTES + _TAG_BYTES:
            raise SealBroken("not a sealed text")
        try:
            return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _context(key_id, aad))
        except InvalidTag:
            raise SealBroken("changed, or sealed for another context") from None

    def open_text(self, sealed: str, *, aad: str) -> str:
        """Return the text that was sealed; raises as `open` does."""
        data = self.open(sealed, aad=aad)
        try:
            return data.decode()
        except UnicodeDecodeError:
            # `from None`: the original error has the plain bytes.
            raise SealBroken("the content is not text") from None

    def __repr__(self) -> str:
        return f"Vault(keys={list(self._ciphers)})"


def _context(key_id: str, aad: str) -> bytes:
    if not aad:
        raise ValueError("a sealed text needs a context")
    return f"bongsu.vault\0{key_id}\0{aad}".encode()


def _decode_key(key_id: str, text: str) -> bytes:
    standard = text.strip().rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        shown = key_id if _KEY_ID.fullmatch(key_id) else "?"
        raise VaultKeysWrong(f"the key {shown} is not base64") from None
