"""Accept and Accept-Language (RFC 9110, section 12.5): which form or language of an answer a client prefers."""

import re
from collections.abc import Sequence

_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def parse_qualities(header: str | None) -> dict[str, float]:
    """Return each value of an Accept field, in lower case and without parameters, with its quality from 0 to 1.

    Values stay in the order sent; of a repeated one, the highest quality counts. A value without a quality has 1; one
    whose quality is malformed is left out.
    """
    qualities: dict[str, float] = {}
    for element in (header or "").lower().split(","):
        value, *parameters = (part.strip() for part in element.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        if value and _WEIGHT.fullmatch(weight):
            qualities[value] = max(float(weight), qualities.get(value, 0.0))
    return qualities


def preferred_language(accept_language: str | None, offered: Sequence[str], *, default: str) -> str:
    """Return the offered language that an Accept-Language field ranks highest; of equals, the one named first.

    A variety asks for its language (`ko-KR` for `ko`). `*` stands for the languages that the field does not name,
    the default first. A quality of 0 excludes a language.

    :param offered: two- or three-letter codes in lower case.
    :param default: one of `offered`, for a field that is absent, malformed or names no offered language.
    """
    qualities = parse_qualities(accept_language)
    others = qualities.pop("*", None)
    named: dict[str, float] = {}
    for tag, quality in qualities.items():
        language = tag.partition("-")[0]
        if language in offered:
            named[language] = max(quality, named.get(language, 0.0))
    by_default = sorted(offered, key=lambda language: language != default)
    unnamed = [language for language in by_default if language not in named]
    if others is not None:
        named |= dict.fromkeys(unnamed, others)
    wanted = max(named, key=named.__getitem__, default=default)
    if named.get(wanted):
        return wanted
    return next(iter(unnamed), default)
