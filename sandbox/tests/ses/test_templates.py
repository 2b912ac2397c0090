import pytest

from bongsu_sandbox.ses.errors import SesError
from bongsu_sandbox.ses.templates import RenderingFailure, merge_data, render


class TestRender:
    def test_variables_are_replaced_once(self) -> None:
        assert render("{{a}} {{ b }} {{a}}", {"a": "{{b}}", "b": "한글"}) == "{{b}} 한글 {{b}}"

    def test_a_missing_variable_is_a_rendering_failure(self) -> None:
        with pytest.raises(RenderingFailure, match="'name'"):
            render("{{name}}", {})

    @pytest.mark.parametrize("template", ["{{#if a}}x{{/if}}", "{{>part}}", "{{{#a}}}"])
    def test_inline_templates_have_no_logic(self, template: str) -> None:
        with pytest.raises(SesError, match="simple substitutions"):
            render(template, {"a": "x"})

    def test_text_without_variables_is_left_alone(self) -> None:
        assert render("a { b } {{", {}) == "a { b } {{"


class TestMergeData:
    def test_later_data_wins(self) -> None:
        assert merge_data('{"a": 1, "b": 2}', None, '{"b": 3}') == {"a": 1, "b": 3}
