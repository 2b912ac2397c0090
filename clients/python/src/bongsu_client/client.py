"""The clients, sync and async: the same methods, and the same rules for retries."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Self, cast

import httpx

from bongsu_client import answers, notifications
from bongsu_client.notifications import Call, Notification, NotificationDetail, NotificationPage
from bongsu_client.retries import Retries
from bongsu_client.signing import RequestSigner

TIMEOUT_S = 10.0


class BongsuClient:
    """Calls the API with an API key.

    Every method raises `ApiError` where the API refuses, `Unreachable` where it does not answer, and `UnexpectedAnswer`
    where something else than Bongsu answers.

    :param base_url: such as `https://bongsu.example`.
    :param access_key: of the API key; `secret_key` was shown when it was created.
    :param public_url: the API's public URL, where `base_url` is another address of it.
    :param timeout_s: for each attempt: to connect, and between two parts of the answer.
    :param transport: another httpx transport, for tests and proxies.
    """

    def __init__(  # noqa: PLR0913 - each is one fact about the API or the connection
        self,
        base_url: str,
        access_key: str,
        secret_key: str,
        *,
        public_url: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: Retries = Retries(),  # noqa: B008 - it is immutable
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        signer = RequestSigner(access_key, secret_key, public_url=public_url)
        self._http = httpx.Client(base_url=base_url, auth=signer, timeout=timeout_s, transport=transport)
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, notification: Mapping[str, Any], *, idempotency_key: str | None = None) -> Notification:
        """Send a notification; it is stored when this returns.

        :param notification: the body of `POST /v1/notifications`: `{"channel": "email", "to": {…}, "content": {…}}`.
        :param idempotency_key: for 24 hours, the same key with the same body returns the first notification; pass one
            where your program may repeat the call itself. Without one, the client's own retries share a random key.
        """
        return cast("Notification", self._call(notifications.send(notification, idempotency_key)))

    def get(self, notification_id: str) -> NotificationDetail:
        """Return a notification and its timeline."""
        return cast("NotificationDetail", self._call(notifications.get(notification_id)))

    def iterate(
        self,
        *,
        status: str | None = None,
        channel: str | None = None,
        topic: str | None = None,
        to: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[Notification]:
        """Iterate over your notifications, newest first; each page is read when it is needed.

        :param page_size: notifications a request, 1 to 200.
        """
        filters = {"status": status, "channel": channel, "topic": topic, "to": to, "limit": page_size}
        after: str | None = None
        while True:
            page = cast("NotificationPage", self._call(notifications.list_page(filters, after)))
            yield from page["items"]
            after = page["next"]
            if after is None:
                return

    def cancel(self, notification_id: str) -> Notification:
        """Cancel a notification that is not sent yet."""
        return cast("Notification", self._call(notifications.cancel(notification_id)))

    def retry(self, notification_id: str, *, idempotency_key: str | None = None) -> Notification:
        """Send a failed or expired notification again."""
        return cast("Notification", self._call(notifications.retry(notification_id, idempotency_key)))

    def _call(self, call: Call) -> Any:  # noqa: ANN401 - the JSON of an answer
        attempt = 1
        while True:
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = self._http.request(
                    call.method, call.path, params=call.params, headers=call.headers, json=call.body
                )
            except httpx.TransportError as error:
                outcome = error
            pause_s = self._retries.pause_s(outcome, attempt, is_repeatable=call.is_repeatable)
            if pause_s is None:
                return answers.read(outcome, call)
            time.sleep(pause_s)
            attempt += 1


class AsyncBongsuClient:
    """Calls the API with an API key, as `BongsuClient` does, with `await` and `async for`."""

    def __init__(  # noqa: PLR0913 - as above
        self,
        base_url: str,
        access_key: str,
        secret_key: str,
        *,
        public_url: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: Retries = Retries(),  # noqa: B008 - it is immutable
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        signer = RequestSigner(access_key, secret_key, public_url=public_url)
        self._http = httpx.AsyncClient(base_url=base_url, auth=signer, timeout=timeout_s, transport=transport)
        self._retries = retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, notification: Mapping[str, Any], *, idempotency_key: str | None = None) -> Notification:
        """As `BongsuClient.send`."""
        return cast("Notification", await self._call(notifications.send(notification, idempotency_key)))

    async def get(self, notification_id: str) -> NotificationDetail:
        """As `BongsuClient.get`."""
        return cast("NotificationDetail", await self._call(notifications.get(notification_id)))

    async def iterate(
        self,
        *,
        status: str | None = None,
        channel: str | None = None,
        topic: str | None = None,
        to: str | None = None,
        page_size: int | None = None,
    ) -> AsyncIterator[Notification]:
        """As `BongsuClient.iterate`."""
        filters = {"status": status, "channel": channel, "topic": topic, "to": to, "limit": page_size}
        after: str | None = None
        while True:
            page = cast("NotificationPage", await self._call(notifications.list_page(filters, after)))
            for item in page["items"]:
                yield item
            after = page["next"]
            if after is None:
                return

    async def cancel(self, notification_id: str) -> Notification:
        """As `BongsuClient.cancel`."""
        return cast("Notification", await self._call(notifications.cancel(notification_id)))

    async def retry(self, notification_id: str, *, idempotency_key: str | None = None) -> Notification:
        """As `BongsuClient.retry`."""
        return cast("Notification", await self._call(notifications.retry(notification_id, idempotency_key)))

    async def _call(self, call: Call) -> Any:  # noqa: ANN401 - the JSON of an answer
        attempt = 1
        while True:
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = await self._http.request(
                    call.method, call.path, params=call.params, headers=call.headers, json=call.body
                )
            except httpx.TransportError as error:
                outcome = error
            pause_s = self._retries.pause_s(outcome, attempt, is_repeatable=call.is_repeatable)
            if pause_s is None:
                return answers.read(outcome, call)
            await asyncio.sleep(pause_s)
            attempt += 1
