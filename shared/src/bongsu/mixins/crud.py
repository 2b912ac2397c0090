"""Active Record: create, get, update and delete, on the class and on its objects."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from bongsu.mixins.base import Base
from bongsu.mixins.builder import OrderTerm
from bongsu.mixins.bulk import bulk_insert, bulk_set
from bongsu.mixins.errors import NotFound
from bongsu.mixins.fields import fields_of
from bongsu.mixins.instances import (
    Refresh,
    attached,
    check_saved,
    check_settable,
    column_values,
    connect,
    differing,
    has_unsaved,
    insert_new,
    is_settled,
    own_session,
    refresh_names,
    refresh_object,
    set_values,
    state_of,
    unknown_names,
)
from bongsu.mixins.keyed import find_or_insert, insert_or_update, load_by_key, upsert_rows
from bongsu.mixins.pictures import restored_on_error
from bongsu.mixins.q import Where
from bongsu.mixins.query import Query
from bongsu.mixins.sessions import read, write


class CRUDMixin(Base):
    """The Active Record methods.

    Every call takes its session from `session=`, else from its task's unit of work, else it opens a short one of its
    own and commits it. `auto_commit` commits a session that was passed in; a unit of work commits at its end only.
    `refresh=True` reads the row back, `refresh=["posts"]` loads relations.
    """

    __abstract__ = True

    @classmethod
    def query(cls) -> Query[Self]:
        """All rows, to be narrowed."""
        return Query(cls)

    @classmethod
    def filter_by(cls, /, *where: Where, **lookups: object) -> Query[Self]:
        """The rows for which every condition holds; see `Query.filter_by`."""
        return Query(cls).filter_by(*where, **lookups)

    @classmethod
    def exclude(cls, /, *where: Where, **lookups: object) -> Query[Self]:
        """All rows but those for which every condition holds."""
        return Query(cls).exclude(*where, **lookups)

    @classmethod
    def order_by(cls, *terms: OrderTerm) -> Query[Self]:
        """All rows in this order."""
        return Query(cls).order_by(*terms)

    @classmethod
    async def row_count(cls, session: AsyncSession | None = None) -> int:
        """How many rows the table has."""
        return await Query(cls).using(session).count()

    @classmethod
    async def create(
        cls,
        /,
        session: AsyncSession | None = None,
        *,
        auto_commit: bool = False,
        refresh: Refresh = (),
        **values: object,
    ) -> Self:
        """Inserts a row; raises `Conflict` or `UnknownField`. One statement; values that are SQL are read back."""
        fields = fields_of(cls)
        if refresh != () and "refresh" in fields.columns:  # a column of that name is meant, not the option
            values["refresh"], refresh = refresh, ()
        named = () if fields.relations.keys().isdisjoint(values) else fields.relations.keys() & values.keys()
        related = {name: values.pop(name) for name in named}
        instance = cls(**values)
        if related or (fields.relations and fields.relations.keys() & instance.__dict__.keys()):
            return await instance._insert(session, related, auto_commit=auto_commit, refresh=refresh, is_creation=True)

        def work(open_session: Session) -> None:
            insert_new(open_session, instance)
            if refresh or state_of(instance).expired_attributes:
                instance._read_back(open_session, refresh)

        await write(cls, session, work, commit=auto_commit)
        return instance

    @classmethod
    async def get(cls, /, *key: object, session: AsyncSession | None = None, **unique: object) -> Self:
        """The row with this key (a part a column), or with these values; `NotFound`, `MultipleFound`.

        None is no value to find a row by: `get(email=None)` finds nothing; `get(email__isnull=True)` asks for NULL.
        """
        if unique:
            found = await cls.get_or_none(*key, session=session, **unique)
        else:
            found = await read(cls, session, load_by_key(cls, key))
        if found is None:
            wanted = ", ".join([*map(repr, key), *(f"{name}={value!r}" for name, value in unique.items())])
            raise NotFound(f"no {cls.__name__} with {wanted}")
        return found

    @classmethod
    async def get_or_none(cls, /, *key: object, session: AsyncSession | None = None, **unique: object) -> Self | None:
        """As `get`, None without a row."""
        if not unique:
            return await read(cls, session, load_by_key(cls, key))
        keyed = dict(zip(fields_of(cls).primary_key, key, strict=False))
        query = Query(cls).filter_by(**keyed, **unique).using(session)
        # As a filter, None asks for NULL: `get(email=None)` would be whoever has no address.
        missing = [name for name, value in (keyed | unique).items() if value is None and not name.endswith("__ne")]
        if missing:
            return None
        return await query.one_or_none()

    @classmethod
    async def get_or_create(
        cls, /, defaults: Mapping[str, object] | None = None, *, session: AsyncSession | None = None, **unique: object
    ) -> tuple[Self, bool]:
        """Return the row with these values, created (with `defaults` too) if it is missing; and whether it was created.

        `unique` should be covered by a unique constraint: of several concurrent callers, one then creates the row
        and all get it.
        """
        return await find_or_insert(cls, session, unique, defaults or {})

    @classmethod
    async def create_or_update(
        cls, /, *, by: str | Sequence[str] | None = None, session: AsyncSession | None = None, **values: object
    ) -> tuple[Self, bool]:
        """Updates the row that has the values of `by`, or creates it; and whether it was created.

        `by` is by default the primary key where `values` holds it, else the first unique constraint that they cover.
        `MultipleFound` where several rows have the values of `by`.
        """
        return await insert_or_update(cls, session, by, values)

    @classmethod
    async def upsert(
        cls,
        rows: Mapping[str, object] | Sequence[Mapping[str, object]],
        *,
        by: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        session: AsyncSession | None = None,
        savepoint: bool = True,
    ) -> None:
        """Inserts rows, or updates those whose `by` exists, in one statement (as many as fit one).

        `update`: the fields that an existing row takes, by default all given but `by`; `[]` leaves it alone. Gives
        nothing: MySQL cannot tell an insert from an update. On MySQL any unique constraint decides, not only `by`'s.
        `savepoint` is `bulk_create`'s.
        """
        wanted = [rows] if isinstance(rows, Mapping) else rows
        await write(
            cls, session, lambda open_session: upsert_rows(open_session, cls, wanted, by, update, savepoint=savepoint)
        )

    @classmethod
    async def bulk_create(
        cls,
        rows: Iterable["Mapping[str, object] | Self"],
        *,
        session: AsyncSession | None = None,
        auto_commit: bool = False,
        savepoint: bool = True,
    ) -> int:
        """Inserts many rows, one statement for all with the same fields; gives how many.

        Objects passed in have every column afterwards, and are not in the session; SQL values are read back, and an
        object whose key the database counts takes a statement of its own. A dict's key and defaults are made here;
        give it `id=uuid7()` to know its key.

        `savepoint=False` saves two round trips in a unit that any error ends: what the failed call wrote may stay.
        """
        given = list(rows)
        return await write(
            cls,
            session,
            lambda open_session: bulk_insert(open_session, cls, given, savepoint=savepoint),
            commit=auto_commit,
        )

    @classmethod
    async def bulk_update(
        cls,
        rows: Iterable["Mapping[str, object] | Self"],
        /,
        *where: Where,
        by: str = "id",
        session: AsyncSession | None = None,
        **lookups: object,
    ) -> int:
        """Writes differing values into many rows by one statement; gives how many matched.

        A row (`{"id": …, "status": …}`) takes the fields of its own dict and keeps the others. The conditions narrow
        which rows are written (compare and set): `bulk_update(rows, status="claimed")`.
        """
        given, query = list(rows), Query(cls).filter_by(*where, **lookups)
        return await write(cls, session, lambda open_session: bulk_set(open_session, query, given, by))

    def fill(self, **values: object) -> bool:
        """Sets values on the object, without writing; whether any of them was new."""
        return bool(set_values(self, values))

    async def save(
        self, session: AsyncSession | None = None, *, auto_commit: bool = False, refresh: Refresh = ()
    ) -> Self:
        """Writes the object: inserts it if it is new, else updates what has changed."""
        return await self._insert(own_session(self, session), auto_commit=auto_commit, refresh=refresh)

    async def update(
        self,
        session: AsyncSession | None = None,
        *,
        auto_commit: bool = False,
        refresh: Refresh = (),
        **values: object,
    ) -> Self | None:
        """Sets values and writes them; None where nothing changed (nothing is sent then)."""
        if refresh != () and "refresh" in fields_of(type(self)).columns:  # as in `create`
            values["refresh"], refresh = refresh, ()
        check_settable(self, values)
        used = own_session(self, session)
        if is_settled(self, used) and not differing(self, values) and not has_unsaved(self, values):
            return None
        return await self._insert(used, values, auto_commit=auto_commit, refresh=refresh)

    async def delete(
        self, session: AsyncSession | None = None, *, auto_commit: bool = False, hard: bool = False
    ) -> None:
        """Deletes the row; a row that is gone already is no error."""
        del hard  # for models that are soft-deleted

        def work(open_session: Session) -> None:
            connect(open_session, self)
            if is_settled(self, open_session):
                if state_of(self).was_deleted:
                    return
                check_saved(self)
            with attached(open_session, self, is_deletion=True):
                open_session.delete(self)
                open_session.flush()

        await write(type(self), own_session(self, session), work, commit=auto_commit)

    async def remove(self, session: AsyncSession | None = None, *, auto_commit: bool = False) -> None:
        """The same as `delete`."""
        await self.delete(session, auto_commit=auto_commit)

    async def refresh(self, *names: str, session: AsyncSession | None = None) -> Self:
        """Reads the row again, or loads the named fields and relations; `NotFound` where the row is gone."""
        fields = fields_of(type(self))
        fields.refuse_unknown(names, fields.columns | fields.relations)

        def work(open_session: Session) -> None:
            if is_settled(self, open_session):
                check_saved(self)
            with attached(open_session, self):
                refresh_object(open_session, self, names)

        await read(type(self), own_session(self, session), work)
        return self

    def to_dict(self, *, only: Iterable[str] | None = None, exclude: Iterable[str] = ()) -> dict[str, Any]:
        """The columns' values; `NotLoaded` for one that was not loaded."""
        return column_values(self, only, exclude)

    async def _insert(
        self,
        session: AsyncSession | None,
        values: Mapping[str, object] | None = None,
        *,
        auto_commit: bool,
        refresh: Refresh,
        is_creation: bool = False,
    ) -> Self:
        def work(open_session: Session) -> None:
            setting = attached(open_session, self, values, is_creation=is_creation)
            with restored_on_error(open_session, self), setting:
                open_session.flush()
                self._read_back(open_session, refresh)

        await write(type(self), session, work, commit=auto_commit)
        return self

    def _read_back(self, session: Session, refresh: Refresh) -> None:
        names = refresh_names(self, refresh, unknown_names(self))
        if names is not None:
            refresh_object(session, self, names)
