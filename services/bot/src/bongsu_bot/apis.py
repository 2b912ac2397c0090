"""The APIs of auth and notify, called with the authority of the user whose Discord account runs a command.

The bot decides nothing about a user's rights: auth issues a token for each command, and records or refuses it.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, cast

import discord
import httpx
from pydantic import BaseModel, JsonValue, ValidationError

from bongsu.contracts.tokens import Role
from bongsu.contracts.wire import Wire
from bongsu.identity.scopes import Permission
from bongsu.identity.service_credentials import ServiceCredentials
from bongsu.runtime.logging import get_logger
from bongsu.runtime.problems import read_problem
from bongsu_bot.bot import BongsuBot
from bongsu_bot.errors import ApiUnavailable

log = get_logger(__name__)
T = TypeVar("T", bound=BaseModel)
Api = Literal["auth", "notify"]


class _Token(Wire):
    access_token: str
    role: Role


class Apis:
    """Issues `LinkedUser`s.

    :param clients: each has a base URL and a timeout; the caller closes them.
    """

    def __init__(self, clients: Mapping[Api, httpx.AsyncClient], credentials: ServiceCredentials) -> None:
        self._clients = clients
        self._credentials = credentials

    async def authorise(self, discord_user_id: int, command: str, permission: Permission | None = None) -> "LinkedUser":
        """Return the user of a linked Discord account, who may run the command. auth audits it.

        :param command: such as `users block`.
        :raises Conflict: `discord_not_linked`.
        :raises Forbidden: the account is blocked, or lacks the permission.
        :raises Unavailable: auth does not answer.
        """
        body: dict[str, JsonValue] = {"discord_user_id": str(discord_user_id), "command": command}
        if permission is not None:
            body["permission"] = permission.value
        credential = self._credentials.issue("bot", "auth")
        response = await self.send("auth", "POST", "/internal/discord/tokens", f"Service {credential}", body=body)
        token = _parse(_Token, response)
        return LinkedUser(self, token.access_token, token.role)

    async def send(  # noqa: PLR0913 - each is one part of a request
        self,
        api: Api,
        method: str,
        path: str,
        authorization: str,
        *,
        body: Mapping[str, JsonValue] | None = None,
        query: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> httpx.Response:
        """Send a request, and return its successful response.

        :raises ServiceError: the API's problem, as the kind of its status and with its code.
        :raises Unavailable: the API does not answer.
        """
        headers = {"Authorization": authorization}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        try:
            response = await self._clients[api].request(method, path, json=body, params=query, headers=headers)
        except httpx.HTTPError as error:
            log.warning("api.unreachable", api=api, error=type(error).__name__)
            raise ApiUnavailable from error
        if response.is_success:
            return response
        problem = read_problem(response.status_code, response.content, response.headers.get("retry-after"))
        log.info("api.refused", api=api, status=response.status_code, code=problem.code if problem else None)
        if problem is None or problem.code.startswith("http_"):
            raise ApiUnavailable
        raise problem


class LinkedUser:
    """A user for the length of one command: the token lives for a minute."""

    def __init__(self, apis: Apis, token: str, role: Role) -> None:
        self._apis = apis
        self._token = token
        self.role = role

    async def call(self, api: Api, method: str, path: str, answer: type[T], **parts: Any) -> T:  # noqa: ANN401 - of `Apis.send`
        """Call an API as the user, and return the body; parts and errors as in `Apis.send`."""
        return _parse(answer, await self._apis.send(api, method, path, f"Bearer {self._token}", **parts))

    async def delete(self, api: Api, path: str) -> None:
        """Delete a resource of an API as the user; errors as in `Apis.send`."""
        await self._apis.send(api, "DELETE", path, f"Bearer {self._token}")


async def authorise(context: discord.ApplicationContext, permission: Permission | None = None) -> LinkedUser:
    """Return the user who runs the command; errors as in `Apis.authorise`."""
    bot = cast("BongsuBot", context.bot)
    assert context.command is not None  # noqa: S101 - it runs
    return await bot.find(Apis).authorise(context.author.id, context.command.qualified_name, permission)


def _parse(kind: type[T], response: httpx.Response) -> T:
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        log.warning("api.answer_malformed", shape=kind.__name__)
        raise ApiUnavailable from error
