"""The commands with damaged data or wrong arguments: one line with what to do."""

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bongsu.identity.vault import Vault
from bongsu.runtime.errors import StartError
from bongsu_launcher.cli import main
from bongsu_launcher.owners import MIGRATIONS
from bongsu_launcher.settings import compose
from launcher.tests.conftest import Run, logging_kept
from tests.infrastructure import forked
from tests.infrastructure.templates import Schema, WithTables

PASSWORD = "correct-horse-battery"
TABLES = Schema.migrated("all", *MIGRATIONS)
pytestmark = pytest.mark.usefixtures("surroundings")


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with tables and an account, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    with pytest.MonkeyPatch.context() as patch, logging_kept():
        patch.setenv("BONGSU_VAR", str(folder))
        patch.chdir(folder)
        assert main(["migrate"]) == 0
        assert main(["user", "create", "kim@example.com", "--password", PASSWORD]) == 0
    return folder


@pytest.fixture
def data(migrated: Path, var: Path) -> Path:
    """The data folder, with tables and an account in it."""
    shutil.copytree(migrated, var)
    return var


def _corrupt(path: Path) -> None:
    size_bytes = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size_bytes - 4096))


def _corrupt_table(path: Path, name: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        (page_bytes,) = database.execute("PRAGMA page_size").fetchone()
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * page_bytes)
        file.write(b"\xa5" * page_bytes)


NEED_DATABASE = (
    ["up"],
    ["migrate"],
    ["user", "create", "lee@example.com", "--password", PASSWORD],
    ["user", "promote", "kim@example.com", "staff"],
    ["key", "create", "kim@example.com"],
    ["signing-key", "rotate"],
)


class TestDamagedData:
    @pytest.mark.parametrize("command", NEED_DATABASE, ids=" ".join)
    def test_damaged_database_is_reported(self, command: list[str], data: Path, refused: Run) -> None:
        _corrupt(data / "bongsu.sqlite3")
        assert "bongsu.sqlite3 is damaged" in refused(*command)

    @pytest.mark.parametrize("table", ["alembic_version_auth", "signing_keys", "outbox"])
    def test_damaged_table_is_reported_in_one_line_and_not_logged(
        self, table: str, data: Path, refused: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOG_LEVEL", "INFO")
        _corrupt_table(data / "bongsu.sqlite3", table)
        assert "bongsu.sqlite3 is damaged" in refused("up")

    @pytest.mark.parametrize("command", NEED_DATABASE, ids=" ".join)
    def test_missing_vault_key_is_reported_and_not_created(self, command: list[str], data: Path, refused: Run) -> None:
        (data / "vault.key").unlink()
        assert "vault.key is missing" in refused(*command)
        assert not (data / "vault.key").exists()

    @pytest.mark.parametrize("command", [["up"], ["migrate"], ["key", "create", "kim@example.com"]], ids=" ".join)
    @pytest.mark.usefixtures("data")
    def test_another_vault_key_is_refused(
        self, command: list[str], refused: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BONGSU_VAULT_KEYS", Vault.new_key())
        assert "The vault key does not decrypt the data in the database" in refused(*command)

    @pytest.mark.parametrize(
        ("path", "content"),
        [
            ("lock", None),
            ("sandbox", b""),
            ("sandbox/mailbox", b""),
            ("sandbox/mailbox/00000001/mails.jsonl", b"{}\n"),
            ("sandbox/ledger.jsonl", b"{}\n"),
            ("sandbox/ledger.jsonl", None),
            ("sandbox/discord/messages.jsonl", b"\xff\xfe\n"),
            ("sandbox/discord/messages.jsonl", None),
            ("sandbox/discord/state.json", None),
        ],
    )
    def test_unusable_file_is_named(self, path: str, content: bytes | None, data: Path, refused: Run) -> None:
        unusable = data / path
        if content is None:
            unusable.mkdir(parents=True)
        else:
            unusable.parent.mkdir(parents=True, exist_ok=True)
            unusable.write_bytes(content)
        line = refused("up")
        assert str(unusable) in line
        assert "remove" in line


class TestServe:
    @pytest.mark.parametrize("service", ["auth", "notify", "bot"])
    def test_another_vault_key_is_refused(
        self, service: str, mysql_with_tables: WithTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = make_url(mysql_with_tables(TABLES))
        monkeypatch.setenv("MYSQL_HOST", str(url.host))
        monkeypatch.setenv("MYSQL_PORT", str(url.port))
        monkeypatch.setenv("MYSQL_USER", str(url.username))
        monkeypatch.setenv("MYSQL_PASSWORD", url.password or "")
        monkeypatch.setenv("MYSQL_DATABASE", str(url.database))
        monkeypatch.setenv("AMQP_URL", "amqp://127.0.0.1:1/")
        assert main(["migrate"]) == 0
        monkeypatch.setenv("BONGSU_VAULT_KEYS", Vault.new_key())
        # A process of its own: its end closes what it has opened.
        output = tmp_path / "serve.log"
        process = forked.start(["serve", service], environ=os.environ, folder=tmp_path, output=output)
        process.join(90)
        process.kill()
        printed = output.read_text(encoding="utf-8")
        assert process.exitcode == 1, printed
        assert printed.count("The vault key does not decrypt the data in the database") == 1
        assert "Traceback" not in printed


class TestDoctor:
    def test_nothing_is_created_in_a_new_folder(self, var: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["doctor"]) == 0
        assert "`bongsu up` creates it" in capsys.readouterr().out
        assert not [*var.iterdir()]

    def test_missing_vault_key_is_bad_and_not_created(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (data / "vault.key").unlink()
        assert main(["doctor"]) == 1
        assert "vault.key is missing" in capsys.readouterr().out
        assert not (data / "vault.key").exists()

    @pytest.mark.usefixtures("data")
    def test_another_vault_key_is_bad(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BONGSU_VAULT_KEYS", Vault.new_key())
        assert main(["doctor"]) == 1
        assert "BAD   database   The vault key does not decrypt" in capsys.readouterr().out

    def test_settings_of_mysql_are_not_mentioned_when_the_sqlite_file_is_damaged(
        self, data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _corrupt(data / "bongsu.sqlite3")
        assert main(["doctor"]) == 1
        printed = capsys.readouterr()
        assert "bongsu.sqlite3 is damaged" in printed.out
        assert "MYSQL_HOST" not in printed.out
        assert "Traceback" not in printed.err

    def test_settings_of_mysql_are_mentioned_when_the_server_is_unreachable(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MYSQL_HOST", "127.0.0.1")
        monkeypatch.setenv("MYSQL_PORT", "1")
        assert main(["doctor"]) == 1
        assert "check MYSQL_HOST, MYSQL_PORT" in capsys.readouterr().out

    def test_bot_is_configured_when_it_has_another_api_url(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BOT_TOKEN", "abc")
        monkeypatch.setenv("BOT_API_URL", "http://127.0.0.1:1/api")
        assert main(["doctor"]) == 1
        printed = capsys.readouterr().out
        assert "BOT_TOKEN logs in" not in printed
        assert "BOT_API_URL is http://127.0.0.1:1/api" in printed


class TestArguments:
    @pytest.mark.parametrize(
        "url", ["sqlite:///x", "mysql://u@h/d", "mysql+aiomysql://u:p@h:port/d", "mysql+aiomysql://u@h/d?colour=red"]
    )
    @pytest.mark.parametrize("command", ["up", "migrate"])
    def test_unusable_database_url_is_refused(self, command: str, url: str, refused: Run) -> None:
        assert "database" in refused(command, "--database-url", url)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["user", "create", "lee@example.com", "--password", "correct-horse-\udcff"], "password"),
            (["user", "create", "lee@example.com", "--password", PASSWORD, "--name", "x" * 300], "name"),
            (["user", "create", "lee@example.com", "--password", PASSWORD, "--name", "\udcff"], "name"),
            (["user", "create", "lee", "--password", PASSWORD], "email"),
            (["key", "create", "kim@example.com", "--memo", "x" * 3000], "memo"),
        ],
    )
    @pytest.mark.usefixtures("data")
    def test_invalid_input_is_refused_and_named(self, arguments: list[str], words: str, refused: Run) -> None:
        assert f"Invalid input: {words} (" in refused(*arguments)

    def test_damaged_folder_is_reported_before_anything_is_composed(self, var: Path) -> None:
        var.mkdir()
        (var / "vault.key").write_text("garbage", encoding="utf-8")
        with pytest.raises(StartError, match=r"vault\.key is not a vault key"):
            compose()
