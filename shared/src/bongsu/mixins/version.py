"""A version column: the second of two writers that read the same version gets an error."""

from typing import ClassVar

from sqlalchemy.orm import Mapped, mapped_column


class VersionMixin:
    """`version` counts the changes of a row; writing an object that is not the newest raises `StaleVersion`.

    Bulk updates count it up too, so that objects read before them are known to be old.
    """

    __version_column__: ClassVar[str | None] = "version"

    version: Mapped[int] = mapped_column(default=1, sort_order=903)
