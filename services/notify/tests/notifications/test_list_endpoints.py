import pytest

from services.notify.tests.notifications.api import BODY, Api


class TestList:
    async def test_list_returns_every_page_newest_first(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            made = [(await client.post("/v1/notifications", json=BODY)).json()["id"] for _ in range(5)]
            seen: list[str] = []
            after: str | None = None
            while True:
                page = (
                    await client.get("/v1/notifications", params={"limit": 2, **({"after": after} if after else {})})
                ).json()
                seen += [item["id"] for item in page["items"]]
                after = page["next"]
                if after is None:
                    break
        assert seen == made[::-1]

    async def test_list_applies_each_filter(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            await client.post("/v1/notifications", json=BODY | {"topic": "billing"})
            await client.post("/v1/notifications", json=BODY | {"to": {"email": "Other@Example.com"}})
            for query, count in (
                ({"topic": "billing"}, 1),
                ({"to": "other@EXAMPLE.com"}, 1),
                ({"to": "topic:billing"}, 0),
                ({"status": "accepted"}, 2),
                ({"status": "sent"}, 0),
                ({"channel": "email"}, 2),
                ({"status": ["sent", "accepted"]}, 2),
                ({"scheduled": "true"}, 0),
                ({"q": "안녕"}, 2),
                ({"since": "2020-01-01T00:00:00Z", "until": "2999-01-01T00:00:00Z"}, 2),
                ({"until": "2020-01-01T00:00:00Z"}, 0),
            ):
                found = (await client.get("/v1/notifications", params=query)).json()["items"]
                assert len(found) == count, query

    @pytest.mark.parametrize(
        "query",
        [
            {"staus": "failed"},
            {"to": "topic:🏻ö"},
            {"to": "topic:"},
            {"to": "한글@봉수.한국"},
            {"status": "lost"},
            {"limit": "0"},
            {"limit": "201"},
            {"after": "x"},
            {"to": "x"},
            {"q": ""},
            {"since": "today"},
        ],
    )
    async def test_list_names_the_invalid_parameter(self, each_api: Api, query: dict[str, str]) -> None:
        async with await each_api.client_of("me@example.com") as client:
            answer = await client.get("/v1/notifications", params=query)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"][:2] == ["query", next(iter(query))]

    async def test_list_returns_only_the_callers_notifications(self, each_api: Api) -> None:
        async with await each_api.client_of("me@example.com") as client:
            await client.post("/v1/notifications", json=BODY)
        async with await each_api.client_of("other@example.com") as client:
            assert (await client.get("/v1/notifications")).json() == {"items": [], "next": None}


class TestCounts:
    async def test_counts_are_of_the_callers_notifications(self, api: Api) -> None:
        async with await api.client_of("other@example.com") as client:
            await client.post("/v1/notifications", json=BODY)
        async with await api.client_of("me@example.com") as client:
            await client.post("/v1/notifications", json=BODY)
            counts = (await client.get("/v1/notifications/counts")).json()
        assert (counts["counts"]["accepted"], counts["scheduled"], counts["limit"]) == (1, 0, 1000)
        assert counts["oldest_waiting"].endswith("Z")
