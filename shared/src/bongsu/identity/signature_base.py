"""The bytes that a request signature covers (RFC 9421, section 2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import http_sf

from bongsu.identity.structured_fields import InnerList, serialize_inner_list

_DEFAULT_PORTS = {"http": 80, "https": 443}


class SignatureMalformed(ValueError):
    """The signature does not have the required form; the message says what to change, from the request alone."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The scheme and authority that clients call, normalised (RFC 9421, section 2.2.3)."""

    scheme: str
    authority: str

    @classmethod
    def of(cls, url: str) -> "Origin":
        """From a URL such as `https://Example.com:443/x`: in lower case, without the scheme's default port.

        :raises ValueError: the scheme is not http or https, there is no host, or the port is out of range.
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

    :param raw_path: still percent-encoded, without the query.
    :param raw_query: still percent-encoded, without `?`; empty when the URL has no query.
    :param headers: names in lower case and values, in the order sent.
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
        """From the members of an ASGI scope (`raw_path`, `query_string`, `headers`) and the whole body."""
        decoded = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
        return cls(method, raw_path, raw_query, decoded, body)

    def header(self, name: str) -> str | None:
        """Return a field's values joined by `, ` in order (section 2.1), or None where it is absent."""
        return self.fields().get(name)

    def fields(self) -> dict[str, str]:
        """Return every field as `header` does; looking fields up one by one would take time for each header."""
        values: dict[str, list[str]] = {}
        for name, value in self.headers:
            values.setdefault(name, []).append(value.strip(" \t"))
        return {name: ", ".join(lines) for name, lines in values.items()}


def signature_base(request: HttpRequest, origin: Origin, signed: InnerList) -> bytes:
    """Return the bytes that a signature covers.

    :param origin: of the public URL; the Host field is never used.
    :param signed: the covered components, and the parameters of the signature.
    :raises SignatureMalformed: a component is repeated, unknown, absent from the request or has parameters.
    """
    derived, fields = _derive_components(request, origin), request.fields()
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
        value = _value(name, fields, derived)
        lines.append(f"{_quote(name)}: {value}")
    lines.append(f'"@signature-params": {serialize_inner_list(signed)}')
    try:
        return "\n".join(lines).encode("ascii")
    except UnicodeEncodeError:
        raise SignatureMalformed("only ASCII can be signed: percent-encode the path, query and headers") from None


def covering(names: Iterable[str], params: Mapping[str, str | int]) -> InnerList:
    """Return the inner list that covers the named components with the given parameters."""
    return [(name, {}) for name in names], dict(params)


def _derive_components(request: HttpRequest, origin: Origin) -> dict[str, str]:
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


@lru_cache(maxsize=256)
def _quote(name: str) -> str:
    return http_sf.ser(name)


def _value(name: str, fields: Mapping[str, str], derived: Mapping[str, str]) -> str:
    if name.startswith("@"):
        if name not in derived:
            raise SignatureMalformed(f'the component "{name}" is not supported')
        return derived[name]
    value = fields.get(name)
    if value is None:
        raise SignatureMalformed(f'the component "{name}" is covered but the request has no such field')
    if "\n" in value or "\r" in value:
        raise SignatureMalformed(f'the field "{name}" has a line break')
    return value
