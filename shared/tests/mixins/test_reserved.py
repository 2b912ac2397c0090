"""Attributes that are named as the library's own methods and options: refused, or usable as any other."""

import inspect
import re
from types import FunctionType
from typing import Any

import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from bongsu.mixins import (
    AuditMixin,
    Base,
    BaseModel,
    CRUDMixin,
    Database,
    Query,
    ReservedName,
    SerializeMixin,
    SoftDeleteMixin,
    VersionMixin,
)

MIXINS = (SerializeMixin, SoftDeleteMixin, VersionMixin, AuditMixin)
LIBRARY = {
    parent
    for owner in (*MIXINS, BaseModel, Query)
    for parent in owner.__mro__
    if parent.__module__.startswith("bongsu.mixins.")
}
MEMBERS = {(owner, name): member for owner in LIBRARY for name, member in vars(owner).items() if name[0] != "_"}
ATTRIBUTES = {name for owner, name in MEMBERS if owner not in Query.__mro__}
PARAMETERS = {
    name
    for member in MEMBERS.values()
    if isinstance(function := getattr(member, "__func__", member), FunctionType)
    for name in inspect.signature(function).parameters
}
COLUMNS = {"id", "created_at", "updated_at", "created_by", "updated_by", "version", "deleted_at"}
OPTIONS_BESIDE_FIELDS = {"self", "session", "auto_commit", "by", "defaults"}
REFUSED = (ATTRIBUTES | OPTIONS_BESIDE_FIELDS) - COLUMNS - {"refresh"}
WORKING = (PARAMETERS | {"refresh"}) - REFUSED - COLUMNS


def declare(name: str) -> Any:  # noqa: ANN401  # a model with one column more
    base = type("NamesBase", (Base,), {"__abstract__": True, "metadata": MetaData()})
    body = {"__annotations__": {name: Mapped[str | None]}, "__module__": f"{__name__}.{name}"}
    return type("Named", (*MIXINS, base, BaseModel), body)


class TestNames:
    @pytest.mark.parametrize("name", sorted(REFUSED))
    def test_method_or_option_is_refused_with_its_remedy(self, name: str) -> None:
        with pytest.raises(ReservedName, match=re.escape(f"Named.{name} has the name of")) as caught:
            declare(name)
        assert f'{name}_ = mapped_column("{name}"' in str(caught.value)

    @pytest.mark.parametrize("name", sorted(WORKING))
    async def test_name_of_another_parameter_works(self, name: str) -> None:
        named = declare(name)
        db = Database("sqlite+aiosqlite://", next(each for each in named.__mro__ if each.__name__ == "NamesBase"))
        try:
            await db.create_all()
            made = await named.create(**{name: "a"})
            write: Any = CRUDMixin.update  # a column may hide it
            await write(made, **{name: "b"})
            assert made.fill(**{name: "c"})
            await made.save()
            assert await named.filter_by(**{name: "c"}).pluck(name) == ["c"]
            assert (await named.get(**{name: "c"})).id == made.id
            found, was_made = await named.get_or_create(None, **{name: "c"})
            assert (found.id, was_made) == (made.id, False)
            await named.create_or_update(by="id", **{"id": made.id, name: "d"})
            assert await named.filter_by(**{name: "d"}).update(**{name: "e"}) == 1
            await named.bulk_create([{name: "f"}, named(**{name: "g"})])
            assert await named.bulk_update([{"id": made.id, name: "h"}], **{name: "e"}) == 1
            assert await named.exclude(**{name: "h"}).order_by(name).pluck(name) == ["f", "g"]
            assert (await named.query().aggregate(**{name: ("max", name)}))[name] == "h"
            assert name in made.to_dict()
        finally:
            await db.dispose()

    def test_mixins_hybrids_and_declared_attributes_are_refused(self) -> None:
        class Named:
            save: Mapped[str | None]

        class Declared:
            @declared_attr
            def update(cls) -> Mapped[str | None]:  # noqa: N805  # SQLAlchemy calls it with the class
                return mapped_column()

        class Computed:
            @hybrid_property
            def fill(self) -> str:
                return ""

        for mixin in (Named, Declared, Computed):
            with pytest.raises(ReservedName):
                type("Refused", (mixin, BaseModel), {"__module__": __name__})

    def test_methods_may_be_overridden_and_columns_keep_their_names(self) -> None:
        class Overriding(BaseModel):
            __tablename__ = "overriding"
            metadata = MetaData()
            save_: Mapped[str | None] = mapped_column("save")

            def fill(self, **values: object) -> bool:
                return super().fill(**values)

        assert "save" in Overriding.__mapper__.local_table.columns
