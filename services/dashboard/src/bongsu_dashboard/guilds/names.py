"""Names that others chose: how they are compared. (Templates isolate them with `<bdi>`.)"""

import unicodedata


def typed_as(name: str) -> str:
    """What somebody who types the name may be expected to type: no invisible characters, single spaces."""
    visible = "".join(
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFKC", name)
        if unicodedata.category(char) not in ("Cf", "Cc") or char.isspace()
    )
    return " ".join(visible.split()).casefold()


def is_typed(typed: str, name: str, guild_id: int) -> bool:
    """Whether the name was typed; the id will do where a name cannot be typed."""
    return typed_as(typed) == typed_as(name) != "" or typed.strip() == str(guild_id)
