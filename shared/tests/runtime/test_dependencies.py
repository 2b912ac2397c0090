from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI

from bongsu.runtime.dependencies import Provided, find, provide


class Greeter:
    def __init__(self, greeting: str) -> None:
        self.greeting = greeting


class TestProvided:
    async def test_endpoint_gets_the_object_that_its_app_provides(self) -> None:
        async def greet(greeter: Annotated[Greeter, Provided(Greeter)]) -> str:
            return greeter.greeting

        answers = []
        for greeting in ("hello", "annyeong"):
            app = FastAPI()
            app.get("/")(greet)
            provide(app, Greeter(greeting))
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
                answers.append((await client.get("/")).json())
        assert answers == ["hello", "annyeong"]

    def test_provide_refuses_a_second_object_of_a_type(self) -> None:
        app = FastAPI()
        provide(app, Greeter("hello"))
        with pytest.raises(ValueError, match="Greeter already"):
            provide(app, Greeter("again"))

    def test_find_names_the_type_when_the_app_does_not_provide_it(self) -> None:
        with pytest.raises(LookupError, match="provides no Greeter"):
            find(FastAPI(), Greeter)
