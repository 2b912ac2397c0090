from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json

from bongsu_sandbox.mailbox.schemas import Attachment, Mail
from bongsu_sandbox.mailbox.service import Mailbox


def mail(number: int, *, to: str = "kim@example.com", **more: Any) -> Mail:  # noqa: ANN401 - any field
    return Mail(
        **{
            "id": f"id-{number}",
            "message_id": f"id-{number}",
            "to": to,
            "sender": "봉수 <no-reply@bongsu.test>",
            "subject": f"제목 {number}",
            "text": "본문",
            "html": None,
            "headers": {},
            "tags": {},
            "received_at": datetime.now(UTC),
            **more,
        }
    )


def ids(lines: list[bytes]) -> list[str]:
    return [from_json(line)["id"] for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mailbox"


@pytest.fixture
def mailbox(folder: Path) -> Iterator[Mailbox]:
    box = Mailbox(folder, max_mails=10, max_bytes=1_000_000)
    yield box
    box.close()


class TestPage:
    def test_mails_are_newest_first(self, mailbox: Mailbox) -> None:
        for number in range(3):
            mailbox.add(mail(number))
        assert ids(mailbox.page(to=None, after=None, limit=None)[0]) == ["id-2", "id-1", "id-0"]

    def test_pages_follow_on_each_other(self, mailbox: Mailbox) -> None:
        for number in range(5):
            mailbox.add(mail(number))
        found: list[str] = []
        after: str | None = None
        while True:
            lines, after = mailbox.page(to=None, after=after, limit=2)
            found += ids(lines)
            if after is None:
                break
        assert found == ["id-4", "id-3", "id-2", "id-1", "id-0"]

    @pytest.mark.parametrize(
        ("to", "found"),
        [
            ("KIM@example.com", ["id-2", "id-0"]),
            ("im@example.com", []),
            ("park", ["id-1"]),
            ("", ["id-2", "id-1", "id-0"]),
        ],
    )
    def test_recipient_is_found_by_a_whole_or_partial_address(
        self, mailbox: Mailbox, to: str, found: list[str]
    ) -> None:
        for number, address in enumerate(("kim@example.com", "park@example.com", "Kim@Example.com")):
            mailbox.add(mail(number, to=address))
        assert ids(mailbox.page(to=to, after=None, limit=None)[0]) == found


class TestAdd:
    def test_the_newest_mails_are_kept(self, mailbox: Mailbox, folder: Path) -> None:
        for number in range(95):
            mailbox.add(mail(number))
        kept = ids(mailbox.page(to=None, after=None, limit=None)[0])
        assert kept[:10] == [f"id-{number}" for number in range(94, 84, -1)]
        assert len(kept) == len(mailbox) <= 20
        assert mailbox.get("id-0") is None
        assert len(list(folder.iterdir())) == 2

    def test_large_mails_are_bounded_by_their_size(self, folder: Path) -> None:
        box = Mailbox(folder, max_mails=1000, max_bytes=50_000)
        for number in range(40):
            box.add(mail(number, html="x" * 10_000))
        assert len(box) <= 12
        assert sum(path.stat().st_size for path in folder.rglob("*.jsonl")) < 130_000
        box.close()

    def test_attachments_go_with_their_mails(self, mailbox: Mailbox, folder: Path) -> None:
        attachment = Attachment(filename="a.txt", content_type="text/plain", size_bytes=3)
        for number in range(40):
            mailbox.add(mail(number, attachments=(attachment,)), [b"abc"])
        newest = mailbox.attachment("id-39", 0)
        assert newest is not None
        assert newest.read_bytes() == b"abc"
        assert mailbox.attachment("id-39", 1) is None
        assert mailbox.attachment("id-0", 0) is None
        assert len(list(folder.rglob("*.0"))) == len(mailbox)


class TestRestart:
    def test_mails_survive(self, folder: Path) -> None:
        before = Mailbox(folder, max_mails=2, max_bytes=1_000_000)
        for number in range(3):
            before.add(mail(number, text="안녕 🔥"))
        after = Mailbox(folder, max_mails=2, max_bytes=1_000_000)
        assert ids(after.page(to=None, after=None, limit=None)[0]) == ["id-2", "id-1", "id-0"]
        found = after.get("id-1")
        assert found is not None
        assert (found.text, found.sender) == ("안녕 🔥", "봉수 <no-reply@bongsu.test>")
        before.close()
        after.close()


class TestClear:
    def test_clear_removes_every_mail_and_later_mails_are_kept(self, mailbox: Mailbox, folder: Path) -> None:
        for number in range(15):
            mailbox.add(mail(number))
        mailbox.clear()
        assert len(mailbox) == 0
        assert list(folder.iterdir()) == []
        mailbox.add(mail(99))
        assert ids(mailbox.page(to=None, after=None, limit=None)[0]) == ["id-99"]
