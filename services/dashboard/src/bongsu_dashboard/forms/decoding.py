"""Decoding of a form body into the input of a Pydantic model.

A form carries only strings, so each field is decoded by its kind:

- **text** (a type that admits a string): as sent; an empty value stays empty.
- **bool**: `on`, `true` and the like; empty is false. A hidden field with an empty value may precede a checkbox, which
  sends nothing when it is off.
- **list**: all values of the name, split at commas (htmx 4 sends `roles:["1","2"]` as `roles=1,2`), or one JSON array.
  A single empty value is an empty list. `Annotated[list[str], KeepCommas()]` turns the splitting off.
- **object** (a model or a mapping): one JSON object.
- **other** (numbers, dates, IDs …): decoded by Pydantic; empty is None where None is allowed.

Unknown names, and two values for a name that is not a list, are problems. The result holds only the fields that were
sent, so that `model_fields_set` is right.
"""

import json
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from urllib.parse import parse_qsl

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bongsu_dashboard.forms.problems import FieldProblem

Kind = Literal["text", "bool", "list", "object", "other"]
MAX_FIELDS = 1000


class KeepCommas:
    """Metadata of a list field: a comma is part of a value."""


class Undecodable(ValueError):
    """The body is not urlencoded UTF-8."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A field of a model under a name of the form. `key` is the name in the input of the model."""

    name: str
    key: str
    kind: Kind
    nullable: bool
    splits: bool


def read_pairs(body: bytes) -> list[tuple[str, str]]:
    """Return the names and values in the order sent.

    :raises Undecodable: not urlencoded UTF-8, or more than a thousand fields.
    """
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        raise Undecodable(str(error)) from error


def group(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def slots_of(model: type[BaseModel]) -> dict[str, Slot]:
    """Return the model's fields by each name that a form may use."""
    found = {}
    for field_name, info in model.model_fields.items():
        kind, nullable = _kind_of(info)
        splits = not any(isinstance(item, KeepCommas) for item in info.metadata)
        names = _aliases(info) or [field_name]
        if model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name"):
            names = [*names, field_name]
        for name in names:
            found[name] = Slot(name, name, kind, nullable, splits)
    return found


def decode(
    sent: Mapping[str, Sequence[str]], slots: Mapping[str, Slot]
) -> tuple[dict[str, object], list[FieldProblem]]:
    """Return the input of the model, and the problems of the fields that cannot be decoded."""
    data: dict[str, object] = {}
    problems: list[FieldProblem] = []
    for name, values in sent.items():
        slot = slots.get(name)
        if slot is None:
            problems.append(FieldProblem(name, "unknown"))
            continue
        try:
            data[slot.key] = _read(slot, values)
        except _DecodeError as error:
            problems.append(FieldProblem(name, error.kind))
    return data, problems


class _DecodeError(Exception):
    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def _read(slot: Slot, values: Sequence[str]) -> object:
    match slot.kind:
        case "list":
            return _read_list(values, splits=slot.splits)
        case "bool":
            # The hidden field's empty value precedes the checkbox's.
            given = [value for value in values if value]
            found: object = _single(given).strip() if given else False
        case "object":
            value = _single(values)
            found = _read_json(value) if value.strip() else {}
        case _:
            found = _single(values)
    if slot.kind != "text" and slot.nullable and not any(value.strip() for value in values):
        return None
    return found


def _single(values: Sequence[str]) -> str:
    if len(values) != 1:
        raise _DecodeError("duplicate")
    return values[0]


def _read_list(values: Sequence[str], *, splits: bool) -> object:
    if len(values) == 1 and values[0].lstrip().startswith("["):
        parsed = _read_json(values[0])
        if not isinstance(parsed, list):
            raise _DecodeError("invalid")
        return parsed
    parts = [part.strip() for value in values for part in value.split(",")] if splits else list(values)
    return [part for part in parts if part]


def _read_json(value: str) -> object:
    try:
        return json.loads(value, object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _DecodeError("invalid") from None


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _aliases(info: FieldInfo) -> list[str]:
    alias = info.validation_alias or info.alias
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str)]
    return [alias] if isinstance(alias, str) else []


def _kind_of(info: FieldInfo) -> tuple[Kind, bool]:
    members = list(_members(info.annotation))
    nullable = any(member is types.NoneType for member in members)
    kinds = {_kind_of_type(member) for member in members if member is not types.NoneType}
    for kind in ("list", "object", "text"):
        if kind in kinds:
            return typing.cast("Kind", kind), nullable
    return ("bool" if kinds == {"bool"} else "other"), nullable


def _members(annotation: Any) -> Iterable[Any]:  # noqa: ANN401 - an annotation can be anything
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _members(part)
    else:
        yield annotation


def _kind_of_type(member: Any) -> Kind:  # noqa: ANN401 - an annotation can be anything
    origin = get_origin(member) or member
    if origin is Literal:
        return "text" if all(isinstance(value, str) for value in get_args(member)) else "other"
    if not isinstance(origin, type):
        return "other"
    if is_dataclass(origin) or typing.is_typeddict(origin):
        return "object"
    return next((kind for types_, kind in _KINDS if issubclass(origin, types_)), "other")


_KINDS: tuple[tuple[tuple[type, ...], Kind], ...] = (
    ((bool,), "bool"),
    ((str, SecretStr), "text"),
    ((BaseModel, Mapping), "object"),
    ((Collection,), "list"),
)
"""In this order, because strings and mappings are collections, too."""
