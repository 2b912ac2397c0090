"""Engines that share compiled statements."""

import json
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import JSON, Engine, create_engine, event, literal, select


def compiled(engine: Engine) -> object:
    """Send a statement with JSON; what the engine made of it."""
    found: list[object] = []
    event.listen(
        engine, "before_cursor_execute", lambda _c, _cursor, _sql, _parameters, context, _many: found.append(context)
    )
    with engine.connect() as connection:
        connection.execute(select(literal({"a": 1}, JSON())))
    return found[0].compiled  # type: ignore[attr-defined]  # the context of an execution


def engine(tmp_path: Path, name: str, serializer: Callable[[object], str] = json.dumps) -> Engine:
    return create_engine(f"sqlite:///{tmp_path}/{name}.sqlite3", json_serializer=serializer)


class TestShare:
    def test_engines_share_a_statement_when_they_are_configured_alike(self, tmp_path: Path) -> None:
        one, other = engine(tmp_path, "one"), engine(tmp_path, "other")
        assert compiled(one) is compiled(other)

    def test_engines_share_nothing_when_their_json_differs(self, tmp_path: Path) -> None:
        one, other = engine(tmp_path, "one"), engine(tmp_path, "other", lambda _: "null")
        assert compiled(one) is not compiled(other)

    def test_engines_share_a_statement_when_one_of_each_has_options(self, tmp_path: Path) -> None:
        one, other = engine(tmp_path, "one"), engine(tmp_path, "other")
        with_options = other.execution_options(stream_results=True)
        assert compiled(one) is compiled(with_options)
        assert compiled(one) is compiled(other)
