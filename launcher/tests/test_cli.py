"""The commands on data and with arguments that are not as they must be: one line that says what to do."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bongsu.identity.vault import Vault
from bongsu.runtime.errors import StartError
from bongsu_launcher.cli import main
from bongsu_launcher.settings import compose
from launcher.tests.conftest import Run, logging_kept

PASSWORD = "correct-horse-battery"
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


def _spoil(path: Path) -> None:
    size_bytes = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size_bytes - 4096))


def _spoil_table(path: Path, name: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        (page_bytes,) = database.execute("PRAGMA page_size").fetchone()
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * page_bytes)
        file.write(os.urandom(page_bytes))


NEED_DATABASE = (
    ["up"],
    ["migrate"],
    ["user", "create", "lee@example.com", "--password", PASSWORD],
    ["user", "promote", "kim@example.com", "staff"],
    ["key", "create", "kim@example.com"],
)


class TestDamagedData:
    @pytest.mark.parametrize("command", NEED_DATABASE, ids=" ".join)
    def test_a_damaged_database_is_told(self, command: list[str], data: Path, refused: Run) -> None:
        _spoil(data / "bongsu.sqlite3")
        assert "bongsu.sqlite3 is damaged" in refused(*command)

    @pytest.mark.parametrize("table", ["alembic_version_auth", "signing_keys", "outbox"])
    def test_a_damaged_table_is_told_in_one_line_and_not_in_the_log(
        self, table: str, data: Path, refused: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOG_LEVEL", "INFO")
        _spoil_table(data / "bongsu.sqlite3", table)
        assert "bongsu.sqlite3 is damaged" in refused("up")

    @pytest.mark.parametrize("command", NEED_DATABASE, ids=" ".join)
    def test_a_lost_vault_key_is_told_and_none_is_made(self, command: list[str], data: Path, refused: Run) -> None:
        (data / "vault.key").unlink()
        assert "vault.key is missing" in refused(*command)
        assert not (data / "vault.key").exists()

    @pytest.mark.parametrize("command", [["up"], ["migrate"], ["key", "create", "kim@example.com"]], ids=" ".join)
    @pytest.mark.usefixtures("data")
    def test_another_vault_key_is_told(self, command: list[str], refused: Run, monkeypatch: pytest.MonkeyPatch) -> None:
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
    def test_what_stands_in_the_place_of_a_file_is_named(
        self, path: str, content: bytes | None, data: Path, refused: Run
    ) -> None:
        spoilt = data / path
        if content is None:
            spoilt.mkdir(parents=True)
        else:
            spoilt.parent.mkdir(parents=True, exist_ok=True)
            spoilt.write_bytes(content)
        told = refused("up")
        assert str(spoilt) in told
        assert "remove" in told


class TestServe:
    @pytest.mark.parametrize("service", ["auth", "notify", "bot"])
    def test_another_vault_key_is_told(
        self, service: str, mysql_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = make_url(mysql_database_url)
        monkeypatch.setenv("MYSQL_HOST", str(url.host))
        monkeypatch.setenv("MYSQL_PORT", str(url.port))
        monkeypatch.setenv("MYSQL_USER", str(url.username))
        monkeypatch.setenv("MYSQL_PASSWORD", url.password or "")
        monkeypatch.setenv("MYSQL_DATABASE", str(url.database))
        monkeypatch.setenv("AMQP_URL", "amqp://127.0.0.1:1/")
        assert main(["migrate"]) == 0
        monkeypatch.setenv("BONGSU_VAULT_KEYS", Vault.new_key())
        # A process of its own, as its end is what closes what it had opened.
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "bongsu_launcher", "serve", service],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.count("The vault key does not decrypt the data in the database") == 1
        assert "Traceback" not in done.stderr


class TestDoctor:
    def test_on_a_new_folder_nothing_is_made(self, var: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["doctor"]) == 0
        assert "`bongsu up` makes it" in capsys.readouterr().out
        assert not [*var.iterdir()]

    def test_a_lost_vault_key_is_bad_and_none_is_made(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
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

    def test_a_damaged_file_is_no_matter_of_mysql(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        _spoil(data / "bongsu.sqlite3")
        assert main(["doctor"]) == 1
        told = capsys.readouterr()
        assert "bongsu.sqlite3 is damaged" in told.out
        assert "MYSQL_HOST" not in told.out
        assert "Traceback" not in told.err

    def test_a_server_that_does_not_answer_is_a_matter_of_mysql(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MYSQL_HOST", "127.0.0.1")
        monkeypatch.setenv("MYSQL_PORT", "1")
        assert main(["doctor"]) == 1
        assert "check MYSQL_HOST, MYSQL_PORT" in capsys.readouterr().out

    def test_a_discord_of_ones_own_is_not_called_unconfigured(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BOT_TOKEN", "abc")
        monkeypatch.setenv("BOT_API_URL", "http://127.0.0.1:1/api")
        assert main(["doctor"]) == 1
        told = capsys.readouterr().out
        assert "set BOT_TOKEN" not in told
        assert "BOT_API_URL is http://127.0.0.1:1/api" in told


class TestArguments:
    @pytest.mark.parametrize(
        "url", ["sqlite:///x", "mysql://u@h/d", "mysql+aiomysql://u:p@h:port/d", "mysql+aiomysql://u@h/d?colour=red"]
    )
    @pytest.mark.parametrize("command", ["up", "migrate"])
    def test_a_database_url_that_does_not_work_is_told(self, command: str, url: str, refused: Run) -> None:
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
    def test_what_the_api_would_refuse_is_refused_by_name(self, arguments: list[str], words: str, refused: Run) -> None:
        assert f"Invalid input: {words} (" in refused(*arguments)

    def test_a_folder_that_is_damaged_says_so_before_anything_is_composed(self, var: Path) -> None:
        var.mkdir()
        (var / "vault.key").write_text("garbage", encoding="utf-8")
        with pytest.raises(StartError, match=r"vault\.key is no vault key"):
            compose()
