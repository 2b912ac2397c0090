import pytest

from bongsu.mixins import uuid7
from bongsu_notify.channels.port import Outgoing, Sent
from bongsu_notify.channels.simulated import SimulatedProvider, is_simulated


class TestSend:
    @pytest.mark.parametrize(
        ("address", "status"),
        [
            ("delivered@simulator.bongsu.test", "delivered"),
            ("bounced@simulator.bongsu.test", "bounced"),
            ("complained@simulator.bongsu.test", "complained"),
            ("anyone@simulator.bongsu.test", "sent"),
            ("bounced@example.com", "sent"),
        ],
    )
    async def test_simulator_address_ends_as_named(self, address: str, status: str) -> None:
        message = Outgoing(notification_id=uuid7(), attempt=1, recipient=address)
        (outcome,) = await SimulatedProvider().send([message])
        assert isinstance(outcome, Sent)
        assert outcome.status == status


class TestIsSimulated:
    def test_is_simulated_accepts_only_the_domain_of_the_simulator(self) -> None:
        assert is_simulated("x@simulator.bongsu.test")
        assert not is_simulated("x@evil-simulator.bongsu.test")
        assert not is_simulated("x@simulator.bongsu.test.example.com")
