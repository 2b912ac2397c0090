import pytest

from bongsu.identity.scopes import Role
from bongsu_dashboard.all_guilds.service import PAGE
from services.dashboard.tests.fakes import MINA, FakeBot, a_summary, a_user
from services.dashboard.tests.stage import Stage, text_of

GUILD, OUTAGE = 8 << 22, 9 << 22
LIST, PATH = "/admin/guilds", f"/admin/guilds/{GUILD}"
REMOVE = f"{PATH}/remove"


def fields(**changed: str) -> dict[str, str | list[str]]:
    return {"name": "봉수대 개발팀", "attempt": "a" * 24, **changed}


@pytest.fixture
def stage() -> Stage:
    """Mina is an administrator who manages neither server."""
    found = a_summary(GUILD, name="봉수대 개발팀").model_copy(update={"added_by": "박하늘", "owner_id": 77})
    stage = Stage(bot=FakeBot(known={GUILD: found, OUTAGE: a_summary(OUTAGE, "unavailable", name="Beacon Hill")}))
    stage.accounts.users[MINA] = a_user(role=Role.ADMINISTRATOR)
    return stage


class TestList:
    async def test_every_server_is_listed_with_its_health_and_who_added_the_bot(self, stage: Stage) -> None:
        page = await stage.mina().get(LIST)
        text = text_of(page.text)
        assert "봉수대 개발팀" in text
        assert "추가한 사람 박하늘" in text
        assert "Beacon Hill" in text
        assert 'data-tone="ok"' in page.text
        assert 'data-tone="bad"' in page.text
        assert "77" in text_of((await stage.mina().get(PATH)).text)

    async def test_list_continues_after_a_page(self, stage: Stage) -> None:
        stage.bot.known = {n << 22: a_summary(n << 22, name=f"server {n}") for n in range(1, PAGE + 2)}
        page = (await stage.mina().get(LIST)).text
        assert f"server {PAGE + 1}<" not in page
        assert f'href="{LIST}?after={PAGE << 22}"' in page
        assert f"server {PAGE + 1}<" in (await stage.mina().get(f"{LIST}?after={PAGE << 22}")).text

    async def test_page_says_so_while_the_bot_is_silent(self, stage: Stage) -> None:
        stage.bot.silent = True
        answer = await stage.mina().get(LIST)
        assert answer.status_code == 200
        assert "봉수대 개발팀" not in answer.text

    async def test_names_are_text(self, stage: Stage) -> None:
        name = '<img src=x onerror=alert(1)>" hx-get="/x'
        stage.bot.known[GUILD] = a_summary(GUILD, name=name)
        for path in (LIST, PATH):
            page = (await stage.mina().get(path)).text
            assert "<img src=x" not in page
            assert '" hx-get="/x' not in page


class TestRemoval:
    async def test_form_that_is_sent_twice_removes_the_bot_once(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        answers = [await browser.post(REMOVE, fields()) for _ in range(2)]
        assert [(one.status_code, one.headers["location"]) for one in answers] == [(303, LIST)] * 2
        assert stage.bot.left == [GUILD]

    @pytest.mark.parametrize("typed", ["", "Beacon Hill"])
    async def test_other_name_removes_nothing(self, stage: Stage, typed: str) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        answer = await browser.post(REMOVE, fields(name=typed))
        assert answer.status_code == 422
        assert 'id="e-name"' in answer.text
        assert stage.bot.left == []

    async def test_late_answer_is_not_called_a_failure(self, stage: Stage) -> None:
        stage.bot.leaves_late = True
        browser = stage.mina()
        await browser.get(PATH)
        answer = await browser.post(REMOVE, fields())
        assert (answer.status_code, answer.headers["location"]) == (303, PATH)
        assert "제때 응답하지 않았습니다" in text_of((await browser.get(PATH)).text)

    async def test_refusal_of_the_bot_removes_nothing(self, stage: Stage) -> None:
        stage.bot.forbids = True
        browser = stage.mina()
        await browser.get(PATH)
        assert (await browser.post(REMOVE, fields())).status_code == 403
        assert stage.bot.left == []

    async def test_unknown_server_is_404(self, stage: Stage) -> None:
        assert (await stage.mina().get(f"{LIST}/{7 << 22}")).status_code == 404


class TestAccess:
    @pytest.mark.parametrize("role", [Role.USER, Role.STAFF, Role.MANAGER])
    async def test_pages_are_for_administrators(self, stage: Stage, role: Role) -> None:
        stage.accounts.users[MINA] = a_user(role=role)
        browser = stage.mina()
        assert f'href="{LIST}"' not in (await browser.get("/account")).text
        answers = [await browser.get(LIST), await browser.get(PATH), await browser.post(REMOVE, fields())]
        assert [one.status_code for one in answers] == [403] * 3
        assert not any("봉수대 개발팀" in one.text for one in answers)
        assert (stage.bot.left, stage.directory.assertions) == ([], [])
