"""The settings of the one-process mode: the sandbox replaces each provider that is not configured."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, SecretStr

from bongsu.runtime.settings import DOTENV, PlatformSettings, load
from bongsu_auth.settings import AuthSettings
from bongsu_bot.settings import BotSettings
from bongsu_dashboard.settings import DashboardSettings
from bongsu_launcher.state import StateFolder
from bongsu_notify.settings import NotifySettings
from bongsu_sandbox.settings import SandboxSettings, is_local_url


class LauncherSettings(PlatformSettings):
    """The platform's settings, and the data folder of the one-process mode."""

    var: Path = Field(default=Path("var"), validation_alias="BONGSU_VAR", description="The data folder")


def with_vault_keys(platform: LauncherSettings, *, make: bool = True) -> LauncherSettings:
    """The settings with the data folder's own key, where the environment names no other.

    :param make: create the key where there is no database yet; else `vault_keys` may be None.
    :raises StartError: the folder or its key cannot be used.
    """
    if platform.vault_keys is not None:
        return platform
    state = StateFolder(platform.var)
    keys = state.ensure_vault_keys() if make else state.vault_keys()
    return platform.model_copy(update={"vault_keys": SecretStr(keys) if keys is not None else None})


@dataclass(frozen=True, slots=True)
class Composed:
    """Every setting of the one process. `sandbox` is None where the public URL is not local."""

    platform: LauncherSettings
    auth: AuthSettings
    notify: NotifySettings
    dashboard: DashboardSettings
    bot: BotSettings
    sandbox: SandboxSettings | None
    state: StateFolder
    database_url: str

    @property
    def owns_database(self) -> bool:
        """Whether the database is the data folder's own file, which no other process uses."""
        return self.database_url == self.state.database_url


def compose(database_url: str | None = None, *, make_keys: bool = True) -> Composed:
    """Read the environment and `.env`, and point each provider that is not configured to the sandbox.

    :param make_keys: create the data folder's vault key where there is no database yet; else `vault_keys` may be None.
    :raises SettingsError: names every missing or wrong setting.
    :raises StartError: the data folder cannot be used.
    """
    platform, auth, notify, dashboard, bot, sandbox = load(
        LauncherSettings,
        AuthSettings,
        NotifySettings,
        DashboardSettings,
        BotSettings,
        SandboxSettings,
        dotenv=DOTENV,
    )
    state = StateFolder(platform.var)
    platform = with_vault_keys(platform, make=make_keys)
    if "log_json" not in platform.model_fields_set:
        platform = platform.model_copy(update={"log_json": False})
    own_sandbox_url = f"http://127.0.0.1:{platform.port}" if is_local_url(platform.url) else None
    sandbox_url = platform.sandbox_url or own_sandbox_url
    notify = notify.with_stand_ins(sandbox_url)
    auth = auth.with_stand_ins(
        sandbox_url,
        public_url=platform.url,
        clients={
            "discord": (str(sandbox.discord_application_id), sandbox.discord_client_secret),
            "google": (sandbox.google_client_id, sandbox.google_client_secret),
            "kakao": (sandbox.kakao_client_id, sandbox.kakao_client_secret),
        },
    )
    if auth.discord_base_url is not None and "discord_url" not in dashboard.model_fields_set:
        dashboard = dashboard.model_copy(update={"discord_url": auth.discord_base_url})
    bot = bot.with_stand_ins(sandbox_url, token=sandbox.discord_bot_token)
    if notify.sandbox:
        auth = auth.model_copy(update={"new_accounts": "live"})
    if "data_dir" not in sandbox.model_fields_set:
        sandbox = sandbox.model_copy(update={"data_dir": state.sandbox})
    return Composed(
        platform=platform,
        auth=auth,
        notify=notify,
        dashboard=dashboard,
        bot=bot,
        sandbox=sandbox if is_local_url(platform.url) else None,
        state=state,
        database_url=database_url or state.database_url,
    )
