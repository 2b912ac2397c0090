import csv
import io
from datetime import UTC, datetime
from uuid import UUID

import pytest

from bongsu.identity.scopes import Role
from bongsu_dashboard.audit.port import EntryQuery
from services.dashboard.tests.fake_audit import an_entry
from services.dashboard.tests.fake_users import an_account
from services.dashboard.tests.fakes import MINA, a_user
from services.dashboard.tests.stage import Stage, text_of

LEE, KIM = UUID(int=7), UUID(int=8)


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.accounts.users[MINA] = a_user(role=Role.MANAGER)
    stage.users.items = [an_account("lee@example.com", id=LEE), an_account("kim@example.com", id=KIM)]
    stage.audit.items = [
        an_entry(
            "user.blocked", actor_id=LEE, actor_email="lee@example.com", subject_id=KIM, subject_email="kim@x.com"
        ),
        an_entry("notification.cancelled", actor_id=LEE, target="notification:0198-7"),
        an_entry("session.sign_in_failed", subject_id=KIM, subject_email="kim@x.com"),
    ]
    return stage


class TestPage:
    async def test_entry_names_actor_action_subject_and_object(self, stage: Stage) -> None:
        page = (await stage.mina().get("/audit")).text
        assert 'href="/audit?actor=lee%40example.com"' in page
        assert f'href="/users/{KIM}"' in page
        assert 'href="/notifications/0198-7"' in page
        assert "계정이 차단되었습니다" in text_of(page)
        assert "알 수 없는 사용자" in text_of(page)

    @pytest.mark.parametrize("role", [Role.USER, Role.STAFF])
    async def test_page_is_for_managers(self, stage: Stage, role: Role) -> None:
        stage.accounts.users[MINA] = a_user(role=role)
        browser = stage.mina()
        assert 'href="/audit"' not in (await browser.get("/account")).text
        assert (await browser.get("/audit")).status_code == 403
        assert stage.audit.queries == []

    async def test_visitor_is_sent_to_sign_in(self, stage: Stage) -> None:
        answer = await stage.browser().get("/audit?actor=lee@example.com")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/auth/session/renew?next=/audit")

    async def test_pages_keep_the_filters(self, stage: Stage) -> None:
        stage.audit.size = 2
        browser = stage.mina()
        address = f"/audit?action=user.blocked&after={stage.audit.items[1].id}"
        assert address.replace("&", "&amp;") in (await browser.get("/audit?action=user.blocked")).text
        last = (await browser.get(address)).text
        assert 'href="/audit?action=user.blocked"' in last
        assert "after=" not in last.partition('id="found"')[2]


class TestFilters:
    async def test_filters_are_asked_of_auth(self, stage: Stage) -> None:
        query = "actor=Lee@Example.com&subject=00000000-0000-0000-0000-000000000008&action=user.blocked"
        await stage.mina().get(f"/audit?{query}&since=2026-11-01&until=2026-11-02&zone=Asia/Seoul")
        assert stage.audit.queries == [
            EntryQuery(
                actor_id=LEE,
                subject_id=KIM,
                action="user.blocked",
                since=datetime(2026, 10, 31, 15, tzinfo=UTC),
                until=datetime(2026, 11, 2, 15, tzinfo=UTC),
            )
        ]

    @pytest.mark.parametrize("person", ["lee", "lee@example", "nobody@example.com", "<script>"])
    async def test_unknown_person_has_no_entries(self, stage: Stage, person: str) -> None:
        page = await stage.mina().get(f"/audit?actor={person}")
        assert (page.status_code, stage.audit.queries) == (200, [])
        assert "조건에 맞는 기록이 없습니다" in text_of(page.text)

    async def test_malformed_filters_do_not_filter(self, stage: Stage) -> None:
        await stage.mina().get("/audit?action=nothing&since=2026-99-99&zone=../etc/passwd")
        assert stage.audit.queries == [EntryQuery()]

    async def test_fragment_brings_its_address(self, stage: Stage) -> None:
        answer = await stage.mina().get("/audit?actor=&action=user.blocked&since=", htmx=True)
        assert answer.headers["HX-Push-Url"] == "/audit?action=user.blocked"
        assert "<html" not in answer.text


class TestExport:
    async def test_export_has_every_row_of_the_filter(self, stage: Stage) -> None:
        stage.audit.size = 2
        answer = await stage.mina().get(f"/audit/export.csv?actor={LEE}")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
        assert [(row["id"], row["action"], row["subject"]) for row in rows] == [
            (str(item.id), item.action, item.subject_email or "") for item in stage.audit.items
        ]
        assert stage.audit.queries == [EntryQuery(actor_id=LEE)] * 2

    async def test_export_quotes_formulas(self, stage: Stage) -> None:
        stage.audit.items = [
            an_entry("guild.module_changed", actor_email="=1+1@example.com", details={"module": "log"})
        ]
        answer = await stage.mina().get("/audit/export.csv")
        row = next(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
        assert (row["actor"], row["details"]) == ("'=1+1@example.com", "module=log")

    async def test_page_leads_to_the_export_with_its_filter(self, stage: Stage) -> None:
        page = (await stage.mina().get("/audit?action=user.blocked")).text
        assert 'href="/audit/export.csv?action=user.blocked"' in page

    async def test_export_is_for_managers(self, stage: Stage) -> None:
        stage.accounts.users[MINA] = a_user(role=Role.STAFF)
        assert (await stage.mina().get("/audit/export.csv")).status_code == 403
        assert stage.audit.queries == []
