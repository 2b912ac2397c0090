"""Discord's errors: status, code and message, with the fields of an invalid form."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse

from bongsu_sandbox.discord.wire import Wire


class DiscordError(Exception):
    def __init__(self, status: int, code: int, message: str, errors: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def answer(self) -> JSONResponse:
        body: Wire = {"message": self.message, "code": self.code}
        if self.errors:
            body["errors"] = self.errors
        return JSONResponse(body, status_code=self.status)


def unauthorised() -> DiscordError:
    return DiscordError(401, 0, "401: Unauthorized")


def not_found() -> DiscordError:
    return DiscordError(404, 0, "404: Not Found")


def unknown(what: str) -> DiscordError:
    """Unknown ID, or not visible to the caller."""
    return DiscordError(404, _UNKNOWN[what], f"Unknown {what}")


def missing_access() -> DiscordError:
    """The bot is not a member there."""
    return DiscordError(403, 50001, "Missing Access")


def missing_permissions() -> DiscordError:
    """The bot lacks the permission."""
    return DiscordError(403, 50013, "Missing Permissions")


def invalid_form(field: str, code: str, message: str) -> DiscordError:
    """An invalid field; `field` is its dotted path."""
    errors: Wire = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(field.split(".")):
        errors = {part: errors}
    return DiscordError(400, 50035, "Invalid Form Body", errors)


def required(field: str) -> DiscordError:
    return invalid_form(field, "BASE_TYPE_REQUIRED", "This field is required")


_UNKNOWN = {
    "Channel": 10003,
    "Guild": 10004,
    "Member": 10007,
    "Message": 10008,
    "User": 10013,
    "Webhook": 10015,
    "Interaction": 10062,
    "Application Command": 10063,
}
