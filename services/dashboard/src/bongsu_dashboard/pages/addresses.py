"""Addresses within this site, and safe redirects to them."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from bongsu.identity.redirects import HOME, is_safe


def origin_of(url: str) -> str:
    """Return scheme and host of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def safe_path(path: str | None, default: str = HOME) -> str:
    """Return a requested path, or the default where it could lead to another site."""
    return path if path is not None and is_safe(path) else default


def path_of(url: str | None, origin_host: str, default: str = HOME) -> str:
    """Return path and query of a URL on this host, such as a Referer."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return default
    if parts.netloc != origin_host:
        return default
    return safe_path(parts.path + (f"?{parts.query}" if parts.query else ""), default)


def with_parameters(path: str, values: Mapping[str, object]) -> str:
    """Return an address with the parameters that have a value."""
    given = {name: str(value) for name, value in values.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def with_next(path: str, next_path: str) -> str:
    return f"{path}?next={quote(next_path, safe='/')}"


def oauth_url(provider: str, next_path: str = HOME) -> str:
    """Return the address at which signing in with a provider starts (the Jinja filter `oauth_url`).

    Auth creates the state when the browser arrives there, so the address holds none.
    """
    return with_next(f"/auth/oauth/{quote(provider, safe='')}/authorize", safe_path(next_path))
