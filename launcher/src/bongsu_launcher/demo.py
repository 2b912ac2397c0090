"""The people of a demo: made only where a stand-in does the sending."""

import contextlib
from dataclasses import dataclass
from typing import Final

from bongsu.identity.models import User
from bongsu.identity.scopes import Role
from bongsu.mixins import Database
from bongsu_auth import operations
from bongsu_auth.errors import AddressTaken

PASSWORD: Final = "five-beacons-at-dusk"  # noqa: S105 - printed for everyone; these accounts exist only beside the sandbox


@dataclass(frozen=True, slots=True)
class DemoUser:
    """Somebody to sign in as."""

    email: str
    name: str
    role: Role


USERS: Final = (
    DemoUser("demo@bongsu.test", "김봉수", Role.USER),
    DemoUser("admin@bongsu.test", "이관리", Role.ADMINISTRATOR),
)


async def seed(database: Database) -> None:
    """Make the people who are not there yet; what was changed about them since is kept."""
    there = await User.filter_by(email_norm__in=[user.email for user in USERS]).pluck("email_norm")
    for user in USERS:
        if user.email in there:
            continue
        with contextlib.suppress(AddressTaken):  # another process makes them too
            await operations.create_user(database, user.email, PASSWORD, name=user.name, role=user.role)
