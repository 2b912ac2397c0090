from pathlib import Path

from bongsu_sandbox.line_file import LineFile


class TestLineFile:
    def test_lines_are_read_back_in_order(self, tmp_path: Path) -> None:
        file = LineFile(tmp_path / "new" / "lines")
        offsets = [file.append(line) for line in (b"one", "둘".encode(), b"")]
        assert file.lines() == [b"one", "둘".encode(), b""]
        assert file.read(offsets[1], 3) == "둘".encode()
        file.close()

    def test_it_goes_on_where_another_process_ended(self, tmp_path: Path) -> None:
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
