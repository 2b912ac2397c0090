"""The account's limits, which GetAccount reports and sends must keep."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bongsu_sandbox.ses.addresses import Address
from bongsu_sandbox.ses.errors import QUOTA, THROTTLED, SesError, known_error

Clock = Callable[[], float]
_DAY_S = 86_400.0


class AccountState(BaseModel):
    """The settings of the account; the body of `PUT /sandbox/ses/account`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_send_rate: float = Field(gt=0, description="Recipients a second; bursts of one second's worth pass")
    max_24_hour_send: float = Field(ge=-1, description="Recipients in 24 hours; -1: no limit")
    sending_enabled: bool = True
    production_access_enabled: bool = True
    enforcement_status: Literal["HEALTHY", "PROBATION", "SHUTDOWN"] = "HEALTHY"
    verified_identities: tuple[str, ...] = Field(default=(), description="Domains and addresses; empty: all")


class Account:
    """Counts recipients, as SES does, against a rate (a bucket of one second) and a quota of 24 hours."""

    def __init__(self, state: AccountState, *, clock: Clock = time.monotonic, wall_clock: Clock = time.time) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self.set(state)
        self._minutes: deque[tuple[float, int]] = deque()
        self._sent = 0

    def set(self, state: AccountState) -> None:
        """Change the limits; the bucket starts full."""
        self.state = state
        self._tokens = max(1.0, state.max_send_rate)
        self._filled_at = self._clock()

    def restore(self, sent: Iterable[tuple[datetime, int]]) -> None:
        """Count earlier sends, newest first."""
        for moment, recipients in sent:
            self._sent += recipients
            self._minutes.appendleft((moment.timestamp(), recipients))

    @property
    def sent_last_24_hours(self) -> int:
        """The recipients accepted in the last 24 hours, to the minute."""
        oldest = self._wall_clock() - _DAY_S
        while self._minutes and self._minutes[0][0] < oldest:
            self._sent -= self._minutes.popleft()[1]
        return self._sent

    def require_sender(self, sender: Address, region: str) -> None:
        """Refuse a suspended account, or a sender that is not verified.

        :raises SesError: AccountSuspended, SendingPaused, MessageRejected.
        """
        if self.state.enforcement_status == "SHUTDOWN":
            raise known_error("AccountSuspendedException")
        if not self.state.sending_enabled:
            raise known_error("SendingPausedException")
        verified = self._verified
        if not verified or sender.address.lower() in verified:
            return
        labels = sender.domain.split(".")
        if not any(".".join(labels[start:]) in verified for start in range(len(labels))):
            raise SesError(
                "MessageRejected",
                400,
                "Email address is not verified. The following identities failed the check in region "
                f"{region.upper()}: {sender.address}",
            )

    def is_verified(self, identity: str) -> bool:
        """Whether an address or a domain was verified as such."""
        return not self._verified or identity.lower() in self._verified

    @property
    def _verified(self) -> frozenset[str]:
        return frozenset(identity.lower() for identity in self.state.verified_identities)

    def spend(self, recipients: int) -> None:
        """Take recipients from the quota and the rate.

        :raises SesError: LimitExceeded or TooManyRequests; nothing is taken then.
        """
        quota = self.state.max_24_hour_send
        if quota >= 0 and self.sent_last_24_hours + recipients > quota:
            raise known_error(QUOTA)
        rate = self.state.max_send_rate
        now = self._clock()
        self._tokens = min(max(1.0, rate), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        # A message to more recipients than the rate passes when the bucket is full: it could never be sent otherwise.
        if self._tokens < min(recipients, max(1.0, rate)) - 1e-9:
            raise known_error(THROTTLED)
        self._tokens -= recipients
        self._count(recipients)

    def _count(self, recipients: int) -> None:
        minute = self._wall_clock() // 60 * 60
        if self._minutes and self._minutes[-1][0] == minute:
            self._minutes[-1] = (minute, self._minutes[-1][1] + recipients)
        else:
            self._minutes.append((minute, recipients))
        self._sent += recipients
