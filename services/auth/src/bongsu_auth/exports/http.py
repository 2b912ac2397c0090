"""The port to notify over HTTP."""

from collections.abc import AsyncIterator, Sequence

import httpx
from pydantic import BaseModel, JsonValue, ValidationError

from bongsu.runtime.errors import Unavailable

PAGE = 200


class _Page(BaseModel):
    items: list[JsonValue]
    next: str | None


class HttpNotificationSource:
    """Implements `NotificationSource`; see there.

    :param client: has the base URL and the timeout; the caller closes it.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def pages(self, access_token: str) -> AsyncIterator[Sequence[JsonValue]]:
        """Yield pages of the notifications of the token's user, newest first."""
        after: str | None = None
        while True:
            page = await self._read(access_token, after)
            yield page.items
            if page.next is None:
                return
            after = page.next

    async def _read(self, access_token: str, after: str | None) -> _Page:
        params = {"limit": str(PAGE)} | ({"after": after} if after is not None else {})
        try:
            response = await self._client.get(
                "/v1/notifications", params=params, headers={"Authorization": f"Bearer {access_token}"}
            )
            response.raise_for_status()
            return _Page.model_validate_json(response.content)
        except (httpx.HTTPError, ValidationError) as error:
            raise Unavailable(
                "Your notifications cannot be read at the moment. Try again.", code="notify_down", retry_after_s=5
            ) from error
