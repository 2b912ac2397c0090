"""Reads certificates and confirmation addresses of SNS."""

from typing import Final

import aiohttp

from bongsu_notify.errors import FeedbackUnreachable

MAX_BYTES: Final = 64 * 1024
TIMEOUT_S: Final = 5.0


async def fetch(url: str) -> bytes:
    """The body at a URL that the caller has checked, without redirects.

    :raises FeedbackUnreachable: no answer with status 200.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            body = await answer.content.read(MAX_BYTES)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise FeedbackUnreachable from error
    if answer.status != 200:
        raise FeedbackUnreachable
    return body
