"""SES through AWS's own client."""

import json
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from bongsu_sandbox.running import RunningSandbox
from sandbox.tests.aws import SesClient
from sandbox.tests.letters import FAKE, SENDER, bulk, entry, named, simple, utf8


def problem(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    """The code and the message that the client read."""
    error: Any = caught.value.response["Error"]
    return error["Code"], error["Message"]


class TestSendEmail:
    async def test_korean_and_emoji_arrive_as_they_were_sent(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        text = "안녕하세요 🔥 봉수입니다\n둘째 줄"
        html = "<p>안녕하세요 <b>🔥</b></p>"
        await ses.send_email(**simple("kim@example.com", subject="환영합니다 🎉", text=text, html=html))
        (mail,) = await sandbox.mailbox()
        assert (mail["subject"], mail["text"], mail["html"]) == ("환영합니다 🎉", text, html)

    async def test_the_answer_carries_the_message_id_of_the_ledger(
        self, sandbox: RunningSandbox, ses: SesClient
    ) -> None:
        answer = await ses.send_email(**simple(subject="하나"))
        (entry,) = await sandbox.ledger()
        assert entry["message_id"] == answer["MessageId"]

    async def test_display_names_are_decoded(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        await ses.send_email(
            **simple(named("김서연", "kim@example.com"), ReplyToAddresses=[named("도움", "help@example.com")])
            | {"FromEmailAddress": named("봉수, 주식회사", SENDER)}
        )
        (mail,) = await sandbox.mailbox()
        assert mail["from"] == f"봉수, 주식회사 <{SENDER}>"
        assert mail["to"] == "kim@example.com"
        assert mail["headers"]["To"] == "김서연 <kim@example.com>"
        assert mail["headers"]["Reply-To"] == "도움 <help@example.com>"

    async def test_each_recipient_has_a_mail_and_the_ledger_one_entry(
        self, sandbox: RunningSandbox, ses: SesClient
    ) -> None:
        destination = {
            "ToAddresses": ["a@example.com", "b@example.com"],
            "CcAddresses": ["c@example.com"],
            "BccAddresses": ["d@example.com"],
        }
        await ses.send_email(**simple() | {"Destination": destination})
        mails = await sandbox.mailbox()
        assert {mail["to"] for mail in mails} == {f"{name}@example.com" for name in "abcd"}
        assert "d@example.com" not in json.dumps([mail["headers"] for mail in mails])
        (entry,) = await sandbox.ledger()
        assert entry["to"] == [f"{name}@example.com" for name in "abcd"]

    async def test_tags_and_headers_are_kept(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        tags = [{"Name": "delivery_id", "Value": "0198"}, {"Name": "attempt", "Value": "2"}]
        headers = [{"Name": "List-Unsubscribe", "Value": "<https://example.com/u>"}]
        await ses.send_email(**simple(EmailTags=tags, Headers=headers))
        (mail,) = await sandbox.mailbox()
        assert mail["tags"] == {"delivery_id": "0198", "attempt": "2"}
        assert mail["headers"]["List-Unsubscribe"] == "<https://example.com/u>"
        assert (await sandbox.ledger())[0]["tags"] == mail["tags"]

    async def test_attachments_can_be_fetched(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        await ses.send_email(**simple(Attachments=[{"RawContent": b"%PDF \x00\xff", "FileName": "영수증.pdf"}]))
        (mail,) = await sandbox.mailbox()
        assert mail["attachments"] == [
            {"filename": "영수증.pdf", "content_type": "application/pdf", "size_bytes": 7, "content_id": None}
        ]
        answer = await sandbox.http.get(f"/sandbox/mailbox/{mail['id']}/attachments/0")
        assert answer.content == b"%PDF \x00\xff"
        assert answer.headers["content-disposition"].startswith("attachment")

    async def test_text_without_a_charset_is_ascii_only(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        content = {"Subject": {"Data": "Hi 봉수"}, "Body": {"Text": {"Data": "본문 text"}}}
        await ses.send_email(**simple() | {"Content": {"Simple": content}})
        (mail,) = await sandbox.mailbox()
        assert (mail["subject"], mail["text"]) == ("Hi ??", "?? text")

    async def test_raw_messages_are_parsed(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        message = EmailMessage()
        message["From"] = named("봉수", SENDER)
        message["To"] = "kim@example.com"
        message["Bcc"] = "hidden@example.com"
        message["Subject"] = "원본 🔥"
        message.set_content("글자")
        message.add_alternative("<p>글자</p>", subtype="html")
        message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="그림.png")
        await ses.send_email(Content={"Raw": {"Data": message.as_bytes()}})
        mails = await sandbox.mailbox()
        assert {mail["to"] for mail in mails} == {"kim@example.com", "hidden@example.com"}
        mail = mails[0]
        assert (mail["subject"], mail["text"].strip(), mail["html"].strip()) == ("원본 🔥", "글자", "<p>글자</p>")
        assert mail["from"] == f"봉수 <{SENDER}>"
        assert "Bcc" not in mail["headers"]
        assert [item["filename"] for item in mail["attachments"]] == ["그림.png"]

    async def test_inline_templates_are_rendered_without_escaping(
        self, sandbox: RunningSandbox, ses: SesClient
    ) -> None:
        template = {
            "TemplateContent": {"Subject": "{{ name }} 님", "Html": "<p>{{name}} {{{sign}}} {{user.age}}</p>"},
            "TemplateData": json.dumps({"name": "<b>김</b>", "sign": "&", "user": {"age": 30}}),
        }
        await ses.send_email(**simple() | {"Content": {"Template": template}})
        (mail,) = await sandbox.mailbox()
        assert (mail["subject"], mail["html"]) == ("<b>김</b> 님", "<p><b>김</b> & 30</p>")

    async def test_a_missing_variable_is_accepted_and_never_arrives(
        self, sandbox: RunningSandbox, ses: SesClient
    ) -> None:
        template = {"TemplateContent": {"Subject": "{{name}}", "Text": "x"}, "TemplateData": "{}"}
        answer = await ses.send_email(**simple() | {"Content": {"Template": template}})
        assert await sandbox.mailbox() == []
        (entry,) = await sandbox.ledger()
        assert entry["message_id"] == answer["MessageId"]
        assert "'name'" in entry["rendering_failure"]

    async def test_a_stored_template_is_not_found(self, ses: SesClient) -> None:
        with pytest.raises(ses.exceptions.NotFoundException):
            await ses.send_email(**simple() | {"Content": {"Template": {"TemplateName": "welcome"}}})

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"Destination": {"ToAddresses": []}}, "at least one recipient"),
            ({"Destination": {"ToAddresses": [f"u{n}@example.com" for n in range(51)]}}, "Recipient count exceeds 50."),
            ({"Destination": {"ToAddresses": ["nobody"]}}, "Missing final '@domain'"),
            ({"Destination": {"ToAddresses": ["a b@example.com"]}}, "control or whitespace"),
            ({"Destination": {"ToAddresses": ["김@example.com"]}}, "illegal characters"),
            ({"Destination": {"ToAddresses": ["a@한국.kr"]}}, "Punycode"),
            ({"Destination": {"ToAddresses": ["a@localhost"]}}, "illegal characters or dots"),
            ({"FromEmailAddress": "봉수 <a@example.com>"}, "encoded-word"),
            ({"EmailTags": [{"Name": "a b", "Value": "c"}]}, "Invalid tag name <a b>"),
            ({"EmailTags": [{"Name": "a", "Value": "한글"}]}, "Invalid tag value <한글>"),
            ({"EmailTags": [{"Name": "a", "Value": "v" * 257}]}, "at most 256"),
            ({"Content": {}}, "exactly one of"),
            ({"Content": {"Simple": {"Subject": utf8("x"), "Body": {}}}}, "Text or an Html"),
            ({"Content": {"Simple": {"Subject": utf8("x\ny"), "Body": {"Text": utf8("x")}}}}, "line break"),
        ],
    )
    async def test_invalid_request_is_refused(
        self, sandbox: RunningSandbox, ses: SesClient, change: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ses.exceptions.BadRequestException) as caught:
            await ses.send_email(**simple() | change)
        assert message in problem(caught)[1]
        assert await sandbox.ledger() == []

    async def test_a_raw_message_without_a_sender_is_refused(self, ses: SesClient) -> None:
        with pytest.raises(ses.exceptions.BadRequestException, match="Missing required header 'From'"):
            await ses.send_email(Content={"Raw": {"Data": b"To: a@example.com\n\nx"}})

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ({"Name": "Subject", "Value": "x"}, "set by SES"),
            ({"Name": "X Y", "Value": "x"}, "regular expression pattern"),
            ({"Name": "X-Name", "Value": "한글"}, "regular expression pattern"),
            ({"Name": "X-Name", "Value": "v" * 871}, "less than or equal to 870"),
        ],
    )
    async def test_header_names_and_values_are_held_to_the_rules(
        self, ses: SesClient, header: dict[str, str], message: str
    ) -> None:
        with pytest.raises(ses.exceptions.BadRequestException) as caught:
            await ses.send_email(**simple(Headers=[header]))
        assert message in problem(caught)[1]

    async def test_a_program_as_attachment_is_refused(self, ses: SesClient) -> None:
        with pytest.raises(ses.exceptions.BadRequestException, match="Illegal filename"):
            await ses.send_email(**simple(Attachments=[{"RawContent": b"MZ", "FileName": "setup.EXE"}]))


class TestSendBulkEmail:
    async def test_each_entry_is_rendered_with_its_own_data(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        template = {
            "TemplateContent": {"Subject": "{{greeting}} {{name}}", "Text": "{{name}} 님 🔥"},
            "TemplateData": json.dumps({"greeting": "안녕", "name": "손님"}),
            "Headers": [{"Name": "X-List", "Value": "all"}, {"Name": "X-Kind", "Value": "news"}],
        }
        answer = await ses.send_bulk_email(
            **bulk(
                entry("a@example.com", '{"name": "가"}', ReplacementHeaders=[{"Name": "x-list", "Value": "vip"}]),
                entry("b@example.com", None, ReplacementTags=[{"Name": "row", "Value": "2"}]),
                template=template,
                DefaultEmailTags=[{"Name": "row", "Value": "0"}, {"Name": "batch", "Value": "b1"}],
            )
        )
        results = answer["BulkEmailEntryResults"]
        assert [result["Status"] for result in results] == ["SUCCESS", "SUCCESS"]
        second, first = await sandbox.mailbox()
        assert (first["subject"], first["text"]) == ("안녕 가", "가 님 🔥")
        assert (second["subject"], second["tags"]) == ("안녕 손님", {"row": "2", "batch": "b1"})
        assert first["headers"]["x-list"] == "vip"
        assert "X-List" not in first["headers"]
        assert second["headers"]["X-Kind"] == "news"
        assert [item["message_id"] for item in await sandbox.ledger()] == [result["MessageId"] for result in results]

    async def test_wrong_address_fails_only_its_own_entry(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        answer = await ses.send_bulk_email(**bulk(entry("nobody"), entry("b@example.com")))
        first, second = answer["BulkEmailEntryResults"]
        assert (first["Status"], first["Error"]) == ("INVALID_PARAMETER", "Missing final '@domain'")
        assert second["Status"] == "SUCCESS"
        assert [item["to"] for item in await sandbox.ledger()] == [["b@example.com"]]

    async def test_more_than_50_entries_are_refused(self, ses: SesClient) -> None:
        with pytest.raises(ses.exceptions.BadRequestException, match="between 1 and 50"):
            await ses.send_bulk_email(**bulk(*[entry(f"u{n}@example.com") for n in range(51)]))

    async def test_data_is_never_read_as_a_template(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        data = json.dumps({"subject": "{{text}} {{#if x}}", "text": "{{secret}}"})
        await ses.send_bulk_email(**bulk(entry("a@example.com", data)))
        (mail,) = await sandbox.mailbox()
        assert (mail["subject"], mail["text"]) == ("{{text}} {{#if x}}", "{{secret}}")

    async def test_entries_beyond_the_rate_are_throttled_one_by_one(
        self, sandbox: RunningSandbox, ses: SesClient
    ) -> None:
        await sandbox.http.put("/sandbox/ses/account", json={"max_send_rate": 2, "max_24_hour_send": -1})
        answer = await ses.send_bulk_email(**bulk(*[entry(f"u{n}@example.com") for n in range(4)]))
        statuses = [result["Status"] for result in answer["BulkEmailEntryResults"]]
        assert statuses == ["SUCCESS", "SUCCESS", "ACCOUNT_THROTTLED", "ACCOUNT_THROTTLED"]


class TestGetAccount:
    async def test_account_reports_the_limits_and_the_sent_count(self, ses: SesClient) -> None:
        await ses.send_email(**simple("a@example.com", "b@example.com"))
        account = await ses.get_account()
        assert account["SendQuota"] == {"Max24HourSend": 10_000_000, "MaxSendRate": 10_000, "SentLast24Hours": 2}
        assert account["SendingEnabled"] is True

    async def test_the_limits_can_be_set(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        answer = await sandbox.http.put("/sandbox/ses/account", json={"max_send_rate": 14, "max_24_hour_send": 3})
        assert answer.status_code == 200
        assert (await ses.get_account())["SendQuota"]["MaxSendRate"] == 14
        for _ in range(3):
            await ses.send_email(**simple())
        with pytest.raises(ses.exceptions.LimitExceededException, match="Daily message quota exceeded"):
            await ses.send_email(**simple())


class TestAccountSwitches:
    @pytest.mark.parametrize(
        ("state", "code"),
        [
            ({"sending_enabled": False}, "SendingPausedException"),
            ({"enforcement_status": "SHUTDOWN"}, "AccountSuspendedException"),
            ({"verified_identities": ["other.test"]}, "MessageRejected"),
        ],
    )
    async def test_an_account_that_may_not_send_is_refused(
        self, sandbox: RunningSandbox, ses: SesClient, state: dict[str, Any], code: str
    ) -> None:
        await sandbox.http.put("/sandbox/ses/account", json={"max_send_rate": 1, "max_24_hour_send": 9, **state})
        with pytest.raises(ClientError) as caught:
            await ses.send_email(**simple())
        assert problem(caught)[0] == code

    async def test_the_refusal_names_the_identity_and_the_region(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        state = {"max_send_rate": 1, "max_24_hour_send": 9, "verified_identities": ["bongsu.example"]}
        await sandbox.http.put("/sandbox/ses/account", json=state)
        with pytest.raises(ses.exceptions.MessageRejected, match=f"region AP-NORTHEAST-2: {SENDER}"):
            await ses.send_email(**simple())

    async def test_a_verified_domain_covers_its_subdomains(self, sandbox: RunningSandbox, ses: SesClient) -> None:
        state = {"max_send_rate": 9, "max_24_hour_send": 9, "verified_identities": ["bongsu.test"]}
        await sandbox.http.put("/sandbox/ses/account", json=state)
        await ses.send_email(**simple() | {"FromEmailAddress": "a@mail.bongsu.test"})
        assert len(await sandbox.ledger()) == 1

    async def test_an_unknown_field_is_named(self, http: httpx.AsyncClient) -> None:
        answer = await http.put("/sandbox/ses/account", json={"max_send_rate": 1, "max_24_hour_send": 1, "speed": 1})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"] == ["body", "speed"]


class TestRequests:
    """Requests that no AWS client sends, because the client validates first."""

    path = "/sandbox/ses/v2/email/outbound-emails"
    signed: Mapping[str, str] = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=A/20260101/eu-west-1/ses/aws4_request, Signature=x"
    }

    async def test_an_unsigned_request_is_refused(self, http: httpx.AsyncClient) -> None:
        answer = await http.post(self.path, json={})
        assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")

    @pytest.mark.parametrize("body", [b"", b"{", b'{"Content": "\\ud800"}', b'{"Content": 3}'])
    async def test_a_body_of_another_shape_is_a_serialization_error(self, http: httpx.AsyncClient, body: bytes) -> None:
        answer = await http.post(self.path, content=body, headers=self.signed)
        assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (400, "SerializationException")

    async def test_a_message_above_40_mb_is_refused(self, http: httpx.AsyncClient) -> None:
        request = simple(Attachments=[{"RawContent": "A" * 41_943_044, "FileName": "large.bin"}])
        answer = await http.post(self.path, json=request, headers=self.signed)
        assert answer.headers["x-amzn-errortype"] == "BadRequestException"
        assert "Message length is more than 41943040 bytes" in answer.json()["message"]

    async def test_a_body_above_64_mib_is_not_read(self, http: httpx.AsyncClient) -> None:
        headers = {**self.signed, "Content-Length": str(65 * 1024 * 1024)}
        assert (await http.post(self.path, content=b"{}", headers=headers)).status_code == 413

    async def test_a_missing_member_is_named(self, http: httpx.AsyncClient) -> None:
        answer = await http.post(self.path, json={"Content": {"Simple": {"Body": {}}}}, headers=self.signed)
        assert answer.headers["x-amzn-errortype"] == "BadRequestException"
        assert "'content.simple.subject'" in answer.json()["message"]

    async def test_unknown_operation_is_not_found(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/sandbox/ses/v2/email/identities", headers=self.signed)
        assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")


async def test_people_of_two_countries_can_be_written_to(sandbox: RunningSandbox, ses: SesClient) -> None:
    people = [(FAKE.person_name(), FAKE.mail_address()) for _ in range(5)] + [("Emma Clarke", "emma@example.com")]
    for name, address in people:
        await ses.send_email(**simple(named(name, address), subject=f"{name} 님"))
    mails = await sandbox.mailbox()
    assert [(mail["subject"], mail["headers"]["To"]) for mail in reversed(mails)] == [
        (f"{name} 님", f"{name} <{address}>") for name, address in people
    ]
