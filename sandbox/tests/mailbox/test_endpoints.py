from typing import Any

import httpx
import pytest

from sandbox.tests.letters import simple

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=A/20260101/ap-northeast-2/ses/aws4_request, Signature=x"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def send(http: httpx.AsyncClient, *to: str, **more: Any) -> str:  # noqa: ANN401 - the SDK's arguments
    answer = await http.post("/sandbox/ses/v2/email/outbound-emails", json=simple(*to, **more), headers=SIGNED)
    message_id: str = answer.json()["MessageId"]
    return message_id


class TestReadMailbox:
    @pytest.mark.parametrize("accept", ["application/json", "*/*", None, "application/json, text/html;q=0.5"])
    async def test_programs_get_json(self, http: httpx.AsyncClient, accept: str | None) -> None:
        await send(http, "kim@example.com")
        headers = {} if accept is None else {"Accept": accept}
        answer = await http.get("/sandbox/mailbox", headers=headers)
        assert answer.headers["content-type"] == "application/json"
        (item,) = answer.json()["items"]
        assert set(item) >= {"id", "to", "from", "subject", "text", "html", "headers", "tags", "received_at"}
        assert item["received_at"].endswith("Z")

    async def test_browsers_get_a_page(self, http: httpx.AsyncClient) -> None:
        await send(http, "kim@example.com", subject="<script>alert(1)</script>")
        answer = await http.get("/sandbox/mailbox", headers=BROWSER)
        assert answer.headers["content-type"].startswith("text/html")
        assert "kim@example.com" in answer.text
        assert "&lt;script&gt;" in answer.text
        assert "<script>alert" not in answer.text

    async def test_mailbox_is_empty_at_first(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/sandbox/mailbox")).json() == {"items": [], "next": None}
        assert "No emails yet" in (await http.get("/sandbox/mailbox", headers=BROWSER)).text

    async def test_mailbox_is_filtered_by_to_and_limit(self, http: httpx.AsyncClient) -> None:
        for number in range(4):
            await send(http, f"user{number % 2}@example.com", subject=str(number))
        query: dict[str, str | int] = {"to": "user1@example.com", "limit": 1}
        answer = (await http.get("/sandbox/mailbox", params=query)).json()
        assert [item["subject"] for item in answer["items"]] == ["3"]
        query["after"] = answer["next"]
        assert [item["subject"] for item in (await http.get("/sandbox/mailbox", params=query)).json()["items"]] == ["1"]

    @pytest.mark.parametrize("limit", ["0", "x", "5001"])
    async def test_a_wrong_limit_is_named(self, http: httpx.AsyncClient, limit: str) -> None:
        answer = await http.get("/sandbox/mailbox", params={"limit": limit})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"] == ["query", "limit"]

    async def test_ledger_is_kept_when_the_mailbox_is_cleared(self, http: httpx.AsyncClient) -> None:
        await send(http)
        assert (await http.delete("/sandbox/mailbox")).status_code == 204
        assert (await http.get("/sandbox/mailbox")).json()["items"] == []
        assert len((await http.get("/sandbox/ledger")).json()["items"]) == 1


class TestReadMail:
    async def test_programs_get_its_json(self, http: httpx.AsyncClient) -> None:
        mail_id = await send(http, subject="하나")
        answer = await http.get(f"/sandbox/mailbox/{mail_id}")
        assert answer.json() == (await http.get("/sandbox/mailbox")).json()["items"][0]

    async def test_the_page_shows_the_html_in_a_closed_frame(self, http: httpx.AsyncClient) -> None:
        mail_id = await send(http, html="<p>안녕</p>")
        page = (await http.get(f"/sandbox/mailbox/{mail_id}", headers=BROWSER)).text
        assert f'src="/sandbox/mailbox/{mail_id}/html"' in page
        assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page

    async def test_the_frame_runs_nothing_and_loads_nothing(self, http: httpx.AsyncClient) -> None:
        mail_id = await send(http, html="<script>alert(1)</script>")
        policy = (await http.get(f"/sandbox/mailbox/{mail_id}/html")).headers["content-security-policy"]
        directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
        assert directives["default-src"] == "'none'"
        assert "script-src" not in directives
        assert "allow-scripts" not in directives["sandbox"]
        assert "allow-same-origin" not in directives["sandbox"]
        assert directives["form-action"] == "'none'"

    async def test_links_in_the_text_can_be_followed(self, http: httpx.AsyncClient) -> None:
        mail_id = await send(http, text="http://localhost:8000/verify?token=a&b=<c>")
        page = (await http.get(f"/sandbox/mailbox/{mail_id}?view=text", headers=BROWSER)).text
        assert 'href="http://localhost:8000/verify?token=a&amp;b=' in page
        assert 'rel="noopener' in page

    async def test_source_is_shown_and_downloaded(self, http: httpx.AsyncClient) -> None:
        mail_id = await send(http, subject="Lit", text="plain <b>", html=None)
        page = (await http.get(f"/sandbox/mailbox/{mail_id}?view=source", headers=BROWSER)).text
        assert "Content-Transfer-Encoding: 7bit" in page
        assert "plain &lt;b&gt;" in page
        answer = await http.get(f"/sandbox/mailbox/{mail_id}/source")
        assert answer.headers["content-type"] == "message/rfc822"
        assert answer.headers["content-disposition"] == f"attachment; filename={mail_id}.eml"
        assert answer.content.endswith(b"\r\n\r\nplain <b>")

    @pytest.mark.parametrize("rest", ["", "/html", "/source", "/attachments/0"])
    async def test_an_unknown_mail_is_not_found(self, http: httpx.AsyncClient, rest: str) -> None:
        answer = await http.get(f"/sandbox/mailbox/none{rest}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
