"""`GET /auth/audit`."""

import pytest

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

    async def test_unknown_action_is_refused_by_its_name_alone(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user(role=Role.MANAGER))
        answer = await stage.client.get("/auth/audit?action=nap", headers=headers)
        assert [error["loc"] for error in answer.json()["errors"]] == [["query", "action"]]

    async def test_pages_follow_one_another(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user(role=Role.MANAGER))
        await stage.user()
        first = (await stage.client.get("/auth/audit?limit=2", headers=headers)).json()
        second = (await stage.client.get(f"/auth/audit?limit=2&after={first['next']}", headers=headers)).json()
        assert (len(first["items"]), len(second["items"]), second["next"]) == (2, 1, None)

    async def test_manager_filters_by_actor_subject_action_and_time(self, each_stage: Stage) -> None:
        boss, mina = await each_stage.user(role=Role.MANAGER), await each_stage.user()
        headers = await each_stage.signed_in(boss)
        for status in ("blocked", "active"):
            await each_stage.client.patch(f"/auth/users/{mina.id}", json={"status": status}, headers=headers)

        async def actions(**query: str) -> list[str]:
            answer = await each_stage.client.get("/auth/audit", params=query, headers=headers)
            assert answer.status_code == 200, answer.text
            return [item["action"] for item in answer.json()["items"]]

        assert await actions(actor_id=str(boss.id), subject_id=str(mina.id)) == ["user.unblocked", "user.blocked"]
        assert await actions(subject_id=str(mina.id)) == ["user.unblocked", "user.blocked", "account.created"]
        assert await actions(action="user.blocked") == ["user.blocked"]
        assert await actions(action="user.blocked", since="2999-01-01T00:00:00Z") == []
        assert await actions(action="user.blocked", until="2999-01-01T00:00:00Z") == ["user.blocked"]
        assert await actions(until="2020-01-01T00:00:00Z") == []

    async def test_manager_sees_email_addresses_of_actor_and_subject(self, stage: Stage) -> None:
        boss, mina = await stage.user(role=Role.MANAGER), await stage.user()
        headers = await stage.signed_in(boss)
        await stage.client.patch(f"/auth/users/{mina.id}", json={"status": "blocked"}, headers=headers)
        [entry] = (await stage.client.get("/auth/audit?action=user.blocked", headers=headers)).json()["items"]
        assert (entry["actor_email"], entry["subject_email"]) == (boss.email, mina.email)

    async def test_filters_show_a_user_no_entry_of_another(self, stage: Stage) -> None:
        other = await stage.user()
        headers = await stage.signed_in(await stage.user())
        for name in ("actor_id", "subject_id"):
            items = (await stage.client.get(f"/auth/audit?{name}={other.id}", headers=headers)).json()["items"]
            assert items == []
        mine = (await stage.client.get("/auth/audit", headers=headers)).json()["items"]
        assert {(item["actor_email"], item["subject_email"]) for item in mine} == {(None, None)}

    @pytest.mark.parametrize("query", ["action=nothing", "since=yesterday", "actor_id=7", "who=me"])
    async def test_malformed_filter_is_refused(self, stage: Stage, query: str) -> None:
        headers = await stage.signed_in(await stage.user())
        assert (await stage.client.get(f"/auth/audit?{query}", headers=headers)).status_code == 422


class TestAboutMe:
    async def test_manager_sees_entries_about_the_own_account_only(self, each_stage: Stage) -> None:
        other = await each_stage.user()
        me = await each_stage.user(role=Role.MANAGER)
        headers = await each_stage.signed_in(me)
        await each_stage.client.patch(f"/auth/users/{other.id}", json={"status": "blocked"}, headers=headers)
        page = (await each_stage.client.get("/auth/audit?about_me=true", headers=headers)).json()
        assert [item["action"] for item in page["items"]] == ["session.opened", "account.created"]

    async def test_wrong_password_is_listed_with_its_address_when_a_stranger_guessed(self, stage: Stage) -> None:
        me = await stage.user()
        async with stage.browser(address="198.51.100.7") as stranger:
            await stranger.post("/auth/login", json={"email": me.email, "password": "wrong"})
        headers = await stage.signed_in(me)
        first = (await stage.client.get("/auth/audit?about_me=true&limit=1", headers=headers)).json()
        second = (
            await stage.client.get(f"/auth/audit?about_me=true&limit=1&after={first['next']}", headers=headers)
        ).json()
        [failure] = second["items"]
        assert (failure["action"], failure["address"]) == ("session.sign_in_failed", "198.51.100.7")

    async def test_address_of_an_administrator_is_hidden_from_the_account_it_changed(self, stage: Stage) -> None:
        me, boss = await stage.user(), await stage.user(role=Role.ADMINISTRATOR)
        acting = await stage.signed_in(boss)
        changed = await stage.client.patch(f"/auth/users/{me.id}", json={"sending": "trial"}, headers=acting)
        assert changed.status_code == 200
        for headers, address in ((await stage.signed_in(me), None), (acting, "127.0.0.1")):
            items = (await stage.client.get("/auth/audit", headers=headers)).json()["items"]
            [entry] = [item for item in items if item["action"] == "user.sending_changed"]
            assert (entry["actor_id"], entry["address"]) == (str(boss.id), address)
