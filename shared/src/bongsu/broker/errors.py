"""The errors of the broker. Every message is one line, fit for a log; none contains a password."""


class BrokerError(Exception):
    """The base of every error of this package."""


class PublishError(BrokerError):
    """A message was not published."""


class Unroutable(PublishError):
    """The queue does not exist, so no consumer would receive the message."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"Queue {queue!r} does not exist: nothing would receive the message")
        self.queue = queue


class InvalidMessage(PublishError):
    """The message cannot be sent: its body is not a JSON object, or its user is not the connection's."""


class NotConfirmed(PublishError):
    """The broker refused the message, or could not store it. Worth retrying later."""


class BrokerUnavailable(PublishError):
    """The broker is unreachable, or did not confirm in time: whether it has stored the message is unknown."""


class QueueMissing(BrokerError):
    """The queue does not exist."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"Queue {queue!r} does not exist")
        self.queue = queue


class QueueMismatch(BrokerError):
    """The queue exists with other arguments; an operator must delete or migrate it."""

    def __init__(self, queue: str, detail: str) -> None:
        super().__init__(f"Queue {queue!r} exists with other arguments: {detail}")
        self.queue = queue
        self.detail = detail


class AccessRefused(BrokerError):
    """The broker user lacks the permission."""


class QueueInUse(BrokerError):
    """Another connection holds the queue exclusively."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"Queue {queue!r} is held by another connection")
        self.queue = queue


class RpcTimeout(BrokerError):
    """No answer came before the deadline; whether the request ran is unknown."""

    def __init__(self, queue: str, deadline_s: float) -> None:
        super().__init__(f"No answer from {queue!r} within {deadline_s:g} s")
        self.queue = queue
        self.deadline_s = deadline_s


class RpcError(BrokerError):
    """The server answered with an error. A handler raises it to send the client this `code` and `detail`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
