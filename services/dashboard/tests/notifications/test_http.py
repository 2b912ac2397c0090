import httpx
import pytest

from bongsu_dashboard.browser import Browser
from bongsu_dashboard.notifications.http import HttpNotifyClient
from bongsu_dashboard.upstream import Upstream
from services.dashboard.tests.fake_notifications import a_notification


class TestListPage:
    @pytest.mark.parametrize(
        "to", [{"email": "a@b.test"}, {"channel_id": "813"}, {"user_id": "01926e5b-3f0a-7c51-8d1e-5b0f3f7c9a10"}]
    )
    async def test_list_page_reads_the_recipient_of_any_channel(self, to: dict[str, str]) -> None:
        item = a_notification(to=to)
        page = httpx.Response(200, json={"items": [item.model_dump(mode="json")], "next": None, "added_later": 1})
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(lambda _request: page), base_url="http://notify"
        ) as client:
            (read,) = (await HttpNotifyClient(Upstream("notify", client)).list_page(Browser())).items
        assert read.recipient == next(iter(to.values()))
        assert read.model_dump(mode="json")["to"] == item.model_dump(mode="json")["to"]
