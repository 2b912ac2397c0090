"""The ends of a query that write many rows in one statement."""

from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Delete, Select, Update, delete, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql import visitors
from sqlalchemy.sql.selectable import SelectBase

from bongsu.mixins.builder import Builder, M
from bongsu.mixins.clock import python_now
from bongsu.mixins.errors import UnfilteredWrite, UnknownField
from bongsu.mixins.fields import fields_of
from bongsu.mixins.loaded import forget_deleted, key_of, refresh_loaded
from bongsu.mixins.paths import FieldTest, resolve_lookup
from bongsu.mixins.sessions import write
from bongsu.mixins.values import coerced


class Writes(Builder[M]):
    """The part of `Query` that writes."""

    __slots__ = ()

    async def update(self, **values: object) -> int:
        """Sets the values on every row; gives how many rows matched. Values may be SQL: `count=Model.count + 1`.

        One statement; `updated_at` and a version column move too. Objects of this model that the unit has loaded are
        read again, by one more statement.
        """
        assignments = self._assignments(values)
        model = self._model

        def work(session: Session) -> int:
            matched = _row_count(session, cast("Update", self._targeted(update(model))).values(assignments))
            refresh_loaded(session, model)
            return matched

        return await write(model, self._session, work)

    async def delete(self, *, hard: bool = False) -> int:
        """Deletes every row (marks it, where the model is soft-deleted, unless `hard`); gives how many."""
        deleted_at = fields_of(self._model).deleted_at
        if deleted_at is not None and not hard:
            return await self.update(**{deleted_at: python_now()})
        model = self._model

        def work(session: Session) -> int:
            matched = _row_count(session, self._targeted(delete(model)))
            forget_deleted(session, model)
            return matched

        return await write(model, self._session, work)

    def _targeted(self, statement: "Update | Delete") -> "Update | Delete":
        if not self._where and not self._is_unfiltered:
            raise UnfilteredWrite(
                f"this would write every row of {self._model.__tablename__}: filter it, or say so with .unfiltered()"
            )
        return statement.where(*self.write_conditions())

    def write_conditions(self) -> tuple[ColumnElement[bool], ...]:
        """The conditions as an UPDATE or DELETE can have them."""
        conditions = self._conditions()
        plain = tuple(condition for condition in conditions if not _holds_subquery(condition))
        if self._limit is None and self._offset is None and len(plain) == len(conditions):
            return conditions
        # MySQL takes no LIMIT in a subquery of IN, and no subquery on the written table, unless it is a derived table.
        # The plain conditions come again beside it: they are tested once more when a row that somebody else had locked
        # is free, so that of two who want the same rows the second gets none of them.
        keys: Select[Any] = select(*self._model.__mapper__.primary_key)
        rows = self._ordered(keys.where(*conditions)).subquery()
        return (*plain, key_of(self._model).in_(select(*rows.c)))

    def _assignments(self, values: dict[str, object]) -> dict[str, object]:
        fields = fields_of(self._model)
        assignments: dict[str, object] = {}
        for name, value in values.items():
            if name not in fields.columns:
                raise UnknownField(self._model.__name__, name, fields.columns)
            test = resolve_lookup(self._model, name)
            assert isinstance(test, FieldTest)  # noqa: S101  # a column's plain name is no path
            assignments[name] = coerced(test.coerce, value, f"{self._model.__name__}.{name}")
        if fields.version is not None and fields.version not in assignments:
            assignments[fields.version] = getattr(self._model, fields.version) + 1
        return assignments


def _holds_subquery(condition: ColumnElement[bool]) -> bool:
    return any(isinstance(element, SelectBase) for element in visitors.iterate(condition))


def _row_count(session: Session, statement: "Update | Delete") -> int:
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount
