"""Refresh tokens as text."""

import string
import uuid

from hypothesis import given
from hypothesis import strategies as st

from bongsu_auth.sessions import refresh_tokens


class TestParse:
    @given(st.uuids(), st.integers(0, 2**32 - 1), st.binary(min_size=32, max_size=32))
    def test_token_is_parsed_as_it_was_made(self, session_id: uuid.UUID, generation: int, key: bytes) -> None:
        token = refresh_tokens.parse(refresh_tokens.make(key, session_id, generation))
        assert token is not None
        assert (token.session_id, token.generation) == (session_id, generation)
        assert token.is_of(key)
        assert not token.is_of(bytes(32) if key != bytes(32) else bytes([1] * 32))

    @given(st.text(max_size=100))
    def test_any_text_is_parsed_or_refused(self, text: str) -> None:
        assert refresh_tokens.parse(text) is None
        assert refresh_tokens.parse(refresh_tokens.PREFIX + text) is None

    def test_token_is_parsed_in_one_spelling_only(self) -> None:
        token = refresh_tokens.make(refresh_tokens.new_key(), uuid.uuid4(), 1)
        others = [token[:-1] + char for char in string.ascii_letters + string.digits + "-_=" if char != token[-1]]
        for spelling in [f"{token}=", f"{token}==", f" {token}", f"{token}\n", *others]:
            assert refresh_tokens.parse(spelling) != refresh_tokens.parse(token), spelling

    def test_token_of_another_generation_is_not_genuine(self) -> None:
        key, session_id = refresh_tokens.new_key(), uuid.uuid4()
        one = refresh_tokens.parse(refresh_tokens.make(key, session_id, 1))
        other = refresh_tokens.parse(refresh_tokens.make(key, session_id, 2))
        assert one is not None
        assert other is not None
        assert one.mac != other.mac
