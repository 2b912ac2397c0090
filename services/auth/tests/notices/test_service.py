"""Security notices: an audit entry and a mail to the owner."""

from datetime import UTC, datetime, timedelta

import pytest

from bongsu.identity.audit import Actor
from bongsu.identity.models import AuditEntry, User
from bongsu.runtime.dependencies import find
from bongsu_auth.notices.service import MAX_MAILS, SecurityNotices
from services.auth.tests.stage import Stage


async def record(stage: Stage, user: User, *, to: str | None = None) -> None:
    notices = find(stage.app, SecurityNotices)
    async with stage.database.unit():
        await notices.record(
            "identity.linked",
            user,
            Actor(user.id, address="192.0.2.1"),
            target="identity:google",
            details={"how": "link"},
            subject="Google",
            to=to,
        )


class TestRecord:
    async def test_owner_gets_a_mail_and_the_event_is_in_the_audit_log(self, stage: Stage) -> None:
        user = await stage.user()
        await record(stage, user)
        [mail] = await stage.notices("identity.linked")
        assert (mail.template, mail.to, mail.locale, mail.subject) == ("security-notice", user.email, "ko", "Google")
        assert mail.link == "http://localhost:8000/account"
        [entry] = await AuditEntry.filter_by(action="identity.linked").all()
        assert (entry.subject_id, entry.target, entry.details) == (user.id, "identity:google", {"how": "link"})

    async def test_nothing_is_sent_or_recorded_when_the_unit_of_work_fails(self, stage: Stage) -> None:
        user = await stage.user()

        async def fail_after_recording() -> None:
            await find(stage.app, SecurityNotices).record("mfa.disabled", user)
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await stage.database.run(fail_after_recording)
        assert await stage.mails() == []
        assert await AuditEntry.filter_by(action="mfa.disabled").count() == 0

    async def test_address_that_is_not_verified_gets_no_mail(self, stage: Stage) -> None:
        user = await stage.user()
        await user.update(email_verified_at=None)
        await record(stage, user)
        assert await stage.mails() == []
        assert await AuditEntry.filter_by(action="identity.linked").count() == 1

    async def test_mail_goes_to_the_given_address_instead(self, stage: Stage) -> None:
        await record(stage, await stage.user(), to="previous@example.com")
        [mail] = await stage.mails()
        assert mail.to == "previous@example.com"

    async def test_mails_about_one_event_are_limited_and_every_event_is_recorded(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        for _ in range(MAX_MAILS + 2):
            await record(each_stage, user)
        assert len(await each_stage.mails()) == MAX_MAILS
        entries = AuditEntry.filter_by(action="identity.linked")
        assert await entries.count() == MAX_MAILS + 2
        await entries.update(created_at=datetime.now(UTC) - timedelta(hours=1))
        await record(each_stage, user)
        assert len(await each_stage.mails()) == MAX_MAILS + 1
