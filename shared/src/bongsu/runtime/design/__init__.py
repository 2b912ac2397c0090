"""The look that every page, mail and API reference shares: colours, shape and type in `tokens.css`, and the mark."""

import math
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

NAMES: Final = ("tokens.css", "mark.svg")
_COLOUR: Final = re.compile(r"--([a-z-]+): light-dark\(oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)")


@cache
def read_file(name: str) -> bytes:
    """Return a file of `NAMES`, which each service serves at an address of its own."""
    return (files(__name__) / name).read_bytes()


@cache
def light_colours() -> Mapping[str, str]:
    """Return the colours of the light theme as `#rrggbb`, by name (`muted_foreground`): mails know no variables."""
    found = _COLOUR.findall(read_file("tokens.css").decode())
    return {name.replace("-", "_"): to_hex(*map(float, parts)) for name, *parts in found}


def to_hex(lightness: float, chroma: float, hue: float) -> str:
    """Convert a colour from OKLCH to sRGB, cut to its gamut (https://bottosson.github.io/posts/oklab/)."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _gamma(min(1.0, max(0.0, part)))):02x}" for part in linear)


def _gamma(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
