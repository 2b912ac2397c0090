"""Settings: read once, in the entry point, and passed down.

Each class is a frozen pydantic-settings model with a prefix. A value comes from the environment, else from `NAME_FILE`
(the content of a file: secrets are mounted so), else from `.env`. `load` reports all missing and wrong names together.
"""

import difflib
import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypedDict, TypeVar, Unpack, overload

from dotenv import dotenv_values
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from bongsu.runtime.errors import StartError
from bongsu.runtime.networks import parse_network

DOTENV: Final = Path(".env")

A = TypeVar("A", bound="Settings")
B = TypeVar("B", bound="Settings")
C = TypeVar("C", bound="Settings")
D = TypeVar("D", bound="Settings")
E = TypeVar("E", bound="Settings")
F = TypeVar("F", bound="Settings")


def split_commas(value: object) -> object:
    """Read `a, b` as `("a", "b")`, and return other values unchanged."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_commas)]
"""A comma-separated value."""


def _check_networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            parse_network(value)
        except ValueError as error:
            raise ValueError(f"{value!r} {error}") from None
    return values


NetworkList = Annotated[CommaList, AfterValidator(_check_networks)]
"""Comma-separated addresses and CIDR blocks."""


def _check_origins(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", value):
            raise ValueError(f"{value!r} must be an origin in lower case, such as https://app.example")
    return values


OriginList = Annotated[CommaList, AfterValidator(_check_origins)]
"""Comma-separated origins: scheme, host and, unless it is the scheme's own, port."""


def _check_server(value: str) -> str:
    if not re.fullmatch(r"https?://[^/?#@\s]+", value):
        raise ValueError("must be scheme, host and port alone, such as https://bongsu.example")
    return value


ServerUrl = Annotated[str, AfterValidator(_check_server)]
"""Scheme, host and port, without a trailing slash."""


def _check_base(value: str) -> str:
    if not re.fullmatch(r"https?://[^?#@\s]+[^/?#@\s]", value):
        raise ValueError("must be an http(s) URL without a trailing slash, such as https://discord.com/api")
    return value


BaseUrl = Annotated[str, AfterValidator(_check_base)]
"""A URL to which paths are appended."""


class SettingsError(StartError):
    """Names every setting that is missing or wrong."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("settings: " + "; ".join(self.problems))


class Settings(BaseSettings):
    """The base of every settings class. Subclasses set `env_prefix`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=True, populate_by_name=True)

    @classmethod
    def names(cls) -> dict[str, str]:
        """The environment name of each field."""
        prefix = str(cls.model_config.get("env_prefix", ""))
        return {field: _name_of(field, info, prefix) for field, info in cls.model_fields.items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read only the arguments, so that a class built directly (in a test) does not read the environment."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


class PlatformSettings(Settings):
    """The settings of every process. The names of MySQL's have no prefix, as in the original."""

    port: int = Field(
        default=8000, ge=1, le=65535, validation_alias="PORT", description="The port that the process listens on"
    )
    host: str = Field(default="127.0.0.1", validation_alias="HOST", description="The address it listens on")
    public_url: ServerUrl | None = Field(
        default=None,
        validation_alias="BONGSU_PUBLIC_URL",
        description="Scheme, host and port as users see them; issuer, links and the signed authority come from it",
    )
    mysql_host: str | None = Field(default=None, validation_alias="MYSQL_HOST", description="Host of the database")
    mysql_port: int = Field(default=3306, ge=1, le=65535, validation_alias="MYSQL_PORT", description="Its port")
    mysql_user: str = Field(default="root", validation_alias="MYSQL_USER", description="Its user")
    mysql_password: SecretStr = Field(
        default=SecretStr(""), validation_alias="MYSQL_PASSWORD", description="That user's password"
    )
    mysql_database: str = Field(default="bongsu", validation_alias="MYSQL_DATABASE", description="The schema")
    amqp_url: SecretStr | None = Field(
        default=None, validation_alias="AMQP_URL", description="amqp://user:password@host/"
    )
    vault_keys: SecretStr | None = Field(
        default=None,
        validation_alias="BONGSU_VAULT_KEYS",
        description="id:base64 of 32 bytes, as `openssl rand -base64 32` makes; the first seals, all of them open",
    )
    sandbox_url: ServerUrl | None = Field(
        default=None,
        validation_alias="BONGSU_SANDBOX_URL",
        description="Scheme, host and port of a sandbox, which replaces each provider without credentials",
    )
    trusted_proxies: NetworkList = Field(
        default=(),
        validation_alias="BONGSU_TRUSTED_PROXIES",
        description="Networks (CIDR) of the proxies whose X-Forwarded-For is trusted",
    )
    cors_origins: OriginList = Field(
        default=(),
        validation_alias="BONGSU_CORS_ORIGINS",
        description="Origins whose pages may call the APIs with a token, comma-separated; no cookies are sent along",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", validation_alias="LOG_LEVEL", description="The lowest level that is logged"
    )
    log_json: bool = Field(
        default=True, validation_alias="LOG_JSON", description="Log JSON lines; false for readable text"
    )
    slow_query_ms: float = Field(
        default=200.0, gt=0, validation_alias="LOG_SLOW_QUERY_MS", description="Log statements that take longer"
    )

    @property
    def url(self) -> str:
        """The public URL without a trailing slash."""
        return self.public_url or f"http://localhost:{self.port}"


class LoadOptions(TypedDict, total=False):
    """The sources of `load`, and the names that it requires.

    `environ`: in place of the process's environment. `dotenv`: a `.env` file; a missing one counts as empty.
    `required`: names that this process needs although their class has a default.
    """

    environ: Mapping[str, str]
    dotenv: Path
    required: Collection[str]


@overload
def load(a: type[A], /, **options: Unpack[LoadOptions]) -> tuple[A]: ...


@overload
def load(a: type[A], b: type[B], /, **options: Unpack[LoadOptions]) -> tuple[A, B]: ...


@overload
def load(a: type[A], b: type[B], c: type[C], /, **options: Unpack[LoadOptions]) -> tuple[A, B, C]: ...


@overload
def load(a: type[A], b: type[B], c: type[C], d: type[D], /, **options: Unpack[LoadOptions]) -> tuple[A, B, C, D]: ...


@overload
def load(
    a: type[A], b: type[B], c: type[C], d: type[D], e: type[E], /, **options: Unpack[LoadOptions]
) -> tuple[A, B, C, D, E]: ...


@overload
def load(
    a: type[A], b: type[B], c: type[C], d: type[D], e: type[E], f: type[F], /, **options: Unpack[LoadOptions]
) -> tuple[A, B, C, D, E, F]: ...


def load(*classes: type[Settings], **options: Unpack[LoadOptions]) -> tuple[Settings, ...]:
    """Build each class from the environment, `NAME_FILE` files and a `.env` file. Empty values count as not set.

    :raises SettingsError: names every missing, wrong or unknown setting of all classes.
    """
    dotenv = options.get("dotenv")
    lines = dotenv_values(dotenv) if dotenv is not None and dotenv.is_file() else {}
    given = {name: value for name, value in {**lines, **options.get("environ", os.environ)}.items() if value}
    problems: list[str] = []
    built: list[Settings] = []
    for cls in classes:
        values = _values(cls, given, problems)
        try:
            built.append(cls(**values))
        except ValidationError as error:
            problems.extend(_describe(cls, error))
    missing = [name for name in options.get("required", ()) if not given.keys() & {name, f"{name}_FILE"}]
    problems.extend(_missing(name, classes) for name in missing)
    problems.extend(_unknown(classes, given))
    if problems:
        raise SettingsError(dict.fromkeys(problems))
    return tuple(built)


def _missing(name: str, classes: Iterable[type[Settings]]) -> str:
    found = (cls.model_fields[field] for cls in classes for field, env in cls.names().items() if env == name)
    description = next((info.description for info in found), None)
    return f"{name} is missing" + (f" ({description})" if description else "")


def _values(cls: type[Settings], given: Mapping[str, str | None], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in cls.names().values():
        path = given.get(f"{name}_FILE")
        if given.get(name) is not None:
            values[name] = given[name]
        elif path is not None:
            try:
                values[name] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
                problems.append(f"{name}_FILE: cannot read {path} ({reason})")
    fields = {env: field for field, env in cls.names().items()}
    # A field with an alias is set by the alias, which is the environment's name; another by its own name.
    return {name if cls.model_fields[fields[name]].validation_alias else fields[name]: v for name, v in values.items()}


def _describe(cls: type[Settings], error: ValidationError) -> list[str]:
    names = cls.names()
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        first = str(problem["loc"][0]) if problem["loc"] else ""
        name = names.get(first, first)
        if problem["type"] == "missing":
            lines.append(_missing(name, [cls]))
        else:
            lines.append(f"{name or cls.__name__}: {problem['msg'].removeprefix('Value error, ')}")
    return lines


def _unknown(classes: Iterable[type[Settings]], given: Mapping[str, str | None]) -> list[str]:
    """Names with a prefix of the classes that none of them has: probably typing errors."""
    known = {name for cls in classes for name in cls.names().values()}
    prefixes = tuple(p for cls in classes if (p := str(cls.model_config.get("env_prefix", ""))))
    lines = []
    for name in given:
        if prefixes and name.startswith(prefixes) and name.removesuffix("_FILE") not in known and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            lines.append(f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else ""))
    return lines


def _name_of(field: str, info: FieldInfo, prefix: str) -> str:
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        alias = str(alias.choices[0])
    return str(alias) if alias is not None else f"{prefix}{field}".upper()
