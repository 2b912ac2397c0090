"""`bongsu send` against an API that answers as the test says."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bongsu_launcher.cli import main
from launcher.tests.conftest import Run

pytestmark = pytest.mark.usefixtures("surroundings")

KEYS = ("--access-key", "bak_x", "--secret-key", "bsk_x")
MAIL = ("kim@example.com", "--subject", "안녕하세요", "--text", "🔥")


class Api:
    """Answers every POST and every GET with one status and text each."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.made: tuple[int, str] = (202, json.dumps({"id": "n1", "status": "queued"}))
        self.shown: tuple[int, str] = (200, json.dumps({"status": "sent", "error": None}))


@pytest.fixture
def api() -> Iterator[Api]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self, answer: tuple[int, str]) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = answer[1].encode()
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._answer(made.shown)

        def do_POST(self) -> None:
            self._answer(made.made)

        def log_message(self, *_arguments: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Api(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        server.shutdown()
        thread.join()


class TestSend:
    def test_a_mail_that_is_sent_is_a_success(self, api: Api, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["send", *MAIL, *KEYS, "--url", f"{api.url}/"]) == 0
        assert capsys.readouterr().out.splitlines() == ["n1  queued", "n1  sent"]

    def test_a_mail_that_still_waits_when_the_time_is_over_is_an_error(self, api: Api, refused: Run) -> None:
        api.shown = (200, json.dumps({"status": "retry_wait", "error": {"code": "throttled", "detail": "Slow down"}}))
        told = refused("send", *MAIL, *KEYS, "--url", api.url, "--timeout", "0.3")
        assert "still retry_wait after 0.3 s" in told

    def test_a_mail_that_failed_is_an_error(self, api: Api, refused: Run) -> None:
        api.shown = (200, json.dumps({"status": "failed", "error": {"code": "rejected", "detail": "No"}}))
        assert "ended as failed" in refused("send", *MAIL, *KEYS, "--url", api.url)

    @pytest.mark.parametrize("timeout", ["nan", "inf", "0", "-1", "soon"])
    def test_a_time_that_is_none_is_refused(self, timeout: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["send", *MAIL, *KEYS, f"--timeout={timeout}"])
        assert ended.value.code == 2
        assert "argument --timeout: " in capsys.readouterr().err

    def test_the_reason_of_a_refusal_is_told(self, api: Api, refused: Run) -> None:
        errors = [{"loc": ["body", "to", "email"], "msg": "is not an email address"}]
        api.made = (422, json.dumps({"detail": "Invalid input: to.email", "errors": errors}))
        told = refused("send", *MAIL, *KEYS, "--url", api.url)
        assert "The API answered 422: Invalid input: to.email (is not an email address)" in told

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            ((502, "<html>Bad Gateway</html>"), "The API answered 502: Bad Gateway"),
            ((500, "[]"), "The API answered 500: Internal Server Error"),
            ((200, "<html>Welcome</html>"), "is not Bongsu's API; check --url"),
            ((200, "{}"), "is not Bongsu's API; check --url"),
            ((302, ""), "is not Bongsu's API; check --url"),
        ],
    )
    def test_another_server_is_told(self, answer: tuple[int, str], words: str, api: Api, refused: Run) -> None:
        api.made = answer
        assert words in refused("send", *MAIL, *KEYS, "--url", api.url)

    def test_no_server_is_told(self, refused: Run) -> None:
        assert "http://127.0.0.1:1 does not answer" in refused("send", *MAIL, *KEYS, "--url", "http://127.0.0.1:1")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([*MAIL, *KEYS, "--url", "foo"], "--url: 'foo' is not http(s)://HOST:PORT"),
            ([*MAIL, *KEYS, "--url", "http://h:port"], "--url: 'http://h:port' is not"),
            ([*MAIL, *KEYS, "--url", "http://h:99999"], "--url: 'http://h:99999' is not"),
            ([*MAIL, *KEYS, "--url", "ftp://h"], "--url: 'ftp://h' is not"),
            ([*MAIL, "--access-key", "한", "--secret-key", "x"], "--access-key holds characters"),
            ([*MAIL, "--access-key", "x", "--secret-key", "\udcff"], "--secret-key holds characters"),
            (["kim@example.com", "--subject", "\udcff", "--text", "x", *KEYS], "--subject is not UTF-8 text"),
            (["kim@example.com", "--subject", "x", "--text", "\udcff", *KEYS], "--text is not UTF-8 text"),
            (["\udcff@example.com", "--subject", "x", "--text", "x", *KEYS], "TO is not UTF-8 text"),
        ],
    )
    def test_what_cannot_be_sent_is_told_by_its_name(self, arguments: list[str], words: str, refused: Run) -> None:
        assert words in refused("send", *arguments)
