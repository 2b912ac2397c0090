"""Addresses within this site: which of them may be led to, and the one that signs in."""

from urllib.parse import quote, urlsplit

HOME = "/"


def safe_path(wish: str | None, otherwise: str = HOME) -> str:
    """A path of ours as it was asked for, or the other one where it could lead elsewhere.

    A path begins with one `/` that no `/` or `\\` follows, and holds no control characters, whitespace or backslashes.
    """
    if wish is None or not wish.startswith("/") or wish[1:2] in ("/", "\\") or len(wish) > 2000:
        return otherwise
    if "\\" in wish or any(not char.isprintable() or char.isspace() for char in wish):
        return otherwise
    return wish


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
