import httpx

from bongsu_sandbox.running import running
from bongsu_sandbox.settings import SandboxSettings
from sandbox.tests.letters import simple
from sandbox.tests.mailbox.test_endpoints import BROWSER, SIGNED, send


class TestReadLedger:
    async def test_sends_are_oldest_first(self, http: httpx.AsyncClient) -> None:
        sent = [await send(http, subject=str(number)) for number in range(5)]
        answer = (await http.get("/sandbox/ledger")).json()
        assert [item["message_id"] for item in answer["items"]] == sent
        assert answer["next"] is None
        assert set(answer["items"][0]) == {"message_id", "to", "subject", "tags", "accepted_at"}

    async def test_ledger_is_read_page_by_page(self, http: httpx.AsyncClient) -> None:
        for number in range(5):
            await send(http, subject=f"{number}번")
        subjects: list[str] = []
        query: dict[str, str | int] = {"limit": 2}
        while True:
            answer = (await http.get("/sandbox/ledger", params=query)).json()
            subjects += [item["subject"] for item in answer["items"]]
            if answer["next"] is None:
                break
            query["after"] = answer["next"]
        assert subjects == [f"{number}번" for number in range(5)]

    async def test_browsers_get_a_page(self, http: httpx.AsyncClient) -> None:
        await send(http, subject="장부에 적힐 제목")
        page = (await http.get("/sandbox/ledger", headers={**BROWSER, "Accept-Language": "ko"})).text
        assert "장부에 적힐 제목" in page
        assert "발송 기록" in page

    async def test_ledger_and_quota_are_kept_after_a_restart(self, settings: SandboxSettings) -> None:
        for _ in range(2):
            async with running(settings) as sandbox:
                path = "/sandbox/ses/v2/email/outbound-emails"
                await sandbox.http.post(path, json=simple("a@example.com", "b@example.com"), headers=SIGNED)
        async with running(settings) as sandbox:
            assert len(await sandbox.ledger()) == 2
            assert len(await sandbox.mailbox()) == 4
            account = await sandbox.http.get("/sandbox/ses/v2/email/account", headers=SIGNED)
            assert account.json()["SendQuota"]["SentLast24Hours"] == 4
