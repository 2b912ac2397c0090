"""Content-Digest."""

import pytest

from bongsu.identity.digests import DigestAlgorithm, content_digest, digest_matches

BODY = b'{"hello": "world"}'
RFC_SHA512 = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
RFC_SHA256 = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"


class TestContentDigest:
    @pytest.mark.parametrize(("algorithm", "expected"), [("sha-512", RFC_SHA512), ("sha-256", RFC_SHA256)])
    def test_digest_is_that_of_the_rfc_examples(self, algorithm: DigestAlgorithm, expected: str) -> None:
        assert content_digest(BODY, algorithm) == expected


class TestDigestMatches:
    @pytest.mark.parametrize(
        "field", [RFC_SHA512, RFC_SHA256, f"{RFC_SHA256}, {RFC_SHA512}", f"md5=:AA==:, {RFC_SHA256}"]
    )
    def test_right_digest_matches(self, field: str) -> None:
        assert digest_matches(field, BODY)

    @pytest.mark.parametrize(
        "field",
        [
            "",
            "md5=:AA==:",
            "sha-256=abc",
            'sha-256="X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="',
            "sha-256=:AA==:",
            f"{RFC_SHA256}, sha-512=:AA==:",
            "not a dictionary!",
            f"sha-256=({RFC_SHA256.removeprefix('sha-256=')})",
        ],
    )
    def test_wrong_or_unknown_digest_does_not_match(self, field: str) -> None:
        assert not digest_matches(field, BODY)

    def test_digest_of_another_body_does_not_match(self) -> None:
        assert not digest_matches(RFC_SHA256, BODY + b" ")
