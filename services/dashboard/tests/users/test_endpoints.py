from uuid import uuid4

import pytest

from bongsu.identity.scopes import Role
from services.dashboard.tests.fake_users import an_account
from services.dashboard.tests.fakes import MINA, a_user
from services.dashboard.tests.stage import Stage, text_of


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.accounts.users[MINA] = a_user(role=Role.ADMINISTRATOR)
    stage.users.items = [an_account(f"lee{number}@example.com") for number in range(3)]
    return stage


class TestList:
    async def test_accounts_are_found_by_address_and_paged(self, stage: Stage) -> None:
        page = await stage.mina().get("/users?q=lee")
        assert "lee0@example.com" in page.text
        assert f"after={stage.users.items[1].id}" in page.text
        assert "lee1@example.com" in text_of((await stage.mina().get("/users?q=lee1")).text)
        assert "계정이 없습니다" in text_of((await stage.mina().get("/users?q=kim")).text)

    @pytest.mark.parametrize("role", [Role.USER, Role.STAFF])
    async def test_page_is_for_managers(self, stage: Stage, role: Role) -> None:
        stage.accounts.users[MINA] = a_user(role=role)
        browser = stage.mina()
        assert 'href="/users"' not in (await browser.get("/account")).text
        assert (await browser.get("/users")).status_code == 403
        path = f"/users/{stage.users.items[0].id}"
        assert (await browser.post(path, {"status": "blocked"})).status_code == 403
        assert stage.users.changes == []


class TestUser:
    @pytest.mark.parametrize("change", [{"status": "blocked"}, {"role": "manager"}, {"sending": "live"}])
    async def test_account_is_changed(self, stage: Stage, change: dict[str, str]) -> None:
        browser = stage.mina()
        path = f"/users/{stage.users.items[0].id}"
        await browser.get(path)
        answer = await browser.post(path, {**change})
        assert (answer.status_code, answer.headers["location"]) == (303, path)
        assert stage.users.changes == [change]
        assert "변경했습니다" in text_of((await browser.get(path)).text)

    async def test_manager_is_offered_no_roles(self, stage: Stage) -> None:
        stage.accounts.users[MINA] = a_user(role=Role.MANAGER)
        page = await stage.mina().get(f"/users/{stage.users.items[0].id}")
        assert 'name="role"' not in page.text
        assert 'name="status"' in page.text

    async def test_own_account_offers_no_change(self, stage: Stage) -> None:
        own = stage.accounts.users[MINA]
        stage.users.items.append(an_account("mina@example.com", id=own.id))
        assert 'name="status"' not in (await stage.mina().get(f"/users/{own.id}")).text

    async def test_refusal_is_shown(self, stage: Stage) -> None:
        stage.users.forbids = True
        browser = stage.mina()
        path = f"/users/{stage.users.items[0].id}"
        await browser.get(path)
        await browser.post(path, {"status": "blocked"})
        assert "변경할 수 없습니다" in text_of((await browser.get(path)).text)

    async def test_unknown_account_is_404(self, stage: Stage) -> None:
        assert (await stage.mina().get(f"/users/{uuid4()}")).status_code == 404


class TestResetSecondFactor:
    async def test_administrator_resets_a_lost_factor(self, stage: Stage) -> None:
        stage.users.items.append(an_account("lost@example.com", mfa_enabled=True))
        browser, path = stage.mina(), f"/users/{stage.users.items[-1].id}"
        assert f'action="{path}/second-factor/reset"' in (await browser.get(path)).text
        for _ in range(2):
            answer = await browser.post(f"{path}/second-factor/reset", {})
            assert (answer.status_code, answer.headers["location"]) == (303, path)
        assert not stage.users.items[-1].mfa_enabled
        assert "second-factor/reset" not in (await browser.get(path)).text

    async def test_manager_is_refused(self, stage: Stage) -> None:
        stage.accounts.users[MINA] = a_user(role=Role.MANAGER)
        stage.users.items.append(an_account("lost@example.com", mfa_enabled=True))
        browser, path = stage.mina(), f"/users/{stage.users.items[-1].id}"
        assert "second-factor/reset" not in (await browser.get(path)).text
        assert (await browser.post(f"{path}/second-factor/reset", {})).status_code == 403
        assert stage.users.items[-1].mfa_enabled
