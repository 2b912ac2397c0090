import pytest

from bongsu_dashboard.guilds import pending


class TestPending:
    def test_what_is_written_is_read(self) -> None:
        assert pending.read(pending.write({5: 1000, 6: 1001}), wait_s=60, now=1030) == {5: 1000, 6: 1001}

    def test_a_wait_that_is_over_is_forgotten(self) -> None:
        assert pending.read("5-1000.6-1050", wait_s=60, now=1061) == {6: 1050}

    def test_only_the_newest_are_kept(self) -> None:
        assert len(pending.read(pending.write(dict.fromkeys(range(50), 1000)), wait_s=60, now=1000)) == 10

    @pytest.mark.parametrize("cookie", [None, "", "x", "5", "5-", "-5", "5-x", "\u0665-1000", "5-1000-1", "." * 5000])
    def test_anything_else_is_nothing(self, cookie: str | None) -> None:
        assert pending.read(cookie, wait_s=60, now=1000) == {}
