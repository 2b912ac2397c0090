"""What a signature is computed over (RFC 9421 section 2): a request's components and their base."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import http_sf

from bongsu.identity.structured_fields import InnerList, serialize_inner_list

_DEFAULT_PORTS = {"http": 80, "https": 443}


class SignatureMalformed(ValueError):
    """The request is not signed as it must be; the message says what to change, and depends on the request only."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The scheme and authority that clients know us by, normalised as RFC 9421 section 2.2.3 says."""

    scheme: str
    authority: str

    @classmethod
    def of(cls, url: str) -> "Origin":
        """From a URL such as `https://Example.com:443/x`: lower case, without the scheme's default port.

        :raises ValueError: no http or https scheme, no host, or a port out of range.
        """
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        if scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("an http or https URL with a host is needed")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = parts.port
        default = port is None or port == _DEFAULT_PORTS[scheme]
        return cls(scheme, host if default else f"{host}:{port}")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it was sent.

    :param method: as sent, `GET`.
    :param raw_path: the path as sent, still percent-encoded, without the query.
    :param raw_query: the query as sent, without `?`; empty when there is none.
    :param headers: names and values in the order sent.
    :param body: the whole body.
    """

    method: str
    raw_path: bytes
    raw_query: bytes
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def of(
        cls, method: str, raw_path: bytes, raw_query: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes
    ) -> "HttpRequest":
        """From what an ASGI scope holds (`raw_path`, `query_string`, `headers`)."""
        decoded = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
        return cls(method, raw_path, raw_query, decoded, body)

    def header(self, name: str) -> str | None:
        """A header's values joined by `, ` in order (section 2.1), or None when it is absent."""
        values = [value.strip(" \t") for key, value in self.headers if key == name]
        return ", ".join(values) if values else None


def signature_base(request: HttpRequest, origin: Origin, signed: InnerList) -> bytes:
    """The bytes that a signature over `signed` (components and parameters) covers.

    :raises SignatureMalformed: a component is repeated, unknown, absent from the request or has parameters.
    """
    derived = _derived(request, origin)
    lines: list[str] = []
    seen: set[str] = set()
    for name, params in signed[0]:
        if not isinstance(name, str):
            raise SignatureMalformed("each covered component is a quoted name")
        if params:
            raise SignatureMalformed(f'the component "{name}" has parameters, which are not supported')
        if name in seen:
            raise SignatureMalformed(f'the component "{name}" is covered twice')
        seen.add(name)
        lines.append(f"{http_sf.ser(name)}: {_value(name, request, derived)}")
    lines.append(f'"@signature-params": {serialize_inner_list(signed)}')
    try:
        return "\n".join(lines).encode("ascii")
    except UnicodeEncodeError:
        raise SignatureMalformed("only ASCII can be signed: percent-encode the path, query and headers") from None


def covering(names: Iterable[str], params: Mapping[str, str | int]) -> InnerList:
    """The inner list that covers the named components with the given parameters."""
    return [(name, {}) for name in names], dict(params)


def _derived(request: HttpRequest, origin: Origin) -> dict[str, str]:
    path = request.raw_path.decode("latin-1") or "/"
    query = request.raw_query.decode("latin-1")
    target = f"{path}?{query}" if query else path
    return {
        "@method": request.method,
        "@authority": origin.authority,
        "@scheme": origin.scheme,
        "@path": path,
        "@query": f"?{query}",
        "@request-target": target,
        "@target-uri": f"{origin.scheme}://{origin.authority}{target}",
    }


def _value(name: str, request: HttpRequest, derived: Mapping[str, str]) -> str:
    if name.startswith("@"):
        if name not in derived:
            raise SignatureMalformed(f'the component "{name}" is not supported')
        return derived[name]
    value = request.header(name)
    if value is None:
        raise SignatureMalformed(f'the component "{name}" is covered but the request has no such field')
    if "\n" in value or "\r" in value:
        raise SignatureMalformed(f'the field "{name}" holds a line break')
    return value
