"""The ends of a query that write many rows in one statement."""

from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    CursorResult,
    Delete,
    Select,
    Table,
    Update,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql import coercions, roles, visitors
from sqlalchemy.sql.selectable import FromClause, SelectBase

from bongsu.mixins.base import Base
from bongsu.mixins.builder import MOST_ROWS, Builder, M
from bongsu.mixins.clock import python_now
from bongsu.mixins.errors import UnfilteredWrite, WrongValueForLookup
from bongsu.mixins.fields import Key, among, fields_of, key_of, keys_among
from bongsu.mixins.instances import are_many_loaded, refresh_loaded
from bongsu.mixins.sessions import atomically, write
from bongsu.mixins.types import MYSQL_NAMES
from bongsu.mixins.values import is_expression

_BY_KEY = "FORCE INDEX (PRIMARY)"  # of few rows MySQL would read all, and wait for those that others have locked
_CLAIMED_TOGETHER = 1000
_LISTED_MORE = 4


class Writes(Builder[M]):
    """The part of `Query` that writes."""

    async def update(self, **values: object) -> int:
        """Sets the values on every row; gives how many rows matched. Values may be SQL: `count=Model.count + 1`.

        One statement; `updated_at` and a version column move too. After `limit` or `offset` MySQL takes three or more,
        which skip rows that others have locked: of several concurrent callers each writes rows of its own.

        Objects that the unit has loaded are read again, by one statement more a thousand of them: those whose keys the
        filter names (`id=…`, `id__in=[…]`), matching or not; else those that match, before which their keys are asked
        for (and locked) where many objects are loaded.
        """
        assignments = self._assignments(values)
        model, named = self._model, self._named_keys()
        self._check_filtered()

        def work(session: Session) -> int:
            fields_of(model).refuse_inexact(session, [assignments])
            session.flush()  # what is unsaved may match, or be written again
            if self._is_written_by_keys(session):
                return self._update_by_keys(session, assignments)
            keys = named
            if keys is None and are_many_loaded(session, model) and self._is_plain():
                keys = self._matching_keys(session, limit=len(session.identity_map) + 1)
            statement = update(model).where(*self.write_conditions()).values(assignments)
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
        self._check_filtered()

        def work(session: Session) -> int:
            session.flush()
            if self._is_written_by_keys(session) or len(_tables_of(model)) > 1:
                return self._delete_by_keys(session)
            matched = _row_count(session, delete(model).where(*self.write_conditions()))
            refresh_loaded(session, model, named)
            return matched

        return await write(model, self._session, work)

    def update_rows(self, session: Session, values: dict[str, object]) -> int:
        """Sets the values on every row of a model that is in several tables; gives how many matched."""
        return self._update_by_keys(session, self._assignments(values))

    def _is_written_by_keys(self, session: Session) -> bool:
        """Whether the rows' keys are found first: an UPDATE is about one table, and a bounded one starves others."""
        return fields_of(self._model).is_joined or self._has_to_claim(session)

    def _has_to_claim(self, session: Session) -> bool:
        return self._is_bounded() and session.get_bind().dialect.name in MYSQL_NAMES

    def _update_by_keys(self, session: Session, assignments: dict[str, object]) -> int:
        model, keys = self._model, self._matching_keys(session, limit=None)
        tables = fields_of(model).mapper.tables
        atomically(session, len(tables), lambda: self._update_tables(session, keys, assignments))
        refresh_loaded(session, model, [*keys, *(self._named_keys() or ())])
        return len(keys)

    def _update_tables(self, session: Session, keys: list[Key], assignments: dict[str, object]) -> None:
        fields = fields_of(self._model)
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
                _write_by_keys(session, update(table).values(values), table, keys)

    def _delete_by_keys(self, session: Session) -> int:
        model, tables, is_claimed = self._model, _tables_of(self._model), self._has_to_claim(session)
        keys = self._matching_keys(session, limit=None)

        def work() -> None:
            for table in (table for table in reversed(model.metadata.sorted_tables) if table in tables):
                if is_claimed:
                    _delete_one_by_one(session, table, keys)
                else:
                    _write_by_keys(session, delete(table), table, keys)

        atomically(session, len(tables) * (len(keys) if is_claimed else 1), work)
        refresh_loaded(session, model, [*keys, *(self._named_keys() or ())])
        return len(keys)

    def _check_filtered(self) -> None:
        if not self._where and not self._is_unfiltered:
            raise UnfilteredWrite(
                f"this would write every row of {self._model.__tablename__}: filter it, or say so with .unfiltered()"
            )

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
        rows = self._ordered(keys.where(*conditions)).subquery()
        return (*plain, key_of(self._model).in_(select(*rows.c)))

    def _claim(self, session: Session) -> list[Key]:
        """The keys of the rows that a bounded write is about, locked: each of several concurrent callers gets others.

        MySQL locks all rows that it reads to find and sort a few of them, and other callers would skip these. So rows
        are listed without locks, then locked by their primary key, as many as are wanted, and tested again.
        """
        fields, columns = fields_of(self._model), fields_of(self._model).key_columns
        locking = select(*columns).where(*self._conditions()).with_for_update(skip_locked=True, of=self._model)
        locking = locking.prefix_with("STRAIGHT_JOIN")  # else a subquery may come first
        for table in fields.mapper.tables:
            locking = locking.with_hint(table, _BY_KEY)
        wanted = self._limit if self._limit is not None else MOST_ROWS
        claimed, seen, most = list[Key](), set[Key](), self._limit
        while len(claimed) < wanted:
            listing = self._with(_limit=most)._ordered(select(*columns).where(*self._conditions()))  # noqa: SLF001  # its own
            listed = [tuple(row) for row in session.execute(listing)]
            unseen = [key for key in listed if key not in seen]
            seen.update(unseen)
            while unseen and len(claimed) < wanted:
                count = min(wanted - len(claimed), _CLAIMED_TOGETHER)
                for condition in keys_among(self._model, unseen[:count]):
                    claimed += [tuple(row) for row in session.execute(locking.where(condition))]
                del unseen[:count]
            if most is None or len(listed) < most:
                break
            most *= _LISTED_MORE
        return claimed

    def _matching_keys(self, session: Session, *, limit: int | None) -> list[Key]:
        """The keys of the rows that match (at most `limit`), locked so that they go on matching."""
        if limit is None and self._has_to_claim(session):
            return self._claim(session)
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


def _tables_of(model: type[Base]) -> set[FromClause]:
    """The tables that hold rows of the model, and of its subclasses."""
    return {table for mapper in model.__mapper__.self_and_descendants for table in mapper.tables}


def _write_by_keys(session: Session, statement: "Update | Delete", table: Table, keys: list[Key]) -> None:
    if isinstance(statement, Update) and session.get_bind().dialect.name in MYSQL_NAMES:
        statement = statement.with_hint(_BY_KEY)
    for condition in among(list(table.primary_key), keys):
        _row_count(session, statement.where(condition))


def _delete_one_by_one(session: Session, table: Table, keys: list[Key]) -> None:
    """Deletes rows by a statement each: MariaDB ignores a hint here, and of a small table reads and locks all rows."""
    columns = list(table.primary_key)
    names = [f"key{number}" for number in range(len(columns))]
    pairs = zip(columns, names, strict=True)
    one = delete(table).where(*(column == bindparam(name, type_=column.type) for column, name in pairs))
    if keys:
        session.execute(one, [dict(zip(names, key, strict=True)) for key in keys])


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
