"""Options of slash commands."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import discord

from bongsu_bot.errors import NotAnId

F = TypeVar("F", bound=Callable[..., Any])


def text_option(
    name: str, *, max_length: int, min_length: int = 1, required: bool = True, choices: Sequence[str] | None = None
) -> Callable[[F], F]:
    """Declare a text option of a command; its description is in `language.toml`."""
    rules: dict[str, Any] = {"required": required}
    rules |= {"choices": [*choices]} if choices else {"min_length": min_length, "max_length": max_length}
    decorate: Callable[[F], F] = discord.option(name, str, **rules)  # type: ignore[no-untyped-call]  # py-cord 2.8.1
    return decorate


def parse_id(value: str) -> UUID:
    """Parse an ID that a user gave.

    :raises NotAnId: it is not one.
    """
    try:
        return UUID(value.strip())
    except ValueError:
        raise NotAnId from None
