"""Gathers what every service keeps of a user."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pydantic import JsonValue

from bongsu.identity.models import AllowlistEntry, ApiKey, AuditEntry, LinkedAccount, User, UserSession
from bongsu.mixins import Q
from bongsu_auth.accounts.schemas import Me
from bongsu_auth.api_keys.schemas import EntryOut
from bongsu_auth.audit.schemas import AuditOut
from bongsu_auth.errors import SessionNotFound
from bongsu_auth.exports.port import NotificationSource
from bongsu_auth.exports.schemas import AccountExport, ExportedKey, ExportedSession
from bongsu_auth.oauth.schemas import IdentityOut
from bongsu_auth.sessions.access_tokens import AccessTokens


@dataclass(frozen=True, slots=True)
class Exports:
    """Writes exports.

    :param tokens: issues the token by which notify is asked.
    """

    tokens: AccessTokens
    notifications: NotificationSource

    async def write(self, user: User, session_id: UUID | None) -> AsyncIterator[str]:
        """Return the export in pieces of JSON. Everything that can fail before the first piece does so here.

        :raises Unavailable: notify does not answer.
        """
        session = await UserSession.get_or_none(session_id) if session_id is not None else None
        if session is None:
            raise SessionNotFound
        # Without the user's role: staff would read every user's notifications.
        pages = self.notifications.pages(await self.tokens.issue_for_reading(session, user))
        first = await anext(pages)
        account = (await _gather(user)).model_dump_json()
        return _join(account, first, pages)


async def _join(
    account: str, first: Sequence[JsonValue], rest: AsyncIterator[Sequence[JsonValue]]
) -> AsyncIterator[str]:
    yield account.removesuffix("}") + ',"notifications":['
    yield ",".join(json.dumps(item, ensure_ascii=False) for item in first)
    async for page in rest:
        yield "".join("," + json.dumps(item, ensure_ascii=False) for item in page)
    yield "]}"


async def _gather(user: User) -> AccountExport:
    keys = await ApiKey.filter_by(user_id=user.id).order_by("id").all()
    entries = await AllowlistEntry.filter_by(key_id__in=[key.id for key in keys]).order_by("id").all()
    log = AuditEntry.filter_by(Q(actor_id=user.id) | Q(subject_id=user.id)).order_by("-id")
    return AccountExport(
        exported_at=datetime.now(UTC),
        account=Me.model_validate(user),
        identities=[IdentityOut.model_validate(row) for row in await LinkedAccount.filter_by(user_id=user.id).all()],
        sessions=[
            ExportedSession.model_validate(row)
            for row in await UserSession.filter_by(user_id=user.id).order_by("-id").all()
        ],
        api_keys=[
            ExportedKey.model_validate(key).model_copy(
                update={"allowlist": [EntryOut.model_validate(entry) for entry in entries if entry.key_id == key.id]}
            )
            for key in keys
        ],
        audit=[AuditOut.model_validate(row) for row in await log.all()],
    )
