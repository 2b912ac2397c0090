"""Parts of JSON documents (`facts__owner__name="Kim"`), compared by type alike on every database.

A part is text, a number, a boolean or JSON's null, and equals only values of its own type. A key that the document
does not have is NULL. Digits in a path are an index of a list, or the key of an object, whichever the part before is.
"""

import enum
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Dialect,
    Double,
    Numeric,
    String,
    and_,
    bindparam,
    case,
    cast,
    false,
    literal_column,
    or_,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from bongsu.mixins.errors import WrongValueForLookup
from bongsu.mixins.lookups import COMPARISONS, TEXT, Lookup
from bongsu.mixins.text import TextBytes
from bongsu.mixins.types import MYSQL_NAMES, Json, Spelled
from bongsu.mixins.values import Coerce, Refused, coerced, is_expression, plain_text

LOOKUPS = COMPARISONS | TEXT
_MOST_INDEXES = 3  # each makes the SQL three times as long
_EXACT = 1 << 53  # a DOUBLE holds every integer up to this one
_WIDEST = "1" + "0" * 34  # greater than what is compared as a DECIMAL

_DECIMAL = Numeric(65, 30)


class _Path(TypeDecorator[tuple[str | int, ...]]):
    """Keys and indexes on their way to the database, spelled as the document spells them."""

    impl = String
    cache_ok = True

    def __init__(self, is_own: bool) -> None:
        super().__init__()
        self.is_own = is_own

    def process_bind_param(self, value: tuple[str | int, ...] | None, dialect: Dialect) -> str:
        # SQLite and MariaDB compare keys as they are written, escapes and all: as the serializer of the column writes.
        serialize = partial(json.dumps, ensure_ascii=False) if self.is_own else json.dumps
        if not self.is_own:
            serialize = getattr(dialect, "_json_serializer", None) or serialize
        steps = (f"[{step}]" if isinstance(step, int) else f".{serialize(step)}" for step in value or ())
        return "$" + "".join(steps)


class JsonPart(FunctionElement[Any]):
    """The part of a document at a path, as JSON; NULL where the document has no such part.

    Clauses: the document, a path, and for each step of digits two more paths: as an index and as a key.
    """

    type = Json()
    name = "json_part"
    inherit_cache = True


class _Kind(
    Spelled[str],
    sqlite="json_type({0})",
    mysql="(CASE JSON_TYPE({0}) WHEN 'BOOLEAN' THEN JSON_UNQUOTE({0}) ELSE LOWER(JSON_TYPE({0})) END)",
):
    """The type of a part: one of those above, `true`, `false`, `null`, `array`, `object`; NULL without a part."""

    type = String()
    name = "json_kind"


class _Content(Spelled[str], sqlite="({0} ->> '$')", mysql="JSON_UNQUOTE({0})"):
    """A part's text, or number."""

    type = String()
    name = "json_content"


class _Document(Spelled[Any], sqlite="{0}"):
    """A whole document, to compare with a column of MySQL's JSON: text would be a string of JSON."""

    name = "json_document"


@compiles(JsonPart)
def _part(element: JsonPart, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # SQLAlchemy's protocol
    is_mysql = compiler.dialect.name in MYSQL_NAMES
    extract = "JSON_EXTRACT({}, {})" if is_mysql else "({} -> {})"
    kind = "LOWER(JSON_TYPE({}))" if is_mysql else "json_type({})"
    document, path, *alternatives = (compiler.process(clause, **options) for clause in element.clauses)
    part = extract.format(document, path)
    for index, key in zip(alternatives[::2], alternatives[1::2], strict=True):
        part = (
            f"(CASE {kind.format(part)} WHEN 'array' THEN {extract.format(part, index)} "
            f"ELSE {extract.format(part, key)} END)"
        )
    return part


@compiles(_Document, "mysql")
def _document(element: _Document, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    text = compiler.process(element.clauses, **options)
    return text if getattr(compiler.dialect, "is_mariadb", False) else f"CAST({text} AS JSON)"


def as_document(kind: TypeEngine[Any]) -> Coerce:
    """The function that turns a value into one to compare with a whole document of this type."""

    def coerce(value: object) -> object:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise Refused("a JSON document") from None
        return _Document(bindparam(None, value, type_=kind)) if isinstance(kind, JSON) else value

    return coerce


def json_part(column: ColumnElement[Any], path: Sequence[str], what: str) -> JsonPart:
    """The part of a column's document at the path; `WrongValueForLookup` for a path that databases cannot follow."""
    if any('"' in step or "\0" in step for step in path):  # SQLite finds no such key
        raise WrongValueForLookup(f'{what}: a key in a path has no " and no NUL')
    for step in path:
        coerced(plain_text, step, f"{what}: a path")
    turns = [number for number, step in enumerate(path) if step.isascii() and step.isdecimal()]
    if len(turns) > _MOST_INDEXES or any(len(path[turn]) > 9 for turn in turns):
        raise WrongValueForLookup(f"{what}: a path has at most {_MOST_INDEXES} indexes, of at most 9 digits")
    ends = [*turns, len(path)]
    paths: list[tuple[str | int, ...]] = [tuple(path[: ends[0]])]
    for turn, end in zip(turns, ends[1:], strict=True):
        rest = path[turn + 1 : end]
        paths += [(int(path[turn]), *rest), (path[turn], *rest)]
    kind = _Path(isinstance(column.type, Json))
    return JsonPart(column, *(bindparam(None, steps, type_=kind) for steps in paths))


def json_order(part: JsonPart) -> list[ColumnElement[Any]]:
    """Terms that sort parts: none, null, false, true, numbers, text, then lists and objects in no order."""
    kind = _Kind(part)
    ranks = ((kind == "null", 1), (kind == "false", 2), (kind == "true", 3), (_is_number(kind), 4), (_is_text(kind), 5))
    return [case((kind.is_(None), None), *ranks, else_=6), _number(part), _integer(part), TextBytes(_text(part))]


def json_lookup(path: Sequence[str], name: str) -> Lookup:
    """The lookup as a test on the part at the path."""

    def test(column: ColumnElement[Any], value: object, coerce: Coerce, what: str) -> ColumnElement[bool]:
        part = json_part(column, path, what)
        if name in TEXT:
            return TEXT[name].test(_text(part), value, coerce, what)
        if name == "isnull":
            return COMPARISONS[name].test(_Kind(part), value, coerce, what)
        return _compared(part, name, value, what)

    return Lookup(name, test, never_null=name == "isnull")


def _compared(part: JsonPart, name: str, value: object, what: str) -> ColumnElement[bool]:
    kind = _Kind(part)
    if name in ("in", "notin"):
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable) or is_expression(value):
            raise WrongValueForLookup(f"{what} takes a list of values, not {value!r}")
        members = [_equal(part, member, what) for member in value]
        if name == "in":
            return or_(false(), *members)
        return and_(kind != "null", or_(*members).is_not(true())) if members else true()
    if name == "eq":
        return _equal(part, value, what)
    if name == "ne":
        return kind != "null" if value is None else and_(kind != "null", _equal(part, value, what).is_not(true()))
    if name == "between":
        bounds = list(value) if isinstance(value, list | tuple) else []
        if len(bounds) != 2:
            raise WrongValueForLookup(f"{what} takes two values, the lowest and the highest, not {value!r}")
        return and_(_compared(part, "ge", bounds[0], what), _compared(part, "le", bounds[1], what))
    if value is None or isinstance(value, bool):
        raise WrongValueForLookup(f"{what} takes text or a number, not {value!r}")
    column, plain = _typed(part, value, what)
    return COMPARISONS[name].test(column, plain, lambda same: same, what)


def _equal(part: JsonPart, value: object, what: str) -> ColumnElement[bool]:
    if value is None:
        return _Kind(part) == "null"
    if isinstance(value, bool):
        return _Kind(part) == ("true" if value else "false")
    column, plain = _typed(part, value, what)
    return column == plain


def _typed(part: JsonPart, value: object, what: str) -> tuple[ColumnElement[Any], object]:
    """The part as a value of the same type (NULL where it is of another), and the value as it is compared with."""
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, str):
        return TextBytes(_text(part)), str(coerced(plain_text, value, what))
    if isinstance(value, int | float | Decimal) and math.isfinite(value):
        if isinstance(value, int) and _EXACT <= abs(value) < 1 << 63:
            return _integer(part), value
        try:
            return _number(part), float(value)
        except OverflowError:
            pass
    raise WrongValueForLookup(f"{what} takes text, a number, True, False or None, not {value!r}")


def _text(part: JsonPart) -> ColumnElement[str]:
    return case((_is_text(_Kind(part)), _Content(part)))


def _number(part: JsonPart) -> ColumnElement[float]:
    return case((_is_number(_Kind(part)), cast(_Content(part), Double)))


def _integer(part: JsonPart) -> ColumnElement[Decimal]:
    """A number whose integers are exact."""
    number = cast(_Content(part), Double)
    widest: ColumnElement[Any] = literal_column(_WIDEST)
    exact = case((number >= widest, widest), (number <= -widest, -widest), else_=cast(_Content(part), _DECIMAL))
    return case((_is_number(_Kind(part)), exact))


def _is_number(kind: ColumnElement[str]) -> ColumnElement[bool]:
    return kind.in_(("integer", "real", "unsigned integer", "double", "decimal"))


def _is_text(kind: ColumnElement[str]) -> ColumnElement[bool]:
    return kind.in_(("text", "string"))
