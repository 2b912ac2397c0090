"""The ends of a query that write many rows in one statement."""

from typing import Any, cast

from sqlalchemy import Column, ColumnElement, CursorResult, Delete, Select, Table, Update, delete, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql import coercions, roles, visitors
from sqlalchemy.sql.selectable import SelectBase

from bongsu.mixins.base import Base
from bongsu.mixins.builder import Builder, M
from bongsu.mixins.clock import python_now
from bongsu.mixins.errors import UnfilteredWrite, WrongValueForLookup
from bongsu.mixins.fields import Key, among, fields_of, key_of
from bongsu.mixins.loaded import are_many_loaded, refresh_loaded
from bongsu.mixins.sessions import write
from bongsu.mixins.values import is_expression


class Writes(Builder[M]):
    """The part of `Query` that writes."""

    async def update(self, **values: object) -> int:
        """Sets the values on every row; gives how many rows matched. Values may be SQL: `count=Model.count + 1`.

        One statement; `updated_at` and a version column move too. Objects that the unit has loaded are read again, by
        one statement more a thousand of them: those whose keys the filter names (`id=…`, `id__in=[…]`), matching or
        not; else those that match, before which their keys are asked for (and locked) where many objects are loaded.
        """
        assignments = self._assignments(values)
        model, named = self._model, self._named_keys()
        if fields_of(model).is_joined:
            self._check_filtered()
            return await write(model, self._session, lambda session: self._update_joined(session, assignments))
        statement = cast("Update", self._targeted(update(model))).values(assignments)

        def work(session: Session) -> int:
            session.flush()  # what is unsaved may match, or be written again
            keys = named
            if keys is None and are_many_loaded(session, model) and self._is_plain():
                keys = self._matching_keys(session, limit=len(session.identity_map) + 1)
            matched = _row_count(session, statement)
            if named is None and keys is not None and len(keys) != matched:
                keys = None  # more match than objects are loaded, or began to since they were asked for
            refresh_loaded(session, model, keys)
            return matched

        return await write(model, self._session, work)

    async def delete(self, *, hard: bool = False) -> int:
        """Deletes every row (marks it, where the model is soft-deleted, unless `hard`); gives how many."""
        deleted_at = fields_of(self._model).deleted_at
        if deleted_at is not None and not hard:
            return await self.update(**{deleted_at: python_now()})
        model, named = self._model, self._named_keys()
        tables = {table for mapper in model.__mapper__.self_and_descendants for table in mapper.tables}
        if len(tables) > 1:
            self._check_filtered()
            return await write(model, self._session, self._delete_joined)

        def work(session: Session) -> int:
            matched = _row_count(session, self._targeted(delete(model)))
            refresh_loaded(session, model, named)
            return matched

        return await write(model, self._session, work)

    def update_rows(self, session: Session, values: dict[str, object]) -> int:
        """Sets the values on every row of a model that is in several tables; gives how many matched."""
        return self._update_joined(session, self._assignments(values))

    def _update_joined(self, session: Session, assignments: dict[str, object]) -> int:
        # An UPDATE is about one table, and the conditions may be about several: the keys are found first.
        fields = fields_of(self._model)
        session.flush()
        keys = self._matching_keys(session, limit=None)
        for table in (table for table in fields.mapper.tables if isinstance(table, Table)):
            values = {
                fields.columns_in(table)[name].key: value
                for name, value in assignments.items()
                if name in fields.columns_in(table)
            }
            _refuse_other_tables(self._model, table, values)
            key = list(table.primary_key)
            if not values and any(column.onupdate is not None for column in table.columns):
                values = {key[0].key: key[0]}
            if values:
                _write_by_keys(session, update(table).values(values), key, keys)
        refresh_loaded(session, self._model, keys)
        return len(keys)

    def _delete_joined(self, session: Session) -> int:
        model = self._model
        session.flush()
        keys = self._matching_keys(session, limit=None)
        tables = {table for mapper in model.__mapper__.self_and_descendants for table in mapper.tables}
        for table in reversed(model.metadata.sorted_tables):
            if table in tables:
                _write_by_keys(session, delete(table), list(table.primary_key), keys)
        refresh_loaded(session, model, keys)
        return len(keys)

    def _check_filtered(self) -> None:
        if not self._where and not self._is_unfiltered:
            raise UnfilteredWrite(
                f"this would write every row of {self._model.__tablename__}: filter it, or say so with .unfiltered()"
            )

    def _targeted(self, statement: "Update | Delete") -> "Update | Delete":
        self._check_filtered()
        return statement.where(*self.write_conditions())

    def write_conditions(self) -> tuple[ColumnElement[bool], ...]:
        """The conditions as an UPDATE or DELETE can have them."""
        conditions = self._conditions()
        plain = tuple(condition for condition in conditions if not _holds_subquery(condition))
        if not self._is_bounded() and len(plain) == len(conditions):
            return conditions
        # MySQL takes no LIMIT in a subquery of IN, and no subquery on the written table, unless it is a derived table.
        # The plain conditions are repeated beside it: they are tested again when a row that another transaction had
        # locked is free, so that of two callers who want the same rows the second gets none of them.
        keys: Select[Any] = select(*fields_of(self._model).key_columns)
        picked = self._ordered(keys.where(*conditions))
        if self._is_bounded():  # each of several concurrent callers picks other rows
            picked = picked.with_for_update(skip_locked=True, of=self._model)
        rows = picked.subquery()
        return (*plain, key_of(self._model).in_(select(*rows.c)))

    def _matching_keys(self, session: Session, *, limit: int | None) -> list[Key]:
        """The keys of the rows that match (at most `limit`), locked so that they go on matching."""
        query = self.lock() if limit is None else self.lock().limit(limit)
        keys = query._ordered(select(*fields_of(self._model).key_columns).where(*self._conditions()))  # noqa: SLF001  # its own
        return [tuple(row) for row in session.execute(query._locked(keys))]  # noqa: SLF001  # the same

    def _is_plain(self) -> bool:
        # Which rows a limit or a subquery picks can change although these rows are locked.
        return not self._is_bounded() and not any(_holds_subquery(condition) for condition in self._filters())

    def _is_bounded(self) -> bool:
        return self._limit is not None or self._offset is not None

    def _assignments(self, values: dict[str, object]) -> dict[str, object]:
        fields = fields_of(self._model)
        fields.refuse_unknown(values)
        assignments = {name: fields.checked(name, value) for name, value in values.items()}
        if fields.version is not None and fields.version not in assignments:
            assignments[fields.version] = getattr(self._model, fields.version) + 1
        return assignments


def _holds_subquery(condition: ColumnElement[bool]) -> bool:
    return any(isinstance(element, SelectBase) for element in visitors.iterate(condition))


def _write_by_keys(
    session: Session, statement: "Update | Delete", columns: "list[Column[Any]]", keys: list[Key]
) -> None:
    for condition in among(columns, keys):
        _row_count(session, statement.where(condition))


def _refuse_other_tables(model: type[Base], table: Table, values: dict[str, Any]) -> None:
    for name, value in values.items():
        elements = (
            visitors.iterate(coercions.expect(roles.ExpressionElementRole, value)) if is_expression(value) else ()
        )
        for element in elements:
            if isinstance(element, Column) and element.table != table:  # an annotated table equals its own
                raise WrongValueForLookup(
                    f"{model.__name__}.{name} is in table {table.name}: its new value cannot read {element}, "
                    "which is in another table"
                )


def _row_count(session: Session, statement: "Update | Delete") -> int:
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount
