"""Events of SES, signed by the sandbox, at a subscriber."""

from typing import Any

from bongsu_sandbox.running import RunningSandbox
from sandbox.tests.aws import SesClient
from sandbox.tests.letters import simple


class TestEvents:
    async def test_event_needs_a_mail_of_the_ledger_and_a_known_type(
        self, sandbox: RunningSandbox, ses: SesClient
    ) -> None:
        sent = await ses.send_email(**simple())
        address = "/sandbox/ses/events"
        wanted: dict[str, Any] = {"message_id": sent["MessageId"], "type": "bounce"}
        assert (await sandbox.http.post(address, json=wanted)).status_code == 202
        assert (await sandbox.http.post(address, json=wanted | {"message_id": "m"})).status_code == 404
        assert (await sandbox.http.post(address, json=wanted | {"type": "opened"})).status_code == 422

    async def test_subscription_is_confirmed_by_its_token_alone(self, sandbox: RunningSandbox) -> None:
        assert (await sandbox.http.get("/sandbox/sns/confirm", params={"token": "guess"})).status_code == 404
        certificate = await sandbox.http.get("/sandbox/sns/certificate.pem")
        assert certificate.text.startswith("-----BEGIN CERTIFICATE-----")
