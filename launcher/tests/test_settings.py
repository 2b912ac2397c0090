from pathlib import Path

import pytest

from bongsu.runtime.settings import SettingsError
from bongsu_launcher.settings import compose


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "BONGSU_PUBLIC_URL", "MYSQL_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BONGSU_VAR", str(tmp_path / "var"))


class TestCompose:
    def test_sandbox_sends_and_accounts_are_live_when_nothing_is_set(self) -> None:
        composed = compose()
        assert composed.notify.ses_endpoint_url == "http://127.0.0.1:8000/sandbox/ses"
        assert composed.notify.sandbox
        assert composed.auth.new_accounts == "live"
        assert composed.sandbox is not None

    def test_credentials_replace_the_sandbox(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NOTIFY_SES_ACCESS_KEY_ID", "AKIA")
        composed = compose()
        assert (composed.notify.ses_endpoint_url, composed.notify.sandbox) == (None, False)
        assert composed.auth.new_accounts == "trial"

    def test_sandbox_is_discord_when_nothing_is_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PORT", "8123")
        monkeypatch.setenv("SANDBOX_DISCORD_APPLICATION_ID", "77")
        discord = compose().auth.connection("discord")
        assert discord is not None
        assert (discord.base_url, discord.api_url, discord.client_id) == (
            "http://localhost:8123/sandbox/discord",
            "http://127.0.0.1:8123/sandbox/discord/api",
            "77",
        )

    def test_sandbox_is_google_and_kakao_when_nothing_is_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SANDBOX_GOOGLE_CLIENT_ID", "77")
        monkeypatch.setenv("AUTH_KAKAO_SCOPES", "profile_nickname")
        auth = compose().auth
        google, kakao = auth.connection("google"), auth.connection("kakao")
        assert google is not None
        assert kakao is not None
        assert (google.base_url, google.client_id) == ("http://localhost:8000/sandbox/google", "77")
        assert "https://www.googleapis.com/auth/user.birthday.read" in google.scopes
        assert (kakao.api_url, kakao.scopes) == ("http://127.0.0.1:8000/sandbox/kakao", ("profile_nickname",))

    def test_google_credentials_replace_its_sandbox_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AUTH_GOOGLE_CLIENT_ID", "123")
        auth = compose().auth
        google, kakao = auth.connection("google"), auth.connection("kakao")
        assert google is not None
        assert kakao is not None
        assert (google.base_url, google.scopes) == (None, ("openid", "email", "profile"))
        assert kakao.base_url == "http://localhost:8000/sandbox/kakao"

    def test_token_replaces_the_sandbox(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AUTH_DISCORD_CLIENT_ID", "123")
        discord = compose().auth.connection("discord")
        assert discord is not None
        assert (discord.base_url, discord.client_id) == (None, "123")

    def test_sandbox_is_absent_when_the_url_is_public(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BONGSU_PUBLIC_URL", "https://bongsu.example")
        composed = compose()
        assert composed.sandbox is None
        assert not composed.notify.sandbox

    def test_mysql_host_is_ignored(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("MYSQL_HOST", "db.internal")
        assert compose().database_url == f"sqlite+aiosqlite:///{tmp_path / 'var' / 'bongsu.sqlite3'}"

    def test_database_url_overrides_the_file(self) -> None:
        assert compose("mysql+aiomysql://u@h/d").database_url == "mysql+aiomysql://u@h/d"

    def test_dotenv_file_is_read(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("PORT=8077\nNOTIFY_FROM=봉수 <hello@bongsu.test>\n", encoding="utf-8")
        composed = compose()
        assert composed.platform.url == "http://localhost:8077"
        assert composed.notify.sender == "봉수 <hello@bongsu.test>"

    def test_unknown_names_of_all_services_are_listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NOTIFY_LEASE", "60")
        monkeypatch.setenv("AUTH_ACCESS_TOKEN_S", "forever")
        monkeypatch.setenv("PORT", "70000")
        with pytest.raises(SettingsError) as caught:
            compose()
        assert len(caught.value.problems) == 3
        assert "NOTIFY_LEASE is not a setting; did you mean NOTIFY_LEASE_S?" in caught.value.problems
