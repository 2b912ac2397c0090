"""`bongsu send` against an API that the test controls."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bongsu_launcher.cli import main
from launcher.tests.conftest import Run
from tests.fake import seeded

pytestmark = pytest.mark.usefixtures("surroundings")

KEY = seeded("send").api_key()
KEYS = ("--access-key", KEY.access_key, "--secret-key", KEY.secret_key)
MAIL = ("kim@example.com", "--subject", "안녕하세요", "--text", "🔥")


class Api:
    """Answers every POST with one status and text, and every GET with another."""

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
    def test_command_succeeds_when_the_mail_is_sent(self, api: Api, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["send", *MAIL, *KEYS, "--url", f"{api.url}/"]) == 0
        assert capsys.readouterr().out.splitlines() == ["n1  queued", "n1  sent"]

    def test_command_fails_when_the_mail_is_not_sent_in_time(self, api: Api, refused: Run) -> None:
        api.shown = (200, json.dumps({"status": "retry_wait", "error": {"code": "throttled", "detail": "Slow down"}}))
        line = refused("send", *MAIL, *KEYS, "--url", api.url, "--timeout", "0.3")
        assert "still retry_wait after 0.3 s" in line

    def test_command_fails_when_the_mail_has_failed(self, api: Api, refused: Run) -> None:
        api.shown = (200, json.dumps({"status": "failed", "error": {"code": "rejected", "detail": "No"}}))
        assert "ended as failed" in refused("send", *MAIL, *KEYS, "--url", api.url)

    @pytest.mark.parametrize("timeout", ["nan", "inf", "0", "-1", "soon"])
    def test_malformed_timeout_is_refused(self, timeout: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["send", *MAIL, *KEYS, f"--timeout={timeout}"])
        assert ended.value.code == 2
        assert "argument --timeout: " in capsys.readouterr().err

    def test_refusal_is_shown_with_its_reason(self, api: Api, refused: Run) -> None:
        errors = [{"loc": ["body", "to", "email"], "msg": "is not an email address"}]
        api.made = (422, json.dumps({"detail": "Invalid input: to.email", "errors": errors}))
        line = refused("send", *MAIL, *KEYS, "--url", api.url)
        assert "The API answered 422: Invalid input: to.email (is not an email address)" in line

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
    def test_another_server_is_reported(self, answer: tuple[int, str], words: str, api: Api, refused: Run) -> None:
        api.made = answer
        assert words in refused("send", *MAIL, *KEYS, "--url", api.url)

    def test_unreachable_server_is_reported(self, refused: Run) -> None:
        assert "http://127.0.0.1:1 does not answer" in refused("send", *MAIL, *KEYS, "--url", "http://127.0.0.1:1")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([*MAIL, *KEYS, "--url", "foo"], "--url: 'foo' is not http(s)://HOST:PORT"),
            ([*MAIL, *KEYS, "--url", "http://h:port"], "--url: 'http://h:port' is not"),
            ([*MAIL, *KEYS, "--url", "http://h:99999"], "--url: 'http://h:99999' is not"),
            ([*MAIL, *KEYS, "--url", "ftp://h"], "--url: 'ftp://h' is not"),
            ([*MAIL, "--access-key", "한", "--secret-key", "x"], "--access-key has characters"),
            ([*MAIL, "--access-key", "x", "--secret-key", "\udcff"], "--secret-key has characters"),
            (["kim@example.com", "--subject", "\udcff", "--text", "x", *KEYS], "--subject is not UTF-8 text"),
            (["kim@example.com", "--subject", "x", "--text", "\udcff", *KEYS], "--text is not UTF-8 text"),
            (["\udcff@example.com", "--subject", "x", "--text", "x", *KEYS], "TO is not UTF-8 text"),
        ],
    )
    def test_unusable_argument_is_named(self, arguments: list[str], words: str, refused: Run) -> None:
        assert words in refused("send", *arguments)
