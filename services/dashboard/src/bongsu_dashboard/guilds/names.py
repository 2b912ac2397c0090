"""Comparing a typed name with a guild's name. Templates isolate names with `<bdi>`."""

import unicodedata


def normalise(name: str) -> str:
    """Return a name as a user can type it: without invisible characters, with single spaces, in one case."""
    visible = "".join(
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFKC", name)
        if unicodedata.category(char) not in ("Cf", "Cc") or char.isspace()
    )
    return " ".join(visible.split()).casefold()


def is_typed(typed: str, name: str, guild_id: int) -> bool:
    """Whether the text is the guild's name, or its ID: some names cannot be typed."""
    return normalise(typed) == normalise(name) != "" or typed.strip() == str(guild_id)
