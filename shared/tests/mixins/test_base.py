import pytest
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import Mapped, mapped_column

from bongsu.mixins import NAMING_CONVENTION, Base, BaseModel, Database, UnknownField, owned_tables, table_name
from shared.tests.mixins.library import Author, Book, LibraryBase, Note


class OtherBase(Base):
    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Vehicle(OtherBase, BaseModel):
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}  # noqa: RUF012  # SQLAlchemy's own


class Bicycle(Vehicle):
    __mapper_args__ = {"polymorphic_identity": "bicycle"}  # noqa: RUF012  # the same
    gears: Mapped[int | None]


class Lorry(Vehicle):
    __tablename__ = "lorries"
    __mapper_args__ = {"polymorphic_identity": "lorry"}  # noqa: RUF012  # the same
    id: Mapped[Vehicle.id.type.python_type] = mapped_column(ForeignKey("vehicles.id"), primary_key=True)  # type: ignore[name-defined]  # only SQLAlchemy reads it


class TestTableName:
    @pytest.mark.parametrize(
        ("name", "table"),
        [
            ("User", "users"),
            ("ApiKey", "api_keys"),
            ("HTTPRequest", "http_requests"),
            ("Delivery", "deliveries"),
            ("Day", "days"),
            ("Address", "addresses"),
            ("Inbox", "inboxes"),
            ("Batch", "batches"),
        ],
    )
    def test_table_name_is_derived_from_the_class_name(self, name: str, table: str) -> None:
        assert table_name(name) == table

    def test_model_has_the_derived_table_name_unless_it_sets_another(self) -> None:
        assert Author.__tablename__ == "authors"
        assert Lorry.__tablename__ == "lorries"

    def test_a_subclass_without_a_table_shares_its_parents(self) -> None:
        assert Bicycle.__table__ is Vehicle.__table__


class TestInit:
    def test_key_and_times_are_set_when_the_object_is_created(self) -> None:
        author = Author(email="kim")
        assert author.id.version == 7
        assert author.created_at == author.updated_at

    def test_given_values_win(self) -> None:
        key = Author(email="x").id
        assert Author(id=key, email="kim").id == key

    def test_an_unknown_field_is_refused(self) -> None:
        with pytest.raises(UnknownField, match="did you mean 'email'"):
            Author(emial="kim")


class TestNames:
    def test_constraints_have_predictable_names(self) -> None:
        names = {str(constraint.name) for constraint in Author.__table__.constraints if constraint.name}  # type: ignore[attr-defined]  # a table, not any FROM clause
        assert names >= {
            "uq_authors_email",
            "uq_authors_country_rank",
            "ck_authors_age_not_negative",
            "fk_authors_mentor_id_authors",
        }


class TestOwnedTables:
    def test_they_are_those_of_the_models_with_that_owner(self) -> None:
        names = [table.name for table in owned_tables("library", LibraryBase)]
        assert {"authors", "books", "notes"} <= set(names)
        assert names == sorted(names)
        assert owned_tables("nobody") == []


class TestClassProperties:
    def test_they_name_the_parts_of_a_model(self) -> None:
        assert Author.column_names[:3] == ["id", "email", "name"]
        assert Author.relation_names == ["mentor", "pupils", "books"]
        assert Author.hybrid_property_names == ["shout"]
        assert Author.primary_key_names == ["id"]
        assert Author.foreign_key_names == ["mentor_id"]
        assert Author.unique_names == ["email"]
        assert "mentor_id" not in Author.settable_column_names
        assert "email" in Author.settable_column_names

    def test_they_are_read_from_an_object_too(self) -> None:
        assert Book(title="x").relation_names == ["author", "tags"]


class TestRepr:
    def test_repr_shows_the_key_and_the_named_attributes_truncated(self) -> None:
        author = Author(email="a-very-long-address@bongsu.test")
        assert repr(author) == f"<Author id={author.id!r} email='a-very-long-ad… name=None>"

    async def test_repr_marks_an_attribute_that_is_not_loaded(self, db: Database) -> None:
        async with db.unit() as unit:
            author = await Author.create(email="kim")
            unit.session.expire(author, ["email"])
            assert repr(author) == f"<Author id={author.id!r} email=<not loaded> name=None>"

    def test_computed_fields_can_be_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Author, "__repr_attrs__", ("shout",))
        assert "shout='KIM'" in repr(Author(email="kim", name="Kim"))

    def test_secrets_are_hidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Author, "__repr_attrs__", ("password_hash",))
        assert "hunter2" not in repr(Author(email="kim", password_hash="hunter2"))

    def test_a_soft_deleted_row_is_no_different(self) -> None:
        note = Note(text="x")
        assert repr(note) == f"<Note id={note.id!r}>"
