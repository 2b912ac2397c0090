"""`/auth/me`."""

import pytest

from services.auth.tests.stage import Stage, error_fields


class TestPatchMe:
    async def test_missing_field_stays_as_it_is(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        await stage.client.patch("/auth/me", json={"name": "  이서연 "}, headers=headers)
        answer = await stage.client.patch("/auth/me", json={"locale": "en"}, headers=headers)
        assert (answer.json()["name"], answer.json()["locale"]) == ("이서연", "en")

    async def test_name_is_removed_when_it_is_null(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        await stage.client.patch("/auth/me", json={"name": "x"}, headers=headers)
        assert (await stage.client.patch("/auth/me", json={"name": None}, headers=headers)).json()["name"] is None

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"email": None}, "body.email"),
            ({"role": "administrator"}, "body.role"),
            ({"status": "active"}, "body.status"),
            ({"sending": "live"}, "body.sending"),
            ({"email_verified": True}, "body.email_verified"),
            ({"id": 1}, "body.id"),
            ({"locale": None}, "body.locale"),
            ({"name": "\u0007"}, "body.name"),
        ],
    )
    async def test_field_that_cannot_be_changed_is_named(
        self, stage: Stage, body: dict[str, object], field: str
    ) -> None:
        headers = await stage.signed_in(await stage.user())
        answer = await stage.client.patch("/auth/me", json=body, headers=headers)
        assert (answer.status_code, error_fields(answer)) == (422, [field])

    async def test_request_without_credentials_is_refused(self, stage: Stage) -> None:
        assert (await stage.client.get("/auth/me")).status_code == 401


class TestBlock:
    async def test_blocked_user_is_signed_out_and_cannot_sign_in(self, stage: Stage) -> None:
        user = await stage.user()
        tokens = (await stage.login(user.email)).json()
        async with stage.database.unit() as unit:
            revoked = await stage.users.block(user)
            unit.on_commit(lambda: stage.identity.revocations.add(revoked))
        headers = {"authorization": f"Bearer {tokens['access_token']}"}
        assert (await stage.client.get("/auth/me", headers=headers)).status_code == 401
        refreshed = await stage.client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert refreshed.status_code == 401
        assert (await stage.login(user.email)).status_code == 401

    async def test_unblocked_user_can_sign_in_again(self, stage: Stage) -> None:
        user = await stage.user()
        async with stage.database.unit():
            await stage.users.block(user)
        async with stage.database.unit():
            await stage.users.unblock(user)
        headers = await stage.signed_in(user)
        assert (await stage.client.get("/auth/me", headers=headers)).status_code == 200
