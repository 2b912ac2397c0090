import pytest

from bongsu.mixins import Database, Q, UnknownLookup, WrongValueForLookup, uuid7
from shared.tests.mixins.library import Author, Book, Tag


async def emails(*where: Q, **lookups: object) -> str:
    return "".join(await Author.filter_by(*where, **lookups).order_by("email").pluck("email"))


@pytest.fixture
async def shelf(db: Database) -> Database:
    async with db.unit():
        a = await Author.create(email="a", name="Kim", age=10)
        b = await Author.create(email="b", name=None, age=20, mentor=a)
        c = await Author.create(email="c", name="Lee", age=30, mentor=b)
        await Author.create(email="d", name="Park", age=40)
        red, blue = await Tag.create(label="red"), await Tag.create(label="blue")
        await Book.create(title="one", price=1, author=a, tags=[red])
        await Book.create(title="two", price=2, author=a, tags=[blue])
        await Book.create(title="three", price=3, author=c, tags=[red, blue])
        await Book.create(title="nobody's")
    return db


class TestQ:
    async def test_or_and_and_not_combine(self, shelf: Database) -> None:
        del shelf
        assert await emails(Q(age=10) | Q(age=40)) == "ad"
        assert await emails(Q(age__gt=10) & Q(age__lt=40)) == "bc"
        assert await emails(~Q(age=10)) == "bcd"
        assert await emails((Q(age=10) | Q(age=20)) & ~Q(name="Kim")) == "b"
        assert await emails(Q(age=10) | (Author.age > 30)) == "ad"
        assert await emails(Q(age=10, name="Lee") | Q(age=20)) == "b"
        assert await emails(~~Q(age=10)) == "a"

    async def test_not_includes_rows_where_the_field_is_missing(self, shelf: Database) -> None:
        del shelf
        assert await emails(~Q(name="Kim")) == "bcd"
        assert await emails(~Q(name="Kim", age=10)) == "bcd"
        assert await emails(~(Q(name="Kim") | Q(name="Lee"))) == "bd"

    async def test_groups_nest_as_dictionaries(self, shelf: Database) -> None:
        del shelf
        assert await emails(or_={"age": 10, "name": "Lee"}) == "ac"
        assert await emails(or_1={"age": 10, "and_1": {"age__gt": 15, "age__lt": 35}}, and_2={"age__ne": 20}) == "ac"

    async def test_an_empty_q_asks_for_nothing(self, shelf: Database) -> None:
        del shelf
        assert await emails(Q()) == "abcd"
        assert await emails(~Q()) == "abcd"
        assert await emails(Q() | Q(age=10)) == "a"

    async def test_q_is_not_changed_by_combining(self, shelf: Database) -> None:
        del shelf
        ten = Q(age=10)
        _ = ten | Q(age=20), ten & Q(age=20), ~ten
        assert await emails(ten) == "a"

    def test_q_has_no_truth_value(self) -> None:
        with pytest.raises(TypeError, match="combine with"):
            _ = Q(age=1) and Q(age=2)


class TestRelations:
    async def test_a_to_one_relation_is_filtered_by_its_fields(self, shelf: Database) -> None:
        del shelf
        assert await Book.filter_by(author__name="Kim").order_by("title").pluck("title") == ["one", "two"]
        assert await Book.filter_by(author__name__icontains="L").pluck("title") == ["three"]
        assert await Book.filter_by(author__isnull=True).pluck("title") == ["nobody's"]
        assert await Book.filter_by(author=None).pluck("title") == ["nobody's"]

    async def test_a_to_many_relation_is_filtered_by_exists(self, shelf: Database) -> None:
        del shelf
        assert await emails(books__price__gt=0) == "ac"
        assert await emails(books__isnull=True) == "bd"
        assert await emails(books__isnull=False) == "ac"
        assert await emails(~Q(books__title="one")) == "bcd"

    async def test_lookups_of_one_call_are_about_the_same_related_row(self, shelf: Database) -> None:
        del shelf
        assert await emails(books__title="one", books__price=2) == ""
        assert await Author.filter_by(books__title="one").filter_by(books__price=2).count() == 1
        assert await emails(books__title="three", books__tags__label="red") == "c"

    async def test_deep_paths_and_many_to_many_work(self, shelf: Database) -> None:
        del shelf
        assert await emails(books__tags__label="blue", books__tags__books__title="one") == ""
        assert await emails(books__tags__books__author__name="Lee") == "ac"
        assert await Tag.filter_by(books__author__name="Kim").order_by("label").pluck("label") == ["blue", "red"]

    async def test_a_relation_to_its_own_table_works(self, shelf: Database) -> None:
        del shelf
        assert await emails(mentor__email="a") == "b"
        assert await emails(mentor__mentor__email="a") == "c"
        assert await emails(pupils__pupils__email="c") == "a"
        assert await emails(pupils__mentor__email="a") == "a"

    async def test_a_relation_is_compared_with_objects(self, shelf: Database) -> None:
        del shelf
        kim, lee = await Author.get(email="a"), await Author.get(email="c")
        one, three = await Book.get(title="one"), await Book.get(title="three")
        assert await Book.filter_by(author=kim).count() == 2
        assert await Book.filter_by(author__in=[kim, lee]).count() == 3
        assert await Book.filter_by(author__in=[]).count() == 0
        assert await emails(books=one) == "a"
        assert await emails(books__in=[one, three]) == "ac"
        assert await emails(books__ne=one) == "bcd"

    def test_a_relation_takes_objects_of_its_own_model(self) -> None:
        with pytest.raises(WrongValueForLookup, match=r"Book\.author__eq takes a Author"):
            Book.filter_by(author=uuid7())

    def test_a_lookup_that_relations_lack_is_an_unknown_field(self) -> None:
        with pytest.raises(Exception, match="Author has no field 'contains'"):
            Book.filter_by(author__contains="x")

    def test_a_json_column_has_few_lookups(self) -> None:
        with pytest.raises(UnknownLookup):
            Book.filter_by(facts__contains="x")
