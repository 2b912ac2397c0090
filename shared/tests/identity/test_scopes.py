"""Roles and scopes."""

from itertools import pairwise

import pytest

from bongsu.identity.scopes import (
    KEY_SCOPES,
    SESSION_SCOPES,
    Permission,
    Role,
    Scope,
    format_scopes,
    parse_scopes,
)


class TestRole:
    def test_each_role_includes_the_one_before(self) -> None:
        roles = [Role.USER, Role.STAFF, Role.MANAGER, Role.ADMINISTRATOR]
        for lower, higher in pairwise(roles):
            assert lower.permissions < higher.permissions
            assert higher.includes(lower)
            assert not lower.includes(higher)

    def test_user_has_no_permission_beyond_their_own(self) -> None:
        assert Role.USER.permissions == frozenset()

    def test_administrator_has_every_permission(self) -> None:
        assert Role.ADMINISTRATOR.permissions == frozenset(Permission)

    @pytest.mark.parametrize(
        ("permission", "lowest"),
        [
            (Permission.NOTIFICATIONS_READ_ALL, Role.STAFF),
            (Permission.USERS_BLOCK, Role.MANAGER),
            (Permission.ROLES_ASSIGN, Role.ADMINISTRATOR),
        ],
    )
    def test_permission_starts_at_its_role(self, permission: Permission, lowest: Role) -> None:
        assert [role for role in Role if permission in role.permissions] == [r for r in Role if r.includes(lowest)]


class TestScopes:
    def test_keys_cannot_have_the_account_scope(self) -> None:
        assert Scope.ACCOUNT not in KEY_SCOPES
        assert {Scope.ACCOUNT} == SESSION_SCOPES - KEY_SCOPES

    def test_formatted_scopes_parse_to_the_same(self) -> None:
        assert parse_scopes(format_scopes(KEY_SCOPES)) == KEY_SCOPES

    def test_unknown_scope_is_ignored(self) -> None:
        assert parse_scopes("notifications:read root:everything") == {Scope.NOTIFICATIONS_READ}
