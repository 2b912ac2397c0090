import pytest

from bongsu_sandbox.ses.addresses import Address, parse_address
from bongsu_sandbox.ses.errors import SesError


class TestParseAddress:
    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("a@example.com", Address("a@example.com")),
            ("  a@example.com ", Address("a@example.com")),
            ("Kim <a@example.com>", Address("a@example.com", "Kim")),
            ('"Kim, \\"S\\"" <a@example.com>', Address("a@example.com", 'Kim, "S"')),
            ("=?utf-8?b?67SJ7IiY?= <a@example.com>", Address("a@example.com", "봉수")),
            ("=?EUC-KR?B?urvGxA==?= <a@example.com>", Address("a@example.com", "본파")),
            ("<a+tag.x@mail.example.co.kr>", Address("a+tag.x@mail.example.co.kr")),
        ],
    )
    def test_names_and_addresses_are_separated(self, written: str, read: Address) -> None:
        assert parse_address(written) == read

    @pytest.mark.parametrize(
        "written",
        [
            "",
            "a",
            "a@",
            "@example.com",
            "a@example",
            "a..b@example.com",
            ".a@example.com",
            "a@-example.com",
            "a@exa mple.com",
            "a\n@example.com",
            "a@example.com, b@example.com",
            "Name <a@example.com> <b@example.com>",
            "봉수 <a@example.com>",
            "=?nonsense?b?67SJ7IiY?= <a@example.com>",
            f"{'a' * 65}@example.com",
            f"a@{'b' * 64}.com",
            f"{'n' * 307} <a@example.com>",
        ],
    )
    def test_unsupported_address_is_refused(self, written: str) -> None:
        with pytest.raises(SesError) as caught:
            parse_address(written)
        assert caught.value.code == "BadRequestException"
