"""Objects as JSON."""

import base64
import datetime as dt
import enum
import json
import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import ClassVar

from bongsu.mixins.crud import CRUDMixin
from bongsu.mixins.errors import NotLoaded
from bongsu.mixins.fields import fields_of
from bongsu.mixins.instances import column_values, state_of
from bongsu.mixins.types import JsonValue


class SerializeMixin(CRUDMixin):
    """`to_json_dict` and `to_json`: what JSON can hold of an object, and of its loaded relations.

    Fields of `__hidden__` never appear. Instants are RFC 3339 in UTC with `Z`; UUIDs, decimals and enum members their
    text or value; bytes base64.
    """

    __abstract__ = True
    __hidden__: ClassVar[tuple[str, ...]] = ()

    def to_json_dict(
        self, *, only: Iterable[str] | None = None, exclude: Iterable[str] = (), relations: Iterable[str] = ()
    ) -> dict[str, JsonValue]:
        """The columns, and the relations named (`"posts.author"`), which must be loaded (`NotLoaded`)."""
        columns = column_values(self, only, exclude)
        document = {name: json_value(value) for name, value in columns.items() if name not in self.__hidden__}
        deeper: dict[str, list[str]] = {}
        for path in relations:
            first, _, rest = path.partition(".")
            deeper.setdefault(first, []).extend([rest] if rest else [])
        fields, loaded = fields_of(type(self)), state_of(self).dict
        fields.refuse_unknown(deeper, fields.relations)
        for name, paths in deeper.items():
            if name not in loaded:
                raise NotLoaded(f"{type(self).__name__}.{name} is not loaded: .load({name!r}) or .refresh({name!r})")
            document[name] = _related(loaded[name], paths)
        return document

    def to_json(
        self, *, only: Iterable[str] | None = None, exclude: Iterable[str] = (), relations: Iterable[str] = ()
    ) -> str:
        """`to_json_dict` as text."""
        return json.dumps(self.to_json_dict(only=only, exclude=exclude, relations=relations), ensure_ascii=False)


def _related(value: object, paths: list[str]) -> JsonValue:
    if value is None:
        return None
    if isinstance(value, list | set | tuple):
        return [_related(item, paths) for item in value]
    if isinstance(value, SerializeMixin):
        return value.to_json_dict(relations=paths)
    raise TypeError(f"{type(value).__name__} is no SerializeMixin, so it has no JSON form")


def json_value(value: object) -> JsonValue:  # noqa: PLR0911  # one return a type
    """A column's value as JSON has it."""
    match value:
        case enum.Enum():
            return json_value(value.value)
        case None | bool() | int() | float() | str():
            return value
        case uuid.UUID() | Decimal():
            return str(value)
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        case dt.date() | dt.time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case Mapping():
            return {str(key): json_value(item) for key, item in value.items()}
        case list() | tuple():
            return [json_value(item) for item in value]
        case _:
            raise TypeError(f"a {type(value).__name__} has no JSON form")
