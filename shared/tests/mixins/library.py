"""The models that the mixins' tests share: authors, their books, tags, and one model for each special mixin."""

import datetime as dt
import enum
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BINARY,
    CHAR,
    JSON,
    VARBINARY,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Dialect,
    Double,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
    func,
    literal,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import Mapped, attribute_keyed_dict, declared_attr, mapped_column, relationship, synonym
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from bongsu.mixins import (
    NAMING_CONVENTION,
    AsciiKey,
    AuditMixin,
    Base,
    BaseModel,
    ExactString,
    IntegerBaseModel,
    IntegerEnum,
    Json,
    SerializeMixin,
    SoftDeleteMixin,
    UUIDKey,
    VersionMixin,
)

MYSQL_NAMES = ("mysql", "mariadb")


class LibraryBase(Base):
    """Base of the tests' models: their tables are apart from the product's."""

    __abstract__ = True
    __owner__ = "library"
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class LibraryModel(LibraryBase, BaseModel):
    __abstract__ = True


class Genre(enum.StrEnum):
    POETRY = "poetry"
    CRIME = "crime"


class Level(enum.IntEnum):
    LOW = 2
    HIGH = 10


book_tags = Table(
    "book_tags",
    LibraryModel.metadata,
    Column("book_id", UUIDKey(), ForeignKey("books.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", UUIDKey(), ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True),
)


class Author(SerializeMixin, LibraryModel):
    __repr_attrs__: ClassVar[tuple[str, ...]] = ("email", "name")
    __hidden__: ClassVar[tuple[str, ...]] = ("password_hash",)
    __table_args__ = (
        UniqueConstraint("country", "rank"),
        CheckConstraint("age >= 0", name="age_not_negative"),
    )

    email: Mapped[str] = mapped_column(ExactString(200), unique=True)
    name: Mapped[str | None]
    age: Mapped[int] = mapped_column(default=0)
    country: Mapped[str | None] = mapped_column(AsciiKey(2))
    rank: Mapped[int | None]
    born_on: Mapped[dt.date | None]
    seen_at: Mapped[dt.datetime | None] = mapped_column(index=True)
    is_active: Mapped[bool] = mapped_column(default=True)
    password_hash: Mapped[str | None]
    mentor_id: Mapped[UUID | None] = mapped_column(ForeignKey("authors.id"))

    mentor: Mapped["Author | None"] = relationship(remote_side="Author.id", back_populates="pupils")
    pupils: Mapped[list["Author"]] = relationship(back_populates="mentor")
    books: Mapped[list["Book"]] = relationship(back_populates="author", order_by="Book.title")

    @hybrid_property
    def shout(self) -> str:
        return (self.name or "").upper()

    @shout.inplace.expression
    @classmethod
    def _shout(cls) -> ColumnElement[str]:
        return func.upper(cls.name)


class Book(SerializeMixin, LibraryModel):
    title: Mapped[str]
    text: Mapped[str | None] = mapped_column(Text)
    genre: Mapped[Genre | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    facts: Mapped[dict[str, object] | None] = mapped_column(Json)
    cover: Mapped[bytes | None]
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("authors.id"))

    author: Mapped[Author | None] = relationship(back_populates="books")
    tags: Mapped[list["Tag"]] = relationship(secondary=book_tags, back_populates="books")


class Tag(LibraryModel):
    label: Mapped[str] = mapped_column(unique=True)
    books: Mapped[list[Book]] = relationship(secondary=book_tags, back_populates="tags")


class Note(SoftDeleteMixin, LibraryModel):
    text: Mapped[str]
    folder_id: Mapped[UUID | None] = mapped_column(ForeignKey("folders.id"))
    folder: Mapped["Folder | None"] = relationship(back_populates="notes")


class Folder(LibraryModel):
    label: Mapped[str]
    notes: Mapped[list[Note]] = relationship(back_populates="folder")


class Counter(VersionMixin, AuditMixin, LibraryModel):
    label: Mapped[str] = mapped_column(ExactString(50), unique=True)
    value: Mapped[int] = mapped_column(default=0)


class Place(LibraryModel):
    """A key of two columns."""

    id: Mapped[UUID] = mapped_column(UUIDKey(), primary_key=True)
    shelf: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    label: Mapped[str]


class Parcel(LibraryModel):
    """A column of each type, all nullable."""

    label: Mapped[str | None] = mapped_column(String(20))
    code: Mapped[str | None] = mapped_column(AsciiKey(8))
    weight_g: Mapped[int | None]
    size: Mapped[int | None] = mapped_column(SmallInteger)
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    ratio: Mapped[float | None]
    genre: Mapped[Genre | None]
    level: Mapped[Level | None]
    sent_on: Mapped[dt.date | None]
    sent_at: Mapped[dt.datetime | None]
    is_open: Mapped[bool | None]
    seal: Mapped[bytes | None]
    stamp: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    whole: Mapped[Decimal | None] = mapped_column(Numeric)
    single: Mapped[float | None] = mapped_column(Float)
    notes: Mapped[str | None] = mapped_column(Text)
    facts: Mapped[dict[str, object] | None] = mapped_column(Json)
    papers: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))
    noted_at: Mapped[dt.datetime | None] = mapped_column(DateTime)
    opens_at: Mapped[dt.time | None]
    lasts: Mapped[dt.timedelta | None]
    pallets: Mapped[int | None] = mapped_column(Integer().with_variant(mysql.INTEGER(unsigned=True), *MYSQL_NAMES))
    ticket: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("authors.id"))


def on_mysql(portable: TypeEngine[Any], own: TypeEngine[Any]) -> TypeEngine[Any]:
    """A type that is one of MySQL's own on MySQL."""
    return portable.with_variant(own, *MYSQL_NAMES)


class Turn(enum.Enum):
    """The name of each member is the value of another."""

    LEFT = "RIGHT"
    RIGHT = "LEFT"


class Mark(enum.Flag):
    RED = 1
    BLUE = 2


class Trimmed(TypeDecorator[str]):
    """Text whose outer spaces are not stored."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else value.strip()


class Crate(LibraryModel):
    """A column of each of MySQL's own types, all nullable, and types of one's own."""

    tiny: Mapped[int | None] = mapped_column(on_mysql(Integer(), mysql.TINYINT()))
    tiny_unsigned: Mapped[int | None] = mapped_column(on_mysql(Integer(), mysql.TINYINT(unsigned=True)))
    medium: Mapped[int | None] = mapped_column(on_mysql(Integer(), mysql.MEDIUMINT()))
    small_unsigned: Mapped[int | None] = mapped_column(on_mysql(SmallInteger(), mysql.SMALLINT(unsigned=True)))
    year: Mapped[int | None] = mapped_column(on_mysql(Integer(), mysql.YEAR()))
    bits: Mapped[int | None] = mapped_column(on_mysql(Integer(), mysql.BIT(4)))
    short: Mapped[str | None] = mapped_column(on_mysql(Text(), mysql.TINYTEXT()))
    medium_text: Mapped[str | None] = mapped_column(on_mysql(Text(), mysql.MEDIUMTEXT()))
    padded: Mapped[str | None] = mapped_column(CHAR(5))
    exact: Mapped[bytes | None] = mapped_column(BINARY(4))
    varying: Mapped[bytes | None] = mapped_column(VARBINARY(4))
    blob: Mapped[bytes | None] = mapped_column(on_mysql(LargeBinary(), mysql.TINYBLOB()))
    stamped: Mapped[dt.datetime | None] = mapped_column(on_mysql(DateTime(), mysql.TIMESTAMP(fsp=6)))
    millis: Mapped[dt.datetime | None] = mapped_column(on_mysql(DateTime(), mysql.DATETIME(fsp=3)))
    tenths: Mapped[dt.time | None] = mapped_column(on_mysql(Time(), mysql.TIME(fsp=1)))
    positive: Mapped[Decimal | None] = mapped_column(on_mysql(Numeric(8, 2), mysql.DECIMAL(8, 2, unsigned=True)))
    rate: Mapped[float | None] = mapped_column(on_mysql(Double(), mysql.DOUBLE(8, 2, unsigned=True, asdecimal=False)))
    mark: Mapped[Mark | None]
    marks: Mapped[Mark | None] = mapped_column(IntegerEnum(Mark))
    trimmed: Mapped[str | None] = mapped_column(Trimmed(5))
    wide: Mapped[Decimal | None] = mapped_column(Numeric(30, 2))
    whole: Mapped[Decimal | None] = mapped_column(Numeric(30))
    type_: Mapped[str | None]
    turn: Mapped[Turn | None]
    lasts: Mapped[dt.timedelta | None]
    kind = synonym("type_")

    @hybrid_property
    def level(self) -> int | None:
        return self.tiny

    @level.inplace.setter
    def _set_level(self, value: int | None) -> None:
        self.tiny = value


class Poll(LibraryModel):
    """A column is named as an option of `create` and `update`."""

    refresh: Mapped[bool] = mapped_column(default=True)  # type: ignore[assignment]  # it hides the method


class Shelf(SoftDeleteMixin, LibraryModel):
    """Its rows come with their children."""

    label: Mapped[str] = mapped_column(unique=True)
    room: Mapped[int | None]
    measured: Mapped[list["Measured"]] = relationship(back_populates="shelf", lazy="joined")
    lamps: Mapped[list["Lamp"]] = relationship(back_populates="shelf", lazy="selectin")


class Lamp(SoftDeleteMixin, LibraryModel):
    label: Mapped[str]
    manual: Mapped[str | None] = mapped_column(deferred=True)
    shelf_id: Mapped[UUID | None] = mapped_column(ForeignKey("shelfs.id"))
    shelf: Mapped[Shelf | None] = relationship(back_populates="lamps")
    spare_id: Mapped[UUID | None] = mapped_column(ForeignKey("lamps.id"))
    spare: Mapped["Lamp | None"] = relationship(remote_side="Lamp.id", lazy="joined", join_depth=1)


class Measured(LibraryModel):
    """Values that the database makes, and types of its own."""

    title: Mapped[str]
    width: Mapped[int] = mapped_column(default=1)
    area: Mapped[int] = mapped_column(Computed("width * width"))
    label: Mapped[str] = mapped_column(default=literal("from sql"))
    moves: Mapped[int] = mapped_column(default=0, onupdate=text("moves + 1"))
    stamped: Mapped[dt.datetime | None] = mapped_column(DateTime, server_default=func.now())
    single: Mapped[float | None] = mapped_column(Float)
    native: Mapped[Genre | None] = mapped_column(Enum(Genre))
    shelf_id: Mapped[UUID | None] = mapped_column(ForeignKey("shelfs.id"))
    shelf: Mapped[Shelf | None] = relationship(back_populates="measured")


class Worker(VersionMixin, LibraryModel):
    """The parent of models with tables of their own."""

    kind: Mapped[str] = mapped_column(AsciiKey(20))
    name: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "worker"}  # noqa: RUF012  # as SQLAlchemy declares it


class Engineer(Worker):
    __tablename__ = "engineers"
    __mapper_args__ = {"polymorphic_identity": "engineer"}  # noqa: RUF012  # as SQLAlchemy declares it
    id: Mapped[UUID] = mapped_column(ForeignKey("workers.id"), primary_key=True)
    lang: Mapped[str]


class Manager(Worker):
    __tablename__ = "managers"
    __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012  # as SQLAlchemy declares it
    id: Mapped[UUID] = mapped_column(ForeignKey("workers.id"), primary_key=True)
    budget: Mapped[int | None]


class Vehicle(LibraryModel):
    """The parent of models in its own table."""

    __table_args__ = (UniqueConstraint("kind", "plate"),)
    kind: Mapped[str] = mapped_column(AsciiKey(20))
    plate: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}  # noqa: RUF012  # as SQLAlchemy declares it


class Van(Vehicle):
    seats: Mapped[int | None] = mapped_column(default=None)
    __mapper_args__ = {"polymorphic_identity": "van"}  # noqa: RUF012  # as SQLAlchemy declares it


class Minibus(Van):
    """Two levels below the parent of all."""

    doors: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "minibus"}  # noqa: RUF012  # as SQLAlchemy declares it


class Lorry(Vehicle):
    load_t: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "lorry"}  # noqa: RUF012  # as SQLAlchemy declares it


class NamedTable(LibraryModel):
    """Names the tables of the models on it."""

    __abstract__ = True

    @declared_attr.directive
    def __tablename__(cls) -> str:  # noqa: N805  # SQLAlchemy calls it with the class
        return f"{cls.__name__.lower()}_table"


class Memo(VersionMixin, NamedTable):
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012  # as SQLAlchemy declares it
    title: Mapped[str]
    subtitle: Mapped[str | None]
    document: Mapped[dict[str, object] | None] = mapped_column(JSON)
    watched: Mapped[dict[str, object] | None] = mapped_column(MutableDict.as_mutable(JSON(none_as_null=True)))


class Drawer(SerializeMixin, LibraryModel):
    """Its collection is a dict, and what leaves it is deleted."""

    label: Mapped[str]
    sheets: Mapped[dict[str, "Sheet"]] = relationship(
        back_populates="drawer", collection_class=attribute_keyed_dict("name"), cascade="all, delete-orphan"
    )


class Sheet(SoftDeleteMixin, SerializeMixin, LibraryModel):
    name: Mapped[str]
    drawer_id: Mapped[UUID | None] = mapped_column(ForeignKey("drawers.id"))
    drawer: Mapped[Drawer | None] = relationship(back_populates="sheets")


class Visit(LibraryBase, IntegerBaseModel):
    """An integer key."""

    who: Mapped[str] = mapped_column(default="nobody")
    __table_args__ = (Index("visits_who", "who", unique=False),)
