"""What goes wrong with SES on request, as AWS's own client sees it."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError
from botocore.exceptions import ConnectionError as BotoConnectionError

from bongsu_sandbox.running import RunningSandbox
from sandbox.tests.aws import SesClient
from sandbox.tests.letters import bulk, entry, simple

NO_TRACEBACK = ("Traceback", "Exception in ASGI", "without completing", "without starting")


class TestBeforeAccepting:
    @pytest.mark.parametrize(
        ("kind", "detail", "code", "status"),
        [
            ("error", None, "InternalFailure", 500),
            ("error", "MessageRejected", "MessageRejected", 400),
            ("error", "MailFromDomainNotVerified", "MailFromDomainNotVerifiedException", 400),
            ("throttle", None, "TooManyRequestsException", 429),
            ("quota", None, "LimitExceededException", 400),
            ("unavailable", None, "ServiceUnavailable", 503),
        ],
    )
    async def test_the_client_reads_the_error(  # noqa: PLR0917 - fixtures and parameters
        self, sandbox: RunningSandbox, ses: SesClient, kind: str, detail: str | None, code: str, status: int
    ) -> None:
        await sandbox.fault(kind, detail=detail)
        with pytest.raises(ClientError) as caught:
            await ses.send_email(**simple())
        answer: Any = caught.value.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
        assert await sandbox.ledger() == []

    async def test_throttling_answers_with_the_message_of_ses(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        await sandbox.fault("throttle")
        with pytest.raises(ses.exceptions.TooManyRequestsException, match=r"Maximum sending rate exceeded\."):
            await ses.send_bulk_email(**bulk(entry("a@example.com")))

    async def test_a_reset_is_a_connection_error_and_nothing_was_accepted(
        self, sandbox: RunningSandbox, ses: SesClient, capfd: pytest.CaptureFixture[str]
    ) -> None:
        await sandbox.fault("reset")
        with pytest.raises(BotoConnectionError):
            await ses.send_email(**simple())
        assert await sandbox.ledger() == []
        assert not any(word in text for text in capfd.readouterr() for word in NO_TRACEBACK)

    async def test_a_hanging_request_accepts_nothing(self, sandbox: RunningSandbox, impatient_ses: SesClient) -> None:
        await sandbox.fault("hang")
        with pytest.raises(ReadTimeoutError):
            await impatient_ses.send_email(**simple())
        assert await sandbox.ledger() == []

    async def test_clearing_the_fault_cuts_hanging_requests(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        await sandbox.fault("hang")
        sending = asyncio.create_task(ses.send_email(**simple()))
        while not (await sandbox.http.get("/sandbox/faults")).json()["items"][0]["hits"]:
            pass
        await sandbox.clear_faults()
        with pytest.raises(BotoConnectionError):
            await sending

    async def test_a_hang_can_have_a_length(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        await sandbox.fault("hang", detail="0.1")
        with pytest.raises(BotoConnectionError):
            await ses.send_email(**simple())

    async def test_account_questions_do_not_meet_sending_faults(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        await sandbox.fault("throttle")
        await sandbox.fault("error", detail="MessageRejected")
        assert (await ses.get_account())["SendingEnabled"] is True


class TestAfterAccepting:
    async def test_accept_then_reset_is_in_the_ledger(
        self, sandbox: RunningSandbox, ses: SesClient, capfd: pytest.CaptureFixture[str]
    ) -> None:
        await sandbox.fault("accept_then_reset")
        with pytest.raises(BotoConnectionError):
            await ses.send_email(**simple(subject="사라진 응답"))
        assert [item["subject"] for item in await sandbox.ledger()] == ["사라진 응답"]
        assert len(await sandbox.mailbox()) == 1
        assert not any(word in text for text in capfd.readouterr() for word in NO_TRACEBACK)

    async def test_accept_then_hang_is_in_the_ledger(self, sandbox: RunningSandbox, impatient_ses: SesClient) -> None:
        await sandbox.fault("accept_then_hang")
        with pytest.raises(ReadTimeoutError):
            await impatient_ses.send_email(**simple())
        assert len(await sandbox.ledger()) == 1

    async def test_a_lost_bulk_answer_leaves_every_entry_accepted(
        self, sandbox: RunningSandbox, ses: SesClient
    ) -> None:
        await sandbox.fault("accept_then_reset")
        with pytest.raises(BotoConnectionError):
            await ses.send_bulk_email(**bulk(entry("a@example.com"), entry("b@example.com")))
        assert len(await sandbox.ledger()) == 2

    async def test_a_refused_request_is_not_struck(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        await sandbox.fault("accept_then_reset")
        with pytest.raises(ses.exceptions.BadRequestException):
            await ses.send_email(**simple("nobody"))
        assert (await sandbox.http.get("/sandbox/faults")).json()["items"][0]["hits"] == 0


class TestPerEntry:
    async def statuses(self, ses: SesClient, *addresses: str) -> list[str]:
        answer = await ses.send_bulk_email(**bulk(*[entry(address) for address in addresses]))
        return [result["Status"] for result in answer["BulkEmailEntryResults"]]

    async def test_statuses_are_dealt_in_turn(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        await sandbox.fault("per_entry", detail=["SUCCESS", "TRANSIENT_FAILURE", "MESSAGE_REJECTED"])
        found = await self.statuses(ses, *[f"u{number}@example.com" for number in range(4)])
        assert found == ["SUCCESS", "TRANSIENT_FAILURE", "MESSAGE_REJECTED", "SUCCESS"]
        assert [item["to"][0] for item in await sandbox.ledger()] == ["u0@example.com", "u3@example.com"]

    async def test_an_address_can_have_its_own_status(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        await sandbox.fault("per_entry", detail={"B@example.com": "ACCOUNT_THROTTLED"})
        assert await self.statuses(ses, "a@example.com", "b@example.com") == ["SUCCESS", "ACCOUNT_THROTTLED"]

    async def test_without_detail_the_results_are_mixed(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        await sandbox.fault("per_entry")
        found = await self.statuses(ses, *[f"u{number}@example.com" for number in range(6)])
        assert len(set(found)) == 6

    async def test_single_sends_pass(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        await sandbox.fault("per_entry", detail="FAILED")
        await ses.send_email(**simple())
        assert len(await sandbox.ledger()) == 1


class TestRate:
    async def test_a_share_of_the_requests_is_struck(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        await sandbox.fault("throttle", rate=0.5)
        outcomes = await asyncio.gather(*[ses.send_email(**simple()) for _ in range(100)], return_exceptions=True)
        refused = sum(isinstance(outcome, BotoCoreError | ClientError) for outcome in outcomes)
        assert 20 <= refused <= 80
        assert len(await sandbox.ledger()) == 100 - refused

    async def test_a_fault_ends_by_itself(
        self, sandbox: RunningSandbox, ses: SesClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await sandbox.fault("throttle", duration_s=600)
        with pytest.raises(ses.exceptions.TooManyRequestsException):
            await ses.send_email(**simple())
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 600)
        monkeypatch.setattr("bongsu_sandbox.faults.service.time", later)
        await ses.send_email(**simple())
        assert (await sandbox.http.get("/sandbox/faults")).json() == {"items": []}
