"""Where a browser may be sent afterwards: to a path of ours, and nowhere else.

What browsers make of an address is wider than what it looks like: `//e`, `/\\e` and `/<tab>/e` all lead to the host
`e`. So it is checked by what is allowed, when a flow begins and once more at its end, by one rule for every service.
"""

import re

HOME = "/"
MAX_CHARS = 2000

# Encoded slashes, backslashes and control characters: something between us and the page might decode them.
_ENCODED = re.compile(r"%(?:[01][0-9a-f]|7f|2f|5c)", re.IGNORECASE)


def is_safe(path: str) -> bool:
    """Whether it is a path of ours, perhaps with a query and a fragment."""
    if not path.startswith("/") or len(path) > MAX_CHARS or not path.isprintable() or "\\" in path or " " in path:
        return False
    before_query = re.split("[?#]", path, maxsplit=1)[0]
    return "//" not in before_query and _ENCODED.search(before_query) is None


def safe_or_home(path: str | None) -> str:
    """The path, if it is one of ours; else the front page."""
    return path if path is not None and is_safe(path) else HOME
