"""Content negotiation: HTML or JSON, Korean or English."""

from fastapi import Request

from bongsu.runtime.negotiation import parse_qualities, preferred_language

LANGUAGES = ("en", "ko")


def wants_page(request: Request) -> bool:
    """Whether the client prefers HTML to JSON. `*/*` gets JSON."""
    qualities = parse_qualities(request.headers.get("accept"))
    return qualities.get("text/html", 0.0) > qualities.get("application/json", 0.0)


def language(request: Request) -> str:
    """Return the preferred language, `ko` or `en`; English by default."""
    return preferred_language(request.headers.get("accept-language"), LANGUAGES, default="en")
