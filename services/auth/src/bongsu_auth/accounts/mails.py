"""The mails of a sign-up."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bongsu_auth.accounts.models import Registration
from bongsu_auth.mails import Mails

MAX_MAILS = 5
"""Mails for one sign-up, including the first."""


@dataclass(frozen=True, slots=True)
class SignUpMails:
    """Sends the mails of sign-ups, in the caller's transaction.

    :param per_hour: limit for one address. One network causes at most half of them, and a network that has caused none
        may still cause one beyond the limit, up to twice the limit.
    :param lifetime: how long a link works.
    """

    mails: Mails
    per_hour: int
    lifetime: timedelta

    async def is_limit_reached(self, email: str, network: str) -> bool:
        """Return whether a client in the network can cause no more mails to the address within this hour."""
        since = datetime.now(UTC) - timedelta(hours=1)
        recent = await Registration.filter_by(email_norm=email, updated_at__gt=since).values_list("network", "mails")
        total = sum(int(mails) for _, mails in recent)
        own = sum(int(mails) for caused_by, mails in recent if caused_by == network)
        if not own:
            return total >= 2 * self.per_hour
        return total >= self.per_hour or own >= (self.per_hour + 1) // 2

    async def send_link(self, *, to: str, locale: str, token: str) -> None:
        """Send the link that proves the address."""
        await self._send("verify-email", to, locale, f"{self.mails.public_url}/verify?token={token}")

    async def send_account_exists(self, *, to: str, locale: str) -> None:
        """Tell the owner of an account that someone signed up with its address."""
        await self._send("account-exists", to, locale, f"{self.mails.public_url}/login")

    async def _send(self, template: str, to: str, locale: str, link: str) -> None:
        await self.mails.send(template, to=to, locale=locale, variables={"link": link}, lifetime=self.lifetime)
