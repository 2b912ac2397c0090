from datetime import UTC, datetime
from uuid import uuid4

import pytest

from bongsu.identity.scopes import Role
from bongsu_dashboard.accounts.user import User
from bongsu_dashboard.errors import RoleRequired
from bongsu_dashboard.pages.dependencies import require_role


def user_with(role: Role) -> User:
    return User(
        id=uuid4(),
        email=None,
        email_verified=False,
        name=None,
        locale="ko",
        role=role,
        sending="live",
        created_at=datetime.now(UTC),
    )


class TestRequireRole:
    @pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMINISTRATOR])
    async def test_user_is_admitted_when_the_role_includes_the_required_one(self, role: Role) -> None:
        user = user_with(role)
        assert await require_role(Role.MANAGER)(user) is user

    @pytest.mark.parametrize("role", [Role.USER, Role.STAFF])
    async def test_user_is_refused_when_the_role_is_lower(self, role: Role) -> None:
        with pytest.raises(RoleRequired, match="manager"):
            await require_role(Role.MANAGER)(user_with(role))
