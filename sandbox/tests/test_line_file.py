import json
from pathlib import Path

import pytest

from bongsu.runtime.errors import StartError
from bongsu_sandbox.line_file import LineFile


class TestLineFile:
    def test_lines_are_read_back_in_order(self, tmp_path: Path) -> None:
        file = LineFile(tmp_path / "new" / "lines")
        offsets = [file.append(line) for line in (b"one", "둘".encode(), b"")]
        assert file.lines() == [b"one", "둘".encode(), b""]
        assert file.read(offsets[1], 3) == "둘".encode()
        file.close()

    def test_line_file_appends_after_the_lines_of_another_process(self, tmp_path: Path) -> None:
        first = LineFile(tmp_path / "lines")
        first.append(b"one")
        first.close()
        second = LineFile(tmp_path / "lines")
        second.append(b"two")
        assert second.lines() == [b"one", b"two"]
        second.close()

    def test_a_line_that_was_cut_off_is_dropped(self, tmp_path: Path) -> None:
        path = tmp_path / "lines"
        path.write_bytes(b"one\ntwo\n" + b"x" * 200_000)
        file = LineFile(path)
        file.append(b"three")
        assert path.read_bytes() == b"one\ntwo\nthree\n"
        file.close()

    def test_a_file_without_a_whole_line_counts_as_empty(self, tmp_path: Path) -> None:
        path = tmp_path / "lines"
        path.write_bytes(b"{")
        file = LineFile(path)
        assert file.lines() == []
        file.close()


class TestEntries:
    @pytest.mark.parametrize("newest_first", [False, True])
    def test_malformed_line_is_reported_with_its_file(self, newest_first: bool, tmp_path: Path) -> None:
        (tmp_path / "lines").write_bytes(b"1\n\xff\n3\n")
        file = LineFile(tmp_path / "lines")
        entries = file.entries(json.loads, newest_first=newest_first)
        assert next(entries) == ((b"3", 3) if newest_first else (b"1", 1))
        with pytest.raises(StartError, match=r"Cannot read line 2 of .*lines: fix it or remove the file"):
            next(entries)
        file.close()
