"""Mails of auth, sent through notify."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bongsu import outbox
from bongsu.contracts.jobs import EmailRecipient, NotificationJob, variables_context
from bongsu.contracts.queues import LANES, NOTIFY_JOBS
from bongsu.identity.vault import Vault
from bongsu.mixins import uuid7


@dataclass(frozen=True, slots=True)
class Mails:
    """Writes each mail as an outbox row, in the caller's transaction, with its variables sealed.

    :param public_url: the beginning of links to pages.
    """

    vault: Vault
    public_url: str

    async def send(
        self, template: str, *, to: str, locale: str, variables: Mapping[str, str], lifetime: timedelta
    ) -> None:
        """Send a mail from one of notify's built-in templates.

        :param locale: `ko` or `en`; Korean for any other.
        :param variables: may hold secrets, such as the link of a password reset.
        :param lifetime: the mail is not sent later than this.
        """
        job_id = uuid7()
        job = NotificationJob(
            id=job_id,
            template=template,
            locale="en" if locale == "en" else "ko",
            to=EmailRecipient(email=to),
            sealed_variables=self.vault.seal(
                json.dumps(dict(variables), ensure_ascii=False), aad=variables_context(job_id)
            ),
            expires_at=datetime.now(UTC) + lifetime,
        )
        await outbox.append(NOTIFY_JOBS, job.model_dump(mode="json"), lane=LANES["high"], id=job_id)
