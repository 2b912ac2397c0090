import base64

import pytest

from bongsu_sandbox.ses.errors import SesError
from bongsu_sandbox.ses.mime import from_raw


def raw(*lines: bytes) -> str:
    return base64.b64encode(b"\r\n".join(lines)).decode()


class TestFromRaw:
    def test_korean_charsets_are_decoded(self) -> None:
        body = "안녕하세요".encode("euc-kr")
        lines = (b"From: a@example.com", b"To: b@example.com", b"Content-Type: text/plain; charset=euc-kr", b"", body)
        message, sender, recipients = from_raw(raw(*lines), None)
        assert message.text == "안녕하세요"
        assert sender is not None
        assert sender.address == "a@example.com"
        assert [item.address for item in recipients.everyone] == ["b@example.com"]

    def test_text_is_read_when_its_charset_is_unknown(self) -> None:
        lines = (
            b"From: a@example.com",
            b"To: b@example.com",
            b"Content-Type: text/plain; charset=x-nothing",
            b"",
            b"hi",
        )
        assert from_raw(raw(*lines), None)[0].text == "hi"

    def test_bytes_that_are_no_text_become_text_that_can_be_stored(self) -> None:
        lines = (b"From: a@example.com", b"To: b@example.com", b"Subject: \xff\xfe", b"", b"\xff\xfe")
        message = from_raw(raw(*lines), None)[0]
        f"{message.subject}{message.text}{message.headers}".encode()

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            ((b"From: a@example.com", b"", b"x"), "at least one recipient"),
            ((b"From: a@example.com", b"From: b@example.com", b"To: c@example.com", b"", b"x"), "Duplicate header"),
            ((b"From: a@example.com", b"To: b@example.com", b"", b"x" * 1001), "longer than 1000"),
            ((b"From: a@example.com", b"To: nobody", b"", b"x"), "Missing final"),
            ((b"From: a@example.com", b"To: group: group: a@b.co;;", b"", b"x"), "cannot be parsed"),
        ],
    )
    def test_a_message_that_ses_refuses_is_refused(self, lines: tuple[bytes, ...], message: str) -> None:
        with pytest.raises(SesError) as caught:
            from_raw(raw(*lines), None)
        assert message in caught.value.message

    def test_invalid_base64_is_refused(self) -> None:
        with pytest.raises(SesError):
            from_raw("%%%", None)
