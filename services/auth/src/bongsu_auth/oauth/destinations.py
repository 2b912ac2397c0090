"""The addresses that a browser is sent to at the end of a flow; which ones may be: `bongsu.identity.redirects`."""

from urllib.parse import urlencode

from bongsu.identity.redirects import HOME

LOGIN = "/login"


def with_query(path: str, **values: str) -> str:
    """A safe path with more in its query."""
    address, hash_sign, fragment = path.partition("#")
    separator = "&" if "?" in address else "?"
    return f"{address}{separator}{urlencode(values)}{hash_sign}{fragment}"


def login_page(*, error: str | None = None, next_path: str = HOME) -> str:
    """The page to sign in on, with what went wrong and where to go on to."""
    values = {"error": error} if error is not None else {}
    if next_path != HOME:
        values["next"] = next_path
    return with_query(LOGIN, **values) if values else LOGIN
