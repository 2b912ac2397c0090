"""Requests and responses of the users' Kakao tokens."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from bongsu_auth.accounts.schemas import Strict


class KakaoTokenIn(Strict):
    """The user, and the notification that notify sends to them."""

    user_id: UUID
    notification_id: UUID
    rejected_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="SHA-256 of the token that Kakao rejected, in hex: it is renewed before its expiry"
    )


class KakaoTokenOut(BaseModel):
    """An access token of the linked user at Kakao."""

    access_token: str
    api_url: str = Field(description="Where the token works: Kakao's API, or a stand-in's")
    expires_in: int | None = Field(description="Lifetime of the token, seconds; null if Kakao does not say")
