"""The strict parser of structured fields."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.identity.structured_fields import (
    MAX_FIELD_CHARS,
    BareItem,
    InnerList,
    Item,
    Member,
    StructuredFieldError,
    Token,
    parse_dictionary,
    serialize_dictionary,
    serialize_member,
)

KEYS = st.from_regex(r"\A[a-z*][a-z0-9_.*-]{0,8}\Z")
BARE: st.SearchStrategy[BareItem] = st.one_of(
    st.booleans(),
    st.integers(-999_999_999_999_999, 999_999_999_999_999),
    st.decimals(-999_999_999, 999_999_999, places=3),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)),
    st.binary(max_size=40),
    st.from_regex(r"\A[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]{0,8}\Z").map(Token),
)
PARAMS = st.dictionaries(KEYS, BARE, max_size=3)
ITEMS = st.builds(Item, BARE, PARAMS)
MEMBERS: st.SearchStrategy[Member] = st.one_of(
    ITEMS, st.builds(InnerList, st.lists(ITEMS, max_size=3).map(tuple), PARAMS)
)


class TestParseDictionary:
    def test_inner_list_keeps_its_items_and_parameters(self) -> None:
        parsed = parse_dictionary('sig1=("@method" "content-digest";req);created=1;keyid="a\\"b", x=?0')
        assert parsed["sig1"] == InnerList(
            (Item("@method"), Item("content-digest", {"req": True})), {"created": 1, "keyid": 'a"b'}
        )
        assert parsed["x"] == Item(False)

    def test_bare_values_have_their_types(self) -> None:
        parsed = parse_dictionary("a=1, b=1.50, c=tok/en, d=:aGk=:, e, f=-3")
        assert [member.value for member in parsed.values() if isinstance(member, Item)] == [
            1,
            Decimal("1.50"),
            Token("tok/en"),
            b"hi",
            True,
            -3,
        ]

    def test_repeated_key_keeps_its_last_value(self) -> None:
        assert parse_dictionary("a=1, b=2, a=3") == {"b": Item(2), "a": Item(3)}

    def test_empty_field_is_an_empty_dictionary(self) -> None:
        assert parse_dictionary("") == {}

    @pytest.mark.parametrize(
        "text",
        [
            "a=1,",
            "a=1 b=2",
            "A=1",
            "a=",
            'a="',
            'a="\\x"',
            "a=:a:",
            "a=:aGl=:",
            "a=:aGk:",
            "a=1.",
            "a=1.2345",
            "a=1234567890123456",
            "a=(1",
            "a=(1 2",
            'a=("x""y")',
            'a="é"',
            "a=?2",
            "=1",
            "a;=1",
            "a=1;;b",
            ",",
        ],
    )
    def test_malformed_field_is_refused(self, text: str) -> None:
        with pytest.raises(StructuredFieldError):
            parse_dictionary(text)

    def test_overlong_field_is_refused(self) -> None:
        with pytest.raises(StructuredFieldError, match="longer"):
            parse_dictionary("a" * (MAX_FIELD_CHARS + 1))

    @given(st.text(max_size=60))
    def test_any_text_gives_a_dictionary_or_the_one_error(self, text: str) -> None:
        with contextlib.suppress(StructuredFieldError):
            assert parse_dictionary(text) == parse_dictionary(serialize_dictionary(parse_dictionary(text)))


class TestSerializeDictionary:
    @given(st.dictionaries(KEYS, MEMBERS, max_size=3))
    def test_what_is_written_reads_back_the_same(self, members: dict[str, Member]) -> None:
        assert parse_dictionary(serialize_dictionary(members)) == members

    def test_text_that_a_string_cannot_hold_is_refused(self) -> None:
        with pytest.raises(StructuredFieldError):
            serialize_member(Item("한글"))
