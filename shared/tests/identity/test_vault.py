"""The vault."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.identity.vault import SealBroken, Vault, VaultKeysWrong

K1 = f"k1:{base64.b64encode(bytes(32)).decode()}"
K2 = f"k2:{base64.b64encode(bytes(range(32))).decode()}"


class TestParse:
    @pytest.mark.parametrize(
        "setting",
        [
            "",
            " , ",
            "k1",
            "k1:",
            "k1:!!!!",
            f"k1:{base64.b64encode(b'short').decode()}",
            f"{K1},{K1}",
            f"a b:{K1.partition(':')[2]}",
            f"{'k' * 33}:{K1.partition(':')[2]}",
        ],
    )
    def test_unusable_setting_is_refused(self, setting: str) -> None:
        with pytest.raises(VaultKeysWrong):
            Vault.parse(setting)

    def test_error_shows_no_part_of_a_key(self) -> None:
        secret = "c2VjcmV0LXNlY3JldA"
        with pytest.raises(VaultKeysWrong) as caught:
            Vault.parse(f"k1:{secret}")
        assert secret not in str(caught.value)

    def test_key_may_be_base64url_without_padding(self) -> None:
        key = base64.urlsafe_b64encode(bytes(range(224, 256))).decode().rstrip("=")
        assert (
            Vault.parse(f"k1:{key}").open_text(Vault({"k1": bytes(range(224, 256))}).seal("x", aad="a"), aad="a") == "x"
        )

    def test_representation_shows_ids_only(self) -> None:
        assert repr(Vault.parse(f"{K2},{K1}")) == "Vault(keys=['k2', 'k1'])"


class TestSeal:
    @given(st.binary(max_size=200))
    def test_sealed_bytes_open(self, data: bytes) -> None:
        vault = Vault.parse(K1)
        assert vault.open(vault.seal(data, aad="row:1"), aad="row:1") == data

    def test_sealed_texts_differ_when_the_content_is_the_same(self) -> None:
        vault = Vault.parse(K1)
        assert vault.seal("same", aad="a") != vault.seal("same", aad="a")

    def test_context_is_required(self) -> None:
        with pytest.raises(ValueError, match="context"):
            Vault.parse(K1).seal("x", aad="")

    def test_first_key_seals(self) -> None:
        assert Vault.parse(f"{K2},{K1}").seal("x", aad="a").startswith("k2.")


class TestOpen:
    def test_older_key_still_opens(self) -> None:
        sealed = Vault.parse(K1).seal("봉수🔥", aad="a")
        assert Vault.parse(f"{K2},{K1}").open_text(sealed, aad="a") == "봉수🔥"

    def test_other_context_does_not_open(self) -> None:
        vault = Vault.parse(K1)
        with pytest.raises(SealBroken):
            vault.open(vault.seal("x", aad="user:1"), aad="user:2")

    def test_removed_key_does_not_open(self) -> None:
        with pytest.raises(SealBroken):
            Vault.parse(K2).open(Vault.parse(K1).seal("x", aad="a"), aad="a")

    def test_text_moved_under_another_key_id_does_not_open(self) -> None:
        same = K1.partition(":")[2]
        sealed = Vault.parse(K1).seal("x", aad="a")
        with pytest.raises(SealBroken):
            Vault.parse(f"k9:{same}").open(sealed.replace("k1.", "k9."), aad="a")

    @given(st.integers(0, 10_000), st.integers(0, 5))
    def test_changed_text_does_not_open(self, position: int, bit: int) -> None:
        vault = Vault.parse(K1)
        sealed = vault.seal("secret words", aad="a")
        at = position % len(sealed)
        changed = sealed[:at] + chr(ord(sealed[at]) ^ (1 << bit)) + sealed[at + 1 :]
        with contextlib.suppress(SealBroken):
            # Only the unused bits of base64's last character may differ.
            assert (vault.open(changed, aad="a"), at) == (b"secret words", len(sealed) - 1)

    def test_error_shows_nothing_of_the_content(self) -> None:
        vault = Vault.parse(K1)
        with pytest.raises(SealBroken) as caught:
            vault.open(vault.seal("secret words", aad="a"), aad="b")
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("sealed", ["", ".", "k1", "k1.", "k1.AAAA", "k1.!!", "k1.é"])
    def test_text_that_is_not_sealed_does_not_open(self, sealed: str) -> None:
        with pytest.raises(SealBroken):
            Vault.parse(K1).open(sealed, aad="a")

    def test_bytes_are_not_shown_when_they_are_not_text(self) -> None:
        vault = Vault.parse(K1)
        with pytest.raises(SealBroken) as caught:
            vault.open_text(vault.seal(b"\xff\xfe", aad="a"), aad="a")
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
