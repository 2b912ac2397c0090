"""What a library does where users get hurt: the same cases in each peer's environment, answered by what happened.

Like `serving`, it imports the standard library and SQLAlchemy only. Each case runs on a new SQLite file; what is in the
file is read by a connection of its own.
"""

import asyncio
import contextlib
import enum
import json
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from sqlalchemy import JSON, Enum, ForeignKey, String, func, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

RIGHT = "right"
ROUNDS = 20
Model: TypeAlias = Any
"""A model of any library."""
Instance: TypeAlias = Any
"""An object of one."""


class NotOffered(BaseException):
    """The library has no call for this. No error, so that a case that catches errors does not take it for one."""


class Library(Protocol):
    """The calls of a library, as its documentation shows them."""

    async def open(self, path: Path) -> None: ...
    async def close(self) -> None: ...
    def unit(self) -> AbstractAsyncContextManager[object]: ...
    async def create(self, model: Model, **values: object) -> Instance: ...
    async def update(self, instance: Instance, **values: object) -> None: ...
    async def find(self, model: Model, **lookups: object) -> Sequence[Instance]: ...
    async def bulk_create(self, instances: Sequence[Instance]) -> None: ...
    async def delete(self, instance: Instance) -> None: ...
    async def upsert(self, model: Model, rows: Sequence[dict[str, object]], by: str) -> None: ...
    async def count(self, model: Model, limit: int) -> int: ...
    async def run(self, work: Callable[[], Awaitable[object]]) -> None: ...
    def checked_out(self) -> int: ...


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Models:
    """The same tables on a library's base."""

    def __init__(self, base: type[DeclarativeBase], soft_delete: type | None = None) -> None:
        class User(base):  # type: ignore[valid-type,misc]  # a base that is an argument
            __tablename__ = "users"
            id: Mapped[int] = mapped_column(primary_key=True)
            email: Mapped[str] = mapped_column(String(20), unique=True)
            name: Mapped[str | None] = mapped_column(String(20))
            age: Mapped[int | None]
            level: Mapped[Level | None] = mapped_column(Enum(Level, native_enum=False))
            data: Mapped[dict[str, object] | None] = mapped_column(JSON)
            rank: Mapped[int] = mapped_column(server_default=text("7"))
            length: Mapped[int | None] = mapped_column(onupdate=func.length("five5"))
            posts = relationship("Post", back_populates="user")

        class Post(base):  # type: ignore[valid-type,misc]  # the same
            __tablename__ = "posts"
            id: Mapped[int] = mapped_column(primary_key=True)
            title: Mapped[str] = mapped_column(String(20))
            user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
            user = relationship("User", back_populates="posts")

        class Worker(base):  # type: ignore[valid-type,misc]  # the same
            __tablename__ = "workers"
            __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "worker"}  # noqa: RUF012  # SQLAlchemy's
            id: Mapped[int] = mapped_column(primary_key=True)
            kind: Mapped[str] = mapped_column(String(20))
            name: Mapped[str] = mapped_column(String(20))

        class Engineer(Worker):
            __tablename__ = "engineers"
            __mapper_args__ = {"polymorphic_identity": "engineer"}  # noqa: RUF012  # SQLAlchemy's
            id: Mapped[int] = mapped_column(ForeignKey("workers.id"), primary_key=True)
            lang: Mapped[str] = mapped_column(String(20))

        class Counter(base):  # type: ignore[valid-type,misc]  # the same
            __tablename__ = "counters"
            id: Mapped[int] = mapped_column(primary_key=True)
            label: Mapped[str] = mapped_column(String(20), unique=True)
            value: Mapped[int] = mapped_column(default=0)
            version: Mapped[int] = mapped_column(default=1)
            __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  # SQLAlchemy's

        self.user, self.post, self.engineer, self.counter = User, Post, Engineer, Counter
        self.note: Model = None
        if soft_delete is not None:

            class Note(soft_delete, base):  # type: ignore[valid-type,misc]  # the same
                __tablename__ = "notes"
                id: Mapped[int] = mapped_column(primary_key=True)
                text: Mapped[str] = mapped_column(String(20))
                user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
                user = relationship("User", backref="notes")

            self.note = Note


class Scene:
    """A library on an empty file."""

    def __init__(self, library: Library, models: Models, path: Path) -> None:
        self.library, self.models, self.path = library, models, path

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def write(self, sql: str) -> None:
        """As another process would."""
        connection = sqlite3.connect(self.path)
        try:
            connection.execute(sql)
            connection.commit()
        finally:
            connection.close()

    def user(self, email: str, **values: object) -> Awaitable[Any]:
        return self.library.create(self.models.user, email=email, **values)


class Stop(Exception):
    """Ends a unit."""


async def rolled_back(at: Scene) -> str:
    user = await at.user("a", name="a")
    with contextlib.suppress(Stop):
        async with at.library.unit():
            await at.library.update(user, name="b")
            raise Stop
    await at.library.update(user, name="b")
    (name,) = at.rows("SELECT name FROM users")[0]
    return RIGHT if name == "b" else f"lost: the row says {name!r}"


async def failed_update(at: Scene) -> str:
    await at.user("a")
    user = await at.user("b")
    with contextlib.suppress(Exception):  # each library raises an error of its own
        await at.library.update(user, email="a")
    return RIGHT if user.email == "b" else f"the object says {user.email!r}, the row 'b'"


async def undone_unit(at: Scene) -> str:
    user = await at.user("a", name="a")
    with contextlib.suppress(Stop):
        async with at.library.unit():
            await at.library.update(user, name="b")
            raise Stop
    return RIGHT if user.name == "a" else f"the object says {user.name!r}, the row 'a'"


async def database_default(at: Scene) -> str:
    user = await at.user("a")
    return RIGHT if user.rank == 7 else f"the object says {user.rank!r}, the row 7"


async def database_onupdate(at: Scene) -> str:
    user = await at.user("a")
    await at.library.update(user, name="b")
    return RIGHT if user.length == 5 else f"the object says {user.length!r}, the row 5"


async def omitted_json(at: Scene) -> str:
    await at.user("a")
    return RIGHT if at.rows("SELECT data IS NULL FROM users") == [(1,)] else "stores JSON's null"


async def _together(at: Scene, calls: Callable[[Any], list[Awaitable[object]]], is_right: Callable[[], bool]) -> str:
    errors: dict[str, int] = {}
    wrong = 0
    for number in range(ROUNDS):
        user = await at.user(str(number))
        done = await asyncio.gather(*calls(user), return_exceptions=True)
        failed = [type(each).__name__ for each in done if isinstance(each, BaseException)]
        for name in failed:
            errors[name] = errors.get(name, 0) + 1
        wrong += not failed and not is_right()
    leaked = at.library.checked_out()
    outcomes = [f"{name} ({count} of {ROUNDS})" for name, count in errors.items()]
    outcomes += [f"lost in {wrong} of {ROUNDS} rounds"] * bool(wrong) + [f"{leaked} connections leaked"] * bool(leaked)
    return ", ".join(outcomes) or RIGHT


async def updated_by_two_tasks(at: Scene) -> str:
    return await _together(
        at,
        lambda user: [at.library.update(user, age=1), at.library.update(user, name="x")],
        lambda: at.rows("SELECT age, name FROM users ORDER BY id DESC LIMIT 1") == [(1, "x")],
    )


async def referred_to_by_two_tasks(at: Scene) -> str:
    return await _together(
        at,
        lambda user: [at.library.create(at.models.post, title=title, user=user) for title in "ab"],
        lambda: at.rows("SELECT count(*) FROM posts GROUP BY user_id ORDER BY user_id DESC LIMIT 1") == [(2,)],
    )


async def bulk_related(at: Scene) -> str:
    user = await at.user("a")
    await at.library.bulk_create([at.models.post(title="a", user=user)])
    found = at.rows("SELECT user_id FROM posts")
    return RIGHT if found == [(user.id,)] else f"stored {found}"


async def bulk_children(at: Scene) -> str:
    try:
        await at.library.bulk_create([at.models.user(email="a", posts=[at.models.post(title="a")])])
    except Exception as error:  # noqa: BLE001  # each library raises an error of its own
        return RIGHT if "posts" in str(error) else f"{type(error).__name__}, which names no field"
    return RIGHT if at.rows("SELECT user_id FROM posts") == at.rows("SELECT id FROM users") else "drops it"


async def joined_inheritance(at: Scene) -> str:
    await at.library.create(at.models.engineer, name="kim", lang="c")
    found = await at.library.find(at.models.engineer, name="kim")
    return RIGHT if [each.lang for each in found] == ["c"] else f"found {found}"


async def _wrong_value(at: Scene, **values: object) -> str:
    try:
        await at.user("a", **values)
    except Exception as error:  # noqa: BLE001  # the same
        return RIGHT if any(name in str(error) for name in values) else f"{type(error).__name__}, which names no field"
    return "stores it" if at.rows("SELECT * FROM users") else "drops it"


async def text_in_an_integer(at: Scene) -> str:
    return await _wrong_value(at, age="abc")


async def text_too_long(at: Scene) -> str:
    return await _wrong_value(at, name="x" * 300)


async def unknown_member(at: Scene) -> str:
    return await _wrong_value(at, level="nonsense")


async def bulk_conflict_in_a_unit(at: Scene) -> str:
    user = at.models.user
    async with at.library.unit():
        await at.user("a")
        with contextlib.suppress(Exception):  # each library raises an error of its own
            await at.library.bulk_create([user(email="b"), user(email="a")])
        await at.user("c")
    stored = [email for (email,) in at.rows("SELECT email FROM users ORDER BY email")]
    return RIGHT if stored == ["a", "c"] else f"stores {stored}"


async def typing_error(at: Scene) -> str:
    await at.user("a")
    try:
        found = await at.library.find(at.models.user, emial="a")
    except Exception as error:  # noqa: BLE001  # the same
        return RIGHT if "emial" in str(error) else type(error).__name__
    return f"gives {len(found)} of 1 rows"


async def percent_sign(at: Scene) -> str:
    for number, name in enumerate(("a%b", "axb")):
        await at.user(str(number), name=name)
    found = await at.library.find(at.models.user, name__contains="%")
    return RIGHT if len(found) == 1 else f"finds {len(found)} rows instead of 1"


async def nul(at: Scene) -> str:
    for number, name in enumerate(("a\0b", "axb")):
        await at.user(str(number), name=name)
    found = await at.library.find(at.models.user, name__contains="\0")
    return RIGHT if len(found) == 1 else f"finds {len(found)} rows instead of 1"


async def half_a_character(at: Scene) -> str:
    try:
        await at.library.find(at.models.user, name="\ud800")
    except Exception as error:  # noqa: BLE001  # the same
        return RIGHT if "name" in str(error) else type(error).__name__
    return RIGHT


async def to_many_filter(at: Scene) -> str:
    user = await at.user("a")
    for title in ("t1", "t2"):
        await at.library.create(at.models.post, title=title, user_id=user.id)
    found = await at.library.find(at.models.user, posts__title__startswith="t")
    return RIGHT if len(found) == 1 else f"gives the row {len(found)} times"


async def huge_integer(at: Scene) -> str:
    await at.user("a", age=1)
    return RIGHT if not await at.library.find(at.models.user, age=2**70) else "finds a row"


async def json_path(at: Scene) -> str:
    await at.user("a", data={"owner": {"name": "kim"}})
    return RIGHT if len(await at.library.find(at.models.user, data__owner__name="kim")) == 1 else "finds nothing"


async def unloaded_relation(at: Scene) -> str:
    await at.user("a")
    (user,) = await at.library.find(at.models.user, email="a")
    try:
        found = list(user.posts)
    except Exception as error:  # noqa: BLE001  # the same
        return RIGHT if ".load(" in str(error) else type(error).__name__
    return f"loads it: {found}"


async def soft_delete(at: Scene) -> str:
    note = at.models.note
    if note is None:
        raise NotOffered
    user = await at.user("a")
    for word in "xy":
        made = await at.library.create(note, text=word, user_id=user.id)
        if word == "x":
            await at.library.delete(made)
    found = [each.text for each in await at.library.find(note)]
    related = await at.library.find(at.models.user, notes__text="x")
    kept = at.rows("SELECT count(*) FROM notes") == [(2,)]
    return RIGHT if found == ["y"] and not related and kept else f"finds {found} and {len(related)} users"


async def stale_version(at: Scene) -> str:
    counter = await at.library.create(at.models.counter, label="a")
    at.write("UPDATE counters SET value = 5, version = version + 1")
    try:
        await at.library.update(counter, value=9)
    except Exception as error:  # noqa: BLE001  # each library raises an error of its own
        refused = type(error).__name__
    else:
        refused = ""
    (value,) = at.rows("SELECT value FROM counters")[0]
    return RIGHT if refused and value == 5 else f"the row says {value}"


async def _counters(at: Scene) -> str:
    return str(at.rows("SELECT label, value FROM counters ORDER BY label"))


async def upsert(at: Scene) -> str:
    await at.library.create(at.models.counter, label="a", value=1)
    await at.library.upsert(at.models.counter, [{"label": "a", "value": 2}, {"label": "b", "value": 3}], "label")
    found = await _counters(at)
    return RIGHT if found == "[('a', 2), ('b', 3)]" else f"stores {found}"


async def upserted_by_ten_tasks(at: Scene) -> str:
    rows: list[dict[str, object]] = [{"label": "a", "value": 1}]
    calls = [at.library.upsert(at.models.counter, rows, "label") for _ in range(10)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    failed = [type(each).__name__ for each in done if isinstance(each, BaseException)]
    if NotOffered.__name__ in failed:
        raise NotOffered
    found = await _counters(at)
    return f"{failed[0]} ({len(failed)} of 10)" if failed else RIGHT if found == "[('a', 1)]" else f"stores {found}"


async def count_of_a_limit(at: Scene) -> str:
    for number in range(5):
        await at.user(str(number))
    found = await at.library.count(at.models.user, 2)
    return RIGHT if found == 2 else f"counts {found} of 2"


async def broken_off_transaction(at: Scene) -> str:
    user = await at.user("a", age=1)
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        await at.library.update(user, age=user.age + 1)
        if tries == 1:
            raise OperationalError("UPDATE", None, sqlite3.OperationalError("database is locked"))

    await at.library.run(work)
    (age,) = at.rows("SELECT age FROM users")[0]
    return RIGHT if (age, user.age) == (2, 2) else f"the row says {age}, the object {user.age}, instead of 2"


async def counted_by_ten_tasks(at: Scene) -> str:
    at.library.checked_out()  # a library without tasks says so
    await at.user("a", age=0)

    async def count() -> None:
        async with at.library.unit():
            (user,) = await at.library.find(at.models.user, email="a")
            await at.library.update(user, age=user.age + 1)

    done = await asyncio.gather(*(count() for _ in range(10)), return_exceptions=True)
    failed = [type(each).__name__ for each in done if isinstance(each, BaseException)]
    if NotOffered.__name__ in failed:
        raise NotOffered
    (age,) = at.rows("SELECT age FROM users")[0]
    return f"{failed[0]} ({len(failed)} of 10)" if failed else RIGHT if age == 10 else f"counts {age} of 10"


CASES: dict[str, Callable[[Scene], Awaitable[str]]] = {
    "an update that was rolled back is written when it is repeated": rolled_back,
    "an object is as before after a unit that was rolled back": undone_unit,
    "an object is as before after a call that failed": failed_update,
    "a default of the database is readable after an insert": database_default,
    "an `onupdate` in SQL is readable after an update": database_onupdate,
    "JSON that was left out is NULL": omitted_json,
    "two tasks update one object": updated_by_two_tasks,
    "two tasks create rows that refer to one object": referred_to_by_two_tasks,
    "a bulk insert writes the key of a related object": bulk_related,
    "a bulk insert writes new related objects, or refuses them": bulk_children,
    "a joined subclass is created and found": joined_inheritance,
    "text for an integer is refused, naming the field (SQLite)": text_in_an_integer,
    "text that is too long is refused, naming the field (SQLite)": text_too_long,
    "an unknown member of an enum is refused, naming the field": unknown_member,
    "a bulk write's conflict, caught in a unit, undoes that write only": bulk_conflict_in_a_unit,
    "a filter by a misspelt field is an error that names it": typing_error,
    "`%` in `contains` is a character": percent_sign,
    "NUL in `contains` is a character (SQLite)": nul,
    "half a character in a filter finds nothing, or is an error that names the field": half_a_character,
    "a filter over a to-many relation gives each row once": to_many_filter,
    "an integer of 70 bits finds nothing": huge_integer,
    "a filter by a path into JSON": json_path,
    "reading a relation that is not loaded says how to load it": unloaded_relation,
    "a soft-deleted row stays, and queries and filters over relations leave it out": soft_delete,
    "a row with a version that another has changed is not overwritten": stale_version,
    "an upsert updates the rows that exist and inserts the others": upsert,
    "ten tasks upsert one new row": upserted_by_ten_tasks,
    "the count of a query with a limit is that of its rows": count_of_a_limit,
    "a transaction that the database breaks off is repeated as a whole": broken_off_transaction,
    "ten transactions that add to what they have read lose nothing (SQLite)": counted_by_ten_tasks,
}


async def _answers(library: Library, models: Models) -> dict[str, str]:
    found: dict[str, str] = {}
    for title, case in CASES.items():
        with tempfile.TemporaryDirectory(prefix="bongsu-peers-") as folder:
            path = Path(folder) / "cases.sqlite3"
            await library.open(path)
            try:
                async with asyncio.timeout(60):
                    found[title] = await case(Scene(library, models, path))
            except NotOffered:
                found[title] = "-"
            except Exception as error:  # noqa: BLE001  # that is its answer
                found[title] = type(error).__name__
            finally:
                await library.close()
    return found


def answer(library: Library, models: Models, package: str) -> None:
    """The main function of a peer's script: prints its version and its answers."""
    versions = {name: version(name) for name in (package, "sqlalchemy")}
    print(json.dumps({"versions": versions, "answers": asyncio.run(_answers(library, models))}))
