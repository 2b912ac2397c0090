"""The demo users, created only where the sandbox takes the mail."""

import contextlib
from dataclasses import dataclass
from typing import Final

from bongsu.identity.models import User
from bongsu.identity.scopes import Role
from bongsu.mixins import Database
from bongsu_auth import operations
from bongsu_auth.errors import AddressTaken

PASSWORD: Final = "five-beacons-at-dusk"  # noqa: S105 - printed at the start; these accounts exist beside the sandbox only


@dataclass(frozen=True, slots=True)
class DemoUser:
    """An account to sign in with."""

    email: str
    name: str
    role: Role


USERS: Final = (
    DemoUser("demo@bongsu.test", "김봉수", Role.USER),
    DemoUser("admin@bongsu.test", "이관리", Role.ADMINISTRATOR),
)


async def seed(database: Database) -> None:
    """Create the users that do not exist yet; existing ones are left as they are."""
    existing = await User.filter_by(email_norm__in=[user.email for user in USERS]).pluck("email_norm")
    for user in USERS:
        if user.email in existing:
            continue
        with contextlib.suppress(AddressTaken):  # another process has just created it
            await operations.create_user(database, user.email, PASSWORD, name=user.name, role=user.role)
