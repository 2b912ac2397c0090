"""`GET /auth/audit`."""

from bongsu.identity.scopes import Role
from services.auth.tests.stage import Stage


class TestAudit:
    async def test_user_sees_own_entries_only(self, stage: Stage) -> None:
        await stage.user()
        me = await stage.user()
        headers = await stage.signed_in(me)
        items = (await stage.client.get("/auth/audit", headers=headers)).json()["items"]
        assert [(item["action"], item["subject_id"]) for item in items] == [
            ("session.opened", str(me.id)),
            ("account.created", str(me.id)),
        ]

    async def test_sign_in_is_listed_with_session_address_and_method(self, each_stage: Stage) -> None:
        me = await each_stage.user()
        headers = await each_stage.signed_in(me)
        [session] = (await each_stage.client.get("/auth/sessions", headers=headers)).json()["items"]
        newest = (await each_stage.client.get("/auth/audit", headers=headers)).json()["items"][0]
        assert (newest["action"], newest["actor_id"], newest["subject_id"]) == (
            "session.opened",
            str(me.id),
            str(me.id),
        )
        assert (newest["target"], newest["address"]) == (f"session:{session['id']}", "127.0.0.1")
        assert newest["details"] == {"how": "pwd"}

    async def test_manager_sees_entries_of_every_user(self, each_stage: Stage) -> None:
        await each_stage.user()
        headers = await each_stage.signed_in(await each_stage.user(role=Role.MANAGER))
        items = (await each_stage.client.get("/auth/audit", headers=headers)).json()["items"]
        assert sorted(item["action"] for item in items) == ["account.created", "account.created", "session.opened"]

    async def test_pages_follow_one_another(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user(role=Role.MANAGER))
        await stage.user()
        first = (await stage.client.get("/auth/audit?limit=2", headers=headers)).json()
        second = (await stage.client.get(f"/auth/audit?limit=2&after={first['next']}", headers=headers)).json()
        assert (len(first["items"]), len(second["items"]), second["next"]) == (2, 1, None)
