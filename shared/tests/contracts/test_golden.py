"""The wire shapes, held against files: a change that breaks what is already on a queue shows here."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import ValidationError

from bongsu.contracts.events import UserBlocked, UserDeleted, UserRoleChanged
from bongsu.contracts.jobs import DeliveryWakeup, EmailRecipient, NotificationJob
from bongsu.contracts.tokens import AccessClaims
from bongsu.contracts.wire import Wire

GOLDEN = Path(__file__).parent / "golden"
SOMEONE = UUID("01936f00-0000-7000-8000-000000000001")
SOMETHING = UUID("01936f00-0000-7000-8000-000000000002")
AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)

SHAPES: dict[str, Wire] = {
    "notification_job": NotificationJob(
        id=SOMETHING,
        template="verify-email",
        locale="ko",
        to=EmailRecipient(email="bongsu@example.com", name="김봉수"),
        user_id=SOMEONE,
        sealed_variables="k1.c2VhbGVk",
        priority="high",
        expires_at=AT,
    ),
    "delivery_wakeup": DeliveryWakeup(notification_id=SOMETHING),
    "user_deleted": UserDeleted(user_id=SOMEONE, at=AT),
    "user_blocked": UserBlocked(user_id=SOMEONE, at=AT),
    "user_role_changed": UserRoleChanged(user_id=SOMEONE, role="staff", at=AT),
    "access_claims": AccessClaims(
        iss="http://localhost:8000",
        sub=SOMEONE,
        exp=1795512600,
        iat=1795511700,
        jti=SOMETHING,
        sid=SOMETHING,
        role="user",
        scope="account notifications:read",
        auth_time=1795511700,
        amr=("pwd",),
    ),
}


def _golden(name: str) -> str:
    return (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHAPES)
class TestGoldenFiles:
    def test_a_shape_is_written_as_its_file_says(self, name: str) -> None:
        assert SHAPES[name].model_dump(mode="json") == json.loads(_golden(name))

    def test_a_file_is_read_back_as_the_shape(self, name: str) -> None:
        assert type(SHAPES[name]).model_validate_json(_golden(name)) == SHAPES[name]

    def test_a_field_of_a_newer_sender_is_ignored(self, name: str) -> None:
        newer = json.loads(_golden(name)) | {"added_in_a_later_version": True}
        assert type(SHAPES[name]).model_validate(newer) == SHAPES[name]

    def test_a_missing_field_is_refused(self, name: str) -> None:
        shape = type(SHAPES[name])
        required = [field for field, info in shape.model_fields.items() if info.is_required()]
        for field in required:
            less = {key: value for key, value in json.loads(_golden(name)).items() if key != field}
            with pytest.raises(ValidationError, match=field):
                shape.model_validate(less)


def test_every_golden_file_belongs_to_a_shape() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(SHAPES)
