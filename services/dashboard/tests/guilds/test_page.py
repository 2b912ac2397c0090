"""A guild's page: what the bot may do in it, and the way to grant what is missing."""

import pytest

from bongsu.contracts.rpc import GuildChannel
from services.dashboard.tests.fakes import MINA, FakeBot, FakeDirectory, a_detail, a_guild, a_summary
from services.dashboard.tests.stage import Stage, text_of

GUILD, ABSENT = 8 << 22, 9 << 22


@pytest.fixture
def stage() -> Stage:
    """Mina manages two guilds, and the bot is in one."""
    managed = [a_guild(GUILD, "봉수대 개발팀"), a_guild(ABSENT, "Indie Makers")]
    return Stage(directory=FakeDirectory(managed_by={MINA: managed}), bot=FakeBot(known={GUILD: a_summary(GUILD)}))


async def page_of(stage: Stage, guild_id: int = GUILD) -> str:
    answer = await stage.mina().get(f"/guilds/{guild_id}")
    assert answer.status_code == 200
    return answer.text


class TestHealth:
    async def test_page_shows_age_and_latency_of_the_connection(self, stage: Stage) -> None:
        text = text_of(await page_of(stage))
        assert "확인 시각 방금" in text
        assert "연결 시작 12분 전" in text
        assert "응답 시간 42 ms" in text

    async def test_page_shows_since_when_the_bot_is_disconnected(self, stage: Stage) -> None:
        stage.bot.shards = ("connecting",)
        text = text_of(await page_of(stage))
        assert "연결 끊김 12분 전" in text
        assert "응답 시간" not in text


class TestPermissions:
    async def test_page_offers_nothing_when_no_permission_is_missing(self, stage: Stage) -> None:
        page = await page_of(stage)
        assert "모두 있음" in text_of(page)
        assert f'action="/guilds/{GUILD}/permissions"' not in page

    async def test_page_names_missing_permissions_and_offers_to_grant_them(self, stage: Stage) -> None:
        stage.bot.details[GUILD] = a_detail(GUILD, missing=("embed_links",))
        page = await page_of(stage)
        assert "1개 부족" in text_of(page)
        assert "링크 첨부 제목과 링크가 있는 알림을 표시합니다 없음" in text_of(page)
        assert f'action="/guilds/{GUILD}/permissions"' in page

    async def test_page_lists_channels_without_a_permission_first_with_a_link_to_each(self, stage: Stage) -> None:
        stage.bot.details[GUILD] = a_detail(
            GUILD,
            GuildChannel(id=1, name="general", category="Text"),
            GuildChannel(id=2, name="<b>news", missing=("send_messages",)),
        )
        page = await page_of(stage)
        text = text_of(page)
        assert text.index("<b>news") < text.index("general")
        assert "부족한 권한: 메시지 보내기" in text
        assert f'href="https://discord.com/channels/{GUILD}/2"' in page

    async def test_page_shows_the_age_of_permissions_while_the_bot_is_cut_off(self, stage: Stage) -> None:
        stage.bot.details[GUILD] = a_detail(GUILD, missing=("embed_links",))
        stage.bot.shards = ("connecting",)
        page = await page_of(stage)
        assert "12분 전에 연결이 끊기기 전의 상태입니다" in text_of(page)
        assert f'action="/guilds/{GUILD}/permissions"' not in page

    async def test_page_says_that_permissions_are_not_known_during_an_outage(self, stage: Stage) -> None:
        stage.bot.known[GUILD] = a_summary(GUILD, "unavailable")
        assert "지금은 확인할 수 없습니다" in text_of(await page_of(stage))

    @pytest.mark.parametrize("guild_id", [GUILD, ABSENT])
    async def test_page_shows_no_permissions_when_the_bot_is_silent_or_absent(
        self, stage: Stage, guild_id: int
    ) -> None:
        stage.bot.silent = guild_id == GUILD
        assert "봇의 권한" not in text_of(await page_of(stage, guild_id))


class TestGranting:
    async def test_granting_redirects_to_discord_with_the_guild_preselected(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(f"/guilds/{GUILD}")
        answer = await browser.post(f"/guilds/{GUILD}/permissions")
        assert answer.headers["location"].startswith("https://discord.com/oauth2/authorize?")
        assert stage.directory.installs == [(GUILD, f"/guilds/{GUILD}/permissions")]

    @pytest.mark.parametrize(
        ("query", "message"),
        [(f"?installed={GUILD}", "권한을 승인했습니다"), ("?error=denied", "권한을 승인하지 않았습니다")],
    )
    async def test_return_from_discord_reports_the_decision(self, stage: Stage, query: str, message: str) -> None:
        answer = await stage.mina().get(f"/guilds/{GUILD}/permissions{query}", follow=True)
        assert answer.url.path == f"/guilds/{GUILD}"
        assert message in text_of(answer.text)

    async def test_granting_is_refused_while_the_bot_is_cut_off(self, stage: Stage) -> None:
        stage.bot.shards = ("connecting",)
        browser = stage.mina()
        await browser.get("/guilds")
        answer = await browser.post(f"/guilds/{GUILD}/permissions")
        assert answer.headers["location"] == f"/guilds/{GUILD}"
        assert stage.directory.installs == []


class TestRemovalTab:
    async def test_refused_removal_opens_its_tab(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(f"/guilds/{GUILD}")
        answer = await browser.post(f"/guilds/{GUILD}/bot/remove", {"name": "another", "attempt": "a" * 24})
        assert 'class="places" data-open="remove"' in answer.text

    async def test_name_to_type_stays_visible_when_another_was_typed(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(f"/guilds/{GUILD}")
        answer = await browser.post(f"/guilds/{GUILD}/bot/remove", {"name": "another", "attempt": "a" * 24})
        assert 'aria-describedby="e-name h-name"' in answer.text
        assert '<p class="hint" id="h-name">' in answer.text

    @pytest.mark.parametrize("name", ["modules", "commands", "access"])
    async def test_tabs_stay_on_the_pages_that_they_open(self, stage: Stage, name: str) -> None:
        page = (await stage.mina().get(f"/guilds/{GUILD}/{name}")).text
        assert f'href="/guilds/{GUILD}/{name}" aria-current="page"' in page
        assert f'href="/guilds/{GUILD}#remove"' in page

    async def test_page_has_no_tabs_when_the_bot_is_not_in_the_guild(self, stage: Stage) -> None:
        assert 'href="#remove"' not in await page_of(stage, ABSENT)
