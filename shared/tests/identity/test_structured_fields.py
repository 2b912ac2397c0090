"""Structured fields, as strict as signatures need them."""

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

import http_sf
import pytest
from http_sf import DictionaryType, Token
from http_sf.types import BareItemType
from hypothesis import given
from hypothesis import strategies as st

from bongsu.identity.structured_fields import (
    MAX_FIELD_CHARS,
    Item,
    Member,
    StructuredFieldError,
    parse_dictionary,
)

KEYS = st.from_regex(r"\A[a-z*][a-z0-9_.*-]{0,8}\Z")
BARE: st.SearchStrategy[BareItemType] = st.one_of(
    st.booleans(),
    st.integers(-999_999_999_999_999, 999_999_999_999_999),
    st.decimals(-999_999_999, 999_999_999, places=3),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)),
    st.binary(max_size=40),
    st.from_regex(r"\A[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]{0,8}\Z").map(Token),
)
PARAMS = st.dictionaries(KEYS, BARE, max_size=3)
ITEMS: st.SearchStrategy[Item] = st.tuples(BARE, PARAMS)
MEMBERS: st.SearchStrategy[Member] = st.one_of(ITEMS, st.tuples(st.lists(ITEMS, max_size=3), PARAMS))


def serialize(members: dict[str, Member]) -> str:
    return http_sf.ser(cast("DictionaryType", members))


class TestParseDictionary:
    def test_inner_list_keeps_the_order_of_items_and_parameters(self) -> None:
        parsed = parse_dictionary('sig1=("@method" "content-digest";req);keyid="a\\"b";created=1, x=?0')
        assert parsed["sig1"] == (
            [("@method", {}), ("content-digest", {"req": True})],
            {"keyid": 'a"b', "created": 1},
        )
        assert list(parsed["sig1"][1]) == ["keyid", "created"]
        assert parsed["x"] == (False, {})

    def test_bare_values_have_their_types(self) -> None:
        parsed = parse_dictionary("a=1, b=1.50, c=tok/en, d=:aGk=:, e, f=-3, g=@0")
        assert [value for value, _ in parsed.values()] == [
            1,
            Decimal("1.50"),
            Token("tok/en"),
            b"hi",
            True,
            -3,
            datetime(1970, 1, 1, tzinfo=UTC),
        ]

    def test_token_is_no_string(self) -> None:
        assert not isinstance(parse_dictionary("a=b")["a"][0], str)

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
            "a=((1))",
            'a=("x""y")',
            'a="é"',
            "a=?2",
            "=1",
            "a;=1",
            "a=1;;b",
            ",",
            "a=1, b=2, a=3",
            "a=1;b=2;b=2",
            "a=(1;b;b)",
        ],
    )
    def test_malformed_or_ambiguous_field_is_refused(self, text: str) -> None:
        with pytest.raises(StructuredFieldError):
            parse_dictionary(text)

    def test_overlong_field_is_refused(self) -> None:
        with pytest.raises(StructuredFieldError, match="longer"):
            parse_dictionary("a" * (MAX_FIELD_CHARS + 1))

    @given(st.text(max_size=60))
    def test_any_text_gives_a_dictionary_or_the_one_error(self, text: str) -> None:
        with contextlib.suppress(StructuredFieldError):
            parsed = parse_dictionary(text)
            assert not parsed or parse_dictionary(serialize(parsed)) == parsed

    @given(st.dictionaries(KEYS, MEMBERS, min_size=1, max_size=3))
    def test_canonical_text_reads_back_the_same(self, members: dict[str, Member]) -> None:
        assert parse_dictionary(serialize(members)) == members
