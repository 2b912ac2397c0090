"""The mails of a sign-up, sent through notify."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bongsu import outbox
from bongsu.contracts.jobs import EmailRecipient, NotificationJob, variables_context
from bongsu.contracts.queues import LANES, NOTIFY_JOBS
from bongsu.identity.vault import Vault
from bongsu.mixins import uuid7
from bongsu_auth.accounts.models import Registration

MAX_MAILS = 5
"""Mails for one sign-up, including the first."""


@dataclass(frozen=True, slots=True)
class SignUpMails:
    """Writes each mail as an outbox row, in the caller's transaction, with its variables sealed.

    :param per_hour: limit for one address.
    :param lifetime: how long a link works.
    """

    vault: Vault
    public_url: str
    per_hour: int
    lifetime: timedelta

    async def is_limit_reached(self, email: str) -> bool:
        """Return whether the address got `per_hour` mails within the last hour."""
        since = datetime.now(UTC) - timedelta(hours=1)
        recent = await Registration.filter_by(email_norm=email, updated_at__gt=since).aggregate(total=("sum", "mails"))
        return int(recent["total"] or 0) >= self.per_hour

    async def send_link(self, *, to: str, locale: str, token: str) -> None:
        """Send the link that proves the address."""
        await self._send("verify-email", to, locale, f"{self.public_url}/verify?token={token}")

    async def send_account_exists(self, *, to: str, locale: str) -> None:
        """Tell the owner of an account that someone signed up with its address."""
        await self._send("account-exists", to, locale, f"{self.public_url}/login")

    async def _send(self, template: str, to: str, locale: str, link: str) -> None:
        job_id = uuid7()
        variables = json.dumps({"link": link}, ensure_ascii=False)
        job = NotificationJob(
            id=job_id,
            template=template,
            locale="en" if locale == "en" else "ko",
            to=EmailRecipient(email=to),
            sealed_variables=self.vault.seal(variables, aad=variables_context(job_id)),
            expires_at=datetime.now(UTC) + self.lifetime,
        )
        await outbox.append(NOTIFY_JOBS, job.model_dump(mode="json"), lane=LANES["high"], id=job_id)
