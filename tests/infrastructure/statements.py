"""Lets all engines of a run share their compiled statements.

SQLAlchemy (2.0) keeps compiled statements and the types' processors by engine and dialect object, and nearly every test
has an engine of its own: to compile the same statements again took a third of the time of a test with a database.
"""

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.default import DefaultDialect

_JSON = {"_json_serializer", "_json_deserializer"}
_first: dict[object, Engine] = {}
"""The first engine of each kind of dialect."""


def _kind(dialect: DefaultDialect) -> object:
    """Return all that compiled statements can depend on: the class, its settings, and what it learned of the server."""
    values = {
        name: value
        for name, value in vars(dialect).items()
        if name in _JSON or isinstance(value, bool | int | str | tuple | None)
    }
    # The name of the database, which a statement does not contain.
    values.pop("default_schema_name", None)
    return type(dialect), frozenset(values.items())


def _shared(dialect: object) -> object:
    return getattr(dialect, "shared", dialect)


def _is_equal(dialect: object, other: object) -> bool:
    return _shared(dialect) is _shared(other)


def _hash(dialect: object) -> int:
    return hash(type(dialect))


def _adopt(connection: Connection) -> None:
    engine, own = connection.engine, vars(connection.dialect)
    if not isinstance(connection.dialect, DefaultDialect):
        return
    if "shared" not in own:
        first = _first.setdefault(_kind(connection.dialect), engine)
        own["_type_memos"] = first.dialect._type_memos
        own["shared"], own["shared_statements"] = first.dialect, first._compiled_cache
    # An engine and those that `execution_options` made of it have one dialect, and a cache each.
    engine._compiled_cache = own["shared_statements"]


def share() -> None:
    """Begin to share."""
    # The caches' keys contain the dialect.
    DefaultDialect.__eq__ = _is_equal  # type: ignore[method-assign]  # on purpose
    DefaultDialect.__hash__ = _hash  # type: ignore[method-assign,assignment]  # the same
    event.listen(Engine, "engine_connect", _adopt)
