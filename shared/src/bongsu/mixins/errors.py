"""The errors of the library. Each is a `MixinError`, and its message says how to fix it."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal

from sqlalchemy.exc import StatementError

ConflictKind = Literal["unique", "foreign key", "not null", "check"]


class MixinError(Exception):
    """Base of every error of the library."""


class NotConnected(MixinError):
    """A model was used before a `Database` was made for its base."""


class NotFound(MixinError):
    """No row matches where one was asked for."""


class MultipleFound(MixinError):
    """Several rows match where one was asked for."""


class Conflict(MixinError):
    """The database refused a write because of a constraint.

    Of an object's write (`create`, `save`, `update`, `delete`) it ends the unit of work, caught or not, unless it is
    raised out of a `unit.savepoint()`: what follows in the unit is `UnitFailed`.

    `constraint` is the constraint's name as the model declares it (None where the database does not report it),
    `columns` are the columns it covers (empty where it does not), `kind` is what sort it is.
    """

    def __init__(self, message: str, constraint: str | None, columns: tuple[str, ...], kind: ConflictKind) -> None:
        super().__init__(message)
        self.constraint = constraint
        self.columns = columns
        self.kind: ConflictKind = kind


class StaleVersion(MixinError):
    """Another transaction changed or deleted the row since it was read; read it again and repeat."""


class UnknownField(MixinError):
    """A name that is not a field of the model."""

    def __init__(self, model: str, name: str, fields: Iterable[str]) -> None:
        known = sorted(fields)
        super().__init__(f"{model} has no field {name!r}{did_you_mean(name, known)} Fields: {', '.join(known)}")
        self.model = model
        self.name = name


class UnknownLookup(MixinError):
    """A lookup that does not exist, or not for this kind of field."""

    def __init__(self, field: str, name: str, lookups: Iterable[str], *, is_path: bool = False) -> None:
        known = sorted(lookups)
        start = f"{field} is no relation and no JSON document: it" if is_path else field
        super().__init__(f"{start} has no lookup {name!r}{did_you_mean(name, known)} Lookups: {', '.join(known)}")
        self.field = field
        self.name = name


class WrongValueForLookup(MixinError):
    """A value that this lookup, this step of a query or this field cannot take."""


class WrongValue(WrongValueForLookup, StatementError):
    """A value that a column cannot store; the message says what fits, and leaves the value out. Nothing was written.

    It is a `StatementError`, as SQLAlchemy's own refusal of a value is.
    """

    def __init__(self, message: str) -> None:
        StatementError.__init__(self, message, None, None, None)

    def __str__(self) -> str:
        return str(self.args[0])


class WrongCursor(WrongValueForLookup):
    """Text that is no cursor, or one of another list or another order."""


class SessionSharedAcrossTasks(MixinError):
    """A task used a session, or an object in a session, that another task is using.

    `holder` is the session that has the object, where the same work succeeds after it has ended.
    """

    def __init__(self, message: str, holder: object = None) -> None:
        super().__init__(message)
        self.holder = holder


class ReservedName(MixinError):
    """A mapped attribute has the name of something that the model's methods need; its column may keep that name."""


class UnfilteredWrite(MixinError):
    """A bulk update or delete without a filter; `.unfiltered()` allows it."""


class TransactionLost(MixinError):
    """The database abandoned this transaction, or a statement of it, so it must not be committed."""


class UnitFailed(MixinError):
    """A write of this unit of work failed before, and ended it; that write's error is the cause."""


class UnitClosed(MixinError):
    """A unit of work was used after its end, or before its start."""


class LockOutsideUnit(MixinError):
    """A row lock without a unit of work would be released immediately."""


class NotLoaded(MixinError):
    """An attribute that was not loaded was to be read; `await obj.refresh("name")` loads it."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'email'?"`, or `"."` where nothing is close."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else "."
