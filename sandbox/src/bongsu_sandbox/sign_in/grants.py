"""The grants of a stand-in: what a person allowed the application, with the tokens."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

_KEPT = timedelta(days=60)
"""How long a grant is kept after its access token: the refresh token works that long."""


class Grant(BaseModel):
    """The scopes that a person granted to the application, with their tokens."""

    person: int
    scopes: list[str]
    access_token: str
    refresh_token: str
    expires_at: datetime

    @property
    def is_current(self) -> bool:
        """Whether the access token works."""
        return self.expires_at > datetime.now(UTC)


_GRANTS = TypeAdapter(list[Grant])


class Grants:
    """Holds the grants and writes them to a file atomically after each change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._grants = self._read()

    def find(self, access_token: str) -> Grant | None:
        """Return the grant of an access token that works."""
        return next((one for one in self._grants if one.access_token == access_token and one.is_current), None)

    def find_refresh(self, refresh_token: str | None) -> Grant | None:
        """Return the grant of a refresh token."""
        return next((one for one in self._grants if one.refresh_token == refresh_token), None)

    def has_granted(self, person: int, scopes: tuple[str, ...]) -> bool:
        """Whether a person has granted these scopes before."""
        return any(one.person == person and set(scopes) <= {*one.scopes} for one in self._grants)

    def add(self, grant: Grant) -> None:
        oldest = datetime.now(UTC) - _KEPT
        self._save([*(one for one in self._grants if one.expires_at > oldest), grant])

    def remove(self, grant: Grant) -> None:
        self._save([one for one in self._grants if one is not grant])

    def remove_person(self, person: int) -> None:
        """Remove everything that a person granted."""
        self._save([one for one in self._grants if one.person != person])

    def _save(self, grants: list[Grant]) -> None:
        self._grants = grants
        made = self._path.with_suffix(".new")
        made.write_bytes(_GRANTS.dump_json(grants))
        os.replace(made, self._path)  # noqa: PTH105 - the rename that is atomic

    def _read(self) -> list[Grant]:
        try:
            return _GRANTS.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            pass
        except ValidationError:
            log.warning("sandbox.grants_unreadable", path=str(self._path))
        return []
