"""Rotation of signing keys."""

import asyncio
from datetime import UTC, datetime, timedelta

from bongsu.identity.models import AuditEntry, SigningKeyRow
from bongsu_auth import operations
from bongsu_auth.signing_keys.service import SigningKeys
from services.auth.tests.stage import Stage

MAX_AGE = timedelta(days=90)


def rotation(stage: Stage) -> SigningKeys:
    return SigningKeys(stage.database, stage.vault, MAX_AGE)


async def make_old() -> None:
    await SigningKeyRow.filter_by().unfiltered().update(signs_from=datetime.now(UTC) - MAX_AGE)


class TestRotateWhenOld:
    async def test_young_key_stays(self, stage: Stage) -> None:
        assert await rotation(stage).rotate_when_old() == 0
        assert await SigningKeyRow.row_count() == 1

    async def test_old_key_gets_one_successor_however_many_replicas_look(self, each_stage: Stage) -> None:
        await make_old()
        await asyncio.gather(*(rotation(each_stage).rotate_when_old() for _ in range(4)))
        assert await rotation(each_stage).rotate_when_old() == 0
        rows = await SigningKeyRow.query().order_by("generation").all()
        assert [row.generation for row in rows] == [1, 2]
        assert rows[0].trusted_until is not None
        assert rows[1].signs_from > datetime.now(UTC)


class TestCommand:
    async def test_operator_rotates_a_young_key(self, stage: Stage) -> None:
        kid = await operations.rotate_signing_key(stage.database, stage.vault)
        assert await SigningKeyRow.filter_by(kid=kid, generation=2).exists()
        assert await AuditEntry.filter_by(action="signing_key.rotated").count() == 1
