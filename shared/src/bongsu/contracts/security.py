"""Events of an account of which its owner is notified by mail, whoever caused them."""

from typing import Final, Literal, get_args

SecurityEvent = Literal[
    "session.new_device",
    "session.revoked",
    "session.others_ended",
    "session.refresh_token_reused",
    "password.set",
    "password.changed",
    "password.reset",
    "email.change_requested",
    "email.changed",
    "identity.linked",
    "identity.unlinked",
    "mfa.enabled",
    "mfa.disabled",
    "mfa.recovery_code_used",
    "mfa.recovery_codes_replaced",
    "api_key.created",
    "api_key.rotated",
    "account.deleted",
]
"""Each is the action in the audit log, and has a text in notify's template `security-notice`."""

SECURITY_EVENTS: Final[tuple[SecurityEvent, ...]] = get_args(SecurityEvent)
SECURITY_NOTICE: Final = "security-notice"
