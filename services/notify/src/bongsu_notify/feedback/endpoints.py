"""`POST /v1/feedback/ses`: events of SES, posted by SNS."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import TooLarge
from bongsu.runtime.problems import problems
from bongsu_notify.feedback.service import Feedback
from bongsu_notify.notifications.endpoints import NO_QUERY

MAX_BYTES: Final = 512 * 1024
"""A message of SNS has at most 256 KiB, and its JSON escapes more."""

router = APIRouter(prefix="/v1/feedback", tags=["feedback"])
Service = Annotated[Feedback, Provided(Feedback)]


async def _read(request: Request) -> bytes:
    body = await request.body()
    if len(body) > MAX_BYTES:
        raise TooLarge(f"The body must be at most {MAX_BYTES:,} bytes")
    return body


@router.post(
    "/ses",
    dependencies=NO_QUERY,
    status_code=204,
    responses=problems(403, 413, 422, 503),
    openapi_extra={"requestBody": {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def receive_ses(body: Annotated[bytes, Depends(_read)], feedback: Service) -> None:
    """Receive a message of Amazon SNS: an event of SES, or the confirmation of a subscription.

    Subscribe this address to the topic that the SES configuration set publishes to, and list the topic in
    NOTIFY_SES_TOPICS. The signature of each message is verified.
    """
    await feedback.receive(body)
