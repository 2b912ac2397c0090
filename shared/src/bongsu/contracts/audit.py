"""The actions of the audit log, which every service records and the pages name to users."""

from typing import Final, Literal, get_args

from bongsu.contracts.security import SecurityEvent

_Other = Literal[
    "account.created",
    "account.reclaimed",
    "api_key.activated",
    "api_key.address_allowed",
    "api_key.address_removed",
    "api_key.deleted",
    "api_key.stopped",
    "assertion.issued",
    "discord.bot_added",
    "discord.install_begun",
    "discord_command.authorised",
    "discord_command.refused",
    "guild.blocked",
    "guild.commands_changed",
    "guild.expelled",
    "guild.left",
    "guild.module_changed",
    "guild.modules_delegated",
    "guild.modules_withdrawn",
    "guild.unblocked",
    "kakao_token.issued",
    "kakao_token.refused",
    "mfa.code_refused",
    "notification.cancelled",
    "notification.restored",
    "notification.retried",
    "session.ended",
    "session.opened",
    "session.reauthenticated",
    "session.reauthentication_failed",
    "session.sign_in_failed",
    "signing_key.rotated",
    "subscription.created",
    "subscription.removed",
    "user.blocked",
    "user.role_changed",
    "user.second_factor_reset",
    "user.sending_changed",
    "user.unblocked",
]
AuditAction = Literal[SecurityEvent, _Other]

AUDIT_ACTIONS: Final[tuple[AuditAction, ...]] = get_args(AuditAction)
