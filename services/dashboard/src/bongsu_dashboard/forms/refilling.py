"""Filling a rendered form with values that were typed into the same form in another language."""

from collections.abc import Mapping, Sequence
from html import escape
from html.parser import HTMLParser
from typing import Final

from bongsu_dashboard.forms.hx_form import CSRF_FIELD

_UNTOUCHED: Final = frozenset({"password", "submit", "button", "file"})
"""Kinds of inputs that a page never fills in."""


def refill(html: str, form_id: str, values: Mapping[str, Sequence[str]]) -> str:
    """Return the page with the values in the fields of the form with this ID. Passwords stay empty.

    :param html: a page of this site.
    :param values: as posted; a checkbox or radio button whose value is not among them becomes unchecked.
    """
    filler = _Filler(form_id, values)
    filler.feed(html)
    filler.close()
    return "".join(filler.parts)


class _Filler(HTMLParser):
    """Copies a page, and replaces the start tags of fields and the contents of text areas."""

    def __init__(self, form_id: str, values: Mapping[str, Sequence[str]]) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self._form_id = form_id
        self._values = values
        self._is_inside = False
        self._select = ""
        self._is_replaced = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "form":
            self._is_inside = given.get("id") == self._form_id
        if self._is_inside and name != CSRF_FIELD:
            if tag == "input" and name:
                self._fill_input(given, name)
                return
            if tag == "select":
                self._select = name
            if tag == "option" and self._select in self._values:
                self._mark(tag, given, "selected", is_on=given.get("value") in self._values[self._select])
                return
            if tag == "textarea" and name in self._values:
                self._copy_tag()
                # The parser of a browser drops a line break at the start of the content.
                self.parts.append("\n" + escape(self._values[name][-1], quote=False))
                self._is_replaced = True
                return
        self._copy_tag()

    def _fill_input(self, given: dict[str, str | None], name: str) -> None:
        kind = given.get("type") or "text"
        if kind in ("checkbox", "radio"):
            self._mark("input", given, "checked", is_on=given.get("value", "on") in self._values.get(name, ()))
        elif kind in _UNTOUCHED or name not in self._values:
            self._copy_tag()
        else:
            self._write("input", {**given, "value": self._values[name][-1]})

    def _mark(self, tag: str, given: dict[str, str | None], attribute: str, *, is_on: bool) -> None:
        kept = {name: value for name, value in given.items() if name != attribute}
        self._write(tag, {**kept, attribute: None} if is_on else kept)

    def _write(self, tag: str, attributes: Mapping[str, str | None]) -> None:
        written = (name if value is None else f'{name}="{escape(value)}"' for name, value in attributes.items())
        self.parts.append(f"<{' '.join((tag, *written))}>")

    def _copy_tag(self) -> None:
        self.parts.append(self.get_starttag_text() or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag, attrs
        self._copy_tag()

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._is_replaced = False
        self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._is_replaced:
            self.parts.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.parts.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.parts.append(f"<!{decl}>")
