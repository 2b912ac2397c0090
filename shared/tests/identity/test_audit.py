"""The audit log."""

import uuid

import pytest

from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.identity.models import AuditEntry
from bongsu.mixins import Database


class TestRecord:
    async def test_entry_has_actor_action_and_target(self, each_database: Database) -> None:
        user_id, key_id = uuid.uuid4(), uuid.uuid4()
        async with each_database.unit():
            await audit.record(
                "api_key.stopped",
                Actor(user_id, key_id, "2001:db8::1"),
                subject_id=user_id,
                target=f"api_key:{key_id}",
                details={"reason": "잃어버림"},
            )
        [entry] = await AuditEntry.query().all()
        assert (entry.action, entry.actor_id, entry.actor_key_id, entry.address) == (
            "api_key.stopped",
            user_id,
            key_id,
            "2001:db8::1",
        )
        assert entry.details == {"reason": "잃어버림"}

    async def test_entry_is_rolled_back_with_its_transaction(self, database: Database) -> None:
        async def undone() -> None:
            async with database.unit():
                await audit.record("user.blocked")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await undone()
        assert await AuditEntry.row_count() == 0
