"""Signs requests with an API key (RFC 9421, `hmac-sha256`)."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Generator

import httpx

_DEFAULT_PORTS = {"http": 80, "https": 443}


class RequestSigner(httpx.Auth):
    """Signs each request of an httpx client, sync or async: `httpx.Client(auth=RequestSigner(key, secret))`.

    A request that is sent again gets a new signature, because the API accepts each nonce once.

    :param access_key: the key id, such as `bak_…`.
    :param secret_key: the secret that was shown when the key was created.
    :param public_url: the API's public URL, where the client calls another address (a tunnel, a container).
    :param now: the clock, in seconds since 1970. The API accepts a difference of 30 s.
    """

    requires_request_body = True

    def __init__(
        self,
        access_key: str,
        secret_key: str,
        *,
        public_url: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key.encode()
        self._public_url = httpx.URL(public_url) if public_url is not None else None
        self._now = now

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request each time that httpx sends it."""
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        covered = {
            "@method": request.method,
            "@authority": _authority(self._public_url or request.url),
            "@path": path,
            "@query": f"?{query}",
        }
        if request.content:
            digest = f"sha-256=:{_base64(hashlib.sha256(request.content).digest())}:"
            request.headers["Content-Digest"] = covered["content-digest"] = digest
        names = " ".join(f'"{name}"' for name in covered)
        params = f'({names});created={int(self._now())};keyid="{self._access_key}";nonce="{secrets.token_urlsafe(16)}"'
        lines = [f'"{name}": {value}' for name, value in covered.items()]
        base = "\n".join([*lines, f'"@signature-params": {params}'])
        mac = hmac.digest(self._secret_key, base.encode("ascii"), "sha256")
        request.headers["Signature-Input"] = f"sig1={params}"
        request.headers["Signature"] = f"sig1=:{_base64(mac)}:"
        yield request


def _authority(url: httpx.URL) -> str:
    host = url.raw_host.decode("ascii").lower()
    host = f"[{host}]" if ":" in host else host
    return host if url.port in (None, _DEFAULT_PORTS.get(url.scheme)) else f"{host}:{url.port}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
