from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from bongsu.runtime.settings import PlatformSettings, Settings, SettingsError, load


class KitchenSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="KITCHEN_")

    stove_url: str = Field(description="Where the stove is")
    heat_c: int = Field(default=180, ge=50, le=300)
    recipe_key: SecretStr = Field(default=SecretStr(""))


class TestLoad:
    def test_values_come_from_the_environment(self) -> None:
        (kitchen,) = load(KitchenSettings, environ={"KITCHEN_STOVE_URL": "http://stove", "KITCHEN_HEAT_C": "200"})
        assert (kitchen.stove_url, kitchen.heat_c) == ("http://stove", 200)

    def test_environment_overrides_the_dotenv_file(self, tmp_path: Path) -> None:
        dotenv = tmp_path / ".env"
        dotenv.write_text("KITCHEN_STOVE_URL=http://from-file\nKITCHEN_HEAT_C=90\n", encoding="utf-8")
        (kitchen,) = load(KitchenSettings, environ={"KITCHEN_HEAT_C": "100"}, dotenv=dotenv)
        assert (kitchen.stove_url, kitchen.heat_c) == ("http://from-file", 100)

    def test_missing_dotenv_file_is_ignored(self, tmp_path: Path) -> None:
        (kitchen,) = load(KitchenSettings, environ={"KITCHEN_STOVE_URL": "x"}, dotenv=tmp_path / "none")
        assert kitchen.stove_url == "x"

    def test_secret_is_read_from_the_file_of_its_name_file(self, tmp_path: Path) -> None:
        secret = tmp_path / "recipe"
        secret.write_text("김치찌개\n", encoding="utf-8")
        (kitchen,) = load(KitchenSettings, environ={"KITCHEN_STOVE_URL": "x", "KITCHEN_RECIPE_KEY_FILE": str(secret)})
        assert kitchen.recipe_key.get_secret_value() == "김치찌개"
        assert "김치찌개" not in repr(kitchen)

    def test_unreadable_secret_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match=r"KITCHEN_RECIPE_KEY_FILE: cannot read .*No such file"):
            load(
                KitchenSettings,
                environ={"KITCHEN_STOVE_URL": "x", "KITCHEN_RECIPE_KEY_FILE": str(tmp_path / "none")},
            )

    def test_missing_wrong_and_unknown_names_are_listed_together(self) -> None:
        with pytest.raises(SettingsError) as caught:
            load(KitchenSettings, PlatformSettings, environ={"KITCHEN_HEAT": "1", "KITCHEN_HEAT_C": "hot", "PORT": "0"})
        problems = " | ".join(caught.value.problems)
        assert "KITCHEN_STOVE_URL is missing (Where the stove is)" in problems
        assert "KITCHEN_HEAT_C: Input should be a valid integer" in problems
        assert "KITCHEN_HEAT is not a setting; did you mean KITCHEN_HEAT_C?" in problems
        assert "PORT: Input should be greater than or equal to 1" in problems
        assert len(caught.value.problems) == 4

    def test_required_names_are_listed_with_the_rest(self, tmp_path: Path) -> None:
        secret = tmp_path / "keys"
        secret.write_text("k1:x", encoding="utf-8")
        with pytest.raises(SettingsError) as caught:
            load(
                PlatformSettings,
                KitchenSettings,
                environ={"BONGSU_VAULT_KEYS_FILE": str(secret)},
                required=("MYSQL_HOST", "AMQP_URL", "BONGSU_VAULT_KEYS"),
            )
        assert caught.value.problems == (
            "KITCHEN_STOVE_URL is missing (Where the stove is)",
            "MYSQL_HOST is missing (Host of the database)",
            "AMQP_URL is missing (amqp://user:password@host/)",
        )

    def test_error_does_not_show_the_value(self) -> None:
        with pytest.raises(SettingsError) as caught:
            load(KitchenSettings, environ={"KITCHEN_STOVE_URL": "x", "KITCHEN_HEAT_C": "my-secret"})
        assert "my-secret" not in str(caught.value)

    def test_empty_value_counts_as_not_set(self) -> None:
        (kitchen,) = load(KitchenSettings, environ={"KITCHEN_STOVE_URL": "x", "KITCHEN_HEAT_C": ""})
        assert kitchen.heat_c == 180

    def test_settings_cannot_be_changed(self) -> None:
        (kitchen,) = load(KitchenSettings, environ={"KITCHEN_STOVE_URL": "x"})
        with pytest.raises(ValueError, match="frozen"):
            kitchen.heat_c = 1  # type: ignore[misc] # what the test is about

    def test_environment_is_not_read_when_a_class_is_built_directly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KITCHEN_HEAT_C", "250")
        assert KitchenSettings(stove_url="x").heat_c == 180


class TestPlatformSettings:
    def test_public_url_follows_the_port(self) -> None:
        (platform,) = load(PlatformSettings, environ={"PORT": "8100"})
        assert platform.url == "http://localhost:8100"

    @pytest.mark.parametrize("value", ["https://bongsu.example/app", "https://bongsu.example/", "bongsu.example"])
    def test_public_url_is_refused_with_an_example_when_it_is_not_a_server(self, value: str) -> None:
        with pytest.raises(
            SettingsError, match=r"BONGSU_PUBLIC_URL: must be scheme, host and port .*https://bongsu\.example"
        ):
            load(PlatformSettings, environ={"BONGSU_PUBLIC_URL": value})

    def test_log_level_is_refused_with_the_levels_when_it_is_not_one(self) -> None:
        with pytest.raises(SettingsError, match=r"LOG_LEVEL: .*'INFO'"):
            load(PlatformSettings, environ={"LOG_LEVEL": "info"})

    def test_trusted_proxies_are_a_comma_separated_list(self) -> None:
        (platform,) = load(PlatformSettings, environ={"BONGSU_TRUSTED_PROXIES": "10.0.0.0/8, 127.0.0.1/32"})
        assert platform.trusted_proxies == ("10.0.0.0/8", "127.0.0.1/32")

    def test_cors_origins_are_a_comma_separated_list(self) -> None:
        (platform,) = load(
            PlatformSettings, environ={"BONGSU_CORS_ORIGINS": "https://a.example, http://localhost:5173"}
        )
        assert platform.cors_origins == ("https://a.example", "http://localhost:5173")

    @pytest.mark.parametrize(
        "value", ["*", "null", "https://a.example/", "https://*.example", "a.example", "https://A.example"]
    )
    def test_cors_origin_is_refused_when_it_is_not_an_origin(self, value: str) -> None:
        with pytest.raises(SettingsError, match=r"BONGSU_CORS_ORIGINS: .*https://app\.example"):
            load(PlatformSettings, environ={"BONGSU_CORS_ORIGINS": value})

    @pytest.mark.parametrize(
        "value", ["x", "10.0.0.0/99", "10.0.0.0/8, 10.0.0.1/8", "fe80::1%eth0", "10.0.0.0/255.0.0.0", "10.0.0.0/"]
    )
    def test_trusted_proxy_is_refused_when_it_is_not_a_network(self, value: str) -> None:
        with pytest.raises(
            SettingsError, match=r"BONGSU_TRUSTED_PROXIES: .*'[^,]+' (must be|has bits set).*10\.0\.0\.0/8"
        ):
            load(PlatformSettings, environ={"BONGSU_TRUSTED_PROXIES": value})
