"""The pages to which a browser is redirected at the end of a flow. `bongsu.identity.redirects` checks the paths."""

from urllib.parse import urlencode

from bongsu.identity.redirects import HOME

LOGIN = "/login"
CODE = "/login/code"


def with_query(path: str, **values: str) -> str:
    """Add parameters to the query of a safe path."""
    address, hash_sign, fragment = path.partition("#")
    separator = "&" if "?" in address else "?"
    return f"{address}{separator}{urlencode(values)}{hash_sign}{fragment}"


def code_page(next_path: str) -> str:
    """Return the page that asks for the second factor, with the page to go to afterwards."""
    return with_query(CODE, next=next_path) if next_path != HOME else CODE


def login_page(*, error: str | None = None, next_path: str = HOME) -> str:
    """Return the sign-in page, with the code of an error and the page to go to afterwards."""
    values = {"error": error} if error is not None else {}
    if next_path != HOME:
        values["next"] = next_path
    return with_query(LOGIN, **values) if values else LOGIN
