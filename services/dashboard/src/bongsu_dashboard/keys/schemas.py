"""The forms about API keys."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from bongsu.identity.scopes import KEY_SCOPES, Scope
from bongsu_dashboard.forms import Form

SCOPES: tuple[Scope, ...] = tuple(scope for scope in Scope if scope in KEY_SCOPES)
LIFETIMES_DAYS: tuple[str, ...] = ("30", "90", "365")


def _require_key_scope(scope: Scope) -> Scope:
    if scope not in KEY_SCOPES:
        raise ValueError("not a scope of keys")
    return scope


Memo = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Lifetime = Literal["", "30", "90", "365"]


class KeyForm(Form):
    """A new key. `lifetime` is in days; empty: the key does not expire."""

    memo: Memo = ""
    mode: Literal["live", "test"] = "live"
    lifetime: Lifetime = ""
    scopes: Annotated[
        list[Annotated[Scope, AfterValidator(_require_key_scope)]], Field(min_length=1, max_length=len(SCOPES))
    ]


class MemoForm(Form):
    """A key's new memo; empty removes it."""

    memo: Memo = ""


class RotateForm(Form):
    """The rotation of a key."""

    seen: Annotated[str, StringConstraints(max_length=40)] = ""
    """Until when the old secret works, as the page showed it; empty for a key without one."""


class StatusForm(Form):
    """The status that the button sets."""

    status: Literal["active", "stopped"]


class EntryForm(Form):
    """An address or a CIDR block."""

    cidr: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
