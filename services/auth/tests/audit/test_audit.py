"""`GET /auth/audit`."""

from bongsu.identity.scopes import Role
from services.auth.tests.stage import Stage


class TestAudit:
    async def test_one_sees_ones_own(self, stage: Stage) -> None:
        await stage.user()
        me = await stage.user()
        headers = await stage.signed_in(me)
        items = (await stage.client.get("/auth/audit", headers=headers)).json()["items"]
        assert [(item["action"], item["subject_id"]) for item in items] == [("account.created", str(me.id))]

    async def test_managers_see_everybodys(self, each_stage: Stage) -> None:
        await each_stage.user()
        headers = await each_stage.signed_in(await each_stage.user(role=Role.MANAGER))
        items = (await each_stage.client.get("/auth/audit", headers=headers)).json()["items"]
        assert len(items) == 2

    async def test_pages_follow_one_another(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user(role=Role.MANAGER))
        for _ in range(2):
            await stage.user()
        first = (await stage.client.get("/auth/audit?limit=2", headers=headers)).json()
        second = (await stage.client.get(f"/auth/audit?limit=2&after={first['next']}", headers=headers)).json()
        assert (len(first["items"]), len(second["items"]), second["next"]) == (2, 1, None)
