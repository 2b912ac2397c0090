"""SESv2 over HTTP: `endpoint_url="http://localhost:8000/sandbox/ses"` for any AWS SDK."""

import re
import uuid
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from bongsu.runtime.dependencies import Provided, find
from bongsu_sandbox.ses import errors
from bongsu_sandbox.ses.account import AccountState
from bongsu_sandbox.ses.errors import SesError
from bongsu_sandbox.ses.events import EventIn, EventSettings, SesEvents
from bongsu_sandbox.ses.faults import SesFaults
from bongsu_sandbox.ses.schemas import SendBulkEmail, SendEmail, parse
from bongsu_sandbox.ses.service import Ses
from bongsu_sandbox.sns.service import Sns

PREFIX = "/sandbox/ses"
_CREDENTIAL = re.compile(r"^AWS4-HMAC-SHA256 .*?Credential=[^/\s]+/\d{8}/(?P<region>[a-z0-9-]+)/")
Work = Callable[[bytes, str], object]


ProvidedSes = Annotated[Ses, Provided(Ses)]
ProvidedSesFaults = Annotated[SesFaults, Provided(SesFaults)]

router = APIRouter(prefix=PREFIX, tags=["ses"])


@router.post("/v2/email/outbound-emails", include_in_schema=False)
async def send_email(ses: ProvidedSes, faults: ProvidedSesFaults, request: Request) -> Response:
    def work(body: bytes, region: str) -> object:
        return {"MessageId": ses.send_email(parse(SendEmail, body), region)}

    return await _answer(request, faults, work, sending=True)


@router.post("/v2/email/outbound-bulk-emails", include_in_schema=False)
async def send_bulk_email(ses: ProvidedSes, faults: ProvidedSesFaults, request: Request) -> Response:
    def work(body: bytes, region: str) -> object:
        results = ses.send_bulk_email(parse(SendBulkEmail, body), region, faults.per_entry())
        return {"BulkEmailEntryResults": results}

    return await _answer(request, faults, work, sending=True)


@router.get("/v2/email/account", include_in_schema=False)
async def get_account(ses: ProvidedSes, faults: ProvidedSesFaults, request: Request) -> Response:
    def work(_body: bytes, _region: str) -> object:
        return _account(ses)

    return await _answer(request, faults, work, sending=False)


@router.get("/v2/email/identities/{identity}", include_in_schema=False)
async def get_email_identity(ses: ProvidedSes, faults: ProvidedSesFaults, request: Request, identity: str) -> Response:
    def work(_body: bytes, _region: str) -> object:
        if not ses.account.is_verified(identity):
            raise SesError("NotFoundException", 404, f"Email identity {identity} does not exist.")
        return {
            "IdentityType": "EMAIL_ADDRESS" if "@" in identity else "DOMAIN",
            "VerifiedForSendingStatus": True,
            "VerificationStatus": "SUCCESS",
        }

    return await _answer(request, faults, work, sending=False)


@router.api_route("/v2/{path:path}", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
async def unknown_operation(path: str) -> Response:
    error = SesError("UnknownOperationException", 404, f"The sandbox has no /v2/{path}")
    return errors.answer(error, str(uuid.uuid4()))


@router.get("/account", summary="Return the account's limits and switches")
async def read_account(ses: ProvidedSes) -> AccountState:
    return ses.account.state


@router.put("/account", summary="Set the account's limits and switches")
async def set_account(ses: ProvidedSes, state: AccountState) -> AccountState:
    ses.account.set(state)
    return state


@router.post("/events", status_code=202, summary="Publish an event about an accepted mail")
async def publish_event(events: Annotated[SesEvents, Provided(SesEvents)], wanted: EventIn) -> None:
    events.publish(wanted)


@router.get("/events/settings", summary="Return whether Send events come by themselves")
async def read_event_settings(events: Annotated[SesEvents, Provided(SesEvents)]) -> EventSettings:
    return EventSettings(send=events.send)


@router.put("/events/settings", summary="Set whether Send events come by themselves")
async def set_event_settings(
    events: Annotated[SesEvents, Provided(SesEvents)], settings: EventSettings
) -> EventSettings:
    events.send = settings.send
    return settings


async def _answer(request: Request, faults: SesFaults, work: Work, *, sending: bool) -> Response:
    request_id = str(uuid.uuid4())
    find(request.app, Sns).base_url = str(request.base_url).rstrip("/")
    try:
        region = _region(request)
        fault = faults.before(sending=sending)
        if fault is not None:
            return fault
        body = work(await request.body(), region)
    except SesError as error:
        return errors.answer(error, request_id)
    if sending:
        silence = faults.after()
        if silence is not None:
            return silence
    return JSONResponse(body, headers={"x-amzn-RequestId": request_id})


def _region(request: Request) -> str:
    """Return the signed region. Any credentials work; the signature is not verified."""
    match = _CREDENTIAL.match(request.headers.get("authorization", ""))
    if match is None:
        raise SesError("MissingAuthenticationTokenException", 403, "Missing Authentication Token")
    return match["region"]


def _account(ses: Ses) -> object:
    state = ses.account.state
    return {
        "DedicatedIpAutoWarmupEnabled": True,
        "EnforcementStatus": state.enforcement_status,
        "ProductionAccessEnabled": state.production_access_enabled,
        "SendQuota": {
            "Max24HourSend": state.max_24_hour_send,
            "MaxSendRate": state.max_send_rate,
            "SentLast24Hours": float(ses.account.sent_last_24_hours),
        },
        "SendingEnabled": state.sending_enabled and state.enforcement_status != "SHUTDOWN",
        "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
    }
