"""Codes of authenticator apps, and recovery codes."""

import base64

import pyotp
import pytest

from bongsu_auth.mfa import codes

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


class TestMatchingStep:
    @pytest.mark.parametrize(
        ("at_s", "code"),
        # RFC 6238, appendix B, the last six of its eight digits.
        [
            (59, "287082"),
            (1111111109, "081804"),
            (1111111111, "050471"),
            (1234567890, "005924"),
            (2000000000, "279037"),
            (20000000000, "353130"),
        ],
    )
    def test_codes_are_those_of_the_standard(self, at_s: int, code: str) -> None:
        assert codes.matching_step(RFC_SECRET, code, at_s) == at_s // 30

    @pytest.mark.parametrize(("offset", "matches"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
    def test_code_of_a_neighbouring_step_matches(self, offset: int, matches: bool) -> None:
        at_s = 1234567890
        code = pyotp.TOTP(RFC_SECRET).at(at_s, counter_offset=offset)
        step = codes.matching_step(RFC_SECRET, code, at_s)
        assert step == (at_s // 30 + offset if matches else None)

    @pytest.mark.parametrize("code", ["12345\uff16", ":\u0082\u00cf", "\ud800", "", "005924005924"])
    def test_odd_text_is_no_code(self, code: str) -> None:
        assert codes.matching_step(RFC_SECRET, code, 1234567890) is None


class TestRecoveryCodes:
    def test_codes_differ_and_have_80_bits(self) -> None:
        made = {codes.new_recovery_code() for _ in range(100)}
        assert len(made) == 100
        assert {len(codes.normalise(code)) for code in made} == {16}

    def test_digest_does_not_depend_on_spelling(self) -> None:
        assert codes.recovery_digest("abcd-efgh-ijkl-mnop") == codes.recovery_digest(" ABCD efgh ijklmnop ")


class TestUri:
    def test_uri_names_account_and_issuer(self) -> None:
        uri = codes.uri_of(RFC_SECRET, account="jiwoo@example.com", issuer="Bongsu")
        assert uri == f"otpauth://totp/Bongsu:jiwoo%40example.com?secret={RFC_SECRET}&issuer=Bongsu"
