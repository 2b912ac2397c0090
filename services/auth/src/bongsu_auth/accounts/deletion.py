"""Deleting an account: here, at its providers, and in every service."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bongsu import outbox
from bongsu.contracts.queues import BOT_USERS_DELETED, USERS_DELETED
from bongsu.contracts.users import UserDeleted, email_context
from bongsu.identity.audit import Actor
from bongsu.identity.models import LinkedAccount, User
from bongsu.identity.revocations import revoke_user
from bongsu.identity.scopes import Role
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_auth.accounts.manager import UserManager
from bongsu_auth.accounts.models import Registration
from bongsu_auth.errors import CredentialsChanged, LastAdministrator
from bongsu_auth.notices.service import SecurityNotices
from bongsu_auth.oauth.service import Flows
from bongsu_auth.sessions.service import Sessions


@dataclass(frozen=True, slots=True)
class Deletion:
    """Deletes accounts.

    :param vault: seals the address in the event for the other services.
    """

    database: Database
    vault: Vault
    users: UserManager
    sessions: Sessions
    notices: SecurityNotices
    flows: Flows

    async def delete(self, user_id: UUID, session_id: UUID | None, actor: Actor) -> None:
        """Delete an account, notify its owner, and revoke our access to their accounts at providers.

        Opens its own unit of work. Entries of the audit log stay: they name the account by its ID alone.

        :param session_id: the session that asks for it.
        :raises CredentialsChanged: that session has ended.
        :raises LastAdministrator: no administrator would be left.
        """
        for linked in await self.database.run(self._delete, user_id, session_id, actor):
            await self.flows.revoke(linked)

    async def _delete(self, user_id: UUID, session_id: UUID | None, actor: Actor) -> Sequence[LinkedAccount]:
        # Every administrator is locked, in order, so that the last two cannot both be deleted at the same time.
        administrators = (
            await User.filter_by(role=Role.ADMINISTRATOR.value, status="active").order_by("id").lock().all()
        )
        user = await User.filter_by(id=user_id).lock().one_or_none()
        if user is None or not await self.sessions.is_open(session_id, user_id):
            raise CredentialsChanged
        if [row.id for row in administrators] == [user.id]:
            raise LastAdministrator
        linked = await LinkedAccount.filter_by(user_id=user_id).all()
        await self.notices.record("account.deleted", user, actor, target=f"user:{user.id}")
        self.sessions.deny(await revoke_user(user))
        if user.email_norm is not None:
            await Registration.filter_by(email_norm=user.email_norm).delete()
        await self._publish(user)
        await self.users.delete(user)  # with sessions, keys, linked accounts and second factor, by their foreign keys
        return linked

    async def _publish(self, user: User) -> None:
        context = email_context(user.id)
        event = UserDeleted(
            user_id=user.id,
            sealed_email=self.vault.seal(user.email_norm, aad=context) if user.email_norm is not None else None,
            at=datetime.now(UTC),
        )
        for queue in (USERS_DELETED, BOT_USERS_DELETED):
            await outbox.append(queue, event.model_dump(mode="json"))
