"""The texts of an OpenAPI document, for the tests of its translation."""

from bongsu.runtime.documentation import _translate


def list_texts(document: object) -> list[str]:
    """Titles, tags, and descriptions without samples."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    _translate(document, note)
    return found
