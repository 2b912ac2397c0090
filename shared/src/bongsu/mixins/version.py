"""A version column: of two that change what both have read, the second is told."""

from collections.abc import Mapping

from sqlalchemy.orm import Mapped, declared_attr, mapped_column


class VersionMixin:
    """`version` counts the changes of a row; writing an object that is not the newest raises `StaleVersion`.

    Bulk updates count it up too, so that objects read before them are known to be old.
    """

    version: Mapped[int] = mapped_column(default=1, sort_order=903)

    @declared_attr.directive
    def __mapper_args__(cls) -> Mapping[str, object]:  # noqa: N805  # SQLAlchemy calls it with the class
        return {"version_id_col": cls.version}
