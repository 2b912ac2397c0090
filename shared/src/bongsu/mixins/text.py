"""Text comparisons that mean the same on every database.

Case counts in `contains`, `startswith`, `endswith`, `like` and `regex`, and not in those with an `i`; accents
and emoji always count; `%` and `_` in a value are plain characters, except in `like` and `ilike`. SQLite's LIKE
ignores case, so GLOB is used there; MySQL's follows the column's collation, so a binary one is forced on the
pattern.
"""

import re
from typing import Any, Literal, Self, get_args

from sqlalchemy import ColumnElement, Dialect, LargeBinary, String, bindparam, cast, false, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import Boolean, TypeDecorator

from bongsu.mixins.types import MYSQL_NAMES, AsciiKey, Spelled

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


class _TextMatch(Spelled[bool]):
    """`column`, `pattern`."""

    type = Boolean()
    name = "text_match"

    def self_group(self, against: object = None) -> Self:
        """As it is: SQLAlchemy would compare it with 1, which no index can serve."""
        del against
        return self


_GLOB, _FOLDED_GLOB = "({0} GLOB {1})", "(lower({0}) GLOB lower({1}))"
_BINARY = f"{{0}} LIKE {{1}} COLLATE utf8mb4_bin ESCAPE '{_ESCAPE}'"
_IN_ITS_COLLATION = f"{{0}} LIKE {{1}} ESCAPE '{_ESCAPE}'"


class _Exact(_TextMatch, sqlite=_GLOB, mysql=f"({_BINARY})"):
    pass


class _ExactPrefix(_TextMatch, sqlite=_GLOB, mysql=f"({_IN_ITS_COLLATION} AND {_BINARY})"):
    """The first test is implied by the second; it is in the column's own collation, so it can use an index."""


class _KeyPrefix(_TextMatch, sqlite=_GLOB, mysql=f"({_IN_ITS_COLLATION})"):
    pass


class _ExactLike(_TextMatch, sqlite=_GLOB, mysql="({0} LIKE {1} COLLATE utf8mb4_bin)"):
    pass


class _Folded(
    _TextMatch,
    sqlite=_FOLDED_GLOB,
    mysql=f"(LOWER({{0}}) LIKE LOWER({{1}}) COLLATE utf8mb4_bin ESCAPE '{_ESCAPE}')",
):
    pass


class _FoldedLike(_TextMatch, sqlite=_FOLDED_GLOB, mysql="(LOWER({0}) LIKE LOWER({1}) COLLATE utf8mb4_bin)"):
    pass


class _Regex(_TextMatch, sqlite="({0} REGEXP {1})", mysql="({0} REGEXP {1} COLLATE utf8mb4_bin)"):
    pass


class _ByDatabase(_TextMatch):
    """The first clause on SQLite, the second on others."""


@compiles(_ByDatabase)
def _one_clause(element: _ByDatabase, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # SQLAlchemy's protocol
    on_sqlite, on_mysql = element.clauses
    return compiler.process(on_mysql if compiler.dialect.name in MYSQL_NAMES else on_sqlite, **options)


class TextBytes(Spelled[str], sqlite="{0}", mysql="CAST({0} AS BINARY)"):
    """Text that compares and sorts byte by byte, trailing spaces included."""

    type = String()
    name = "text_bytes"


class TextStart(Spelled[str], sqlite="{0}", mysql="LEFT({0}, 255)"):
    """As much of a long text, or of bytes, as MySQL sorts by (`max_sort_length` is 1,024 bytes): it then ties."""

    name = "text_start"

    def __init__(self, clause: ColumnElement[Any]) -> None:
        super().__init__(clause)
        self.type = clause.type


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


_PATTERNS: dict[Shape, _Pattern] = {shape: _Pattern(shape) for shape in get_args(Shape)}
