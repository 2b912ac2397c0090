"""Which form and language of an answer a client prefers."""

from fastapi import Request

from bongsu.runtime.negotiation import parse_qualities, preferred_language


def wants_page(request: Request) -> bool:
    """Whether to answer with HTML: only to clients that name it before JSON. curl's `*/*` gets JSON."""
    qualities = parse_qualities(request.headers.get("accept"))
    return qualities.get("text/html", 0.0) > qualities.get("application/json", 0.0)


def language(request: Request) -> str:
    """`ko` or `en`, by Accept-Language; English where neither is wanted."""
    return preferred_language(request.headers.get("accept-language"), ("en", "ko"), default="en")
