"""What a type checker knows without a plugin: these tests say as much when the checker reads them as when they run."""

from typing import assert_type

import pytest

from bongsu.mixins import CursorPage, Database, Page, Query, WrongValue
from shared.tests.mixins.library import Author


class TestTypes:
    async def test_ends_know_their_model(self, db: Database) -> None:
        made = assert_type(await Author.create(email="kim"), Author)
        assert_type(Author.filter_by(email="kim"), Query[Author])
        assert_type(await Author.filter_by(email="kim").first(), Author | None)
        assert_type(await Author.filter_by(email="kim").one(), Author)
        assert_type(await Author.order_by("email").limit(3).all(), list[Author])
        assert_type(await Author.get(made.id), Author)
        assert_type(await Author.get_or_none(made.id), Author | None)
        assert_type(await Author.get_or_create(email="lee"), tuple[Author, bool])
        assert_type(await Author.order_by("email").page(1, 3), Page[Author])
        assert_type(await Author.order_by("email").after(None, 3), CursorPage[Author])
        assert_type(await made.update(age=3), Author | None)
        assert_type(await db.run(lambda: Author.get(made.id)), Author)

        async def rename(author: Author, name: str, *, age: int = 0) -> str:
            await author.update(name=name, age=age)
            return name

        assert_type(await db.run(rename, made, "Kim", retries=1), str)
        assert_type(await db.run(rename, made, "Kim", age=5), str)
        with pytest.raises(WrongValue):
            await db.run(rename, made, 5)  # type: ignore[arg-type, call-arg]  # under test
        assert_type(Author.column_names, list[str])
        async for author in Author.order_by("email").stream():
            assert_type(author, Author)
