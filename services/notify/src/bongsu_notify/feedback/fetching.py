"""Reads certificates and confirmation addresses of SNS."""

from typing import Final

import aiohttp

from bongsu_notify.errors import FeedbackUnreachable

MAX_BYTES: Final = 64 * 1024
TIMEOUT_S: Final = 5.0


async def fetch(url: str) -> bytes:
    """The body at a URL that the caller has checked, without redirects.

    :raises FeedbackUnreachable: no answer with status 200, or a larger one than `MAX_BYTES`.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            body = bytearray()
            async for part in answer.content.iter_any():
                body += part
                if len(body) > MAX_BYTES:
                    raise FeedbackUnreachable
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise FeedbackUnreachable from error
    if answer.status != 200:
        raise FeedbackUnreachable
    return bytes(body)
