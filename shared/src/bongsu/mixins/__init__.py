"""Async Active Record for SQLAlchemy 2.1: models, sessions and queries for MySQL, MariaDB and SQLite.

See README.md beside this file. Everything public is importable from here.
"""

from bongsu.mixins.base import NAMING_CONVENTION, Base, owned_tables, table_name
from bongsu.mixins.clock import python_now, utc_now, uuid7
from bongsu.mixins.crud import CRUDMixin
from bongsu.mixins.database import Database
from bongsu.mixins.errors import (
    Conflict,
    LockOutsideUnit,
    MixinError,
    MultipleFound,
    NotConnected,
    NotFound,
    NotLoaded,
    ReservedName,
    SessionSharedAcrossTasks,
    StaleVersion,
    TransactionLost,
    UnfilteredWrite,
    UnitClosed,
    UnitFailed,
    UnknownField,
    UnknownLookup,
    WrongCursor,
    WrongValue,
    WrongValueForLookup,
)
from bongsu.mixins.failures import is_unavailable, may_be_repeated
from bongsu.mixins.group_commit import GroupCommit
from bongsu.mixins.model import (
    AuditMixin,
    BaseModel,
    IntegerBaseModel,
    IntegerKeyMixin,
    ReprMixin,
    SerializeMixin,
    SoftDeleteMixin,
    TimestampMixin,
    UUIDKeyMixin,
    VersionMixin,
    acting_as,
    current_actor,
    json_value,
)
from bongsu.mixins.q import Q
from bongsu.mixins.query import CursorPage, Page, Query
from bongsu.mixins.sessions import read
from bongsu.mixins.types import (
    AsciiKey,
    ExactString,
    IntegerEnum,
    Json,
    JsonValue,
    UTCDateTime,
    UUIDKey,
    write_keys,
    written,
)
from bongsu.mixins.unit import Unit

__all__ = [
    "NAMING_CONVENTION",
    "AsciiKey",
    "AuditMixin",
    "Base",
    "BaseModel",
    "CRUDMixin",
    "Conflict",
    "CursorPage",
    "Database",
    "ExactString",
    "GroupCommit",
    "IntegerBaseModel",
    "IntegerEnum",
    "IntegerKeyMixin",
    "Json",
    "JsonValue",
    "LockOutsideUnit",
    "MixinError",
    "MultipleFound",
    "NotConnected",
    "NotFound",
    "NotLoaded",
    "Page",
    "Q",
    "Query",
    "ReprMixin",
    "ReservedName",
    "SerializeMixin",
    "SessionSharedAcrossTasks",
    "SoftDeleteMixin",
    "StaleVersion",
    "TimestampMixin",
    "TransactionLost",
    "UTCDateTime",
    "UUIDKey",
    "UUIDKeyMixin",
    "UnfilteredWrite",
    "Unit",
    "UnitClosed",
    "UnitFailed",
    "UnknownField",
    "UnknownLookup",
    "VersionMixin",
    "WrongCursor",
    "WrongValue",
    "WrongValueForLookup",
    "acting_as",
    "current_actor",
    "is_unavailable",
    "json_value",
    "may_be_repeated",
    "owned_tables",
    "python_now",
    "read",
    "table_name",
    "utc_now",
    "uuid7",
    "write_keys",
    "written",
]
