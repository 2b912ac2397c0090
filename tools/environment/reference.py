"""Writes `.env.example`, and the settings that `compose.yaml` hands to the containers, from the settings classes."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from bongsu.runtime.settings import Settings
from bongsu_auth.settings import AuthSettings
from bongsu_bot.settings import BotSettings
from bongsu_dashboard.settings import DashboardSettings
from bongsu_launcher.settings import LauncherSettings
from bongsu_notify.settings import NotifySettings
from bongsu_sandbox.settings import SandboxSettings

EXAMPLE: Final = Path(".env.example")
COMPOSE_FILES: Final = (Path("compose.yaml"), Path("compose.override.yaml"))

HEAD: Final = """\
# Settings. Copy this file to .env and change what you need: `cp .env.example .env`.
# What is commented out has the value that is shown. Each secret may also be given as NAME_FILE, the file's content
# being the value. `make environment` writes this file from the settings classes.

# ---------------------------------------------------------------------------------------------------------------------
# docker compose only

# The stand-ins for Google, Kakao, Discord and SES. Without this line, what has no credentials is not there.
COMPOSE_PROFILES=sandbox

# The address of this machine on which the gateway is published (at PORT). Anything but 127.0.0.1 shuts the sandbox off.
#GATEWAY_ADDRESS=127.0.0.1

# What the gateway answers for inside its container, as Caddy writes it. It ends TLS itself for a name such as
# bongsu.example.com; then publish its ports 80 and 443 by a compose file of your own.
#GATEWAY_SITE=:8000

# Networks (CIDR, space-separated) of load balancers before the gateway, whose X-Forwarded-For is believed.
#GATEWAY_TRUSTED_PROXIES=

# The tag of the images that are built and run.
#BONGSU_VERSION=local
"""

RULE: Final = "# " + "-" * 117


@dataclass(frozen=True, slots=True)
class Section:
    """One settings class in the example."""

    title: str
    cls: type[Settings]
    notes: dict[str, str]
    """More to say about a setting, by its name."""


SECTIONS: Final = (
    Section(
        "Every process",
        LauncherSettings,
        {
            "PORT": "Compose publishes the gateway there; `make up` listens there.",
            "HOST": "Containers listen on every address of theirs.",
            "BONGSU_PUBLIC_URL": "Without it: http://localhost:PORT.",
            "MYSQL_HOST": "`make up` ignores it. In compose, the containers find MySQL themselves.",
            "MYSQL_PORT": "Compose publishes MySQL on 127.0.0.1 there, and without this line at 13306.",
            "MYSQL_PASSWORD": "Compose gives it to MySQL's root at the first start, and without it makes one.",
            "AMQP_URL": "The services alone need it; compose makes one for each.",
            "BONGSU_VAULT_KEYS": "Compose and `make up` make one.",
            "BONGSU_SANDBOX_URL": "Compose sets it where the profile is on.",
            "BONGSU_TRUSTED_PROXIES": "In compose: the private networks, in one of which the gateway is.",
        },
    ),
    Section("auth", AuthSettings, {}),
    Section("notify", NotifySettings, {}),
    Section("dashboard", DashboardSettings, {}),
    Section("bot", BotSettings, {}),
    Section("sandbox", SandboxSettings, {}),
)

SET_BY_COMPOSE: Final = frozenset(
    {
        *("PORT", "HOST", "BONGSU_PUBLIC_URL", "BONGSU_VAR", "BONGSU_VAULT_KEYS", "BONGSU_TRUSTED_PROXIES", "AMQP_URL"),
        *("MYSQL_HOST", "MYSQL_PORT", "MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_DATABASE"),
        *(
            "BOT_AUTH_URL",
            "BOT_NOTIFY_URL",
            "DASHBOARD_AUTH_URL",
            "DASHBOARD_NOTIFY_URL",
            "NOTIFY_AUTH_URL",
            "SANDBOX_DATA_DIR",
            "SANDBOX_ALLOW_REMOTE",
            "SANDBOX_SES_FEEDBACK_URL",
        ),
    }
)
"""What a container gets from the compose files and not from the operator."""

BLOCKS: Final[dict[str, type[Settings]]] = {
    "platform": LauncherSettings,
    "auth": AuthSettings,
    "notify": NotifySettings,
    "dashboard": DashboardSettings,
    "bot": BotSettings,
    "sandbox": SandboxSettings,
}
"""The blocks of the compose files, by the word in their first line: `# settings of auth`."""

BLOCK: Final = re.compile(r"^(?P<indent> *)# settings of (?P<name>\w+)\n(?:(?P=indent)[A-Z0-9_]+:\n)*", re.MULTILINE)


def is_secret(cls: type[Settings], field: str) -> bool:
    """Whether a setting is a secret."""
    annotation = cls.model_fields[field].annotation
    return annotation is SecretStr or SecretStr in getattr(annotation, "__args__", ())


def shown_default(cls: type[Settings], field: str) -> str:
    """A setting's default as it is written in a `.env` file; nothing for none."""
    value = cls.model_fields[field].default
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return f'"{value}"' if " " in str(value) else str(value)


def example() -> str:
    """The whole of `.env.example`."""
    return HEAD + "".join(_section(section) for section in SECTIONS)


def _section(section: Section) -> str:
    lines = ["", RULE, f"# {section.title}"]
    for field, name in section.cls.names().items():
        description = f"{section.cls.model_fields[field].description}. {section.notes.get(name, '')}".strip()
        lines += [
            "",
            *(f"# {line}" for line in textwrap.wrap(description, 117)),
            f"#{name}={shown_default(section.cls, field)}",
        ]
    return "\n".join(lines) + "\n"


def handed_over(cls: type[Settings]) -> Iterator[str]:
    """The names that a container is given from the operator's environment, each empty unless it is set."""
    for field, name in cls.names().items():
        if name not in SET_BY_COMPOSE:
            yield name
            if is_secret(cls, field):
                yield f"{name}_FILE"


def with_blocks(text: str) -> str:
    """A compose file with its blocks as they should be."""

    def block(found: re.Match[str]) -> str:
        indent = found["indent"]
        names = handed_over(BLOCKS[found["name"]])
        return f"{indent}# settings of {found['name']}\n" + "".join(f"{indent}{name}:\n" for name in names)

    return BLOCK.sub(block, text)


def written(root: Path) -> dict[Path, str]:
    """What each of the files should hold."""
    files = {root / EXAMPLE: example()}
    for path in COMPOSE_FILES:
        files[root / path] = with_blocks((root / path).read_text(encoding="utf-8"))
    return files
