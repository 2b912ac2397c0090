import pytest

from bongsu.identity.scopes import Role
from bongsu_dashboard.all_guilds.service import PAGE
from services.dashboard.tests.fakes import MINA, FakeBot, a_summary, a_user
from services.dashboard.tests.stage import Stage, text_of

GUILD, OUTAGE = 8 << 22, 9 << 22
LIST, PATH = "/admin/guilds", f"/admin/guilds/{GUILD}"
REMOVE = f"{PATH}/remove"
BLOCKED, BLOCKED_ID = f"{LIST}/blocked", 300000000002228224


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

    async def test_search_finds_by_name_and_ids_and_is_kept_by_the_next_page(self, stage: Stage) -> None:
        for wanted in ("봉수대", str(GUILD), "77"):
            page = (await stage.mina().get(f"{LIST}?q=+{wanted}+")).text
            assert "봉수대 개발팀" in page
            assert "Beacon Hill" not in page
            assert f'value="{wanted}"' in page
        assert "찾는 서버가 없습니다" in (await stage.mina().get(f"{LIST}?q=none")).text
        stage.bot.known = {n << 22: a_summary(n << 22, name=f"a&b {n}") for n in range(1, PAGE + 2)}
        assert f'href="{LIST}?q=a%26b&amp;after={PAGE << 22}"' in (await stage.mina().get(f"{LIST}?q=a%26b")).text

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


class TestBlockList:
    async def test_server_is_blocked_once_and_unblocked(self, stage: Stage) -> None:
        browser = stage.mina()
        assert "차단한 서버가 없습니다" in (await browser.get(BLOCKED)).text
        sent: dict[str, str | list[str]] = {
            "guild_id": f" {BLOCKED_ID} ",
            "reason": " <b>광고</b> ",
            "attempt": "a" * 24,
        }
        answers = [await browser.post(BLOCKED, sent) for _ in range(2)]
        assert [(one.status_code, one.headers["location"]) for one in answers] == [(303, BLOCKED)] * 2
        page = (await browser.get(BLOCKED)).text
        assert "&lt;b&gt;광고&lt;/b&gt;" in page
        assert str(BLOCKED_ID) in page
        assert (await browser.post(f"{BLOCKED}/{BLOCKED_ID}/remove", {"attempt": "b" * 24})).status_code == 303
        assert stage.bot.blocked == {}

    @pytest.mark.parametrize(
        ("field", "value"), [("guild_id", ""), ("guild_id", "봉수대"), ("guild_id", "9" * 20), ("reason", " ")]
    )
    async def test_wrong_field_blocks_nothing_and_keeps_what_was_typed(
        self, stage: Stage, field: str, value: str
    ) -> None:
        browser = stage.mina()
        await browser.get(BLOCKED)
        sent: dict[str, str | list[str]] = {
            "guild_id": str(BLOCKED_ID),
            "reason": "광고",
            "attempt": "a" * 24,
            field: value,
        }
        answer = await browser.post(BLOCKED, sent)
        assert answer.status_code == 422
        assert f'id="e-{field}"' in answer.text
        assert ("광고" if field == "guild_id" else str(BLOCKED_ID)) in answer.text
        assert stage.bot.blocked == {}

    async def test_page_of_a_server_leads_to_its_form(self, stage: Stage) -> None:
        browser = stage.mina()
        link = f"{BLOCKED}?guild={GUILD}"
        assert f'href="{link}"' in (await browser.get(PATH)).text
        assert f'value="{GUILD}"' in (await browser.get(link)).text

    async def test_list_continues_after_a_page(self, stage: Stage) -> None:
        for number in range(1, PAGE + 2):
            await stage.bot.block_guild(
                number << 22, reason=f"reason {number}", assertion=f"|guild_block|{number << 22}", key=str(number)
            )
        page = (await stage.mina().get(BLOCKED)).text
        assert f"reason {PAGE + 1}<" not in page
        assert f"reason {PAGE + 1}<" in (await stage.mina().get(f"{BLOCKED}?after={PAGE << 22}")).text

    async def test_page_says_so_while_the_bot_is_silent(self, stage: Stage) -> None:
        stage.bot.silent = True
        answer = await stage.mina().get(BLOCKED)
        assert answer.status_code == 200
        assert "차단한 서버가 없습니다" not in answer.text


class TestAccess:
    @pytest.mark.parametrize("role", [Role.USER, Role.STAFF, Role.MANAGER])
    async def test_pages_are_for_administrators(self, stage: Stage, role: Role) -> None:
        stage.accounts.users[MINA] = a_user(role=role)
        browser = stage.mina()
        assert f'href="{LIST}"' not in (await browser.get("/account")).text
        answers = [
            await browser.get(LIST),
            await browser.get(PATH),
            await browser.post(REMOVE, fields()),
            await browser.get(BLOCKED),
            await browser.post(BLOCKED, {"guild_id": str(BLOCKED_ID), "reason": "광고", "attempt": "a" * 24}),
            await browser.post(f"{BLOCKED}/{BLOCKED_ID}/remove", {"attempt": "a" * 24}),
        ]
        assert [one.status_code for one in answers] == [403] * 6
        assert not any("봉수대 개발팀" in one.text for one in answers)
        assert (stage.bot.left, stage.bot.blocked, stage.directory.assertions) == ([], {}, [])
