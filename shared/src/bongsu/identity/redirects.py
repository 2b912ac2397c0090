"""The rule for redirect targets that come from a request: only paths of our own site.

Browsers read more into a target than it shows: `//e`, `/\\e` and `/<tab>/e` all lead to the host `e`. So the rule
allows what is known to be safe. It is applied when a flow begins and again at its end.
"""

import re

from bongsu.contracts.text import is_allowed

HOME = "/"
MAX_CHARS = 2000

# Encoded slashes, backslashes and control characters, which a proxy might decode.
_ENCODED = re.compile(r"%(?:[01][0-9a-f]|7f|2f|5c)", re.IGNORECASE)


def is_safe(path: str) -> bool:
    """Whether a target is a path of our own site; it may have a query and a fragment."""
    if (
        not path.startswith("/")
        or len(path) > MAX_CHARS
        or not all(map(is_allowed, path))
        or "\\" in path
        or any(map(str.isspace, path))
    ):
        return False
    before_query = re.split("[?#]", path, maxsplit=1)[0]
    return "//" not in before_query and _ENCODED.search(before_query) is None


def safe_or_home(path: str | None) -> str:
    """Return the path where it is safe, else the front page."""
    return path if path is not None and is_safe(path) else HOME
