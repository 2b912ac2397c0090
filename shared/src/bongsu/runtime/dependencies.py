"""Objects that an app provides to its endpoints, found by their type."""

from typing import Any, TypeVar

from fastapi import Depends, FastAPI, Request

T = TypeVar("T")


def provide(app: FastAPI, *objects: object) -> None:
    """Make objects available to the app's endpoints: services, the database, the identity. One of each type.

    :raises ValueError: the app provides an object of this type already.
    """
    if not hasattr(app.state, "provided"):
        app.state.provided = {}
    provided: dict[type[object], object] = app.state.provided
    for value in objects:
        if type(value) in provided:
            raise ValueError(f"the app provides a {type(value).__name__} already")
        provided[type(value)] = value


def find(app: FastAPI, kind: type[T]) -> T:
    """Return the object of exactly this type that the app provides.

    :raises LookupError: it provides none.
    """
    try:
        value: T = app.state.provided[kind]
    except (AttributeError, KeyError):
        raise LookupError(f"the app provides no {kind.__name__}: pass one to `provide` in create_app") from None
    return value


def Provided(kind: type[object]) -> Any:  # noqa: ANN401, N802 - stands where FastAPI's `Depends` would
    """The dependency that finds an object of the app: `Annotated[Sessions, Provided(Sessions)]`."""

    async def provided(request: Request) -> object:  # not `def`: FastAPI would run it in a thread
        return find(request.app, kind)

    return Depends(provided)
