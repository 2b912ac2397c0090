import pytest

from bongsu_dashboard.guilds.pending import PendingInstalls, serialise


class TestParse:
    def test_parse_reads_the_output_of_serialise(self) -> None:
        assert PendingInstalls(60, now=lambda: 1030).parse(serialise({5: 1000, 6: 1001})) == {5: 1000, 6: 1001}

    def test_parse_drops_a_guild_that_waited_too_long(self) -> None:
        assert PendingInstalls(60, now=lambda: 1061).parse("5-1000.6-1050") == {6: 1050}

    def test_serialise_keeps_the_newest_guilds(self) -> None:
        assert len(PendingInstalls(60, now=lambda: 1000).parse(serialise(dict.fromkeys(range(50), 1000)))) == 10

    @pytest.mark.parametrize("cookie", [None, "", "x", "5", "5-", "-5", "5-x", "\u0665-1000", "5-1000-1", "." * 5000])
    def test_parse_ignores_malformed_entries(self, cookie: str | None) -> None:
        assert PendingInstalls(60, now=lambda: 1000).parse(cookie) == {}
