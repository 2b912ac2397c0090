"""People and the bot."""

from pydantic import BaseModel

from bongsu_sandbox.discord.errors import Wire


class User(BaseModel):
    """An account. `email` None: it has none; not `verified`: nobody has proved that it is theirs."""

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
        """As it is shown."""
        return self.global_name or self.username

    def to_wire(self) -> Wire:
        """The user object that everyone sees."""
        wire: Wire = {
            "id": str(self.id),
            "username": self.username,
            "discriminator": "0" if not self.bot else "0001",
            "global_name": self.global_name,
            "avatar": self.avatar,
            "banner": None,
            "accent_color": None,
            "avatar_decoration_data": None,
            "public_flags": 0,
            "flags": 0,
        }
        if self.bot:
            wire["bot"] = True
        return wire

    def to_own_wire(self, *, email: bool) -> Wire:
        """The user object that the user's own token sees; with the address only under the scope `email`."""
        wire = self.to_wire() | {"locale": self.locale, "mfa_enabled": False, "premium_type": 0}
        if email:
            wire |= {"email": self.email, "verified": self.verified}
        return wire
