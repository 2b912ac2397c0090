"""Notify's error kinds."""

from bongsu.runtime.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Unavailable


class NotificationNotFound(NotFound):
    """The notification does not exist or belongs to another user."""

    code = "notification_not_found"
    detail = "Notification not found"


class InvalidTime(Invalid):
    """A well-formed time that is not possible now."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"Invalid input: {field}", errors=[FieldError(loc=("body", field), msg=rule)])


class IdempotencyMismatch(Invalid):
    """The key was used for another request within the window."""

    code = "idempotency_mismatch"

    def __init__(self) -> None:
        detail = "This Idempotency-Key was used for another request in the last 24 hours; use a new key"
        super().__init__(detail, errors=[FieldError(loc=("header", "idempotency-key"), msg=detail)])


class KeyInProgress(Conflict):
    """Another request with this key is still in progress."""

    code = "idempotency_in_progress"

    def __init__(self) -> None:
        super().__init__("Another request with this Idempotency-Key is in progress; try again")


class OnTrial(Forbidden):
    """A new account sends only to itself until an administrator approves it."""

    code = "account_on_trial"

    def __init__(self) -> None:
        super().__init__(
            "This account is on trial: it sends to its own verified address and to simulator addresses until an "
            "administrator approves it"
        )


class SenderNotAllowed(Forbidden):
    """A sender other than the operator's needs a verified domain."""

    code = "sender_not_allowed"

    def __init__(self, sender: str) -> None:
        super().__init__(f"Leave `from` out, or send from {sender}")


class ChannelNotAllowed(Forbidden):
    """A Discord channel whose server the user does not manage, or that the bot does not see."""

    code = "channel_not_allowed"


class RecipientNotAllowed(Forbidden):
    """A direct message to another user."""

    code = "recipient_not_allowed"

    def __init__(self) -> None:
        super().__init__("Send direct messages to your own account; staff may send them to others")


class BotUnavailable(Unavailable):
    """The Discord bot does not answer."""

    code = "bot_unavailable"
    detail = "The Discord bot does not answer; try again"


class SubscriptionNotFound(NotFound):
    """The subscription does not exist, or is not the user's to change."""

    code = "subscription_not_found"
    detail = "Subscription not found"


class TopicOwnerUnknown(NotFound):
    """No user has the ID."""

    code = "topic_owner_not_found"
    detail = "No user has this ID; ask the topic's owner for theirs"


class TooManySubscriptions(Conflict):
    """The server, or the topic, has as many subscriptions as it may have."""

    code = "too_many_subscriptions"


class NotCancellable(Conflict):
    """The notification is sent, or being sent."""

    code = "not_cancellable"

    def __init__(self, status: str) -> None:
        super().__init__(f"A notification that is {status} cannot be cancelled")


class NotRestorable(Conflict):
    """The secret variables of a template were deleted with the cancellation."""

    code = "not_restorable"

    def __init__(self) -> None:
        super().__init__("The cancellation of a template cannot be undone; submit a new notification")


class NotRetryable(Conflict):
    """Only failed and expired notifications can be retried."""

    code = "not_retryable"

    def __init__(self, status: str) -> None:
        super().__init__(f"A notification that is {status} cannot be retried; only failed and expired ones can")


class MaySendTwice(Conflict):
    """The outcome is unknown, and the guarantee is at-most-once."""

    code = "may_send_twice"

    def __init__(self) -> None:
        super().__init__(
            "The notification may have been sent, and its guarantee is at-most-once; submit a new one to send it again"
        )


class SuppressionNotFound(NotFound):
    """The suppression does not exist or belongs to another user."""

    code = "suppression_not_found"
    detail = "Suppression not found"


class FeedbackRefused(Forbidden):
    """A message that Amazon SNS did not sign, or not for this installation."""

    code = "feedback_refused"


class FeedbackUnreachable(Unavailable):
    """The certificate or the confirmation address of SNS cannot be read now."""

    code = "feedback_unreachable"
    detail = "Amazon SNS does not answer; try again"
