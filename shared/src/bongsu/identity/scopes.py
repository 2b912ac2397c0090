"""Roles, each including the one before, their permissions, and the scopes of tokens and API keys."""

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    """A right beyond one's own resources, which comes with a role."""

    NOTIFICATIONS_READ_ALL = "notifications.read_all"
    NOTIFICATIONS_OPERATE = "notifications.operate"  # retry, cancel, redrive anyone's
    INBOX_WRITE_ANY = "inbox.write_any"  # send to another user's inbox without their opting in
    STATS_READ_ALL = "stats.read_all"
    USERS_READ = "users.read"
    USERS_BLOCK = "users.block"
    KEYS_REVOKE = "keys.revoke"
    AUDIT_READ_ALL = "audit.read_all"
    ROLES_ASSIGN = "roles.assign"
    SENDERS_APPROVE = "senders.approve"
    SECOND_FACTORS_RESET = "second_factors.reset"
    DOMAINS_MANAGE = "domains.manage"
    TEMPLATES_SHARE = "templates.share"


class Role(StrEnum):
    """A role, which includes the ones before it."""

    # Compare with `Role.STAFF.includes(Role.USER)`: `<` would compare the texts.
    USER = "user"
    STAFF = "staff"
    MANAGER = "manager"
    ADMINISTRATOR = "administrator"

    @property
    def permissions(self) -> frozenset[Permission]:
        """The permissions of the role and of the roles below it."""
        return _PERMISSIONS[self]

    def includes(self, other: "Role") -> bool:
        """Whether this role is the other or is above it."""
        return _ORDER.index(self) >= _ORDER.index(other)


class Scope(StrEnum):
    """A part of the API that an access token or an API key gives access to."""

    ACCOUNT = "account"  # sign-in sessions only: manage the account, its sessions and its keys
    NOTIFICATIONS_READ = "notifications:read"
    NOTIFICATIONS_WRITE = "notifications:write"
    TEMPLATES_READ = "templates:read"
    TEMPLATES_WRITE = "templates:write"
    SUPPRESSIONS_READ = "suppressions:read"
    SUPPRESSIONS_WRITE = "suppressions:write"
    WEBHOOKS_WRITE = "webhooks:write"
    INBOX_READ = "inbox:read"
    STATS_READ = "stats:read"


_ORDER = (Role.USER, Role.STAFF, Role.MANAGER, Role.ADMINISTRATOR)

_ADDED: dict[Role, frozenset[Permission]] = {
    Role.USER: frozenset(),
    Role.STAFF: frozenset(
        {
            Permission.NOTIFICATIONS_READ_ALL,
            Permission.NOTIFICATIONS_OPERATE,
            Permission.INBOX_WRITE_ANY,
            Permission.STATS_READ_ALL,
        }
    ),
    Role.MANAGER: frozenset(
        {
            Permission.USERS_READ,
            Permission.USERS_BLOCK,
            Permission.KEYS_REVOKE,
            Permission.AUDIT_READ_ALL,
        }
    ),
    Role.ADMINISTRATOR: frozenset(
        {
            Permission.ROLES_ASSIGN,
            Permission.SENDERS_APPROVE,
            Permission.SECOND_FACTORS_RESET,
            Permission.DOMAINS_MANAGE,
            Permission.TEMPLATES_SHARE,
        }
    ),
}

_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    role: frozenset().union(*(_ADDED[below] for below in _ORDER[: index + 1])) for index, role in enumerate(_ORDER)
}

KEY_SCOPES: frozenset[Scope] = frozenset(Scope) - {Scope.ACCOUNT}
"""The scopes that an API key can have; keys manage neither keys nor accounts."""

SESSION_SCOPES: frozenset[Scope] = frozenset(Scope)
"""The scopes of a sign-in."""


def parse_scopes(text: str) -> frozenset[Scope]:
    """Parse a space-separated list; unknown names are ignored."""
    return frozenset(Scope(name) for name in text.split() if name in _SCOPE_NAMES)


def format_scopes(scopes: Iterable[Scope]) -> str:
    """Return a space-separated list, in a fixed order."""
    return " ".join(sorted(scopes))


_SCOPE_NAMES = frozenset(scope.value for scope in Scope)
