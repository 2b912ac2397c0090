"""`bongsu send`: sends an email through the API and follows its status. Also an example of a signed client."""

import argparse
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx

from bongsu.identity.signatures import RequestSigner
from bongsu.runtime.errors import StartError
from bongsu.runtime.settings import DOTENV, load
from bongsu.runtime.stop import StopSignal
from bongsu_launcher.settings import LauncherSettings

ENDED = frozenset({"sent", "delivered", "bounced", "complained", "failed", "suppressed", "cancelled", "expired"})
POLL_S = 0.2

_BASE_URL = re.compile(r"https?://[^/?#@\s]+/?")
_KEY = re.compile(r"[!-~]+")


def process(options: argparse.Namespace) -> Callable[[StopSignal], Awaitable[None]]:
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
        signer = RequestSigner(options.access_key, options.secret_key)
        body = {
            "channel": "email",
            "to": {"email": options.to},
            "content": {"subject": options.subject, "text": options.text},
        }
        try:
            async with httpx.AsyncClient(base_url=url, auth=signer, timeout=10) as client:
                created = _read(await client.post("/v1/notifications", json=body), "id", "status")
                print(f"{created['id']}  {created['status']}")
                await _follow(client, created["id"], created["status"], options.timeout, stop)
        except httpx.RequestError as error:
            raise StartError(f"{url} does not answer ({type(error).__name__}); is `bongsu up` running?") from error

    return send


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
    client: httpx.AsyncClient, notification_id: str, status: str, timeout_s: float, stop: StopSignal
) -> None:
    deadline = time.monotonic() + timeout_s
    while status not in ENDED:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or await stop.sleep(min(POLL_S, left_s)):
            waited = "" if stop.is_set() else f" after {timeout_s:g} s (--timeout)"
            raise StartError(f"The notification is still {status}{waited}; Bongsu keeps processing it")
        found = _read(await client.get(f"/v1/notifications/{notification_id}"), "status", "error")
        if found["status"] != status:
            status = found["status"]
            error = found["error"]
            print(f"{notification_id}  {status}" + (f"  {error['code']}: {error['detail']}" if error else ""))
    if status in {"failed", "bounced", "expired"}:
        raise StartError(f"The notification ended as {status}")


def _read(answer: httpx.Response, *names: str) -> dict[str, Any]:
    """Return the body of an answer that has these members.

    :raises StartError: the API refused the request, or another server answered.
    """
    try:
        body = answer.json()
    except ValueError:
        body = None
    if answer.is_error:
        raise StartError(f"The API answered {answer.status_code}: {_problem(body) or answer.reason_phrase}")
    if not isinstance(body, dict) or not set(names) <= body.keys():
        raise StartError(f"{answer.url.copy_with(path='/')} is not Bongsu's API; check --url")
    return body


def _problem(body: object) -> str | None:
    """The detail of a problem document, with the error of each field."""
    match body:
        case {"detail": str(detail), "errors": [*errors]}:
            messages = [str(error["msg"]) for error in errors if isinstance(error, dict) and "msg" in error]
            return f"{detail} ({'; '.join(messages)})" if messages else detail
        case {"detail": str(detail)}:
            return detail
    return None
