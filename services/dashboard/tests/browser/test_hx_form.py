"""What the htmx of the pages posts, in a real browser, arrives in the model of `HxForm` as it was meant."""

import json
from importlib import resources

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from playwright.async_api import Browser, Page, Route, expect
from pydantic import BaseModel, ConfigDict

from bongsu_dashboard.forms import HxForm
from bongsu_dashboard.forms.refusals import FormRefused

pytestmark = pytest.mark.asyncio(loop_scope="session")

SITE = "http://form.test"
HTMX = resources.files("bongsu_dashboard").joinpath("static", "vendor", "htmx-4.0.1.min.js")
SNOWFLAKE = 1_234_567_890_123_456_789


class Limits(BaseModel):
    per_minute: int


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = "default"
    channel: int = 0
    roles: list[int] = []
    tags: list[str] = ["default"]
    active: bool = True
    limits: Limits = Limits(per_minute=1)


app = FastAPI()


@app.exception_handler(FormRefused)
async def answer_refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, FormRefused)
    return JSONResponse({item.field: item.kind for item in error.problems}, status_code=422)


@app.post("/settings")
async def save(form: HxForm[Settings]) -> Response:
    return JSONResponse({**form.model_dump(include=form.model_fields_set), "channel": str(form.channel)})


def page_with(form: str) -> str:
    return f'<!doctype html><title>x</title><script src="/htmx.js"></script>{form}<pre id="out"></pre>'


async def post(chromium: Browser, form: str) -> object:
    """Click the button of a form; return what the endpoint answers."""
    page: Page = await chromium.new_page()

    async def answer(route: Route) -> None:
        request = route.request
        if request.method == "POST":
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
                headers = {"Content-Type": request.headers["content-type"]}
                answered = await client.post("/settings", content=request.post_data_buffer, headers=headers)
            await route.fulfill(status=200, body=answered.text, content_type="text/plain")
        elif request.url.endswith("/htmx.js"):
            await route.fulfill(body=HTMX.read_text(encoding="utf-8"), content_type="text/javascript")
        else:
            await route.fulfill(body=page_with(form), content_type="text/html; charset=utf-8")

    await page.route(f"{SITE}/**", answer)
    await page.goto(f"{SITE}/")
    await page.click("button")
    await expect(page.locator("#out")).not_to_be_empty()
    text = await page.locator("#out").inner_text()
    await page.close()
    return json.loads(text)


def form_with(fields: str, vals: str = "{}") -> str:
    return f"""<form hx-post="/settings" hx-target="#out" hx-vals='{vals}'>{fields}<button>Send</button></form>"""


class TestHxVals:
    async def test_lists_snowflakes_and_booleans_arrive(self, chromium: Browser) -> None:
        vals = {"channel": str(SNOWFLAKE), "roles": ["1", "2"], "tags": ["a", "b"], "active": False}
        sent = await post(chromium, form_with("", json.dumps(vals)))
        assert sent == {"channel": str(SNOWFLAKE), "roles": [1, 2], "tags": ["a", "b"], "active": False}

    async def test_object_arrives_as_json_text(self, chromium: Browser) -> None:
        sent = await post(chromium, form_with("", json.dumps({"limits": json.dumps({"per_minute": 5})})))
        assert sent == {"channel": "0", "limits": {"per_minute": 5}}

    async def test_object_that_htmx_flattens_is_refused_and_not_guessed(self, chromium: Browser) -> None:
        refused = await post(chromium, form_with("", json.dumps({"limits": {"per_minute": 5}})))
        assert refused == {"limits": "invalid"}

    async def test_unknown_name_is_refused(self, chromium: Browser) -> None:
        assert await post(chromium, form_with("", json.dumps({"role": "1"}))) == {"role": "unknown"}


class TestFields:
    async def test_text_is_cleared_and_box_unchecked(self, chromium: Browser) -> None:
        box = '<input type="hidden" name="active" value=""><input type="checkbox" name="active">'
        assert await post(chromium, form_with(f'<input name="name" value="">{box}')) == {
            "channel": "0",
            "name": "",
            "active": False,
        }

    async def test_repeats_are_collected_and_values_of_the_form_and_of_hx_vals_are_merged(
        self, chromium: Browser
    ) -> None:
        fields = "".join(f'<input type="checkbox" name="roles" value="{role}" checked>' for role in (1, 2, 3))
        sent = await post(chromium, form_with(fields, '{"name": "봉수 🔥"}'))
        assert sent == {"channel": "0", "name": "봉수 🔥", "roles": [1, 2, 3]}
