"""The number that a page gives its form, so that the form can be sent twice and count once."""

import re

_ATTEMPT = re.compile(r'name="attempt" value="([^"]+)"')


def attempt_of(html: str) -> str:
    found = _ATTEMPT.search(html)
    assert found is not None
    return found[1]
