"""What can go wrong with the broker. Every message is one clear line, fit for a log; none holds a password."""


class BrokerError(Exception):
    """The root of every error of this package."""


class PublishError(BrokerError):
    """The broker did not take a message."""


class Unroutable(PublishError):
    """There is no such queue, so nobody would ever receive the message."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"No queue {queue!r} exists: nothing would receive the message")
        self.queue = queue


class InvalidMessage(PublishError):
    """The message cannot be sent as it is: its body is no JSON object, or its user is not the connection's."""


class NotConfirmed(PublishError):
    """The broker refused the message, or could not store it. Worth trying again later."""


class BrokerUnavailable(PublishError):
    """The broker cannot be reached, or did not confirm in time: whether it has the message is then unknown."""


class QueueMissing(BrokerError):
    """There is no queue of that name."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"No queue {queue!r} exists")
        self.queue = queue


class QueueMismatch(BrokerError):
    """The queue exists with other arguments; it has to be deleted or migrated by hand."""

    def __init__(self, queue: str, detail: str) -> None:
        super().__init__(f"Queue {queue!r} exists with other arguments: {detail}")
        self.queue = queue
        self.detail = detail


class AccessRefused(BrokerError):
    """The broker's user may not do this."""


class QueueInUse(BrokerError):
    """Another connection holds the queue exclusively."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"Queue {queue!r} is held by another connection")
        self.queue = queue


class RpcTimeout(BrokerError):
    """No answer came before the deadline; whether the request was run is unknown."""

    def __init__(self, queue: str, deadline_s: float) -> None:
        super().__init__(f"No answer from {queue!r} within {deadline_s:g} s")
        self.queue = queue
        self.deadline_s = deadline_s


class RpcError(BrokerError):
    """The server answered with an error. A handler raises it to give the caller just this `code` and `detail`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
