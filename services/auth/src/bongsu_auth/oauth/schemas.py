"""What goes over HTTP about signing in with an account at a provider."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from bongsu.identity.redirects import MAX_CHARS, is_safe


def _safe(value: str) -> str:
    if not is_safe(value):
        raise ValueError("must be a path of this site, such as `/guilds`")
    return value


NextPath = Annotated[
    str,
    StringConstraints(max_length=MAX_CHARS),
    AfterValidator(_safe),
    Field(description="A path of this site to go on to", examples=["/guilds"]),
]


class ProviderOut(BaseModel):
    """A provider with whose accounts one can sign in."""

    name: str = Field(examples=["discord"])
    label: str = Field(examples=["Discord"])
    authorize_path: str = Field(examples=["/auth/oauth/discord/authorize"])


class ProviderPage(BaseModel):
    """All of them; there is never a next page."""

    items: list[ProviderOut]
    next: str | None = None


class AuthorizationUrl(BaseModel):
    """Where to send the browser."""

    authorization_url: str
