"""Who may report what happened to a mail."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from bongsu_notify.errors import FeedbackRefused, FeedbackUnreachable
from bongsu_notify.feedback.sns import SnsMessage, SnsVerifier
from services.notify.tests.feedback.signing import CERTIFICATE_URL, TOPIC, certificate, sign

STAND_IN = "http://localhost:8000/sandbox/sns/"


class Web:
    """Serves the certificate, and remembers what was fetched."""

    def __init__(self, content: bytes | None = None) -> None:
        self.fetched: list[str] = []
        self._content = content

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        return self._content or certificate()


def parse(message: Mapping[str, str]) -> SnsMessage:
    return SnsMessage.model_validate_json(json.dumps(message))


class TestVerify:
    @pytest.mark.parametrize("version", ["1", "2"])
    async def test_signed_messages_pass_and_the_certificate_is_read_once(self, version: str) -> None:
        web = Web()
        verifier = SnsVerifier([TOPIC], web.fetch)
        for fields in ({}, {"Subject": "Amazon SES"}, {"Message": "안녕\n🔥"}):
            await verifier.verify(parse(sign(version, **fields)))
        assert web.fetched == [CERTIFICATE_URL]

    @pytest.mark.parametrize(
        "forged",
        [
            {"Message": '{"eventType": "Bounce"}'},
            {"Subject": "added"},
            {"SignatureVersion": "1"},
            {"Signature": "AAAA"},
            {"Signature": "no base64!"},
            {"TopicArn": "arn:aws:sns:ap-northeast-2:666666666666:ses"},
            {"Timestamp": datetime.now(UTC).isoformat()},
        ],
    )
    async def test_changed_message_is_refused(self, forged: dict[str, str]) -> None:
        with pytest.raises(FeedbackRefused):
            await SnsVerifier([TOPIC], Web().fetch).verify(parse(sign() | forged))

    @pytest.mark.parametrize("hours", [-3, 3])
    async def test_message_of_another_time_is_refused(self, hours: int) -> None:
        at = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
        with pytest.raises(FeedbackRefused, match="too old"):
            await SnsVerifier([TOPIC], Web().fetch).verify(parse(sign(Timestamp=at)))

    @pytest.mark.parametrize("topic", ["", "arn:aws:sns:ap-northeast-2:666666666666:ses", TOPIC + "x"])
    async def test_other_topic_is_refused_however_well_it_is_signed(self, topic: str) -> None:
        with pytest.raises(FeedbackRefused, match="topic"):
            await SnsVerifier([TOPIC], Web().fetch).verify(parse(sign(TopicArn=topic)))

    @pytest.mark.parametrize(
        "url",
        [
            CERTIFICATE_URL.replace("https", "http"),
            CERTIFICATE_URL.replace(".com/", ".com:8443/"),
            CERTIFICATE_URL.replace(".com/", ".com.evil.test/"),
            CERTIFICATE_URL.replace("//sns", "//user@sns"),
            CERTIFICATE_URL.replace("//sns.ap-northeast-2", "//evil.test/sns.ap-northeast-2"),
            CERTIFICATE_URL.replace("//sns.", "//s3."),
            CERTIFICATE_URL.replace("SimpleNotificationService-", "../bucket/"),
            "https://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "https://[::1/",
            STAND_IN + "certificate.pem",
        ],
    )
    async def test_certificate_of_another_host_is_not_fetched(self, url: str) -> None:
        web = Web()
        with pytest.raises(FeedbackRefused, match="SigningCertURL"):
            await SnsVerifier([TOPIC], web.fetch).verify(parse(sign(SigningCertURL=url)))
        assert not web.fetched

    async def test_certificate_of_the_sandbox_counts_where_the_sandbox_sends(self) -> None:
        verifier = SnsVerifier([TOPIC], Web().fetch, stand_in_url=STAND_IN)
        await verifier.verify(parse(sign(SigningCertURL=STAND_IN + "certificate.pem")))

    async def test_expired_certificate_is_refused_and_an_unreadable_one_is_tried_again(self) -> None:
        with pytest.raises(FeedbackRefused, match="certificate"):
            await SnsVerifier([TOPIC], Web(certificate(days=-1)).fetch).verify(parse(sign()))
        with pytest.raises(FeedbackUnreachable):
            await SnsVerifier([TOPIC], Web(b"<html>").fetch).verify(parse(sign()))


class TestConfirm:
    async def test_subscription_is_confirmed_at_sns_only(self) -> None:
        web = Web()
        verifier = SnsVerifier([TOPIC], web.fetch)
        url = "https://sns.ap-northeast-2.amazonaws.com/?Action=ConfirmSubscription&Token=t"
        message = parse(sign(Type="SubscriptionConfirmation", Token="t", SubscribeURL=url))
        await verifier.verify(message)
        await verifier.confirm(message)
        assert web.fetched[-1] == url
        evil = parse(sign(Type="SubscriptionConfirmation", Token="t", SubscribeURL="https://evil.test/?" + url))
        await verifier.verify(evil)
        with pytest.raises(FeedbackRefused, match="SubscribeURL"):
            await verifier.confirm(evil)
        assert "evil.test" not in "".join(web.fetched)
