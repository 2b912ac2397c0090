import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator

import pytest
import structlog

from bongsu.runtime.logging import configure_logging, get_logger


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before, configured = (root.handlers[:], root.level), structlog.get_config()
    yield
    root.handlers[:], root.level = before[0], before[1]
    structlog.configure(**configured)


def _crash(password: str) -> None:
    assert password
    raise RuntimeError("could not be hashed")


class TestConfigureLogging:
    def test_json_line_has_event_fields_and_time(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure_logging()
        get_logger("bongsu.test").info("delivery.sent", delivery_id="7", 도시="서울")
        line = json.loads(capsys.readouterr().err)
        assert (line["event"], line["delivery_id"], line["도시"]) == ("delivery.sent", "7", "서울")
        assert (line["logger"], line["level"]) == ("bongsu.test", "info")
        assert line["timestamp"].endswith("Z")

    def test_records_of_libraries_have_the_same_format(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure_logging()
        logging.getLogger("some.library").warning("took %d s", 7)
        assert json.loads(capsys.readouterr().err)["event"] == "took 7 s"

    @pytest.mark.parametrize("name", ["uvicorn.error", "sqlalchemy.pool.impl.AsyncAdaptedQueuePool"])
    def test_traceback_is_left_out_when_a_request_was_cancelled(
        self, capsys: pytest.CaptureFixture[str], name: str
    ) -> None:
        configure_logging()
        library = logging.getLogger(name)
        library.error("Exception", exc_info=asyncio.CancelledError("cut off"))
        assert capsys.readouterr().err == ""
        library.error("Exception", exc_info=RuntimeError("a defect"))
        assert "a defect" in capsys.readouterr().err

    def test_records_below_the_level_are_not_written(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure_logging(level="WARNING")
        get_logger("bongsu.test").info("quiet.please")
        assert capsys.readouterr().err == ""

    def test_line_that_cannot_be_written_fails_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reading, writing = os.pipe()
        with open(writing, "w", encoding="utf-8") as pipe:  # noqa: PTH123 - of a descriptor
            monkeypatch.setattr(sys, "stderr", pipe)
            configure_logging()
            os.close(reading)
            get_logger("bongsu.test").info("delivery.sent")
            monkeypatch.undo()
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        get_logger("bongsu.test").info("delivery.sent")

    def test_line_that_cannot_be_rendered_fails_nothing_and_names_its_event(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure_logging()
        circular: list[object] = []
        circular.append(circular)
        for value in (circular, {(1, 2): "a key that JSON has not"}):
            get_logger("bongsu.test").warning("delivery.sent", value=value)
            line = json.loads(capsys.readouterr().err)
            assert (line["event"], line["level"]) == ("delivery.sent", "warning")
            assert "not_rendered" in line

    @pytest.mark.parametrize("as_json", [True, False])
    def test_traceback_does_not_show_local_variables(self, capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
        configure_logging(as_json=as_json)
        try:
            _crash("hunter2" + "!")
        except RuntimeError:
            get_logger("bongsu.test").exception("request.crashed")
        written = capsys.readouterr().err
        assert "could not be hashed" in written
        assert "hunter2!" not in written
