"""What the tests use of AWS's client, whose operations are made when the program runs."""

from typing import Any, Protocol

from botocore.exceptions import ClientError


class SesErrors(Protocol):
    """The errors by their names."""

    BadRequestException: type[ClientError]
    LimitExceededException: type[ClientError]
    MessageRejected: type[ClientError]
    NotFoundException: type[ClientError]
    TooManyRequestsException: type[ClientError]


class SesClient(Protocol):
    """SESv2."""

    exceptions: SesErrors

    async def send_email(self, **arguments: object) -> dict[str, Any]: ...
    async def send_bulk_email(self, **arguments: object) -> dict[str, Any]: ...
    async def get_account(self) -> dict[str, Any]: ...
