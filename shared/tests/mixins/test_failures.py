from typing import Any

import pytest

from bongsu.mixins import Conflict, Database, uuid7
from shared.tests.mixins.library import Author, Book, Place, Tag


async def conflict_of(*, model: type[Author | Book | Place | Tag], **values: Any) -> Conflict:  # noqa: ANN401  # columns' values
    with pytest.raises(Conflict) as caught:
        await model.create(**values)
    return caught.value


class TestConflict:
    async def test_a_unique_column_is_named(self, db: Database) -> None:
        del db
        await Author.create(email="it's 'for key' \"x\"")
        conflict = await conflict_of(model=Author, email="it's 'for key' \"x\"")
        assert (conflict.constraint, conflict.columns, conflict.kind) == ("uq_authors_email", ("email",), "unique")
        assert "authors(email)" in str(conflict)

    async def test_a_unique_set_of_columns_is_named(self, db: Database) -> None:
        del db
        await Author.create(email="a", country="KR", rank=1)
        conflict = await conflict_of(model=Author, email="b", country="KR", rank=1)
        assert (conflict.constraint, conflict.columns) == ("uq_authors_country_rank", ("country", "rank"))

    async def test_a_primary_key_is_called_primary(self, db: Database) -> None:
        del db
        key = uuid7()
        await Place.create(id=key, shelf=1, label="a")
        conflict = await conflict_of(model=Place, id=key, shelf=1, label="b")
        assert (conflict.constraint, conflict.columns, conflict.kind) == ("PRIMARY", ("id", "shelf"), "unique")

    async def test_a_foreign_key_is_named(self, db: Database) -> None:
        del db
        conflict = await conflict_of(model=Book, title="x", author_id=uuid7())
        assert (conflict.constraint, conflict.columns, conflict.kind) == (
            "fk_books_author_id_authors",
            ("author_id",),
            "foreign key",
        )

    async def test_a_check_is_named(self, db: Database) -> None:
        del db
        conflict = await conflict_of(model=Author, email="a", age=-1)
        assert (conflict.constraint, conflict.kind) == ("ck_authors_age_not_negative", "check")

    async def test_a_missing_value_names_its_column(self, db: Database) -> None:
        del db
        conflict = await conflict_of(model=Tag, label=None)
        assert (conflict.constraint, conflict.columns, conflict.kind) == (None, ("label",), "not null")
