"""Notify's error kinds."""

from bongsu.runtime.errors import Conflict, FieldError, Forbidden, Invalid, NotFound


class NotificationNotFound(NotFound):
    """No such notification, or another's."""

    code = "notification_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such notification")


class WrongTime(Invalid):
    """A time that could be meant, but not now."""

    def __init__(self, field: str, fix: str) -> None:
        super().__init__(f"Invalid input: {field}", errors=[FieldError(loc=("body", field), msg=f"{field} {fix}")])


class IdempotencyMismatch(Invalid):
    """The key came with another request before."""

    code = "idempotency_mismatch"

    def __init__(self) -> None:
        detail = "This Idempotency-Key was used for another request in the last 24 hours; use a new key"
        super().__init__(detail, errors=[FieldError(loc=("header", "idempotency-key"), msg=detail)])


class OnTrial(Forbidden):
    """A new account sends to itself until an administrator approves it."""

    code = "account_on_trial"

    def __init__(self) -> None:
        super().__init__(
            "This account is on trial: it sends to its own verified address and to simulator addresses until an "
            "administrator approves it"
        )


class SenderNotAllowed(Forbidden):
    """Another sender needs a verified domain."""

    code = "sender_not_allowed"

    def __init__(self, sender: str) -> None:
        super().__init__(f"Only {sender} may be the sender; leave `from` out")


class NotCancellable(Conflict):
    """It has been sent, or is being sent."""

    code = "not_cancellable"

    def __init__(self, status: str) -> None:
        super().__init__(f"A notification that is {status} cannot be cancelled")


class NotRetryable(Conflict):
    """Only what ended without being sent is tried again."""

    code = "not_retryable"

    def __init__(self, status: str) -> None:
        super().__init__(f"A notification that is {status} cannot be retried; only failed and expired ones can")


class MaySendTwice(Conflict):
    """Nobody knows whether it was sent, and it must not be sent twice."""

    code = "may_send_twice"

    def __init__(self) -> None:
        super().__init__("It may have been sent, and its guarantee is at-most-once; submit a new one to send it again")
