"""Addresses within this site: which of them may be led to, and the one that signs in."""

from urllib.parse import quote, urlsplit

from bongsu.identity.redirects import HOME, is_safe


def safe_path(wish: str | None, otherwise: str = HOME) -> str:
    """A path of ours as it was asked for, or the other one where it could lead elsewhere."""
    return wish if wish is not None and is_safe(wish) else otherwise


def path_of(url: str | None, origin_host: str, otherwise: str = HOME) -> str:
    """The path and query of a full address on this host, such as a Referer."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return otherwise
    if parts.netloc != origin_host:
        return otherwise
    return safe_path(parts.path + (f"?{parts.query}" if parts.query else ""), otherwise)


def with_next(path: str, next_path: str) -> str:
    """A path with `?next=`."""
    return f"{path}?next={quote(next_path, safe='/')}"


def oauth_url(provider: str, next_path: str = HOME) -> str:
    """Where signing in with a provider begins: a link, as a browser has to go there itself.

    The original's filter put a signed state into the address; the state is a row of auth's now.
    """
    return with_next(f"/auth/oauth/{quote(provider, safe='')}/authorize", safe_path(next_path))
