"""The declarative base: names, tables and types that every model gets."""

import enum
import inspect
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from types import FunctionType
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from sqlalchemy import JSON, Column, Connection, DateTime, Double, Enum, MetaData, String, Table, Time, event
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    InstanceState,
    InstrumentedAttribute,
    MappedColumn,
    Mapper,
    MapperProperty,
    Session,
    UOWTransaction,
    declared_attr,
)
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.base import LoaderCallableStatus, PassiveFlag
from sqlalchemy.orm.exc import DetachedInstanceError
from sqlalchemy.types import TypeEngine
from sqlalchemy.util.concurrency import in_greenlet

from bongsu.mixins.clock import python_now
from bongsu.mixins.database import Database
from bongsu.mixins.errors import NotConnected, NotLoaded, ReservedName
from bongsu.mixins.fields import NEVER_LOADED, fields_of
from bongsu.mixins.memory import MemorySession, check_unsaved
from bongsu.mixins.types import MYSQL_NAMES, IntegerEnum, UTCDateTime, UUIDKey
from bongsu.mixins.unit import unit_for

T = TypeVar("T")

_FIELDS_TOO = frozenset({"refresh"})
"""Options that `create` and `update` take as the column where a model has it; the method: `CRUDMixin.refresh(obj)`."""
_MAPPED = (Column, MappedColumn, MapperProperty, declared_attr, hybrid_property)

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
}

# Compared by code point, as SQLite and Python do: emoji, case and accents are distinct.
_MYSQL_TABLE = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
_TABLE_OPTIONS = {f"{name}_{key}": value for name in ("mysql", "mariadb") for key, value in _MYSQL_TABLE.items()}

_MICROSECONDS: Mapping[type, TypeEngine[Any]] = {DateTime: mysql.DATETIME(fsp=6), Time: mysql.TIME(fsp=6)}


def _enum_values(members: type[enum.Enum]) -> list[str]:
    return [str(member.value) for member in members]


class classproperty(Generic[T]):  # noqa: N801  # named as property is
    """A property of the class: `User.column_names`."""

    def __init__(self, getter: Callable[[Any], T]) -> None:
        self._getter = getter
        self.__doc__ = getter.__doc__

    def __get__(self, instance: object, owner: type) -> T:
        return self._getter(owner)


class Base(DeclarativeBase):
    """The base of every model. `Database(url)` connects it.

    A model without `__tablename__` is named after its class: `ApiKey` -> `api_keys`. MySQL tables are InnoDB, utf8mb4.
    `Mapped[str]` is `VARCHAR(255)`, `Mapped[datetime]` an instant in UTC, `Mapped[UUID]` 16 bytes, an enum the text of
    its values.
    """

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[Mapping[object, object]] = {
        str: String(255),
        float: Double(),
        datetime: UTCDateTime(),
        UUID: UUIDKey(),
        enum.IntEnum: IntegerEnum(),
        enum.Enum: Enum(enum.Enum, native_enum=False, length=32, values_callable=_enum_values),
    }

    __database__: ClassVar[Database | None] = None
    __owner__: ClassVar[str] = ""
    """The part of the system that migrates the table; set on the abstract base of each owner."""
    __version_column__: ClassVar[str | None] = None
    """The column that counts a row's changes; `VersionMixin` sets it."""

    def __init_subclass__(cls, **options: object) -> None:
        if cls.__dict__.get("__abstract__", False) or cls.__mro__[1] is DeclarativeBase:
            super().__init_subclass__(**options)
            return
        _refuse_reserved(cls)
        _name_table(cls)
        declared = cls.__dict__.get("__mapper_args__")
        _complete_mapper_args(cls)
        super().__init_subclass__(**options)
        if declared is None:
            del cls.__mapper_args__  # a subclass must not inherit it
        else:
            cls.__mapper_args__ = declared
        mapper: Mapper[Base] | None = cls.__dict__.get("__mapper__")
        if mapper is not None and isinstance(mapper.local_table, Table):
            _complete_types(mapper.local_table)
        if mapper is not None:
            _load_with_ancestors(mapper)
        if mapper is not None and mapper.version_id_col is None:
            mapper.confirm_deleted_rows = False  # a row that is gone already is no error

    @classmethod
    def __table_cls__(cls, *args: Any, **options: Any) -> Table:  # noqa: ANN401  # SQLAlchemy's own arguments
        table: Table = Table(*args, **(_TABLE_OPTIONS | options))
        return table

    def __init__(self, **values: object) -> None:
        """Sets `values` and the defaults that need no database (keys, timestamps). Raises `UnknownField`."""
        fields = fields_of(type(self))
        if not fields.settable.issuperset(values):
            fields.refuse_unknown(values, fields.settable)
        now, own = python_now(), self.__dict__
        for name, make in fields.initial:
            if name not in values:
                own[name] = make(now)  # no change to be noticed: all that a new object has is inserted
        for name, value in values.items():
            setattr(self, name, value)

    @classmethod
    def database(cls) -> Database:
        """The `Database` that this model uses; `NotConnected` without one."""
        database = cls.__database__
        if database is None:
            raise NotConnected(f"{cls.__name__} has no database yet: make a `Database(url)` first")
        return database

    column_names = classproperty(lambda cls: list(fields_of(cls).columns))
    relation_names = classproperty(lambda cls: [*fields_of(cls).relations, *fields_of(cls).queries])
    hybrid_property_names = classproperty(lambda cls: list(fields_of(cls).hybrids))
    settable_column_names = classproperty(lambda cls: [name for name in cls.column_names if not _refers(cls, name)])
    primary_key_names = classproperty(lambda cls: list(fields_of(cls).primary_key))
    foreign_key_names = classproperty(lambda cls: [name for name in cls.column_names if _refers(cls, name)])
    unique_names = classproperty(lambda cls: [names[0] for names in fields_of(cls).unique_sets if len(names) == 1])
    """The columns that are unique by themselves."""

    @classproperty
    def scoped_session(cls: "type[Base]") -> AsyncSession:  # noqa: N805  # a property of the class
        """The session of the running task: its unit's, else the one of `set_session`; `UnitClosed` without one."""
        unit = unit_for(cls)
        return cls.database().scoped_session() if unit is None else unit.session

    @classmethod
    def set_session(cls, session: AsyncSession | None) -> None:
        """Makes the calls of the running task use this session, whose owner commits it; None ends that."""
        cls.database().set_session(session)


Database.default_base = Base


def _refers(model: type[Base], name: str) -> bool:
    """Whether a column is part of a key to another table, and no plain value."""
    return bool(fields_of(model).columns[name].foreign_keys)


def _refuse_reserved(model: type) -> None:
    """`ReservedName` where the model, or a mixin of it, maps an attribute by a name that the library needs."""
    library = [parent for parent in model.__mro__ if _is_library(parent)]
    reserved = {name: owner for owner in reversed(library) for name in _names(owner)}
    for parent in model.__mro__:
        if _is_library(parent) or parent is object:
            continue
        annotations = inspect.get_annotations(parent)
        for name in reserved.keys() & (annotations.keys() | parent.__dict__.keys()):
            value = parent.__dict__.get(name)
            is_mapped = isinstance(value, _MAPPED)
            if is_mapped or "Mapped" in str(annotations.get(name, "")):
                raise ReservedName(
                    f"{model.__name__}.{name} has the name of a method or an option of {reserved[name].__name__}: name "
                    f'the attribute otherwise, and its column as before: `{name}_ = mapped_column("{name}", …)`'
                )


def _is_library(model: type) -> bool:
    return model.__module__.rpartition(".")[0] == __package__


@cache
def _names(owner: type) -> frozenset[str]:
    """The methods and properties of a class, and the parameters of those that take fields by name."""
    found = {"self"}  # SQLAlchemy wraps constructors
    annotations = inspect.get_annotations(owner)
    for name, member in owner.__dict__.items():
        if name.startswith("_") or "Mapped" in str(annotations.get(name, "")):
            continue
        found.add(name)
        function = getattr(member, "__func__", member)
        parameters = inspect.signature(function).parameters.values() if isinstance(function, FunctionType) else ()
        if any(each.kind is each.VAR_KEYWORD for each in parameters):
            found |= {each.name for each in parameters if each.kind in (each.KEYWORD_ONLY, each.POSITIONAL_OR_KEYWORD)}
    return frozenset(found) - _FIELDS_TOO


def _name_table(model: type[Base]) -> None:
    """Gives the model a `__tablename__`, unless it, a mixin or an abstract base declares one."""
    for parent in model.__mro__:
        declares = parent.__dict__.keys() & {"__tablename__", "__table__"}
        if "__mapper__" in parent.__dict__ or declares:  # a subclass of a mapped class shares its table by default
            return
    model.__tablename__ = table_name(model.__name__)


def _complete_types(table: Table) -> None:
    """Makes every value that is written the one that is stored.

    Microseconds stay (but where a default of the database has whole seconds), as MySQL's own types would cut them. An
    explicit None is NULL, where SQLAlchemy has the default, and JSON's null for a `JSON` column.
    """
    for column in table.columns:
        kind = column.type
        if column.server_default is None and type(kind) in _MICROSECONDS and not kind._variant_mapping:  # noqa: SLF001  # as in values
            column.type = kind.with_variant(_MICROSECONDS[type(kind)], *MYSQL_NAMES)
        if isinstance(kind, JSON):
            kind.none_as_null = True  # in place: `MutableDict.as_mutable` knows the type by its identity
        has_default = column.default is not None or column.server_default is not None
        if has_default and not (column.primary_key or column.computed or isinstance(kind, JSON)):
            column.type = column.type.evaluates_none()


def _complete_mapper_args(model: type[Base]) -> None:
    """Adds the version column, and that queries of a parent class load what its subclasses add."""
    own_table = model.__dict__.keys() & {"__tablename__", "__table__"}
    is_subclass = any("__mapper__" in parent.__dict__ for parent in model.__mro__)
    declared: Any = {}
    for parent in model.__mro__:
        found = parent.__dict__.get("__mapper_args__")
        if found is not None and ("__mapper__" not in parent.__dict__ or hasattr(found, "fget")):
            declared = found
            break

    def mapper_args(cls: type[Base]) -> dict[str, object]:
        made: dict[str, object] = {}
        if is_subclass:
            made["polymorphic_load"] = "selectin" if own_table else "inline"
        elif cls.__version_column__ is not None:
            made["version_id_col"] = getattr(cls, cls.__version_column__)
        given: dict[str, object] = declared.fget(cls) if hasattr(declared, "fget") else declared
        return made | given

    model.__mapper_args__ = declared_attr.directive(mapper_args)


def _load_with_ancestors(mapper: "Mapper[Any]") -> None:
    """Has queries of all ancestors in the same table load the columns, and not those of the parent only."""
    each = mapper
    while each.polymorphic_load == "inline" and each.inherits is not None:
        each = each.inherits
        if each is not mapper.inherits:
            each._add_with_polymorphic_subclass(mapper)  # type: ignore[no-untyped-call]  # noqa: SLF001  # as SQLAlchemy does for the parent


@event.listens_for(Session, "before_flush")
def _check_values(session: Session, context: UOWTransaction, instances: object) -> None:
    """Checks what a session of one's own is about to write, as `MemorySession` does."""
    if isinstance(session, MemorySession):
        return
    del context, instances
    for state in (*session._new, *session._dirty_states):  # noqa: SLF001  # sets of instances are dear
        if issubclass(state.class_, Base):
            check_unsaved(session, state)


@event.listens_for(Base, "after_insert", propagate=True, raw=True)
def _read_as_null(mapper: Mapper[Base], connection: Connection, state: InstanceState[Base]) -> None:
    """Makes the columns that an insert left NULL readable, as those of a row that was loaded."""
    del connection
    values = state.dict
    for name in fields_of(mapper.class_).blank:
        if name not in values and name not in state.expired_attributes:
            values[name] = None


class _Attribute(InstrumentedAttribute[Any]):
    """A column, or a relation, which tells the session of its object what another task assigns to it."""

    __slots__ = ()
    inherit_cache = True

    def __set__(self, instance: object, value: object) -> None:
        state = instance_state(instance)
        if state.session_id is not None and isinstance(state.session, MemorySession):
            state.session.note_assigned(state, self.key, value)
        self.impl.set(state, instance.__dict__, value, None)


class _LoadedLater(_Attribute):
    """A relation or deferred column, which says how to load it: async code cannot load it when it is read."""

    __slots__ = ()
    inherit_cache = True

    def __get__(self, instance: object, owner: Any) -> Any:  # noqa: ANN401  # as SQLAlchemy has it
        if instance is None or self.key in instance.__dict__ or in_greenlet():
            return super().__get__(instance, owner)
        state = instance_state(instance)
        try:
            found = self.impl.get(state, instance.__dict__, PassiveFlag.PASSIVE_NO_FETCH)
        except (DetachedInstanceError, InvalidRequestError):  # the latter by `lazy="raise"`
            found = LoaderCallableStatus.PASSIVE_NO_RESULT
        if found is LoaderCallableStatus.PASSIVE_NO_RESULT:
            in_query = f"use .load({self.key!r}) in the query, or " * (self.key in state.mapper.relationships)
            raise NotLoaded(
                f'{type(instance).__name__}.{self.key} is not loaded: {in_query}await .refresh("{self.key}")'
            ) from None
        return found


@event.listens_for(Base, "mapper_configured", propagate=True)
def _watch(mapper: Mapper[Base], model: type[Base]) -> None:
    for each in (*mapper.column_attrs, *mapper.relationships):
        attribute = model.__dict__.get(each.key)
        is_query = each.key in mapper.relationships and mapper.relationships[each.key].lazy in NEVER_LOADED
        if type(attribute) is InstrumentedAttribute and not is_query:
            is_later = each.key in mapper.relationships or each.deferred
            attribute.__class__ = _LoadedLater if is_later else _Attribute


def table_name(class_name: str) -> str:
    """`ApiKey` -> `api_keys`, `Delivery` -> `deliveries`, `Address` -> `addresses`."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name).lower()
    if re.search(r"[^aeiou]y$", snake):
        return f"{snake[:-1]}ies"
    return f"{snake}es" if re.search(r"(s|x|z|ch|sh)$", snake) else f"{snake}s"


def owned_tables(owner: str, base: type[Base] = Base) -> list[Table]:
    """The tables that `owner` migrates, by name."""
    tables = {
        table.name: table
        for mapper in base.registry.mappers
        if getattr(mapper.class_, "__owner__", "") == owner
        for table in mapper.tables
        if isinstance(table, Table)
    }
    return [tables[name] for name in sorted(tables)]
