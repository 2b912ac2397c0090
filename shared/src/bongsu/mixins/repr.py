"""`repr` for models."""

from typing import ClassVar

from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstanceState

_NEVER = ("password", "secret", "token", "digest")


class ReprMixin:
    """`<User id=… email='…'>`: the key and `__repr_attrs__`; it never loads, so it never fails.

    An attribute that is not loaded shows as `<not loaded>`. `__repr_max_length__` cuts long values.
    """

    __repr_attrs__: ClassVar[tuple[str, ...] | list[str]] = ()
    __repr_max_length__: ClassVar[int] = 15

    def __repr__(self) -> str:
        state: InstanceState[object] = inspect(self, raiseerr=True)
        keys = [state.mapper.get_property_by_column(column).key for column in state.mapper.primary_key]
        shown = [*keys, *(name for name in self.__repr_attrs__ if name not in keys)]
        return f"<{type(self).__name__} {' '.join(self._shown(state, name) for name in shown)}>"

    def _shown(self, state: InstanceState[object], name: str) -> str:
        if name in state.unloaded:  # a new object has nothing to load
            return f"{name}={None if state.key is None else '<not loaded>'}"
        if any(word in name for word in _NEVER):
            return f"{name}=<hidden>"
        try:
            text = repr(state.dict[name] if name in state.dict else getattr(self, name))
        except SQLAlchemyError:  # a property that reads what is not loaded
            return f"{name}=<not loaded>"
        is_key = any(column.key == name for column in state.mapper.primary_key)
        limit = self.__repr_max_length__
        if not is_key and len(text) > limit + 2:  # the quotes are not counted
            text = f"{text[:limit]}…"
        return f"{name}={text}"
