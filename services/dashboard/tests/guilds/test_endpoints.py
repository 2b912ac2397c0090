import re
from datetime import UTC, datetime

import pytest

from bongsu.contracts.blocked_guilds import BlockedGuildItem
from services.dashboard.tests.fake_notifications import a_notification
from services.dashboard.tests.fakes import JUN, MINA, FakeBot, FakeDirectory, a_guild, a_summary, a_user
from services.dashboard.tests.notifications.attempts import attempt_of
from services.dashboard.tests.stage import FakeBrowser, Stage, text_of

FIRST, SECOND, THEIRS = 8 << 22, 9 << 22, 77 << 22


@pytest.fixture
def stage() -> Stage:
    """Mina manages two guilds and the bot is in the first; Jun manages another."""
    stage = Stage(
        directory=FakeDirectory(
            managed_by={
                MINA: [a_guild(FIRST, "봉수대 개발팀", owner=True), a_guild(SECOND, "Indie Makers")],
                JUN: [a_guild(THEIRS, "준의 서버")],
            }
        ),
        bot=FakeBot(known={FIRST: a_summary(FIRST, members=1204), THEIRS: a_summary(THEIRS)}),
    )
    stage.accounts.users[JUN] = a_user(name="준", email="jun@example.com")
    return stage


def _states(html: str) -> dict[str, str]:
    """The state of each card by its name."""
    cards = re.findall(r'data-state="(\w+)">.*?<bdi>(.*?)</bdi>', html, re.DOTALL)
    return {name: state for state, name in cards}


async def _remove(browser: FakeBrowser, guild_id: int, name: str, **more: object) -> int:
    page = await browser.get(f"/guilds/{guild_id}")
    attempt = attempt_of(page.text)
    fields: dict[str, str | list[str]] = {"name": name, "attempt": attempt}
    return (await browser.post(f"/guilds/{guild_id}/bot/remove", fields, htmx=bool(more.get("htmx")))).status_code


class TestList:
    async def test_list_shows_the_managed_guilds_only(self, stage: Stage) -> None:
        answer = await stage.mina().get("/guilds")
        assert _states(answer.text) == {"봉수대 개발팀": "active", "Indie Makers": "not_added"}
        assert "멤버 1,204" in text_of(answer.text)

    async def test_list_shows_an_outage_as_an_outage(self, stage: Stage) -> None:
        stage.bot.known[FIRST] = a_summary(FIRST, "unavailable")
        assert _states((await stage.mina().get("/guilds")).text)["봉수대 개발팀"] == "outage"

    async def test_list_shows_a_guild_that_the_bot_left_as_not_added(self, stage: Stage) -> None:
        stage.bot.known[FIRST] = a_summary(FIRST, "left")
        assert _states((await stage.mina().get("/guilds")).text)["봉수대 개발팀"] == "not_added"

    async def test_list_shows_trouble_first(self, stage: Stage) -> None:
        stage.directory.managed_by[MINA].append(a_guild(THEIRS, "히읗"))
        stage.bot.known[THEIRS] = a_summary(THEIRS, "unavailable")
        assert list(_states((await stage.mina().get("/guilds")).text)) == ["히읗", "봉수대 개발팀", "Indie Makers"]

    async def test_list_shows_unknown_states_when_the_bot_does_not_answer(self, stage: Stage) -> None:
        stage.bot.silent = True
        answer = await stage.mina().get("/guilds")
        assert answer.status_code == 200
        assert set(_states(answer.text).values()) == {"unknown"}
        assert "봇이 응답하지 않습니다" in text_of(answer.text)

    async def test_list_reports_shards_that_are_not_connected(self, stage: Stage) -> None:
        stage.bot.shards = ("connected", "unreachable")
        assert "샤드 2개 중 1개 연결" in text_of((await stage.mina().get("/guilds")).text)

    @pytest.mark.parametrize("path", ["/", "/guilds", f"/guilds/{FIRST}"])
    async def test_every_page_says_the_same_of_a_bot_that_is_cut_off(self, stage: Stage, path: str) -> None:
        stage.bot.shards = ("connecting", "waiting")
        page = text_of((await stage.mina().get(path)).text)
        assert "연결" in page
        assert "12분 전" in page
        assert "명령어에 응답하고 있습니다" not in page

    async def test_list_shows_no_guild_as_active_or_addable_while_the_bot_is_cut_off(self, stage: Stage) -> None:
        stage.bot.shards = ("connecting",)
        page = (await stage.mina().get("/guilds")).text
        assert _states(page) == {"봉수대 개발팀": "outage", "Indie Makers": "unknown"}
        assert "봇 추가" not in text_of(page)

    async def test_a_bot_whose_login_is_refused_is_shown_as_that(self, stage: Stage) -> None:
        stage.bot.shards = ("refused",)
        assert "로그인을 거부했습니다" in text_of((await stage.mina().get("/guilds")).text)

    async def test_a_bot_of_which_no_process_answers_is_silent(self, stage: Stage) -> None:
        stage.bot.shards = ("unreachable", "unreachable")
        page = await stage.mina().get("/guilds")
        assert "봇이 응답하지 않습니다" in text_of(page.text)
        assert set(_states(page.text).values()) == {"unknown"}

    async def test_list_shows_its_age_when_discord_does_not_answer(self, stage: Stage) -> None:
        stage.directory.stale = True
        assert "12분 전에 불러온 목록입니다" in text_of((await stage.mina().get("/guilds")).text)

    async def test_list_omits_the_summary_when_notify_is_down(self, stage: Stage) -> None:
        stage.notifications.down = True
        answer = await stage.mina().get("/guilds")
        assert answer.status_code == 200
        assert "보낸 알림" not in text_of(answer.text)

    async def test_list_summarises_the_notifications(self, stage: Stage) -> None:
        stage.notifications.items = [
            a_notification("a", "queued"),
            a_notification("b", "delivered"),
            a_notification("c", "sent"),
            a_notification("d", "failed"),
            a_notification("e", "delivered", minutes=3000),
        ]
        text = text_of((await stage.mina().get("/guilds")).text)
        assert "전송 · 지난 24시간 2 전날보다 2건 많음" in text
        assert "전송 성공률 66.7% 실패 1건" in text
        assert "대기 중 1" in text

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("?q=indie", {"Indie Makers"}),
            ("?q=MAKERS+in", {"Indie Makers"}),
            ("?show=active", {"봉수대 개발팀"}),
            ("?show=not_added", {"Indie Makers"}),
            ("?show=attention", set()),
            ("?show=nonsense", {"봉수대 개발팀", "Indie Makers"}),
            ("?show=active&q=indie", set()),
        ],
    )
    async def test_list_is_searched_and_filtered(self, stage: Stage, query: str, names: set[str]) -> None:
        assert set(_states((await stage.mina().get(f"/guilds{query}")).text)) == names

    async def test_list_returns_the_results_only_to_htmx(self, stage: Stage) -> None:
        answer = await stage.mina().get("/guilds?q=indie", htmx=True)
        assert "<html" not in answer.text
        assert set(_states(answer.text)) == {"Indie Makers"}

    async def test_list_explains_the_needed_permission_when_the_user_manages_no_guild(self, stage: Stage) -> None:
        stage.directory.managed_by[MINA] = []
        assert "관리하는 서버가 없습니다" in text_of((await stage.mina().get("/guilds")).text)

    async def test_list_offers_to_link_discord_when_it_is_not_linked(self, stage: Stage) -> None:
        stage.directory.linked = False
        answer = await stage.mina().get("/guilds")
        assert answer.status_code == 200
        assert 'action="/account/link/discord"' in answer.text

    async def test_list_asks_discord_when_it_is_refreshed(self, stage: Stage) -> None:
        await stage.mina().get("/guilds?fresh=true")
        assert stage.directory.fresh_calls == 1

    async def test_list_confirms_the_linking_and_cleans_the_address(self, stage: Stage) -> None:
        browser = stage.mina()
        answer = await browser.get("/guilds?linked=discord", follow=True)
        assert answer.url.query == b""
        assert "계정을 연결했습니다" in text_of(answer.text)

    @pytest.mark.parametrize(
        "name",
        ["<img src=x onerror=alert(1)>", '" hx-get="/x', "</script><script>", "{{7*7}}", "{% raw %}", "\u202eabc", "'"],
    )
    async def test_pages_escape_the_name_of_a_guild(self, stage: Stage, name: str) -> None:
        stage.directory.managed_by[MINA] = [a_guild(FIRST, name, icon="../../x")]
        for path in ("/guilds", f"/guilds/{FIRST}", "/"):
            answer = await stage.mina().get(path)
            assert answer.status_code == 200
            assert name in text_of(answer.text) or " ".join(name.split()) in text_of(answer.text)
            assert "<img src=x" not in answer.text
            assert 'hx-get="/x' not in answer.text
            assert "49" not in text_of(answer.text).split()
            assert "../../x" not in answer.text

    async def test_list_loads_icons_from_discords_cdn(self, stage: Stage) -> None:
        stage.directory.managed_by[MINA] = [a_guild(FIRST, "x", icon="a_" + "0" * 32)]
        assert (
            f'src="https://cdn.discordapp.com/icons/{FIRST}/a_{"0" * 32}.png?size=96"'
            in (await stage.mina().get("/guilds")).text
        )


class TestAccess:
    PATHS = ("", "/state", "/added")
    POSTS = ("/bot", "/bot/remove")

    @pytest.mark.parametrize("path", PATHS)
    async def test_page_is_not_found_when_the_user_does_not_manage_the_guild(self, stage: Stage, path: str) -> None:
        assert (await stage.mina().get(f"/guilds/{THEIRS}{path}")).status_code == 404

    @pytest.mark.parametrize("path", POSTS)
    async def test_post_is_not_found_when_the_user_does_not_manage_the_guild(self, stage: Stage, path: str) -> None:
        browser = stage.mina()
        await browser.get("/guilds")
        fields: dict[str, str | list[str]] = (
            {"name": "준의 서버", "attempt": "a" * 24} if path.endswith("remove") else {}
        )
        answer = await browser.post(f"/guilds/{THEIRS}{path}", fields)
        assert (answer.status_code, stage.bot.left, stage.directory.installs) == (404, [], [])

    @pytest.mark.parametrize("path", POSTS)
    async def test_post_is_not_found_when_the_user_managed_the_guild_a_minute_ago(
        self, stage: Stage, path: str
    ) -> None:
        stage.directory.cached[MINA] = [*stage.directory.managed_by[MINA], a_guild(THEIRS, "준의 서버")]
        browser = stage.mina()
        assert (await browser.get(f"/guilds/{THEIRS}")).status_code == 200
        fields: dict[str, str | list[str]] = (
            {"name": "준의 서버", "attempt": "a" * 24} if path.endswith("remove") else {}
        )
        answer = await browser.post(f"/guilds/{THEIRS}{path}", fields)
        assert (answer.status_code, stage.bot.left, stage.directory.installs) == (404, [], [])

    @pytest.mark.parametrize("path", PATHS)
    async def test_page_redirects_to_the_sign_in_without_a_session(self, stage: Stage, path: str) -> None:
        assert (await stage.browser().get(f"/guilds/{FIRST}{path}")).status_code == 303

    async def test_removal_is_forbidden_when_the_bot_refuses(self, stage: Stage) -> None:
        stage.bot.forbids = True
        assert await _remove(stage.mina(), FIRST, "봉수대 개발팀") == 403


class TestAdding:
    async def test_adding_redirects_to_discord_with_the_guild_preselected(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/guilds")
        answer = await browser.post(f"/guilds/{SECOND}/bot")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("https://discord.com/oauth2/authorize?")
        assert f"guild_id={SECOND}" in answer.headers["location"]
        assert stage.directory.installs == [(SECOND, f"/guilds/{SECOND}/added")]
        assert "flow-80=f" in answer.headers["set-cookie"]

    async def test_adding_redirects_htmx_with_its_header(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/guilds")
        answer = await browser.post(f"/guilds/{SECOND}/bot", htmx=True)
        assert (answer.status_code, answer.headers["hx-redirect"][:20]) == (204, "https://discord.com/")

    async def test_guild_is_pending_until_the_bot_has_joined(self, stage: Stage) -> None:
        browser = stage.mina()
        answer = await browser.get(f"/guilds/{SECOND}/added?installed={SECOND}", follow=True)
        assert 'data-state="pending"' in answer.text
        assert f'hx-get="/guilds/{SECOND}/state?seen=pending"' in answer.text
        assert _states((await browser.get("/guilds")).text)["Indie Makers"] == "pending"
        waiting = await browser.get(f"/guilds/{SECOND}/state", htmx=True)
        assert 'data-state="pending"' in waiting.text
        unchanged = await browser.get(f"/guilds/{SECOND}/state?seen=pending", htmx=True)
        assert unchanged.status_code == 204
        stage.bot.known[SECOND] = a_summary(SECOND)
        arrived = await browser.get(f"/guilds/{SECOND}/state", htmx=True)
        assert arrived.headers["hx-redirect"] == f"/guilds/{SECOND}"

    async def test_guild_is_not_added_when_it_was_pending_too_long(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get(f"/guilds/{SECOND}/added", follow=True)
        browser.client.cookies.delete("pending-80")
        over = await browser.get(f"/guilds/{SECOND}/state", htmx=True)
        assert "봇이 아직 참여하지 않았습니다" in text_of(over.text)
        assert "hx-trigger" not in over.text

    async def test_guild_is_active_when_the_bot_joined_before_the_browser_returned(self, stage: Stage) -> None:
        answer = await stage.mina().get(f"/guilds/{FIRST}/added", follow=True)
        assert 'data-state="active"' in answer.text
        assert "봇을 추가했습니다" in text_of(answer.text)

    async def test_guild_is_not_added_when_the_user_cancelled_at_discord(self, stage: Stage) -> None:
        answer = await stage.mina().get(f"/guilds/{SECOND}/added?error=denied", follow=True)
        assert 'data-state="not_added"' in answer.text
        assert "봇을 추가하지 않았습니다" in text_of(answer.text)

    async def test_return_from_discord_uses_the_guild_that_discord_named(self, stage: Stage) -> None:
        answer = await stage.mina().get(f"/guilds/{FIRST}/added?installed={SECOND}")
        assert answer.headers["location"] == f"/guilds/{SECOND}"
        assert (await stage.mina().get(f"/guilds/{FIRST}/added?installed={THEIRS}")).status_code == 404

    async def test_state_redirects_to_the_page_without_htmx(self, stage: Stage) -> None:
        assert (await stage.mina().get(f"/guilds/{SECOND}/state")).headers["location"] == f"/guilds/{SECOND}"


class TestRemoving:
    async def test_removal_succeeds_when_the_name_was_typed(self, stage: Stage) -> None:
        browser = stage.mina()
        assert await _remove(browser, FIRST, "봉수대 개발팀") == 303
        assert stage.bot.left == [FIRST]
        assert stage.directory.assertions == [("guild_leave", FIRST)]
        answer = await browser.get("/guilds")
        assert _states(answer.text)["봉수대 개발팀"] == "not_added"
        assert "봇을 내보냈습니다" in text_of(answer.text)

    @pytest.mark.parametrize("name", ["", "봉수대", "Indie Makers"])
    async def test_removal_is_refused_when_another_name_was_typed(self, stage: Stage, name: str) -> None:
        assert await _remove(stage.mina(), FIRST, name) == 422
        assert stage.bot.left == []

    async def test_removal_runs_once_when_the_form_is_sent_twice(self, stage: Stage) -> None:
        browser = stage.mina()
        page = await browser.get(f"/guilds/{FIRST}")
        attempt = attempt_of(page.text)
        fields: dict[str, str | list[str]] = {"name": "봉수대 개발팀", "attempt": attempt}
        answers = [(await browser.post(f"/guilds/{FIRST}/bot/remove", fields)).status_code for _ in range(2)]
        assert (answers, stage.bot.left) == ([303, 303], [FIRST])

    async def test_removal_keeps_the_attempt_when_the_bot_does_not_answer(self, stage: Stage) -> None:
        browser = stage.mina()
        page = await browser.get(f"/guilds/{FIRST}")
        attempt = attempt_of(page.text)
        stage.bot.silent = True
        fields: dict[str, str | list[str]] = {"name": "봉수대 개발팀", "attempt": attempt}
        answer = await browser.post(f"/guilds/{FIRST}/bot/remove", fields)
        assert answer.status_code == 503
        assert "봇이 응답하지 않아 내보내지 못했습니다" in text_of(answer.text)
        assert f'value="{attempt}"' in answer.text

    async def test_removal_is_checked_when_the_bot_does_not_confirm_it_in_time(self, stage: Stage) -> None:
        browser = stage.mina()
        stage.bot.leaves_late = True
        page = await browser.get(f"/guilds/{FIRST}")
        fields: dict[str, str | list[str]] = {"name": "봉수대 개발팀", "attempt": attempt_of(page.text)}
        answer = await browser.post(f"/guilds/{FIRST}/bot/remove", fields)
        checking = answer.headers["location"]
        assert checking.startswith(f"/guilds/{FIRST}?removing=")
        page = await browser.get(checking)
        assert "봇을 내보냈는지 확인하고 있습니다" in text_of(page.text)
        poll = checking.replace("?", "/state?")
        assert f'hx-get="{poll}"' in page.text
        assert (await browser.get(poll, htmx=True)).status_code == 204
        del stage.bot.known[FIRST]
        assert (await browser.get(poll, htmx=True)).headers["hx-redirect"] == "/guilds"
        assert "봇을 내보냈습니다" in text_of((await browser.get(checking, follow=True)).text)

    async def test_removal_can_be_tried_again_when_it_was_not_confirmed_for_a_minute(self, stage: Stage) -> None:
        answer = await stage.mina().get(f"/guilds/{FIRST}/state?removing=1000", htmx=True)
        assert "봇이 아직 이 서버에 있습니다" in text_of(answer.text)
        assert "data-poll" not in answer.text

    async def test_removal_is_refused_when_the_bot_was_added_again(self, stage: Stage) -> None:
        browser = stage.mina()
        page = await browser.get(f"/guilds/{FIRST}")
        attempt = attempt_of(page.text)
        fields: dict[str, str | list[str]] = {"name": "봉수대 개발팀", "attempt": attempt}
        await browser.post(f"/guilds/{FIRST}/bot/remove", fields)
        stage.bot.known[FIRST] = a_summary(FIRST)
        answer = await browser.post(f"/guilds/{FIRST}/bot/remove", fields)
        assert answer.status_code == 409
        assert "봇이 다시 추가되었습니다" in text_of(answer.text)
        assert attempt_of(answer.text) != attempt

    async def test_page_offers_no_removal_when_the_bot_is_not_in_the_guild(self, stage: Stage) -> None:
        assert "위험 구역" not in text_of((await stage.mina().get(f"/guilds/{SECOND}")).text)

    async def test_get_removes_nothing(self, stage: Stage) -> None:
        assert (await stage.mina().get(f"/guilds/{FIRST}/bot/remove")).status_code in (404, 405)
        assert stage.bot.left == []


class TestCutOff:
    async def test_adding_is_refused_without_a_visit_to_discord(self, stage: Stage) -> None:
        stage.bot.shards = ("connecting",)
        browser = stage.mina()
        await browser.get("/guilds")
        answer = await browser.post(f"/guilds/{SECOND}/bot", {})
        assert answer.headers["location"] == f"/guilds/{SECOND}"
        answer = await browser.get(f"/guilds/{SECOND}")
        assert "지금은 봇이 연결되어 있지 않아" in text_of(answer.text)
        assert stage.directory.installs == []

    async def test_adding_to_a_blocked_server_is_refused_without_a_visit_to_discord(self, stage: Stage) -> None:
        stage.bot.blocked[SECOND] = BlockedGuildItem(id=SECOND, reason="광고", blocked_at=datetime.now(UTC))
        browser = stage.mina()
        await browser.get("/guilds")
        await browser.post(f"/guilds/{SECOND}/bot", {})
        page = text_of((await browser.get(f"/guilds/{SECOND}")).text)
        assert "서비스 운영자가 이 서버를 차단해" in page
        assert "광고" not in page
        assert stage.directory.installs == []

    async def test_permissions_of_a_blocked_server_are_not_asked_for(self, stage: Stage) -> None:
        stage.bot.blocked[FIRST] = BlockedGuildItem(id=FIRST, reason="광고", blocked_at=datetime.now(UTC))
        browser = stage.mina()
        await browser.get(f"/guilds/{FIRST}")
        answer = await browser.post(f"/guilds/{FIRST}/permissions", {})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/guilds/{FIRST}")
        assert "서비스 운영자가 이 서버를 차단해" in text_of((await browser.get(f"/guilds/{FIRST}")).text)
        assert stage.directory.installs == []

    async def test_an_addition_is_not_blamed_on_the_user(self, stage: Stage) -> None:
        stage.bot.shards = ("connecting",)
        answer = await stage.mina().get(f"/guilds/{SECOND}/state?seen=pending", htmx=True)
        assert "Discord에서 요청을 승인했는지" not in text_of(answer.text)
        assert "있는지 알 수 없습니다" in text_of(answer.text)

    async def test_the_bot_can_still_be_removed(self, stage: Stage) -> None:
        stage.bot.shards = ("connecting",)
        browser = stage.mina()
        page = await browser.get(f"/guilds/{FIRST}")
        fields: dict[str, str | list[str]] = {"name": "봉수대 개발팀", "attempt": attempt_of(page.text)}
        await browser.post(f"/guilds/{FIRST}/bot/remove", fields)
        assert stage.bot.left == [FIRST]

    @pytest.mark.parametrize(("guild", "seen"), [(FIRST, "outage"), (SECOND, "unknown")])
    async def test_a_guilds_page_recovers_by_itself(self, stage: Stage, guild: int, seen: str) -> None:
        stage.bot.shards = ("connecting",)
        browser = stage.mina()
        poll = f"/guilds/{guild}/state?seen={seen}"
        assert f'hx-get="{poll}"' in (await browser.get(f"/guilds/{guild}")).text
        assert (await browser.get(poll, htmx=True)).status_code == 204
        stage.bot.shards = ("connected",)
        assert (await browser.get(poll, htmx=True)).headers["hx-redirect"] == f"/guilds/{guild}"

    @pytest.mark.parametrize("path", ["/", "/guilds"])
    async def test_lists_recover_by_themselves(self, stage: Stage, path: str) -> None:
        stage.bot.silent = True
        browser = stage.mina()
        poll = "/guilds/bot-health?seen=silent"
        assert f'hx-get="{poll}"' in (await browser.get(path)).text
        assert (await browser.get(poll, htmx=True)).status_code == 204
        stage.bot.silent = False
        answer = await browser.get(poll, htmx=True)
        assert answer.status_code == 204
        assert "hx-redirect" in answer.headers

    async def test_the_address_of_the_poll_leads_to_the_list(self, stage: Stage) -> None:
        assert (await stage.mina().get("/guilds/bot-health")).headers["location"] == "/guilds"
