"""`bongsu send`: sends an email through the API and follows its status."""

import argparse
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx

from bongsu.process.server import Main
from bongsu.runtime.errors import StartError
from bongsu.runtime.settings import DOTENV, load
from bongsu.runtime.stop import StopSignal
from bongsu_client import ApiError, AsyncBongsuClient, Retries, UnexpectedAnswer, Unreachable
from bongsu_launcher.settings import LauncherSettings

ENDED = frozenset({"sent", "delivered", "bounced", "complained", "failed", "suppressed", "cancelled", "expired"})
POLL_S = 0.2

_BASE_URL = re.compile(r"https?://[^/?#@\s]+/?")
_KEY = re.compile(r"[!-~]+")


def process(options: argparse.Namespace) -> Main:
    """Send one email and follow its status.

    :raises StartError: no key is given, the API cannot be reached or refuses, or the email is not sent in time.
    """

    async def send(stop: StopSignal) -> None:
        if not options.access_key or not options.secret_key:
            raise StartError(
                "`bongsu send` needs an API key: create one with `bongsu key create EMAIL`, then set "
                "BONGSU_ACCESS_KEY and BONGSU_SECRET_KEY"
            )
        (platform,) = load(LauncherSettings, dotenv=DOTENV)
        url = options.url or platform.url
        _require_sendable(options, url)
        body = {
            "channel": "email",
            "to": {"email": options.to},
            "content": {"subject": options.subject, "text": options.text},
        }
        client = AsyncBongsuClient(url, options.access_key, options.secret_key, retries=Retries(attempts=2))
        async with client:
            with _as_start_errors(url):
                created = await client.send(body)
                print(f"{created['id']}  {created['status']}")
                await _follow(client, created["id"], created["status"], options.timeout, stop)

    return send


@contextmanager
def _as_start_errors(url: str) -> Iterator[None]:
    """Raise the client's errors as start errors.

    :raises StartError: in their place.
    """
    try:
        yield
    except ApiError as error:
        fields = "; ".join(message for _, message in error.errors)
        raise StartError(
            f"The API answered {error.status}: {error.detail}{f' ({fields})' if fields else ''}"
        ) from error
    except UnexpectedAnswer as error:
        raise StartError(f"{error}; check --url") from error
    except Unreachable as error:
        reason = type(error.__cause__).__name__
        raise StartError(f"{url} does not answer ({reason}); is `bongsu up` running?") from error


def _require_sendable(options: argparse.Namespace, url: str) -> None:
    for name, key in (("--access-key", options.access_key), ("--secret-key", options.secret_key)):
        if _KEY.fullmatch(key) is None:
            raise StartError(
                f"{name} has characters that no key contains: copy it from the output of `bongsu key create`"
            )
    if not _is_base_url(url):
        raise StartError(f"--url: {url!r} is not http(s)://HOST:PORT")
    for name, text in (("TO", options.to), ("--subject", options.subject), ("--text", options.text)):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise StartError(f"{name} is not UTF-8 text") from error


def _is_base_url(url: str) -> bool:
    try:
        httpx.URL(url)
        in_range = urlsplit(url).port != 0
    except (httpx.InvalidURL, ValueError):
        return False
    return in_range and _BASE_URL.fullmatch(url) is not None


async def _follow(
    client: AsyncBongsuClient, notification_id: str, status: str, timeout_s: float, stop: StopSignal
) -> None:
    deadline = time.monotonic() + timeout_s
    while status not in ENDED:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or await stop.sleep(min(POLL_S, left_s)):
            waited = "" if stop.is_set() else f" after {timeout_s:g} s (--timeout)"
            raise StartError(f"The notification is still {status}{waited}; Bongsu keeps processing it")
        found = await client.get(notification_id)
        if found["status"] != status:
            status = found["status"]
            error = found["error"]
            print(f"{notification_id}  {status}" + (f"  {error['code']}: {error['detail']}" if error else ""))
    if status in {"failed", "bounced", "expired"}:
        raise StartError(f"The notification ended as {status}")
