"""When a request is sent again, and after which pause."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from bongsu_client import Retries


def answer(status: int, retry_after: str | None = None) -> httpx.Response:
    return httpx.Response(status, headers={} if retry_after is None else {"Retry-After": retry_after})


class TestPause:
    @pytest.mark.parametrize(
        ("outcome", "repeatable", "repeated"),
        [
            (answer(200), True, False),
            (answer(409), True, False),
            (answer(422), True, False),
            (answer(429), True, True),
            (answer(429), False, True),
            (answer(500), True, False),
            (answer(502), True, True),
            (answer(503), True, True),
            (answer(504), True, True),
            (answer(502), False, False),
            (answer(503), False, False),
            (httpx.ReadError(""), True, True),
            (httpx.ReadTimeout(""), True, True),
            (httpx.ReadError(""), False, False),
            (httpx.ReadTimeout(""), False, False),
            (httpx.ConnectError(""), False, True),
            (httpx.ConnectTimeout(""), False, True),
            (httpx.UnsupportedProtocol(""), True, False),
        ],
    )
    def test_request_is_repeated_only_when_that_is_safe(
        self, outcome: httpx.Response | httpx.TransportError, repeatable: bool, repeated: bool
    ) -> None:
        assert (Retries().pause_s(outcome, 1, is_repeatable=repeatable) is not None) is repeated

    def test_no_attempt_follows_the_last(self) -> None:
        assert Retries(attempts=2).pause_s(answer(503), 1, is_repeatable=True) is not None
        assert Retries(attempts=2).pause_s(answer(503), 2, is_repeatable=True) is None

    def test_pause_doubles_up_to_the_longest(self) -> None:
        retries = Retries(attempts=10, first_pause_s=1, max_pause_s=5)
        for attempt, longest_s in enumerate((1, 2, 4, 5, 5), start=1):
            pause_s = retries.pause_s(answer(503), attempt, is_repeatable=True)
            assert pause_s is not None
            assert longest_s / 2 <= pause_s <= longest_s

    @pytest.mark.parametrize(("field", "pause_s"), [("0", 0.0), ("7", 7.0), (" 7 ", 7.0), ("21", None)])
    def test_pause_is_that_of_retry_after(self, field: str, pause_s: float | None) -> None:
        assert Retries().pause_s(answer(503, field), 1, is_repeatable=True) == pause_s

    @pytest.mark.parametrize(("in_s", "least_s", "most_s"), [(3600, 3000, 3600), (-10, 0, 0)])
    def test_retry_after_may_be_a_date(self, in_s: int, least_s: float, most_s: float) -> None:
        field = format_datetime(datetime.now(UTC) + timedelta(seconds=in_s), usegmt=True)
        pause_s = Retries(max_pause_s=9999).pause_s(answer(503, field), 1, is_repeatable=True)
        assert pause_s is not None
        assert least_s <= pause_s <= most_s

    @pytest.mark.parametrize("field", ["", "soon", "-1", "1.5", "Fri, 99 Foo 2026", "²"])
    def test_malformed_retry_after_is_ignored(self, field: str) -> None:
        outcome = httpx.Response(503, headers=[(b"Retry-After", field.encode("latin-1"))])
        pause_s = Retries(first_pause_s=0.1).pause_s(outcome, 1, is_repeatable=True)
        assert pause_s is not None
        assert 0.05 <= pause_s <= 0.1
