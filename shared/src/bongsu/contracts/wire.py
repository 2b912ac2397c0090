"""The base class of wire shapes."""

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """A shape that travels between services.

    Unknown fields are ignored: during a rolling update the sender may be a version ahead of the receiver.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
