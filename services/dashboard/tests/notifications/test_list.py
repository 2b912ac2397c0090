import csv
import html
import io
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from bongsu.contracts.notifications import Status
from bongsu_dashboard.notifications.filters import GROUPS
from bongsu_dashboard.notifications.notification import STATUSES
from services.dashboard.tests.fake_notifications import a_notification
from services.dashboard.tests.fakes import now
from services.dashboard.tests.stage import Stage, text_of

USER_ID = "01926e5b-3f0a-7c51-8d1e-5b0f3f7c9a10"


class TestList:
    async def test_list_shows_sent_notifications(self, stage: Stage) -> None:
        stage.notifications.items = [a_notification("첫 알림"), a_notification("둘째", "failed")]
        text = text_of((await stage.mina().get("/notifications")).text)
        assert "첫 알림 someone@example.com 전달됨 이메일 5분 전" in text
        assert "둘째 someone@example.com 실패" in text

    async def test_list_is_filtered_by_status(self, stage: Stage) -> None:
        stage.notifications.items = [a_notification("첫 알림"), a_notification("둘째", "failed")]
        text = text_of((await stage.mina().get("/notifications?status=failed", htmx=True)).text)
        assert ("첫 알림" in text, "둘째" in text) == (False, True)

    async def test_group_shows_each_of_its_statuses(self, stage: Stage) -> None:
        stage.notifications.items = [
            a_notification("반송", "bounced"),
            a_notification("도착", "delivered"),
            a_notification("불발", "failed"),
        ]
        text = text_of((await stage.mina().get("/notifications?status=undelivered", htmx=True)).text)
        assert ("반송 someone" in text, "도착" in text, "불발 someone" in text) == (True, False, True)

    async def test_scheduled_is_a_state_of_its_own(self, stage: Stage) -> None:
        stage.notifications.items = [
            a_notification("내일", "accepted", send_at=now() + timedelta(days=1)),
            a_notification("지금", "accepted"),
        ]
        browser = stage.mina()
        scheduled = text_of((await browser.get("/notifications?status=scheduled", htmx=True)).text)
        waiting = text_of((await browser.get("/notifications?status=waiting", htmx=True)).text)
        assert ("내일 someone@example.com 예약됨" in scheduled, "지금 someone" in scheduled) == (True, False)
        assert ("내일 someone" in waiting, "지금 someone" in waiting) == (False, True)

    async def test_list_pages_through_every_row_with_its_filter(self, stage: Stage) -> None:
        stage.notifications.items = [
            a_notification(f"알림 {number:03}", "bounced" if number % 3 else "failed") for number in range(120)
        ]
        browser, path, pages = stage.mina(), "/notifications?status=undelivered&q=알림", []
        while path:
            page = (await browser.get(path)).text
            pages.append(re.findall(r">알림 (\d{3})<", page))
            older = re.search(r'href="(/notifications\?[^"]*after=[^"]+)"', page)
            path = html.unescape(older[1]) if older else ""
            assert "status=undelivered" in path or not path
        assert [len(page) for page in pages] == [50, 50, 20]
        assert [row for page in pages for row in page] == [f"{number:03}" for number in range(120)]

    async def test_every_status_has_a_place_in_a_group_and_a_filter(self, stage: Stage) -> None:
        assert {status for statuses in GROUPS.values() for status in statuses} == set(STATUSES)
        browser = stage.mina()
        for group, statuses in GROUPS.items():
            page = (await browser.get(f"/notifications?status={group}")).text
            wanted = statuses if len(statuses) > 1 else (group,)
            assert [name for name in wanted if f'href="/notifications?status={name}"' not in page] == []

    async def test_groups_show_their_counts(self, stage: Stage) -> None:
        statuses: list[Status] = ["failed", "bounced", "bounced", "accepted", "delivered"]
        stage.notifications.items = [a_notification(status=status) for status in statuses]
        stage.notifications.items.append(a_notification(status="accepted", send_at=now() + timedelta(days=1)))
        browser = stage.mina()
        text = text_of((await browser.get("/notifications")).text)
        assert "전체 진행 중 1 예약 1 전송 완료 1 전달 실패 3 중단 0" in text
        within = text_of((await browser.get("/notifications?status=bounced")).text)
        assert "실패 1 반송됨 2 스팸 신고됨 0 만료됨 0" in within
        searched = text_of((await browser.get("/notifications?q=x")).text)
        assert "전체 진행 중 예약 전송 완료" in searched

    async def test_list_is_searched_and_its_state_is_in_every_address(self, stage: Stage) -> None:
        stage.notifications.items = [a_notification("영수증", email="kim@example.com"), a_notification("안내")]
        answer = await stage.mina().get(
            "/notifications?q=+kim@++&channel=&since=&until=&zone=Asia/Seoul&status=", htmx=True
        )
        assert answer.headers["hx-push-url"] == "/notifications?q=kim%40"
        assert ("영수증" in answer.text, "안내" in answer.text) == (True, False)
        for part in (
            "?status=done&amp;q=kim%40",
            "/selected?q=kim%40",
            "/export.csv?q=kim%40",
            "/fresh?q=kim%40&amp;newest=",
        ):
            assert part in answer.text

    async def test_days_are_those_of_the_readers_zone(self, stage: Stage) -> None:
        at = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)  # 00:30 of the 25th in Seoul
        stage.notifications.items = [a_notification("자정", created_at=at)]
        for query, found in {
            "since=2026-11-25&zone=Asia/Seoul": True,
            "since=2026-11-25": False,
            "until=2026-11-24&zone=Asia/Seoul": False,
            "until=2026-11-24": True,
            "until=2026-11-24&zone=../etc/passwd": True,
            "since=0001-01-01&zone=Asia/Seoul&until=9999-12-31": True,
        }.items():
            page = await stage.mina().get(f"/notifications?{query}")
            assert (page.status_code, "자정" in page.text) == (200, found), query

    async def test_page_of_a_search_without_a_find_offers_to_continue(self, stage: Stage) -> None:
        stage.notifications.continues_at = "01926e5b-3f0a-7c51-8d1e-5b0f3f7c9a10"
        page = await stage.mina().get("/notifications?q=x")
        assert 'href="/notifications?q=x&amp;after=01926e5b' in page.text

    @pytest.mark.parametrize(
        "query", ["?status=nonsense", "?after=nonsense", "?after=", "?since=x&until=2026-02-30", "?channel=pigeon"]
    )
    async def test_nonsense_in_the_address_is_passed_over(self, stage: Stage, query: str) -> None:
        stage.notifications.items = [a_notification("첫 알림")]
        assert "첫 알림" in (await stage.mina().get(f"/notifications{query}")).text

    async def test_empty_feed_explains_the_next_step(self, stage: Stage) -> None:
        assert "아직 보낸 알림이 없습니다" in text_of((await stage.mina().get("/notifications")).text)

    @pytest.mark.parametrize(
        ("channel", "to", "shown"),
        [
            ("discord", {"channel_id": "81384788765712384"}, "Discord 81384788765712384"),
            ("inbox", {"user_id": USER_ID}, f"알림함 {USER_ID}"),
        ],
    )
    async def test_feed_and_detail_show_the_recipient_when_the_channel_is_not_email(
        self, stage: Stage, channel: str, to: dict[str, str], shown: str
    ) -> None:
        item = a_notification(subject=None, channel=channel, to=to)
        stage.notifications.items = [item]
        browser = stage.mina()
        assert shown in text_of((await browser.get("/notifications")).text)
        assert shown in text_of((await browser.get(f"/notifications/{item.id}")).text)

    async def test_a_subject_is_nothing_but_a_subject(self, stage: Stage) -> None:
        stage.notifications.items = [a_notification("<b onclick=x>{{7*7}}")]
        assert "<b onclick" not in (await stage.mina().get("/notifications")).text


class TestFresh:
    async def test_list_polls_for_newer_notifications(self, stage: Stage) -> None:
        first = a_notification("처음")
        stage.notifications.items = [first]
        browser = stage.mina()
        poll = re.search(r'hx-get="(/notifications/fresh[^"]+)"', (await browser.get("/notifications")).text)
        assert poll is not None
        path = html.unescape(poll[1])
        assert (await browser.get(path, htmx=True)).status_code == 204
        newer = [a_notification(id=UUID(int=first.id.int + at), subject=f"새로 {at}") for at in (3, 2, 1)]
        stage.notifications.items = [*newer, first]
        shown = await browser.get(path, htmx=True)
        assert "새 알림 3건 보기" in text_of(shown.text)
        again = re.search(r'hx-get="(/notifications/fresh[^"]+)"', shown.text)
        assert again is not None
        assert (await browser.get(html.unescape(again[1]), htmx=True)).status_code == 204

    async def test_older_pages_and_past_days_do_not_poll(self, stage: Stage) -> None:
        stage.notifications.items = [a_notification() for _ in range(60)]
        browser = stage.mina()
        after = stage.notifications.items[49].id
        for query in (f"after={after}", "until=2999-01-01"):
            assert "data-poll" not in (await browser.get(f"/notifications?{query}")).text


class TestExport:
    async def test_export_has_every_row_of_the_filter(self, stage: Stage) -> None:
        items = [a_notification(f"알림 {number}", "failed") for number in range(450)]
        stage.notifications.items = [a_notification("other"), *items]
        answer = await stage.mina().get("/notifications/export.csv?status=failed")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="notifications.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
        assert [(row["id"], row["subject"]) for row in rows] == [(str(item.id), item.subject) for item in items]

    async def test_export_quotes_formulas_and_keeps_commas_and_lines(self, stage: Stage) -> None:
        texts = ['=HYPERLINK("x")', "+1", "@a", "a, b", 'a "b"', "-1"]
        stage.notifications.items = [a_notification(text) for text in texts]
        answer = await stage.mina().get("/notifications/export.csv")
        rows = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
        assert [row["subject"] for row in rows] == ['\'=HYPERLINK("x")', "'+1", "'@a", "a, b", 'a "b"', "'-1"]

    async def test_export_is_answered_with_a_page_when_notify_does_not_answer(self, stage: Stage) -> None:
        stage.notifications.down = True
        answer = await stage.mina().get("/notifications/export.csv")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")


class TestSelected:
    async def test_selected_notifications_are_sent_again(self, stage: Stage) -> None:
        items = [a_notification(status="failed"), a_notification(status="expired"), a_notification(status="failed")]
        stage.notifications.items = [*items]
        browser = stage.mina()
        await browser.get("/notifications?status=undelivered")
        ids: list[str] = [str(items[0].id), str(items[1].id), str(items[0].id)]
        answer = await browser.post("/notifications/selected?status=undelivered", {"act": "retry", "id": ids})
        assert (answer.status_code, answer.headers["location"]) == (303, "/notifications?status=undelivered")
        assert [item.status for item in stage.notifications.items] == ["queued", "queued", "failed"]
        assert "알림 2건을 다시 보냅니다" in text_of((await browser.get(answer.headers["location"])).text)

    async def test_selected_notifications_are_cancelled_after_a_confirmation(self, stage: Stage) -> None:
        items = [a_notification(status="queued"), a_notification(status="queued"), a_notification(status="sent")]
        stage.notifications.items = [*items]
        browser = stage.mina()
        await browser.get("/notifications")
        ids = [str(item.id) for item in items]
        page = await browser.post("/notifications/selected?q=x", {"act": "cancel", "id": ids})
        assert (page.status_code, "알림 3건을 취소하시겠습니까?" in text_of(page.text)) == (200, True)
        assert [item.status for item in stage.notifications.items] == ["queued", "queued", "sent"]
        assert 'action="/notifications/selected?q=x"' in page.text
        confirmed: dict[str, str | list[str]] = {"act": "cancel", "id": ids, "confirmed": "true"}
        answer = await browser.post("/notifications/selected?q=x", confirmed)
        assert [item.status for item in stage.notifications.items] == ["cancelled", "cancelled", "sent"]
        assert "알림 2건을 취소했습니다. 나머지는" in text_of((await browser.get(answer.headers["location"])).text)

    async def test_cancellation_of_selected_notifications_is_undone(self, stage: Stage) -> None:
        items = [a_notification(status="cancelled"), a_notification(status="cancelled", template="welcome")]
        stage.notifications.items = [*items, a_notification(status="failed")]
        browser = stage.mina()
        page = (await browser.get("/notifications")).text
        assert 'name="act" value="restore"' in page
        assert page.count(" disabled>") == 1
        ids = [str(item.id) for item in stage.notifications.items]
        answer = await browser.post("/notifications/selected", {"act": "restore", "id": ids})
        assert [item.status for item in stage.notifications.items] == ["accepted", "cancelled", "failed"]
        assert "알림 1건이 다시 발송을 기다립니다. 나머지는" in text_of(
            (await browser.get(answer.headers["location"])).text
        )

    async def test_list_without_a_cancelled_notification_offers_no_undo(self, stage: Stage) -> None:
        stage.notifications.items = [a_notification(status="failed")]
        assert 'value="restore"' not in (await stage.mina().get("/notifications")).text

    async def test_nothing_happens_when_none_is_selected(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/notifications")
        answer = await browser.post("/notifications/selected", {"act": "retry"})
        assert answer.headers["location"] == "/notifications"
        assert "선택한 알림이 없습니다" in text_of((await browser.get("/notifications")).text)

    @pytest.mark.parametrize(
        "fields",
        [{"act": "delete", "id": USER_ID}, {"act": "retry", "id": "x"}, {"act": "retry", "id": [USER_ID] * 101}],
    )
    async def test_bad_form_is_refused(self, stage: Stage, fields: dict[str, str | list[str]]) -> None:
        browser = stage.mina()
        await browser.get("/notifications")
        assert (await browser.post("/notifications/selected", fields)).status_code == 422


class TestLastDay:
    """The figures of the first page count the last 24 hours, whatever the reader's zone is."""

    async def test_list_behind_a_figure_has_as_many_items(self, stage: Stage) -> None:
        stage.notifications.items = [a_notification(minutes=minutes) for minutes in (5, 600, 60 * 23 + 59, 60 * 25)]
        browser = stage.mina()
        assert "지난 24시간 3" in text_of((await browser.get("/")).text)
        page = (await browser.get("/notifications?status=done&period=24h")).text
        assert page.count('name="id"') == 3
        assert 'name="period" value="24h" form="filter"' in page

    async def test_period_is_removed_by_its_pill(self, stage: Stage) -> None:
        page = (await stage.mina().get("/notifications?status=done&period=24h")).text
        assert 'id="period" href="/notifications?status=done"' in page

    @pytest.mark.parametrize("query", ["period=24h&since=2026-01-01", "period=7d", "since=2026-01-01"])
    async def test_days_and_unknown_periods_replace_it(self, stage: Stage, query: str) -> None:
        assert 'name="period"' not in (await stage.mina().get(f"/notifications?{query}")).text
