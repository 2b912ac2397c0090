from typing import Any

import pytest
from pydantic import SecretStr

from bongsu_notify.channels.email.ses import create_client
from bongsu_notify.settings import NotifySettings


class _NotSent(Exception):
    """The request is as it would be sent."""


class TestEndpoint:
    @pytest.mark.parametrize(
        ("region", "host"),
        [
            ("ap-northeast-2", "email.ap-northeast-2.amazonaws.com"),
            ("us-gov-west-1", "email.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", "email.cn-north-1.amazonaws.com.cn"),
        ],
    )
    async def test_request_goes_to_its_region_and_is_signed_for_it(self, region: str, host: str) -> None:
        """The list of all services' endpoints is not read."""
        requests: list[Any] = []

        def stop(request: object, **_: object) -> None:
            requests.append(request)
            raise _NotSent

        secret = SecretStr("secret")
        settings = NotifySettings(ses_region=region, ses_access_key_id="AKID", ses_secret_access_key=secret)
        async with create_client(settings) as client:
            client.meta.events.register("before-send.sesv2", stop)
            with pytest.raises(_NotSent):
                await client.get_account()
        assert requests[0].url == f"https://{host}/v2/email/account"
        assert f"/{region}/ses/aws4_request" in requests[0].headers["Authorization"].decode()
