"""`/internal/kakao/tokens`, for notify."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from bongsu.identity.dependencies import require_service
from bongsu.runtime.dependencies import Provided
from bongsu_auth.kakao_tokens.schemas import KakaoTokenIn, KakaoTokenOut
from bongsu_auth.kakao_tokens.service import KakaoTokens

router = APIRouter(prefix="/internal/kakao", include_in_schema=False)


@router.post("/tokens", dependencies=[Depends(require_service("notify", "auth"))])
async def issue_token(
    body: KakaoTokenIn, response: Response, tokens: Annotated[KakaoTokens, Provided(KakaoTokens)]
) -> KakaoTokenOut:
    """Issue the token with which notify sends one notification to a linked user."""
    issued = await tokens.issue(body)
    response.headers["Cache-Control"] = "no-store"
    return issued
