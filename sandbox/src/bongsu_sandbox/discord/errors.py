"""Discord's errors: a status, a code and a message; for wrong input what is wrong with each field."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse

Wire = dict[str, object]


class DiscordError(Exception):
    """An answer that Discord gives in place of what was asked for."""

    def __init__(self, status: int, code: int, message: str, errors: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def answer(self) -> JSONResponse:
        """As it goes over HTTP."""
        body: Wire = {"message": self.message, "code": self.code}
        if self.errors:
            body["errors"] = self.errors
        return JSONResponse(body, status_code=self.status)


def unauthorised() -> DiscordError:
    """No token, or one that is not valid."""
    return DiscordError(401, 0, "401: Unauthorized")


def not_found() -> DiscordError:
    """No such route."""
    return DiscordError(404, 0, "404: Not Found")


def unknown(what: str) -> DiscordError:
    """There is none of that id, or it cannot be seen."""
    return DiscordError(404, _UNKNOWN[what], f"Unknown {what}")


def missing_access() -> DiscordError:
    """The bot is not where the thing is."""
    return DiscordError(403, 50001, "Missing Access")


def missing_permissions() -> DiscordError:
    """The bot is there and may not."""
    return DiscordError(403, 50013, "Missing Permissions")


def invalid_form(field: str, code: str, message: str) -> DiscordError:
    """One field is wrong; `field` is its path, with dots."""
    errors: Wire = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(field.split(".")):
        errors = {part: errors}
    return DiscordError(400, 50035, "Invalid Form Body", errors)


def required(field: str) -> DiscordError:
    """A field is missing."""
    return invalid_form(field, "BASE_TYPE_REQUIRED", "This field is required")


_UNKNOWN = {
    "Application": 10002,
    "Channel": 10003,
    "Guild": 10004,
    "Member": 10007,
    "Message": 10008,
    "User": 10013,
    "Webhook": 10015,
    "Interaction": 10062,
    "Application Command": 10063,
}
