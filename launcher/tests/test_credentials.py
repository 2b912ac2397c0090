import base64
import hashlib
import json
import stat
from pathlib import Path

import pytest

from bongsu.identity.vault import Vault
from bongsu.runtime.errors import StartError
from bongsu_launcher import credentials, grants
from bongsu_launcher.broker_users import PERMISSIONS


def _files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


class TestMake:
    def test_each_service_gets_its_own_files(self, tmp_path: Path) -> None:
        credentials.make(tmp_path, broker="rabbitmq:5672")
        files = _files(tmp_path)
        passwords = [files[f"{access.service}/mysql_password"] for access in grants.ACCESS]
        passwords += [files[f"{one.service}/amqp_password"] for one in PERMISSIONS]
        passwords.append(files["mysql/root_password"])
        assert len({*passwords}) == len(passwords)
        assert all(len(password) >= 32 for password in passwords)
        password = files["notify/amqp_password"]
        assert files["notify/amqp_url"] == f"amqp://notify:{password}@rabbitmq:5672/"

    def test_services_that_decrypt_have_the_same_keys(self, tmp_path: Path) -> None:
        credentials.make(tmp_path, broker="rabbitmq:5672")
        files = _files(tmp_path)
        assert files["auth/vault_keys"] == files["notify/vault_keys"]
        Vault.parse(files["auth/vault_keys"])
        assert "relay/vault_keys" not in files

    def test_existing_files_are_kept_and_missing_ones_created(self, tmp_path: Path) -> None:
        credentials.make(tmp_path, broker="rabbitmq:5672")
        before = _files(tmp_path)
        (tmp_path / "relay" / "mysql_password").unlink()
        assert credentials.make(tmp_path, broker="rabbitmq:5672") == ["relay/mysql_password"]
        after = _files(tmp_path)
        assert after.pop("relay/mysql_password") != before.pop("relay/mysql_password")
        # Hashed each time, with a new salt.
        assert after.pop("rabbitmq/definitions.json") != before.pop("rabbitmq/definitions.json")
        assert after == before

    def test_added_key_reaches_every_service(self, tmp_path: Path) -> None:
        credentials.make(tmp_path, broker="rabbitmq:5672")
        path = tmp_path / "auth" / "vault_keys"
        keys = f"{Vault.new_key('k2')},{path.read_text()}"
        path.chmod(0o600)
        path.write_text(keys)
        credentials.make(tmp_path, broker="rabbitmq:5672")
        assert (tmp_path / "notify" / "vault_keys").read_text() == keys

    def test_root_password_can_be_chosen(self, tmp_path: Path) -> None:
        credentials.make(tmp_path, broker="rabbitmq:5672", root_password="봉수")
        assert (tmp_path / "mysql" / "root_password").read_text(encoding="utf-8") == "봉수"

    def test_files_are_readable_by_their_service_only(self, tmp_path: Path) -> None:
        credentials.make(tmp_path, broker="rabbitmq:5672")
        for path in tmp_path.rglob("*"):
            if path.is_file():
                theirs = path.parent.name in {"mysql", "rabbitmq"}
                assert stat.S_IMODE(path.stat().st_mode) == (0o444 if theirs else 0o400), path

    def test_definitions_hold_the_hash_of_each_password(self, tmp_path: Path) -> None:
        credentials.make(tmp_path, broker="rabbitmq:5672")
        document = json.loads((tmp_path / "rabbitmq" / "definitions.json").read_text())
        users = {user["name"]: user for user in document["users"]}
        assert set(users) == {one.service for one in PERMISSIONS} | {"operator"}
        hashed = base64.b64decode(users["auth"]["password_hash"])
        password = (tmp_path / "auth" / "amqp_password").read_bytes()
        assert hashed[4:] == hashlib.sha256(hashed[:4] + password).digest()
        assert [user["name"] for user in users.values() if user["tags"]] == ["operator"]


class TestMysqlPasswords:
    def test_passwords_are_those_that_were_created(self, tmp_path: Path) -> None:
        credentials.make(tmp_path, broker="rabbitmq:5672")
        found = credentials.mysql_passwords(tmp_path)
        assert set(found) == {access.service for access in grants.ACCESS}
        assert found["auth"] == (tmp_path / "auth" / "mysql_password").read_text()

    def test_missing_passwords_are_reported(self, tmp_path: Path) -> None:
        with pytest.raises(StartError, match="run `bongsu credentials"):
            credentials.mysql_passwords(tmp_path)
