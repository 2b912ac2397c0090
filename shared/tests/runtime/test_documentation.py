import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel, Field

from bongsu.runtime.documentation import Sample, document_samples
from bongsu.runtime.http import create_api
from bongsu.runtime.metrics import Metrics
from tests.openapi_texts import list_texts


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_api(
        title="Kitchen <1>", version="1", prefix="/kitchen", metrics=Metrics("kitchen"), lifespan=_lifespan
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kitchen") as client:
        yield client


class TestDocumentation:
    async def test_page_loads_only_our_files(self, client: httpx.AsyncClient) -> None:
        page = await client.get("/kitchen/docs")
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert [address for address in loaded if "//" in address] == []
        for address in loaded:
            if not address.startswith("data:"):
                assert (await client.get(f"/kitchen/{address}")).status_code == 200
        assert (await client.get("/kitchen/openapi.json")).json()["info"]["title"] == "Kitchen <1>"

    @pytest.mark.parametrize(
        ("query", "accepted", "language"),
        [("", "ko-KR,en;q=0.5", "ko"), ("", "fr", "en"), ("?lang=en", "ko", "en"), ("?lang=ko", "en", "ko")],
    )
    async def test_page_is_in_the_language_asked_for(
        self, client: httpx.AsyncClient, query: str, accepted: str, language: str
    ) -> None:
        page = (await client.get(f"/kitchen/docs{query}", headers={"Accept-Language": accepted})).text
        assert f'<html lang="{language}">' in page
        assert f'data-document="openapi{".ko" if language == "ko" else ""}.json"' in page
        assert f'hreflang="{language}" aria-current="true"' in page

    async def test_korean_document_has_korean_texts(self) -> None:
        korean = {
            "List the dishes": "요리 목록",
            "Newest first.": "최신순입니다.",
            "Only dishes of this size": "이 크기의 요리만",
            "A dish.": "요리입니다.",
            "Kitchen": "부엌",
            "dishes": "요리",
            "Its story": "요리 이야기",
        }
        app = create_api(title="Kitchen", version="1", prefix="/k", metrics=Metrics("k"), korean=korean)

        class Dish(BaseModel):
            """A dish."""

            description: str = Field(description="Its story")

        @app.get("/dishes", tags=["dishes"], openapi_extra=document_samples(Sample("curl", "sh", "curl /dishes\n")))
        async def list_dishes(size: Annotated[int, Query(description="Only dishes of this size")]) -> list[Dish]:
            """List the dishes. Newest first."""
            raise NotImplementedError(size)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kitchen") as client:
            documents = [(await client.get(f"/k/{name}")).json() for name in ("openapi.ko.json", "openapi.json")]
        translated, english = map(list_texts, documents)
        assert translated == [korean.get(text, text) for text in english]
        assert set(english) >= korean.keys()
        assert translated[0] == "부엌"
        operation = documents[0]["paths"]["/dishes"]["get"]
        assert (operation["tags"], operation["summary"]) == (["요리"], "요리 목록")
        assert operation["description"] == "최신순입니다.\n\n**curl**\n\n```sh\ncurl /dishes\n```"
        assert operation["x-codeSamples"] == [{"label": "curl", "lang": "sh", "source": "curl /dishes\n"}]

    async def test_titles_of_operations_are_the_first_sentences_of_their_docstrings(self) -> None:
        app = create_api(title="Kitchen", version="1", prefix="/kitchen", metrics=Metrics("kitchen"))

        @app.get("/dishes")
        async def listed() -> None:
            """List the `dishes`, newest first. Those that are sold out
            are left out.

            :raises NotFound: there is no kitchen.
            """

        @app.get("/spoons")
        async def list_spoons() -> None:
            pass

        for _ in range(2):  # the second time from what FastAPI keeps
            paths = app.openapi()["paths"]
            dishes, spoons = paths["/dishes"]["get"], paths["/spoons"]["get"]
            assert dishes["summary"] == "List the dishes, newest first"
            assert dishes["description"].startswith("Those that are sold out\nare left out.\n\n:raises")
            assert (spoons["summary"], spoons.get("description")) == ("List Spoons", None)

    async def test_scripts_of_other_sites_are_forbidden(self, client: httpx.AsyncClient) -> None:
        page = await client.get("/kitchen/docs")
        assert "script-src 'self';" in page.headers["content-security-policy"]
        assert "<title>Kitchen &lt;1&gt;</title>" in page.text

    @pytest.mark.parametrize("name", ["page.html", "README.md", "..%2Fhttp.py", "nothing"])
    async def test_only_the_files_of_the_page_are_served(self, client: httpx.AsyncClient, name: str) -> None:
        assert (await client.get(f"/kitchen/docs/{name}")).status_code == 404

    def test_vendored_files_are_unchanged(self) -> None:
        folder = files("bongsu.runtime") / "api_docs"
        for line in (folder / "SHA256SUMS").read_text().splitlines():
            digest, name = line.split()
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
