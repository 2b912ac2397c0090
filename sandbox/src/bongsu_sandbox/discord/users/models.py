"""Users: the personas and the bot."""

from pydantic import BaseModel

from bongsu_sandbox.discord.wire import FIXED_FIELDS, Wire


class User(BaseModel):
    """An account, with or without an email address, which may be unverified."""

    id: int
    username: str
    global_name: str | None = None
    email: str | None = None
    verified: bool = False
    locale: str = "en-US"
    avatar: str | None = None
    bot: bool = False

    @property
    def name(self) -> str:
        return self.global_name or self.username

    def to_wire(self) -> Wire:
        wire: Wire = {
            **FIXED_FIELDS["user"],
            "id": str(self.id),
            "username": self.username,
            "discriminator": "0" if not self.bot else "0001",
            "global_name": self.global_name,
            "avatar": self.avatar,
        }
        if self.bot:
            wire["bot"] = True
        return wire

    def to_own_wire(self, *, email: bool) -> Wire:
        """The user object for the user's own token, with the address under the scope `email`."""
        wire = self.to_wire() | {"locale": self.locale, "mfa_enabled": False, "premium_type": 0}
        if email:
            wire |= {"email": self.email, "verified": self.verified}
        return wire
