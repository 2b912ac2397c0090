"""Text comparisons that mean the same on every database.

Case counts in `contains`, `startswith`, `endswith`, `like` and `regex`, and not in those with an `i`; accents
and emoji always count; `%` and `_` in a value are plain characters, except in `like` and `ilike`. SQLite's LIKE
ignores case, so GLOB is used there; MySQL's follows the column's collation, so a binary one is forced on the
pattern.
"""

import re
from typing import Any, Literal, Self

from sqlalchemy import Column, ColumnElement, Dialect, Enum, LargeBinary, String, bindparam, cast, false, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Boolean, TypeDecorator

from bongsu.mixins.types import AsciiKey

Shape = Literal["contains", "startswith", "endswith", "whole", "like"]

_ESCAPE = "|"  # MySQL's own, the backslash, depends on its sql_mode


class _Pattern(TypeDecorator[str]):
    """A value on its way to LIKE (or SQLite's GLOB): escaped, with the wildcards of its shape."""

    impl = String
    cache_ok = True

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        is_glob = dialect.name == "sqlite"
        if self.shape == "like":
            return _glob_of_like(value) if is_glob else value
        if is_glob:
            return _wrapped(re.sub(r"([*?\[])", r"[\1]", value), self.shape, "*")
        return _wrapped(re.sub(r"([%_|])", rf"{_ESCAPE}\1", value), self.shape, "%")


def _wrapped(escaped: str, shape: Shape, wildcard: str) -> str:
    before = wildcard if shape in ("contains", "endswith") else ""
    after = wildcard if shape in ("contains", "startswith") else ""
    return f"{before}{escaped}{after}"


def _glob_of_like(pattern: str) -> str:
    r"""`%` and `_` as wildcards, `\%` and `\_` as themselves."""
    translated = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    parts = re.findall(r"\\[\\%_]|.", pattern, re.DOTALL)
    return "".join(part[1] if len(part) == 2 else translated.get(part, part) for part in parts)


class _TextMatch(FunctionElement[bool]):
    """`column`, `pattern`."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: object = None) -> Self:
        """As it is: SQLAlchemy would compare it with 1, which no index can serve."""
        del against
        return self


class _Exact(_TextMatch):
    name = "matches_exactly"
    inherit_cache = True


class _ExactPrefix(_TextMatch):
    name = "starts_exactly"
    inherit_cache = True


class _KeyPrefix(_TextMatch):
    name = "key_starts"
    inherit_cache = True


class _ExactLike(_TextMatch):
    name = "is_like"
    inherit_cache = True


class _Folded(_TextMatch):
    name = "matches_folded"
    inherit_cache = True


class _FoldedLike(_TextMatch):
    name = "is_like_folded"
    inherit_cache = True


class _Regex(_TextMatch):
    name = "matches_regex"
    inherit_cache = True


def _sides(element: FunctionElement[bool], compiler: SQLCompiler, options: dict[str, Any]) -> tuple[str, str]:
    column, pattern = element.clauses
    return compiler.process(column, **options), compiler.process(pattern, **options)


@compiles(_Exact)
@compiles(_ExactPrefix)
@compiles(_KeyPrefix)
@compiles(_ExactLike)
def _glob(element: FunctionElement[bool], compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # SQLAlchemy's protocol
    column, pattern = _sides(element, compiler, options)
    return f"({column} GLOB {pattern})"


@compiles(_Folded)
@compiles(_FoldedLike)
def _folded_glob(element: FunctionElement[bool], compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    column, pattern = _sides(element, compiler, options)
    return f"(lower({column}) GLOB lower({pattern}))"


@compiles(_Regex)
def _regexp(element: FunctionElement[bool], compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    column, pattern = _sides(element, compiler, options)
    return f"({column} REGEXP {pattern})"


@compiles(_Exact, "mysql", "mariadb")
def _like_mysql(element: FunctionElement[bool], compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    column, pattern = _sides(element, compiler, options)
    return f"({column} LIKE {pattern} COLLATE utf8mb4_bin ESCAPE '{_ESCAPE}')"


@compiles(_KeyPrefix, "mysql", "mariadb")
def _key_prefix_mysql(element: FunctionElement[bool], compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    column, pattern = _sides(element, compiler, options)
    return f"({column} LIKE {pattern} ESCAPE '{_ESCAPE}')"


@compiles(_ExactPrefix, "mysql", "mariadb")
def _prefix_mysql(element: FunctionElement[bool], compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    column, pattern = _sides(element, compiler, options)
    again = compiler.process(list(element.clauses)[1], **options)
    # The first test is implied by the second; it is in the column's own collation, so it can use an index.
    return (
        f"({column} LIKE {pattern} ESCAPE '{_ESCAPE}' AND {column} LIKE {again} COLLATE utf8mb4_bin ESCAPE '{_ESCAPE}')"
    )


@compiles(_ExactLike, "mysql", "mariadb")
def _own_like_mysql(element: FunctionElement[bool], compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    column, pattern = _sides(element, compiler, options)
    return f"({column} LIKE {pattern} COLLATE utf8mb4_bin)"


@compiles(_Folded, "mysql", "mariadb")
def _folded_mysql(element: FunctionElement[bool], compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    column, pattern = _sides(element, compiler, options)
    return f"(LOWER({column}) LIKE LOWER({pattern}) COLLATE utf8mb4_bin ESCAPE '{_ESCAPE}')"


@compiles(_FoldedLike, "mysql", "mariadb")
def _own_ilike_mysql(element: FunctionElement[bool], compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    column, pattern = _sides(element, compiler, options)
    return f"(LOWER({column}) LIKE LOWER({pattern}) COLLATE utf8mb4_bin)"


@compiles(_Regex, "mysql", "mariadb")
def _regexp_mysql(element: FunctionElement[bool], compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    column, pattern = _sides(element, compiler, options)
    return f"({column} REGEXP {pattern} COLLATE utf8mb4_bin)"


class _ByDatabase(_TextMatch):
    """The first clause on SQLite, the second on others."""

    name = "by_database"
    inherit_cache = True


@compiles(_ByDatabase)
def _first_clause(element: _ByDatabase, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    return compiler.process(next(iter(element.clauses)), **options)


@compiles(_ByDatabase, "mysql", "mariadb")
def _second_clause(element: _ByDatabase, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    return compiler.process(list(element.clauses)[1], **options)


class TextBytes(FunctionElement[str]):
    """Text that compares and sorts byte by byte, trailing spaces included."""

    type = String()
    name = "text_bytes"
    inherit_cache = True


@compiles(TextBytes)
def _text_bytes(element: TextBytes, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    return compiler.process(element.clauses, **options)


@compiles(TextBytes, "mysql", "mariadb")
def _text_bytes_mysql(element: TextBytes, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # the same
    return f"CAST({compiler.process(element.clauses, **options)} AS BINARY)"


def has_native_enum(column: "Column[Any]") -> bool:
    """Whether MySQL would sort the column by the declaration of its members, and other databases by their text."""
    return isinstance(column.type, Enum) and bool(column.type.native_enum)


def exact_match(column: ColumnElement[str], value: str, shape: Shape) -> ColumnElement[bool]:
    """`value` at its place in the column, case counted."""
    if "\0" in value:
        return _ByDatabase(_bytes_match(column, value, shape), _exact_match(column, value, shape))
    return _exact_match(column, value, shape)


def _bytes_match(column: ColumnElement[str], value: str, shape: Shape) -> ColumnElement[bool]:
    """As bytes, since a NUL ends SQLite's patterns."""
    held, wanted = cast(column, LargeBinary), bindparam(None, value.encode(), type_=LargeBinary())
    match shape:
        case "contains":
            return func.instr(held, wanted) > 0
        case "startswith":
            return func.instr(held, wanted) == 1
        case "endswith":
            return func.substr(held, -len(value.encode())) == wanted
        case _:
            return held == wanted


def _exact_match(column: ColumnElement[str], value: str, shape: Shape) -> ColumnElement[bool]:
    if shape == "startswith" and isinstance(column.type, AsciiKey):
        # Its collation is binary already, and cannot be compared with other text without a forced one.
        return _KeyPrefix(column, bindparam(None, value, type_=_PATTERNS[shape])) if value.isascii() else false()
    kind = {"startswith": _ExactPrefix, "like": _ExactLike}.get(shape, _Exact)
    return kind(column, bindparam(None, value, type_=_PATTERNS[shape]))


def folded_match(column: ColumnElement[str], value: str, shape: Shape) -> ColumnElement[bool]:
    """`value` at its place in the column, case not counted."""
    kind = _FoldedLike if shape == "like" else _Folded
    folded = kind(column, bindparam(None, value, type_=_PATTERNS[shape]))
    return _ByDatabase(_bytes_match(func.lower(column), value.lower(), shape), folded) if "\0" in value else folded


def regex_match(column: ColumnElement[str], value: str) -> ColumnElement[bool]:
    """The column holds a match of the regular expression, in the database's own dialect of them."""
    return _Regex(column, bindparam(None, value, type_=String()))


_PATTERNS: dict[Shape, _Pattern] = {
    "contains": _Pattern("contains"),
    "startswith": _Pattern("startswith"),
    "endswith": _Pattern("endswith"),
    "whole": _Pattern("whole"),
    "like": _Pattern("like"),
}
