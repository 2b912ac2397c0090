"""The provider of test-mode keys and of the simulator's addresses, which behave as their names say."""

import uuid

from bongsu_notify.channels.port import OneByOne, Outcome, Outgoing, Sent

SIMULATOR_DOMAIN = "simulator.bongsu.test"


def is_simulated(recipient: str) -> bool:
    """Whether a recipient is an address of the simulator."""
    return recipient.endswith(f"@{SIMULATOR_DOMAIN}")


class SimulatedProvider(OneByOne[Outgoing]):
    """Accepts every message; `delivered@…`, `bounced@…` and `complained@…` of the simulator end as named."""

    max_rate: float | None = None

    async def open(self) -> None:
        """Nothing to open."""

    async def is_ready(self) -> bool:
        """It always is."""
        return True

    async def send_one(self, message: Outgoing) -> Outcome:
        """Report what the recipient's name says."""
        return _outcome(message)

    async def close(self) -> None:
        """Nothing to close."""


def _outcome(message: Outgoing) -> Outcome:
    message_id = f"simulated-{uuid.uuid4().hex}"
    if is_simulated(message.recipient):
        match message.recipient.partition("@")[0]:
            case "delivered":
                return Sent(message_id, "delivered", "simulated")
            case "bounced":
                return Sent(message_id, "bounced", "simulated hard bounce")
            case "complained":
                return Sent(message_id, "complained", "simulated complaint")
    return Sent(message_id, detail="simulated")
