"""Which form of an answer a client would rather have."""

from fastapi import Request


def wants_page(request: Request) -> bool:
    """Whether to answer with HTML: only to clients that name it before JSON. curl's `*/*` gets JSON."""
    accept = request.headers.get("accept", "")
    return _quality(accept, "text/html") > _quality(accept, "application/json")


def language(request: Request) -> str:
    """`ko` or `en`, by Accept-Language; English where neither is wanted."""
    header = request.headers.get("accept-language", "")
    wanted = [(quality, -place, tag) for place, (tag, quality) in enumerate(_items(header)) if tag[:2] in {"ko", "en"}]
    return max(wanted, default=(1.0, 0, "en"))[2][:2]


def _quality(accept: str, media_type: str) -> float:
    return next((quality for name, quality in _items(accept) if name == media_type), 0.0)


def _items(header: str) -> list[tuple[str, float]]:
    items = []
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if quality > 0:
            items.append((name, quality))
    return items
