"""SNS over HTTP: the certificate of its signatures, and confirmations of subscriptions."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import NotFound
from bongsu_sandbox.sns.service import Sns

ProvidedSns = Annotated[Sns, Provided(Sns)]

router = APIRouter(prefix="/sandbox/sns", tags=["sns"])


@router.get("/certificate.pem", summary="Return the certificate that signatures are verified with")
async def read_certificate(sns: ProvidedSns) -> Response:
    return Response(sns.certificate, media_type="application/x-pem-file")


@router.get("/confirm", summary="Confirm a subscription, as its SubscribeURL does")
async def confirm(sns: ProvidedSns, token: Annotated[str, Query(max_length=200)]) -> Response:
    if not sns.confirm(token):
        raise NotFound("No subscription has this token")
    return Response(status_code=200)
