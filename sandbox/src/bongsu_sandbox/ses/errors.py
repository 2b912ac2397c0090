"""The errors of SES, in its own shape."""

from dataclasses import dataclass

from starlette.responses import JSONResponse


@dataclass(frozen=True)
class SesError(Exception):
    """An error that SES answers with: its code (`x-amzn-ErrorType`), HTTP status and message."""

    code: str
    status: int
    message: str


CATALOGUE = {
    error.code: error
    for error in (
        SesError("BadRequestException", 400, "The input you provided is invalid."),
        SesError("MessageRejected", 400, "Email address is not verified."),
        SesError("MailFromDomainNotVerifiedException", 400, "The MAIL FROM domain is not verified."),
        SesError("TooManyRequestsException", 429, "Maximum sending rate exceeded."),
        SesError("LimitExceededException", 400, "Daily message quota exceeded."),
        SesError("AccountSuspendedException", 400, "The account is suspended."),
        SesError("SendingPausedException", 400, "Email sending is paused for this account."),
        SesError("NotFoundException", 404, "The resource does not exist."),
        SesError("AccessDeniedException", 403, "User is not authorized to perform: ses:SendEmail"),
        SesError("InternalFailure", 500, "The request processing has failed because of an unknown error."),
        SesError("ServiceUnavailable", 503, "The request has failed due to a temporary failure of the server."),
    )
}
"""Every error that a fault can ask for, with the message that SES gives."""

THROTTLED = CATALOGUE["TooManyRequestsException"]
QUOTA = CATALOGUE["LimitExceededException"]


def by_name(name: str) -> SesError | None:
    """An error by its code, with or without `Exception` at the end."""
    return CATALOGUE.get(name) or CATALOGUE.get(f"{name}Exception")


def bad_request(message: str) -> SesError:
    """The input is wrong."""
    return SesError("BadRequestException", 400, message)


def answer(error: SesError, request_id: str) -> JSONResponse:
    """The error as SES sends it."""
    return JSONResponse(
        {"message": error.message},
        status_code=error.status,
        headers={"x-amzn-ErrorType": error.code, "x-amzn-RequestId": request_id},
    )
