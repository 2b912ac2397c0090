"""No provider at all: test-mode keys and the simulator's addresses, which behave as they are named."""

import asyncio
import uuid
from collections.abc import Sequence

from bongsu_notify.channels.port import Outcome, Outgoing, Sent

SIMULATOR_DOMAIN = "simulator.bongsu.test"


def is_simulated(email: str) -> bool:
    """Whether an address belongs to the simulator, whoever sends."""
    return email.endswith(f"@{SIMULATOR_DOMAIN}")


class SimulatedChannel:
    """Takes every message; `bounced@…` and `complained@…` of the simulator's domain end as they say."""

    async def open(self) -> None:
        """Nothing to open."""

    async def send(self, batch: Sequence[Outgoing], *, cutoff: asyncio.Event) -> Sequence[Outcome]:  # noqa: ARG002 - the port's
        """Each is sent; a simulator address then behaves as named."""
        return [self._outcome(message) for message in batch]

    async def close(self) -> None:
        """Nothing to close."""

    @staticmethod
    def _outcome(message: Outgoing) -> Outcome:
        message_id = f"simulated-{uuid.uuid4().hex}"
        if is_simulated(message.to_email):
            match message.to_email.split("@")[0]:
                case "delivered":
                    return Sent(message_id, "delivered", "simulated")
                case "bounced":
                    return Sent(message_id, "bounced", "simulated hard bounce")
                case "complained":
                    return Sent(message_id, "complained", "simulated complaint")
        return Sent(message_id, detail="simulated")
