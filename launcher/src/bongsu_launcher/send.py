"""`bongsu send`: an email through the API, followed to its end. Also an example of a signed client."""

import argparse
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from bongsu.identity.signatures import RequestSigner
from bongsu.runtime.errors import StartError
from bongsu.runtime.settings import load
from bongsu.runtime.stop import StopSignal
from bongsu_launcher.settings import DOTENV, LauncherSettings

ENDED = frozenset({"sent", "delivered", "bounced", "complained", "failed", "suppressed", "cancelled", "expired"})
POLL_S = 0.2


def process(options: argparse.Namespace) -> Callable[[StopSignal], Awaitable[None]]:
    """Sends and follows one email.

    :raises StartError: no key, no API, or the API refused.
    """

    async def send(stop: StopSignal) -> None:
        if not options.access_key or not options.secret_key:
            raise StartError(
                "`bongsu send` needs an API key: make one with `bongsu key create EMAIL`, then set "
                "BONGSU_ACCESS_KEY and BONGSU_SECRET_KEY"
            )
        (platform,) = load(LauncherSettings, dotenv=DOTENV)
        url = options.url or platform.url
        signer = RequestSigner(options.access_key, options.secret_key)
        body = {
            "channel": "email",
            "to": {"email": options.to},
            "content": {"subject": options.subject, "text": options.text},
        }
        try:
            async with httpx.AsyncClient(base_url=url, auth=signer, timeout=10) as client:
                made = _checked(await client.post("/v1/notifications", json=body))
                print(f"{made['id']}  {made['status']}")
                await _follow(client, made["id"], made["status"], options.timeout, stop)
        except httpx.TransportError as error:
            raise StartError(f"{url} does not answer ({type(error).__name__}); is `bongsu up` running?") from error

    return send


async def _follow(
    client: httpx.AsyncClient, notification_id: str, status: str, timeout_s: float, stop: StopSignal
) -> None:
    waited = 0.0
    while status not in ENDED and waited < timeout_s and not await stop.sleep(POLL_S):
        waited += POLL_S
        shown = _checked(await client.get(f"/v1/notifications/{notification_id}"))
        if shown["status"] != status:
            status = shown["status"]
            error = shown["error"]
            print(f"{notification_id}  {status}" + (f"  {error['code']}: {error['detail']}" if error else ""))
    if status in {"failed", "bounced", "expired"}:
        raise StartError(f"The notification ended as {status}")


def _checked(answer: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    if answer.is_error:
        raise StartError(f"The API answered {answer.status_code}: {body.get('detail', answer.text)}")
    return body
