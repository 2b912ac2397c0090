"""Requests and responses of signing in with, and linking, an account at a provider."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, computed_field

from bongsu.contracts.text import Matching
from bongsu.identity.redirects import MAX_CHARS, is_safe
from bongsu_auth.accounts.schemas import Strict


def _require_safe(value: str) -> str:
    if not is_safe(value):
        raise ValueError("must be a path of this site, such as `/guilds`")
    return value


NextPath = Annotated[
    str,
    StringConstraints(max_length=MAX_CHARS),
    AfterValidator(_require_safe),
    Field(description="A path of this site, where the browser goes afterwards", examples=["/guilds"]),
]
Snowflake = Annotated[
    str,
    Matching(r"^[0-9]{1,20}$", "must be a Discord ID"),
    Field(description="A Discord ID, as text: it does not fit a JavaScript number"),
]


class ProviderOut(BaseModel):
    """A provider with whose accounts you can sign in."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["discord"])
    label: str = Field(examples=["Discord"])

    @computed_field(examples=["/auth/oauth/discord/authorize"])  # type: ignore[prop-decorator]  # pydantic's own order
    @property
    def authorize_path(self) -> str:
        return f"/auth/oauth/{self.name}/authorize"


class ProviderPage(BaseModel):
    """All providers. There is no next page."""

    items: list[ProviderOut]
    next: str | None = None


class AuthorizationUrl(BaseModel):
    """The URL to which to redirect the browser."""

    authorization_url: str


class LinkIn(Strict):
    """The page to which the browser goes afterwards."""

    next: NextPath = "/"


class InstallIn(Strict):
    """The server to which the bot is added."""

    guild_id: Snowflake
    next: NextPath = "/"


class IdentityOut(BaseModel):
    """A provider account with which you sign in."""

    model_config = ConfigDict(from_attributes=True)

    provider: str
    subject: str = Field(description="The account's ID at the provider")
    display_name: str | None
    scopes: Annotated[list[str], BeforeValidator(str.split)] = Field(description="The scopes that you granted")
    relink_needed: bool = Field(description="The provider no longer accepts our tokens: link the account again")
    linked_at: datetime = Field(validation_alias="created_at")
    last_used_at: datetime


class IdentityPage(BaseModel):
    """All linked accounts. There is no next page."""

    items: list[IdentityOut]
    next: str | None = None
    has_password: bool = Field(description="Whether you can sign in with a password too")
