"""The errors of SES, in its own shape."""

from starlette.responses import JSONResponse


class SesError(Exception):
    """An error response of SES: code (`x-amzn-ErrorType`), HTTP status and message."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.message = message


CATALOGUE = {
    "BadRequestException": (400, "The input you provided is invalid."),
    "MessageRejected": (400, "The message was rejected because of its content."),
    "MailFromDomainNotVerifiedException": (400, "The MAIL FROM domain is not verified."),
    "TooManyRequestsException": (429, "Maximum sending rate exceeded."),
    "LimitExceededException": (400, "Daily message quota exceeded."),
    "AccountSuspendedException": (400, "The account is suspended."),
    "SendingPausedException": (400, "Email sending is paused for this account."),
    "NotFoundException": (404, "The resource does not exist."),
    "AccessDeniedException": (403, "User is not authorized to perform: ses:SendEmail"),
    "InternalFailure": (500, "The request processing has failed because of an unknown error."),
    "ServiceUnavailable": (503, "The request has failed due to a temporary failure of the server."),
}
"""The errors that a fault can select, with the messages of SES."""

THROTTLED = "TooManyRequestsException"
QUOTA = "LimitExceededException"


def known_error(code: str) -> SesError:
    """Create an error of the catalogue."""
    return SesError(code, *CATALOGUE[code])


def full_code(name: str) -> str | None:
    """Return the code of a name with or without the suffix `Exception`."""
    return next((code for code in (name, f"{name}Exception") if code in CATALOGUE), None)


def bad_request(message: str) -> SesError:
    return SesError("BadRequestException", 400, message)


def answer(error: SesError, request_id: str) -> JSONResponse:
    return JSONResponse(
        {"message": error.message},
        status_code=error.status,
        headers={"x-amzn-ErrorType": error.code, "x-amzn-RequestId": request_id},
    )
