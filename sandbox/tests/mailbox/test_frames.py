from datetime import UTC, datetime

import pytest

from bongsu_sandbox.mailbox.frames import render_frame
from bongsu_sandbox.mailbox.schemas import Attachment, Mail


def mail(html: str) -> Mail:
    return Mail(
        id="m1",
        message_id="m1",
        to="a@example.com",
        sender="b@example.com",
        subject="",
        text=None,
        html=html,
        headers={},
        tags={},
        received_at=datetime.now(UTC),
        attachments=(Attachment(filename="a.png", content_type="image/png", size_bytes=1, content_id="<logo@x>"),),
    )


class TestFramed:
    @pytest.mark.parametrize(
        ("html", "shown"),
        [
            ("<html><HEAD class='x'><title>", "<html><HEAD class='x'><base target=\"_blank\"><title>"),
            ("<!doctype html><html lang=ko><p>", '<!doctype html><html lang=ko><base target="_blank"><p>'),
            ("<p>hi</p>", '<!doctype html><base target="_blank"><p>hi</p>'),
        ],
    )
    def test_links_open_outside(self, html: str, shown: str) -> None:
        assert render_frame(mail(html)) == shown

    def test_inline_images_come_from_the_attachments(self) -> None:
        assert 'src="/sandbox/mailbox/m1/attachments/0"' in render_frame(mail('<img src="cid:logo@x">'))

    def test_an_unknown_inline_image_is_left_alone(self) -> None:
        assert 'src="cid:other"' in render_frame(mail('<img src="cid:other">'))
