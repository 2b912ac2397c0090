from uuid import uuid4

from services.dashboard.tests.fakes import MINA, a_session, a_user, an_event
from services.dashboard.tests.stage import Stage, text_of


class TestAccount:
    async def test_account_shows_the_user_and_the_open_sessions(self, stage: Stage) -> None:
        stage.accounts.open_sessions = [
            a_session(current=True, user_agent="Mozilla/5.0 (Windows NT 10.0) Chrome/150.0 Safari/537.36"),
            a_session(user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1"),
        ]
        text = text_of((await stage.mina().get("/account")).text)
        assert "mina@example.com" in text
        assert "Chrome · Windows" in text
        assert "Safari · iPhone" in text
        assert "현재 기기" in text

    async def test_a_name_is_changed_and_can_be_taken_away(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        await browser.post("/account/profile", {"name": "이하늘", "locale": "en"})
        await browser.post("/account/profile", {"name": "", "locale": "en"})
        assert stage.accounts.calls[-2:] == [
            ("update", "name=이하늘", "locale=en"),
            ("update", "name=None", "locale=en"),
        ]

    async def test_a_wrong_profile_changes_nothing(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post("/account/profile", {"name": "x" * 101, "locale": "fr"})
        assert (answer.status_code, stage.accounts.users[MINA].name) == (422, "김봉수")

    async def test_another_session_is_ended(self, stage: Stage) -> None:
        session = a_session()
        stage.accounts.open_sessions = [a_session(current=True), session]
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post(f"/account/sessions/{session.id}/end")
        assert answer.headers["location"] == "/account"
        assert ("end_session", str(session.id)) in stage.accounts.calls

    async def test_end_succeeds_when_the_session_has_already_ended(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        await browser.post(f"/account/sessions/{uuid4()}/end")
        assert "이미 로그아웃된 기기입니다" in text_of((await browser.get("/account")).text)

    async def test_all_others_are_ended(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        await browser.post("/account/sessions/end-others")
        assert ("end_other_sessions",) in stage.accounts.calls

    async def test_profile_of_the_linked_accounts_is_shown(self, stage: Stage) -> None:
        stage.accounts.users[MINA] = a_user(
            nickname="민지",
            phone_number="+821012345678",
            gender="female",
            birth_year=1994,
            birthday="05-03",
            age_range="30-39",
        )
        text = text_of((await stage.mina().get("/account")).text)
        for shown in ("민지", "+821012345678", "여성", "1994-05-03", "30-39"):
            assert shown in text


class TestUnlinking:
    async def test_account_is_unlinked(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post("/account/unlink/discord")
        assert answer.headers["location"] == "/account"
        page = await browser.get("/account")
        assert "계정 연결을 해제했습니다" in text_of(page.text)
        assert "/account/unlink/discord" not in page.text

    async def test_only_way_to_sign_in_stays(self, stage: Stage) -> None:
        stage.accounts.users[MINA] = a_user(has_password=False)
        browser = stage.mina()
        assert "/account/unlink/" not in (await browser.get("/account")).text
        await browser.post("/account/unlink/discord")
        assert "유일한 로그인 수단" in text_of((await browser.get("/account")).text)

    async def test_account_that_is_not_linked_is_reported(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        await browser.post("/account/unlink/google")
        assert "이미 연결이 해제된 계정입니다" in text_of((await browser.get("/account")).text)

    async def test_old_authentication_is_confirmed_first(self, stage: Stage) -> None:
        stage.accounts.recent = False
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post("/account/unlink/discord")
        assert answer.headers["location"] == "/account/confirm?next=/account"


class TestLinking:
    async def test_link_redirects_to_the_provider(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post("/account/link/discord", {"next": "/guilds"})
        assert answer.headers["location"].startswith("https://discord.com/")
        assert ("link", "discord", "/guilds") in stage.accounts.calls
        assert "flow-80=f; Path=/auth" in answer.headers.get_list("set-cookie")

    async def test_old_authentication_is_confirmed_first(self, stage: Stage) -> None:
        stage.accounts.recent = False
        browser = stage.mina()
        await browser.get("/account")
        answer = await browser.post(
            "/account/link/discord", {"next": "/guilds"}, headers={"referer": "http://dashboard.test/account"}
        )
        assert answer.headers["location"] == "/account/confirm?next=/account"

    async def test_redirect_leads_to_a_page_of_the_dashboard_only(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        await browser.post("/account/link/discord", {"next": "//evil.example"})
        assert ("link", "discord", "/account") in stage.accounts.calls


class TestActivity:
    async def test_account_shows_the_newest_events_and_the_age_of_each_session(self, stage: Stage) -> None:
        stage.accounts.open_sessions = [a_session(current=True)]
        stage.accounts.history = [
            an_event("session.sign_in_failed", address="198.51.100.20"),
            an_event("session.opened", details={"provider": "kakao"}),
            *(an_event("password.changed") for _ in range(4)),
        ]
        page = await stage.mina().get("/account")
        text = text_of(page.text)
        assert "로그인에 실패했습니다" in text
        assert "198.51.100.20" in text
        assert "로그인했습니다 · 카카오" in text
        assert text.count("비밀번호를 변경했습니다") == 3
        assert "마지막 사용 3분 전 · 로그인 2일 전" in text
        assert 'href="/account/activity"' in page.text

    async def test_pages_of_events_follow_one_another(self, stage: Stage) -> None:
        stage.accounts.history = [an_event("session.opened", address=f"10.0.0.{number}") for number in range(30)]
        browser = stage.mina()
        first = await browser.get("/account/activity")
        following = f"/account/activity?after={stage.accounts.history[24].id}"
        assert f'href="{following}"' in first.text
        second = await browser.get(following)
        assert ["10.0.0.24" in page.text for page in (first, second)] == [True, False]
        assert ("10.0.0.29" in second.text, "after=" in second.text) == (True, False)

    async def test_unknown_event_is_shown_by_its_name(self, stage: Stage) -> None:
        stage.accounts.history = [an_event("guild.painted", address="<b>")]
        page = await stage.mina().get("/account/activity")
        assert "guild.painted" in text_of(page.text)
        assert "<b>" not in page.text
