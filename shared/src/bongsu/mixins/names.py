"""The names of a model's columns and relations, as class properties."""

from bongsu.mixins.base import Base, classproperty
from bongsu.mixins.fields import fields_of


class NamesMixin(Base):
    """The names of a model's parts, in the order of their declaration."""

    __abstract__ = True

    @classproperty
    def column_names(cls: type[Base]) -> list[str]:  # noqa: N805  # a property of the class
        """The columns."""
        return list(fields_of(cls).columns)

    @classproperty
    def relation_names(cls: type[Base]) -> list[str]:  # noqa: N805  # the same
        """The relations."""
        return list(fields_of(cls).relations)

    @classproperty
    def hybrid_property_names(cls: type[Base]) -> list[str]:  # noqa: N805  # the same
        """The hybrid properties and other computed fields."""
        return list(fields_of(cls).hybrids)

    @classproperty
    def settable_column_names(cls: type[Base]) -> list[str]:  # noqa: N805  # the same
        """The columns that are not part of a key to another table, and so are plain values."""
        return [name for name, column in fields_of(cls).columns.items() if not column.foreign_keys]

    @classproperty
    def primary_key_names(cls: type[Base]) -> list[str]:  # noqa: N805  # the same
        """The columns of the primary key."""
        return list(fields_of(cls).primary_key)

    @classproperty
    def foreign_key_names(cls: type[Base]) -> list[str]:  # noqa: N805  # the same
        """The columns that refer to another table."""
        return [name for name, column in fields_of(cls).columns.items() if column.foreign_keys]

    @classproperty
    def unique_names(cls: type[Base]) -> list[str]:  # noqa: N805  # the same
        """The columns that are unique by themselves."""
        return [names[0] for names in fields_of(cls).unique_sets if len(names) == 1]
