"""An operator's commands."""

import asyncio

import pytest

from bongsu.identity.models import AuditEntry, Revocation, User
from bongsu.identity.scopes import Role
from bongsu.identity.signatures import RequestSigner
from bongsu.runtime.errors import Invalid
from bongsu_auth import operations
from bongsu_auth.errors import AddressTaken, TooManyKeys, UserNotFound
from services.auth.tests.stage import PASSWORD, URL, Stage


class TestCreateUser:
    async def test_user_can_sign_in_without_verification(self, each_stage: Stage) -> None:
        user = await operations.create_user(
            each_stage.database, "Admin@Example.com", PASSWORD, name="관리자", role=Role.ADMINISTRATOR
        )
        assert (user.email, user.role, user.sending) == ("admin@example.com", "administrator", "live")
        assert (await each_stage.login("admin@example.com")).status_code == 200

    async def test_concurrent_creations_of_one_address_create_one_account(self, each_stage: Stage) -> None:
        made = await asyncio.gather(
            *(operations.create_user(each_stage.database, "a@example.com", PASSWORD) for _ in range(4)),
            return_exceptions=True,
        )
        assert [isinstance(one, User) for one in made].count(True) == 1
        assert [isinstance(one, AddressTaken) for one in made].count(True) == 3
        assert await User.row_count() == 1

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("email", "x"),
            ("email", "a\udcff@example.com"),
            ("password", "short"),
            ("password", "correct-horse-\udcff"),
            ("password", "kim@example.com"),
            ("name", "x" * 101),
            ("name", "김\x1b[31m"),
            ("name", "\udcff"),
            ("name", " "),
        ],
    )
    async def test_invalid_field_is_named(self, stage: Stage, field: str, value: str) -> None:
        given = {"email": "kim@example.com", "password": PASSWORD, "name": "김", field: value}
        with pytest.raises(Invalid) as caught:
            await operations.create_user(stage.database, given["email"], given["password"], name=given["name"])
        assert [error.loc for error in caught.value.errors] == [("body", field)]


class TestPromote:
    async def test_role_is_stored(self, stage: Stage) -> None:
        user = await stage.user()
        await operations.promote(stage.database, user.email.upper(), Role.STAFF)
        await user.refresh()
        assert user.role == "staff"

    async def test_concurrent_promotions_take_turns(self, each_stage: Stage) -> None:
        user, roles = await each_stage.user(), [Role.STAFF, Role.MANAGER, Role.ADMINISTRATOR]
        await asyncio.gather(*(operations.promote(each_stage.database, user.email, role) for role in roles))
        changes = [entry.details for entry in await AuditEntry.filter_by(action="user.role_changed").all()]
        assert {change["from"] for change in changes if change} | {(await user.refresh()).role} == {"user", *roles}
        denied = await Revocation.filter_by(subject_id=user.id).pluck("denied_until")
        assert len(set(denied)) == 3

    @pytest.mark.parametrize("email", ["nobody@example.com", "nonsense"])
    async def test_unknown_address_is_not_found(self, stage: Stage, email: str) -> None:
        with pytest.raises(UserNotFound):
            await operations.promote(stage.database, email, Role.STAFF)


class TestCreateKey:
    async def test_key_signs_requests(self, stage: Stage) -> None:
        user = await stage.user()
        key, secret = await operations.create_key(stage.database, stage.vault, URL, user.email)
        answer = await stage.client.get("/auth/me", auth=RequestSigner(key.access_key, secret))
        assert answer.json()["code"] == "session_required"

    async def test_owner_gets_a_mail(self, stage: Stage) -> None:
        user = await stage.user()
        key, _ = await operations.create_key(stage.database, stage.vault, URL, user.email)
        [mail] = await stage.notices("api_key.created")
        assert (mail.to, mail.subject) == (user.email, key.access_key)

    async def test_limit_holds(self, stage: Stage) -> None:
        user = await stage.user()
        for _ in range(3):
            await operations.create_key(stage.database, stage.vault, URL, user.email)
        with pytest.raises(TooManyKeys):
            await operations.create_key(stage.database, stage.vault, URL, user.email)

    @pytest.mark.parametrize("memo", ["x" * 201, "\x00", "\udcff"])
    async def test_invalid_memo_is_refused(self, stage: Stage, memo: str) -> None:
        user = await stage.user()
        with pytest.raises(Invalid) as caught:
            await operations.create_key(stage.database, stage.vault, URL, user.email, memo=memo)
        assert [error.loc for error in caught.value.errors] == [("body", "memo")]
