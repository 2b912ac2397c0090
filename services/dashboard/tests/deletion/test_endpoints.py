import pytest

from bongsu.runtime.errors import Conflict
from services.dashboard.tests.fakes import MINA, a_user
from services.dashboard.tests.stage import Stage


class TestLeave:
    async def test_account_is_deleted_when_its_address_is_typed(self, stage: Stage) -> None:
        browser = stage.mina()
        page = await browser.get("/account/delete")
        assert 'href="/auth/me/export"' in page.text
        answer = await browser.post("/account/delete", {"typed": "Mina@example.com "})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert stage.credentials.calls == [("delete_account",)]
        assert 'access-80=""' in answer.headers["set-cookie"]

    async def test_account_without_an_address_is_deleted_when_its_name_is_typed(self, stage: Stage) -> None:
        stage.accounts.users[MINA] = a_user(email=None)
        browser = stage.mina()
        await browser.get("/account/delete")
        assert (await browser.post("/account/delete", {"typed": "김봉수"})).status_code == 303

    @pytest.mark.parametrize("typed", ["", "someone@example.com"])
    async def test_nothing_is_deleted_when_something_else_is_typed(self, stage: Stage, typed: str) -> None:
        browser = stage.mina()
        await browser.get("/account/delete")
        answer = await browser.post("/account/delete", {"typed": typed})
        assert (answer.status_code, 'id="e-typed"' in answer.text) == (422, True)
        assert stage.credentials.calls == []

    async def test_only_administrator_is_refused(self, stage: Stage) -> None:
        stage.credentials.raises = Conflict("The only one", code="last_administrator")
        browser = stage.mina()
        await browser.get("/account/delete")
        assert (await browser.post("/account/delete", {"typed": "mina@example.com"})).status_code == 409
