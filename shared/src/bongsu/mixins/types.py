"""Column types, and SQL, that mean the same on SQLite, MySQL and MariaDB."""

import enum
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import (
    BINARY,
    JSON,
    BigInteger,
    BindParameter,
    Column,
    DateTime,
    Dialect,
    Enum,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    bindparam,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.sqltypes import _Binary
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

MYSQL_NAMES = ("mysql", "mariadb")
T = TypeVar("T")


class Spelled(FunctionElement[T]):
    """SQL that MySQL spells otherwise: `{0}` and `{1}` in its two spellings are its clauses."""

    inherit_cache = True
    sqlite: ClassVar[str]
    mysql: ClassVar[str]

    def __init_subclass__(cls, *, sqlite: str = "", mysql: str = "") -> None:
        super().__init_subclass__()
        cls.inherit_cache = True
        if sqlite:
            cls.sqlite, cls.mysql = sqlite, mysql or sqlite


@compiles(Spelled)
def _spell(element: Spelled[Any], compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # SQLAlchemy's protocol
    spelling = element.mysql if compiler.dialect.name in MYSQL_NAMES else element.sqlite
    return spelling.format(*(compiler.process(clause, **options) for clause in element.clauses))


class UTCDateTime(TypeDecorator[datetime]):
    """An instant: takes aware datetimes only, stores UTC with microseconds, gives aware UTC datetimes back.

    MySQL: `DATETIME(6)`. SQLite: text that sorts as the instants do. A naive datetime raises ValueError.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in MYSQL_NAMES:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive datetime ({value.isoformat()}) is no instant; use datetime.now(UTC)")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


class UUIDKey(TypeDecorator[UUID]):
    """A UUID in 16 bytes (MySQL `BINARY(16)`, SQLite `BLOB`): UUIDv7 keys sort by time."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(16)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in MYSQL_NAMES:
            return dialect.type_descriptor(mysql.BINARY(16))
        return dialect.type_descriptor(LargeBinary(16))

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> bytes | None:
        del dialect
        return None if value is None else value.bytes

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> UUID | None:
        del dialect
        return None if value is None else UUID(bytes=value)


class _Written(UserDefinedType[Any]):
    """The type of a parameter that is a part of the statement's text."""

    cache_ok = True

    def __init__(self, write: Callable[[Any], str]) -> None:
        self.write = write

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        del dialect
        return self.write


def written(name: str, write: Callable[[Any], str]) -> BindParameter[Any]:
    """A parameter whose value `write` turns into SQL, for values by the hundred: as many parameters cost far more.

    SQL means the same everywhere with numbers and with bytes in hexadecimal (`x'6869'`), and these need no escaping.
    Never write text that is neither.
    """
    return bindparam(name, type_=_Written(write), literal_execute=True)


def write_keys(keys: Iterable[UUID]) -> str:
    """The right side of `IN` for some keys: `column.op("IN")(written("ids", write_keys))`."""
    return "(" + ",".join([f"x'{key.hex}'" for key in keys]) + ")"


class ExactString(TypeDecorator[str]):
    """Text that compares as Python's does: case, accents, emoji and trailing spaces all count.

    For identities (e-mail addresses, provider subjects): normalise them before they get here.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in MYSQL_NAMES:
            # The two servers have no binary collation in common that does not pad with spaces.
            collation = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
            return dialect.type_descriptor(mysql.VARCHAR(self.length, charset="utf8mb4", collation=collation))
        return dialect.type_descriptor(String(self.length))


class AsciiKey(TypeDecorator[str]):
    """A short machine-made key: ASCII without outer spaces, one byte a character, compared byte by byte.

    MySQL: `VARCHAR(length) CHARACTER SET ascii COLLATE ascii_bin`. Other text raises ValueError.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in MYSQL_NAMES:
            return dialect.type_descriptor(mysql.VARCHAR(self.length, charset="ascii", collation="ascii_bin"))
        return dialect.type_descriptor(String(self.length))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        del dialect
        if value is not None and (not value.isascii() or value != value.strip()):
            raise ValueError("a key is ASCII text without outer spaces")
        return value


class IntegerEnum(TypeDecorator[Any]):
    """The members of an `IntEnum` as integers, which sort as the members do (`Mapped[Level]`).

    `mapped_column(IntegerEnum(Permission))` stores a `Flag`, combined or not.
    """

    impl = Integer
    cache_ok = True

    def __init__(self, members: type[enum.IntEnum | enum.Flag] = enum.IntEnum) -> None:
        super().__init__()
        self.members = members

    def _resolve_for_python_type(self, python_type: Any, *_: object) -> "IntegerEnum":  # noqa: ANN401  # SQLAlchemy's hook, as its own Enum has it
        return IntegerEnum(python_type)

    def process_bind_param(self, value: int | enum.Enum | None, dialect: Dialect) -> int | None:
        del dialect
        return None if value is None else int(value.value if isinstance(value, enum.Enum) else value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> enum.Enum | None:
        del dialect
        return None if value is None else self.members(value)


class Json(TypeDecorator[JsonValue]):
    """A JSON document as compact text, its order kept. Assign a new document to change it: it is not watched."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in MYSQL_NAMES:
            return dialect.type_descriptor(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: JsonValue, dialect: Dialect) -> str | None:
        del dialect
        if value is None:
            return None
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> JsonValue:
        del dialect
        if value is None:
            return None
        document: JsonValue = json.loads(value)
        return document


def is_document(kind: TypeEngine[Any]) -> bool:
    """Whether a column of this type holds JSON documents."""
    return isinstance(kind, Json | JSON)


def has_native_enum(column: "Column[Any]") -> bool:
    """Whether MySQL would sort the column by the declaration of its members, and other databases by their text."""
    return isinstance(column.type, Enum) and bool(column.type.native_enum)


def stored_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type that says what a column can store: MySQL's, where it has one of its own, as SQLite stores anything."""
    base = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    variants = {**base._variant_mapping, **kind._variant_mapping}  # noqa: SLF001  # SQLAlchemy has no other name for it
    return next((variants[name] for name in MYSQL_NAMES if name in variants), base)


_INTEGER_BITS: tuple[tuple[type[TypeEngine[Any]], int], ...] = (
    (mysql.TINYINT, 8),
    (mysql.MEDIUMINT, 24),
    (SmallInteger, 16),
    (BigInteger, 64),
    (Integer, 32),
)
_MOST_BYTES: tuple[tuple[type[TypeEngine[Any]] | tuple[type[TypeEngine[Any]], ...], int], ...] = (
    ((mysql.TINYTEXT, mysql.TINYBLOB), (1 << 8) - 1),
    ((mysql.MEDIUMTEXT, mysql.MEDIUMBLOB), (1 << 24) - 1),
    ((mysql.LONGTEXT, mysql.LONGBLOB), (1 << 32) - 1),
    ((Text, LargeBinary), (1 << 16) - 1),
)


def is_unsigned(kind: TypeEngine[Any]) -> bool:
    """Whether the type, one of MySQL's own, takes no negative numbers."""
    return bool(getattr(kind, "unsigned", None) or getattr(kind, "zerofill", None))


def integer_range(kind: TypeEngine[Any]) -> tuple[int, int]:
    """The least and the greatest integer of a type."""
    if isinstance(kind, mysql.YEAR):
        return 1901, 2155
    if isinstance(kind, mysql.BIT):
        return 0, (1 << (kind.length or 1)) - 1
    bits = next((bits for known, bits in _INTEGER_BITS if isinstance(kind, known)), 64)
    return (0, (1 << bits) - 1) if is_unsigned(kind) else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def most_length(kind: TypeEngine[Any]) -> tuple[int, bool]:
    """The greatest length of a type of text or bytes, and whether text is counted in bytes."""
    length: int | None = getattr(kind, "length", None)
    if isinstance(kind, BINARY):
        return length or 1, True
    if length:
        return length, False
    found = next((most for known, most in _MOST_BYTES if isinstance(kind, known)), None)
    return (sys.maxsize, False) if found is None else (found, True)


_SORTED_CHARACTERS = 255  # of up to four bytes each: MySQL sorts by the first 1,024 bytes


def is_sorted_by_start(column: "Column[Any]") -> bool:
    """Whether MySQL sorts the column by the start of its text or bytes only."""
    kind = stored_type(column.type)
    is_counted = isinstance(kind, String | _Binary) and not isinstance(kind, Enum | mysql.SET)
    return is_counted and not is_document(column.type) and most_length(kind)[0] > _SORTED_CHARACTERS
