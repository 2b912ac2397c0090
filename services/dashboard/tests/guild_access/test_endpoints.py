import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from bongsu.contracts.rpc import BotStatus, DelegatedGuilds, GuildChannel, GuildRole, ModuleDelegation
from services.dashboard.tests.fakes import JUN, MINA, FakeBot, FakeDirectory, a_detail, a_guild, a_summary, a_user
from services.dashboard.tests.stage import Stage, text_of

GUILD, ABSENT = 8 << 22, 9 << 22
GENERAL, HELPER = GUILD + 1, GUILD + 4
PATH, MODULES = f"/guilds/{GUILD}/access", f"/guilds/{GUILD}/modules"


def fields(**changed: str) -> dict[str, str | list[str]]:
    return {"role": str(HELPER), "revision": "0", "attempt": "a" * 24, **changed}


MODULE: dict[str, str | list[str]] = {
    "module": "feed",
    "act": "on",
    "channel": str(GENERAL),
    "revision": "0",
    "attempt": "a" * 24,
    "confirmed": "true",
}


@pytest.fixture
def stage() -> Stage:
    """Mina manages two guilds; the bot is in one. Jun is a member of that one."""
    theirs = [a_guild(GUILD, "봉수대 개발팀"), a_guild(ABSENT, "Indie Makers")]
    stage = Stage(
        directory=FakeDirectory(managed_by={MINA: theirs}, others_of={JUN: [theirs[0]]}),
        bot=FakeBot(
            known={GUILD: a_summary(GUILD)},
            details={GUILD: a_detail(GUILD, GuildChannel(id=GENERAL, name="general"))},
        ),
    )
    stage.accounts.users[JUN] = a_user(email="jun@example.com")
    return stage


class TestSetting:
    async def test_role_is_set_and_taken_back_by_a_manager(self, stage: Stage) -> None:
        browser = stage.mina()
        page = await browser.get(PATH)
        assert "없음: 서버 관리자만 도우미 Artist" in text_of(page.text)
        given = await browser.post(PATH, fields())
        assert (given.status_code, given.headers["location"]) == (303, PATH)
        page = await browser.get(PATH)
        assert "이제 이 역할로 모듈을 관리할 수 있습니다" in text_of(page.text)
        assert f'<option value="{HELPER}" selected>' in page.text
        taken = await browser.post(PATH, fields(role="", revision="1", attempt="b" * 24))
        assert taken.status_code == 303
        assert stage.bot.delegations[GUILD].role_id is None

    async def test_form_that_is_posted_twice_makes_one_change(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        assert [(await browser.post(PATH, fields())).status_code for _ in range(2)] == [303, 303]
        assert stage.bot.delegations[GUILD].revision == 1

    async def test_other_change_is_shown_in_place_of_this_one(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        roles = (GuildRole(id=HELPER, name="도우미"), GuildRole(id=GUILD + 5, name="Artist"))
        stage.bot.delegations[GUILD] = ModuleDelegation(guild_id=GUILD, role_id=GUILD + 5, revision=1, roles=roles)
        answer = await browser.post(PATH, fields())
        assert answer.status_code == 409
        assert "그사이 다른 사람이 권한을 변경했습니다" in text_of(answer.text)
        assert f'<option value="{GUILD + 5}" selected>' in answer.text
        assert 'name="revision" value="1"' in answer.text

    @pytest.mark.parametrize("role", ["77", "everyone", "9" * 30])
    async def test_unknown_role_is_refused(self, stage: Stage, role: str) -> None:
        browser = stage.mina()
        await browser.get(PATH)
        answer = await browser.post(PATH, fields(role=role))
        assert answer.status_code in {409, 422}
        assert 'id="e-role"' in answer.text
        assert stage.bot.delegations == {}

    async def test_page_without_the_bot_says_so(self, stage: Stage) -> None:
        assert "봇이 이 서버에 없습니다" in text_of((await stage.mina().get(f"/guilds/{ABSENT}/access")).text)
        stage.bot.silent = True
        browser = stage.mina()
        page = (await browser.get(PATH)).text
        assert "<form" not in page.partition("<main")[2].partition("</main")[0]
        answer = await browser.post(PATH, fields())
        assert answer.status_code == 503
        assert 'role="alert"' in answer.text
        assert "봇이 응답하지 않습니다. 잠시 후 다시 시도해 주세요." in answer.text


class TestDelegate:
    async def test_delegate_finds_the_modules_in_the_list_and_sets_one(self, stage: Stage) -> None:
        jun = stage.accounts.users[JUN]
        stage.bot.delegates[jun.id] = {GUILD}
        browser = stage.browser(JUN)
        assert f'href="{MODULES}"' in (await browser.get("/guilds")).text
        page = (await browser.get(MODULES)).text
        assert f'href="{PATH}"' not in page
        assert f'href="/guilds/{GUILD}"' not in page
        assert (await browser.post(MODULES, MODULE)).status_code == 303
        assert stage.bot.modules[GUILD]["feed"].enabled

    async def test_list_leads_to_the_servers_that_were_not_checked_yet(self, stage: Stage) -> None:
        jun, second = stage.accounts.users[JUN], 10 << 22
        stage.directory.others_of[JUN].append(a_guild(second, "Beacon Hill"))
        stage.bot.delegates[jun.id] = {GUILD, second}
        stage.bot.delegated_page = 1
        browser = stage.browser(JUN)
        page = await browser.get("/guilds")
        assert f'href="/guilds/{second}/modules"' not in page.text
        assert f'href="/guilds?delegated_after={GUILD}"' in page.text
        following = await browser.get(f"/guilds?delegated_after={GUILD}")
        assert f'href="/guilds/{second}/modules"' in following.text
        assert "delegated_after" not in following.text

    async def test_list_waits_once_for_all_that_it_asks_the_bot(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage.bot.delegates[stage.accounts.users[JUN].id] = {GUILD}
        fetch_status, list_delegated, together = stage.bot.fetch_status, stage.bot.list_delegated, asyncio.Barrier(2)

        async def fetch_status_together(*, counted: bool = True) -> BotStatus:
            await together.wait()
            return await fetch_status(counted=counted)

        async def list_delegated_together(
            user_id: UUID, ids: Sequence[int], *, after: int | None = None
        ) -> DelegatedGuilds:
            await together.wait()
            return await list_delegated(user_id, ids, after=after)

        monkeypatch.setattr(stage.bot, "fetch_status", fetch_status_together)
        monkeypatch.setattr(stage.bot, "list_delegated", list_delegated_together)
        async with asyncio.timeout(60):
            page = await stage.browser(JUN).get("/guilds")
        assert f'href="{MODULES}"' in page.text

    async def test_access_ends_with_the_role_for_a_page_that_is_open(self, stage: Stage) -> None:
        jun = stage.accounts.users[JUN]
        stage.bot.delegates[jun.id] = {GUILD}
        browser = stage.browser(JUN)
        await browser.get(MODULES)
        stage.bot.delegates.clear()
        assert (await browser.post(MODULES, MODULE)).status_code == 404
        assert (await browser.get(MODULES)).status_code == 404
        assert "관리할 수 있는 모듈" not in text_of((await browser.get("/guilds")).text)
        assert stage.bot.modules == {}

    async def test_searching_the_list_asks_discord_about_no_roles(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/guilds?q=a", htmx=True)
        assert stage.bot.delegated_calls == 0
        await browser.get("/guilds")
        assert stage.bot.delegated_calls == 1


class TestHostileNames:
    async def test_names_of_roles_are_text(self, stage: Stage) -> None:
        name = '<img src=x onerror=alert(1)>" hx-get="/x'
        stage.bot.delegations[GUILD] = ModuleDelegation(guild_id=GUILD, roles=(GuildRole(id=HELPER, name=name),))
        page = (await stage.mina().get(PATH)).text
        assert "<img src=x" not in page
        assert '" hx-get="/x' not in page
