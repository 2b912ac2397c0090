from datetime import UTC, datetime, timedelta

import pytest

from bongsu_dashboard.pages import moments
from bongsu_dashboard.pages.catalogue import Catalogue

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class TestAgo:
    @pytest.mark.parametrize(
        ("seconds", "english", "korean"),
        [
            (3, "just now", "방금"),
            (60, "1 minute ago", "1분 전"),
            (3_300, "55 minutes ago", "55분 전"),
            (7_200, "2 hours ago", "2시간 전"),
            (90_000, "yesterday", "1일 전"),
            (3 * 86_400, "3 days ago", "3일 전"),
            (30 * 86_400, "Oct 25, 2026", "2026년 10월 25일"),
            (-30, "in 30 seconds", "30초 뒤"),
            (-3_600, "in 60 minutes", "60분 뒤"),
        ],
    )
    def test_it_is_said_in_words(self, seconds: int, english: str, korean: str) -> None:
        catalogue = Catalogue()
        moment = NOW - timedelta(seconds=seconds)
        assert moments.ago(moment, catalogue.words("en"), now=NOW) == english
        assert moments.ago(moment, catalogue.words("ko"), now=NOW) == korean


class TestExact:
    def test_another_zone_is_said_in_utc(self) -> None:
        assert moments.exact(datetime.fromisoformat("2026-11-24T21:00:00+09:00")) == "2026-11-24 12:00:00 UTC"
