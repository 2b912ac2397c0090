"""auth's routes for services, called with notify's own credential."""

from collections.abc import Mapping

import httpx
from pydantic import JsonValue

from bongsu.identity.service_credentials import ServiceCredentials
from bongsu.runtime.errors import Unavailable
from bongsu.runtime.logging import get_logger
from bongsu.runtime.problems import read_problem

log = get_logger(__name__)


class AuthUnavailable(Unavailable):
    """auth does not answer, or does not accept notify's credential."""

    code = "auth_unavailable"
    detail = "auth does not answer"


class AuthClient:
    """Calls auth.

    :param client: has auth's base URL and a timeout; the caller closes it.
    """

    def __init__(self, client: httpx.AsyncClient, credentials: ServiceCredentials) -> None:
        self._client = client
        self._credentials = credentials

    async def post(self, path: str, body: Mapping[str, JsonValue]) -> bytes:
        """POST, and return the body of the successful response.

        :raises ServiceError: auth's problem, as the kind of its status and with its code.
        :raises AuthUnavailable: auth does not answer, or the route or the credential is not accepted.
        """
        credential = self._credentials.issue("notify", "auth")
        try:
            response = await self._client.post(path, json=body, headers={"Authorization": f"Service {credential}"})
        except httpx.HTTPError as error:
            log.warning("auth.unreachable", error=type(error).__name__)
            raise AuthUnavailable from error
        if response.is_success:
            return response.content
        problem = read_problem(response.status_code, response.content, response.headers.get("retry-after"))
        if problem is None or problem.code.startswith("http_") or problem.code == "service_credential_refused":
            log.error("auth.refused", status=response.status_code, hint="NOTIFY_AUTH_URL, and the vault keys of both")
            raise AuthUnavailable
        raise problem
