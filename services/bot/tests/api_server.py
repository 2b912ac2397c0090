"""auth and notify, as the bot calls them."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

Answer = tuple[int, dict[str, Any]]


@dataclass
class ApiServer:
    """Answers by method and path. `role` None: the Discord account is not linked."""

    role: str | None = "administrator"
    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    down: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("down")
        if request.url.path == "/internal/discord/tokens":
            return self._issue(request)
        self.requests.append(request)
        found = self.answers.get(f"{request.method} {request.url.path}", (404, {"code": "not_found"}))
        status, body = found.pop(0) if isinstance(found, list) else found
        return httpx.Response(status, json=body)

    def _issue(self, request: httpx.Request) -> httpx.Response:
        wanted = json.loads(request.content)
        if self.role is None:
            return httpx.Response(409, json={"code": "discord_not_linked", "detail": "Link it"})
        if wanted.get("permission") is not None and self.role == "user":
            return httpx.Response(403, json={"code": "permission_missing", "detail": "You need it"})
        token = {"access_token": f"token of {wanted['discord_user_id']}", "expires_in": 60, "role": self.role}
        return httpx.Response(200, json=token)
