"""One look for every page, mail and API reference."""

import re
from pathlib import Path

import pytest

from bongsu.runtime.design import light_colours, read_file, to_hex

ROOT = Path(__file__).parents[3]
TOKENS = set(re.findall(r"--([a-z-]+):", read_file("tokens.css").decode()))
SHEETS = [
    ROOT / "services/dashboard/src/bongsu_dashboard/static/dashboard.css",
    ROOT / "sandbox/src/bongsu_sandbox/static/sandbox.css",
    ROOT / "shared/src/bongsu/runtime/api_docs/theme.css",
]
MAILS = sorted((ROOT / "services/notify/src/bongsu_notify/templates/builtin").glob("*.html"))


class TestTokens:
    @pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
    def test_style_sheet_declares_no_token_and_uses_no_unknown_one(self, sheet: Path) -> None:
        text = sheet.read_text()
        own = set(re.findall(r"--([a-z-]+):", text))
        assert not own & TOKENS
        assert set(re.findall(r"var\(--([a-z-]+)", text)) <= TOKENS | own

    @pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail.name)
    def test_mail_has_the_colours_of_the_tokens_only(self, mail: Path) -> None:
        text = mail.read_text()
        assert re.findall(r"#[0-9a-f]{3,8}\b", text) == []
        assert set(re.findall(r"colour\.([a-z_]+)", text)) <= set(light_colours())


class TestColours:
    @pytest.mark.parametrize(
        ("colour", "expected"),
        [
            ((1.0, 0.0, 0.0), "#ffffff"),
            ((0.0, 0.0, 0.0), "#000000"),
            ((0.627955, 0.257683, 29.2339), "#ff0000"),
            ((0.86644, 0.294827, 142.4953), "#00ff00"),
        ],
    )
    def test_oklch_is_converted_as_browsers_do(self, colour: tuple[float, float, float], expected: str) -> None:
        assert to_hex(*colour) == expected

    def test_mail_colours_are_those_of_the_light_theme(self) -> None:
        colours = light_colours()
        assert colours["card"] == "#ffffff"
        assert {"background", "foreground", "primary", "primary_foreground", "muted_foreground", "border"} <= {*colours}
