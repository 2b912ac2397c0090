"""Names that a mapped attribute cannot have: it would hide a method, or could not be given to one."""

import inspect
from functools import cache
from types import FunctionType

from sqlalchemy import Column
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import MappedColumn, MapperProperty, declared_attr

from bongsu.mixins.errors import ReservedName

_FIELDS_TOO = frozenset({"refresh"})
"""Options that `create` and `update` take as the column where a model has it; the method: `CRUDMixin.refresh(obj)`."""


_MAPPED = (Column, MappedColumn, MapperProperty, declared_attr, hybrid_property)


def refuse_reserved(model: type) -> None:
    """`ReservedName` where the model, or a mixin of it, maps an attribute by a name that the library needs."""
    library = [parent for parent in model.__mro__ if _is_library(parent)]
    reserved = {name: owner for owner in reversed(library) for name in _names(owner)}
    for parent in model.__mro__:
        if _is_library(parent) or parent is object:
            continue
        annotations = inspect.get_annotations(parent)
        for name in reserved.keys() & (annotations.keys() | parent.__dict__.keys()):
            value = parent.__dict__.get(name)
            is_mapped = isinstance(value, _MAPPED)
            if is_mapped or "Mapped" in str(annotations.get(name, "")):
                raise ReservedName(
                    f"{model.__name__}.{name} has the name of a method or an option of {reserved[name].__name__}: name "
                    f'the attribute otherwise, and its column as before: `{name}_ = mapped_column("{name}", …)`'
                )


def _is_library(model: type) -> bool:
    return model.__module__.rpartition(".")[0] == __package__


@cache
def _names(owner: type) -> frozenset[str]:
    """The methods and properties of a class, and the parameters of those that take fields by name."""
    found = {"self"}  # SQLAlchemy wraps constructors
    annotations = inspect.get_annotations(owner)
    for name, member in owner.__dict__.items():
        if name.startswith("_") or "Mapped" in str(annotations.get(name, "")):
            continue
        found.add(name)
        function = getattr(member, "__func__", member)
        parameters = inspect.signature(function).parameters.values() if isinstance(function, FunctionType) else ()
        if any(each.kind is each.VAR_KEYWORD for each in parameters):
            found |= {each.name for each in parameters if each.kind in (each.KEYWORD_ONLY, each.POSITIONAL_OR_KEYWORD)}
    return frozenset(found) - _FIELDS_TOO
