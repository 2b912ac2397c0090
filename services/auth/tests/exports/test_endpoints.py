"""`GET /auth/me/export`."""

from datetime import UTC, datetime, timedelta

import jwt

from bongsu.identity.models import UserSession
from bongsu.identity.scopes import Role
from bongsu_auth.sessions.recent import RECENT
from services.auth.tests.mfa.codes import enable
from services.auth.tests.providers import Person
from services.auth.tests.stage import Stage

PATH = "/auth/me/export"


class TestExport:
    async def test_everything_of_the_user_is_exported_and_nothing_of_others(self, each_stage: Stage) -> None:
        user, other = await each_stage.user(), await each_stage.user()
        headers = await each_stage.signed_in(user)
        key = (await each_stage.client.post("/auth/api-keys", json={"memo": "mine"}, headers=headers)).json()
        path = f"/auth/api-keys/{key['id']}/allowlist"
        await each_stage.client.post(path, json={"cidr": "10.0.0.0/8"}, headers=headers)
        others = await each_stage.signed_in(other)
        await each_stage.client.post("/auth/api-keys", json={"memo": "theirs"}, headers=others)
        each_stage.notifications.pages = [[{"id": "1"}, {"id": "2"}], [{"id": "3"}], []]
        answer = await each_stage.client.get(PATH, headers=headers)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert answer.headers["content-disposition"] == 'attachment; filename="bongsu-export.json"'
        body = answer.json()
        assert (body["account"]["email"], len(body["sessions"])) == (user.email, 1)
        assert [(item["memo"], item["allowlist"][0]["cidr"]) for item in body["api_keys"]] == [("mine", "10.0.0.0/8")]
        assert body["notifications"] == [{"id": "1"}, {"id": "2"}, {"id": "3"}]
        assert "api_key.created" in {entry["action"] for entry in body["audit"]}
        assert other.email not in answer.text
        assert str(other.id) not in answer.text

    async def test_no_secret_is_exported(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await stage.sign_in_with("discord", Person(email=stage.new_address()), browser=browser)
            key = (await browser.post("/auth/api-keys", json={})).json()
            headers = {"authorization": f"Bearer {browser.cookies['access-8000']}"}
            secret, recovery = await enable(stage, headers)
            text = (await browser.get(PATH)).text
            refresh = browser.cookies["refresh-8000"]
        assert '"provider":"discord"' in text
        for plain in (key["secret_key"], secret, *recovery, refresh, "sealed", "hashed_password"):
            assert plain not in text

    async def test_token_for_notify_reads_the_user_s_own_alone_even_for_staff(self, stage: Stage) -> None:
        user = await stage.user(role=Role.ADMINISTRATOR)
        await stage.client.get(PATH, headers=await stage.signed_in(user))
        claims = jwt.decode(stage.notifications.tokens[0], options={"verify_signature": False})
        assert (claims["sub"], claims["role"], claims["scope"]) == (str(user.id), "user", "notifications:read")

    async def test_unavailable_notify_is_reported(self, stage: Stage) -> None:
        stage.notifications.down = True
        answer = await stage.client.get(PATH, headers=await stage.signed_in(await stage.user()))
        assert (answer.status_code, answer.json()["code"]) == (503, "notify_down")

    async def test_recent_authentication_is_required(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        await UserSession.filter_by().unfiltered().update(auth_time=datetime.now(UTC) - RECENT - timedelta(seconds=1))
        answer = await stage.client.get(PATH, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")

    async def test_sign_in_is_required(self, stage: Stage) -> None:
        assert (await stage.client.get(PATH)).status_code == 401
