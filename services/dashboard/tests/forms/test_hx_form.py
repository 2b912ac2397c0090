"""The fidelity of forms: what a browser or htmx sends is what the model gets, and nothing is guessed."""

import dataclasses
import json
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bongsu_dashboard.forms import HxDraft, HxForm, KeepCommas
from bongsu_dashboard.forms.refusals import FormRefused, UnsupportedForm

FORM = "application/x-www-form-urlencoded"
SNOWFLAKE = 1_234_567_890_123_456_789


class Colour(StrEnum):
    EMBER = "ember"
    ASH = "ash"


class Limits(BaseModel):
    model_config = ConfigDict(extra="forbid")

    per_minute: int
    words: list[str] = []


@dataclasses.dataclass
class Point:
    x: int


class Settings(BaseModel):
    name: str = "default name"
    note: str | None = "default note"
    channel: int | None = 7
    roles: list[int] = [1]
    tags: list[str] = ["a"]
    phrases: Annotated[list[str], KeepCommas()] = ["a"]
    active: bool = True
    maybe: bool | None = True
    colour: Colour = Colour.ASH
    size: Literal["s", "m"] = "s"
    limits: Limits = Limits(per_minute=3)
    extra: dict[str, int] | None = None
    point: Point | None = None
    day: date | None = date(2026, 1, 1)
    ratio: float = 0.5
    price: Decimal = Decimal(1)
    key: UUID | None = None
    secret: SecretStr = SecretStr("")
    renamed: str = Field(default="x", alias="other-name")
    unique: set[int] = {1}
    pair: tuple[int, int] | None = None


class Required(BaseModel):
    title: str = Field(min_length=1, max_length=5)
    guild_id: int


@cache
def _app() -> FastAPI:
    app = FastAPI()

    @app.exception_handler(FormRefused)
    async def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, FormRefused)
        return JSONResponse({"wrong": {item.field: item.kind for item in error.problems}}, status_code=422)

    @app.exception_handler(UnsupportedForm)
    async def unsupported(_request: Request, _error: Exception) -> Response:
        return JSONResponse({}, status_code=415)

    @app.post("/settings")
    async def settings(form: HxForm[Settings]) -> Response:
        sent = {name: getattr(form, name) for name in form.model_fields_set}
        return JSONResponse({"sent": json.loads(json.dumps(sent, default=_plain))})

    @app.post("/required")
    async def required(form: HxForm[Required]) -> Response:
        return JSONResponse({"title": form.title, "guild_id": str(form.guild_id)})

    @app.post("/draft")
    async def draft(form: HxDraft[Required]) -> Response:
        problem = form.problem("title")
        return JSONResponse(
            {
                "valid": form.model is not None,
                "title": form.value("title", "nothing"),
                "problem": [problem.kind, {**problem.facts}] if problem else None,
            }
        )

    return app


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return sorted(value) if isinstance(value, set) else str(value)


async def _post(path: str, body: bytes | str, content_type: str = FORM) -> httpx.Response:
    transport = httpx.ASGITransport(_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://dashboard.test") as client:
        return await client.post(path, content=body, headers={"Content-Type": content_type})


async def _sent(*pairs: tuple[str, str]) -> dict[str, object]:
    """Post these fields and return the ones that the model received."""
    answer = await _post("/settings", urlencode(pairs))
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()["sent"]
    return found


async def _wrong(*pairs: tuple[str, str], path: str = "/settings") -> dict[str, str]:
    """The fields that are refused, and why."""
    answer = await _post(path, urlencode(pairs))
    assert answer.status_code == 422, answer.text
    found: dict[str, str] = answer.json()["wrong"]
    return found


class TestContentType:
    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("application/json", '{"name": "x"}'),
            ("text/plain", "name=x"),
            ("multipart/form-data; boundary=b", '--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n--b--'),
            ("", "name=x"),
        ],
    )
    async def test_body_that_is_no_form_is_refused(self, content_type: str, body: str) -> None:
        assert (await _post("/settings", body, content_type)).status_code == 415

    async def test_a_charset_is_allowed(self) -> None:
        assert (await _post("/settings", "name=x", f"{FORM}; charset=UTF-8")).status_code == 200

    @pytest.mark.parametrize("body", [b"name=%ff", b"name=\xff", "name=한".encode(), b"&".join([b"a=1"] * 1001)])
    async def test_unreadable_body_is_refused(self, body: bytes) -> None:
        assert (await _post("/settings", body)).status_code == 422


class TestEmptyValues:
    async def test_a_text_can_be_cleared(self) -> None:
        assert await _sent(("name", ""), ("note", "")) == {"name": "", "note": ""}

    async def test_empty_value_is_cleared_when_the_field_is_not_text(self) -> None:
        empty = ("channel", "day", "key", "extra", "point", "maybe")
        assert await _sent(*((name, "") for name in empty)) == dict.fromkeys(empty)

    async def test_a_list_can_be_emptied(self) -> None:
        assert await _sent(("roles", ""), ("tags", "")) == {"roles": [], "tags": []}

    async def test_an_empty_number_that_must_be_there_is_wrong(self) -> None:
        assert await _wrong(("ratio", "")) == {"ratio": "number"}

    async def test_white_space_in_a_text_stays(self) -> None:
        assert await _sent(("name", "  a  b ")) == {"name": "  a  b "}


class TestFieldsSet:
    async def test_only_sent_fields_are_set(self) -> None:
        assert await _sent(("name", "x")) == {"name": "x"}

    async def test_nothing_sent_sets_nothing(self) -> None:
        assert await _sent() == {}

    async def test_a_value_that_equals_the_default_was_sent_all_the_same(self) -> None:
        assert await _sent(("name", "default name")) == {"name": "default name"}

    async def test_a_field_goes_by_its_alias(self) -> None:
        assert await _sent(("other-name", "y")) == {"renamed": "y"}
        assert await _wrong(("renamed", "y")) == {"renamed": "unknown"}


class TestLists:
    async def test_repeats_are_collected(self) -> None:
        assert await _sent(("roles", "1"), ("roles", "2")) == {"roles": [1, 2]}

    async def test_single_value_becomes_a_list(self) -> None:
        assert await _sent(("roles", "5")) == {"roles": [5]}

    async def test_commas_part_values_as_htmx_4_sends_them(self) -> None:
        assert await _sent(("roles", "1,2"), ("tags", "a, b")) == {"roles": [1, 2], "tags": ["a", "b"]}

    async def test_a_hidden_empty_value_before_the_checkboxes_is_passed_over(self) -> None:
        assert await _sent(("roles", ""), ("roles", "3")) == {"roles": [3]}

    async def test_a_field_may_keep_its_commas(self) -> None:
        assert await _sent(("phrases", "one, two"), ("phrases", "three")) == {"phrases": ["one, two", "three"]}

    async def test_a_json_array_is_read(self) -> None:
        assert await _sent(("tags", '["a,b", "c"]')) == {"tags": ["a,b", "c"]}

    async def test_a_broken_array_is_wrong(self) -> None:
        assert await _wrong(("tags", '["a"')) == {"tags": "invalid"}

    async def test_a_set_is_a_list_without_repeats(self) -> None:
        assert await _sent(("unique", "2"), ("unique", "2")) == {"unique": [2]}

    async def test_a_wrong_item_names_the_field(self) -> None:
        assert await _wrong(("roles", "1,x")) == {"roles": "whole_number"}


class TestNumbers:
    async def test_19_digits_arrive_whole(self) -> None:
        assert await _sent(("channel", str(SNOWFLAKE)), ("roles", f"{SNOWFLAKE},{SNOWFLAKE + 1}")) == {
            "channel": SNOWFLAKE,
            "roles": [SNOWFLAKE, SNOWFLAKE + 1],
        }

    async def test_19_digits_arrive_whole_in_json(self) -> None:
        assert await _sent(("extra", json.dumps({"id": SNOWFLAKE}))) == {"extra": {"id": SNOWFLAKE}}

    @pytest.mark.parametrize("value", ["1.5", "1e3", "0x10", "five", "1 2", "NaN", "[object Object]"])
    async def test_invalid_whole_number_is_an_error(self, value: str) -> None:
        assert await _wrong(("channel", value)) == {"channel": "whole_number"}

    async def test_decimals_keep_their_digits(self) -> None:
        assert await _sent(("price", "10.10")) == {"price": "10.10"}


class TestCheckboxes:
    @pytest.mark.parametrize("value", ["on", "true", "1", "yes"])
    async def test_checked_is_yes(self, value: str) -> None:
        assert await _sent(("active", value)) == {"active": True}

    @pytest.mark.parametrize("value", ["", "off", "false", "0"])
    async def test_unchecked_is_no(self, value: str) -> None:
        assert await _sent(("active", value)) == {"active": False}

    async def test_a_hidden_empty_value_says_no_until_the_box_is_checked(self) -> None:
        assert await _sent(("active", "")) == {"active": False}
        assert await _sent(("active", ""), ("active", "on")) == {"active": True}

    async def test_two_values_are_an_error(self) -> None:
        assert await _wrong(("active", "on"), ("active", "off")) == {"active": "duplicate"}

    async def test_anything_else_is_wrong(self) -> None:
        assert await _wrong(("active", "perhaps")) == {"active": "yes_or_no"}


class TestObjects:
    async def test_a_json_object_fills_a_model(self) -> None:
        assert await _sent(("limits", '{"per_minute": 5, "words": ["a"]}')) == {
            "limits": {"per_minute": 5, "words": ["a"]}
        }

    async def test_a_dataclass_and_a_mapping_are_filled_too(self) -> None:
        assert await _sent(("point", '{"x": 1}'), ("extra", '{"a": 2}')) == {"point": {"x": 1}, "extra": {"a": 2}}

    @pytest.mark.parametrize("value", ["[object Object]", "{", "[1]", '"text"', '{"per_minute": 1, "per_minute": 2}'])
    async def test_invalid_object_is_an_error(self, value: str) -> None:
        assert list(await _wrong(("limits", value))) == ["limits"]

    async def test_an_unknown_name_within_is_wrong(self) -> None:
        assert await _wrong(("limits", '{"per_minute": 1, "x": 2}')) == {"limits": "unknown"}

    async def test_no_number_of_json_is_wrong(self) -> None:
        assert await _wrong(("extra", '{"a": NaN}')) == {"extra": "invalid"}

    async def test_endless_nesting_is_wrong_and_no_crash(self) -> None:
        assert await _wrong(("extra", '{"a":' * 20_000)) == {"extra": "invalid"}


class TestRefusals:
    async def test_an_unknown_name_is_refused(self) -> None:
        assert await _wrong(("name", "x"), ("nmae", "y")) == {"nmae": "unknown"}

    async def test_a_scalar_that_comes_twice_is_refused(self) -> None:
        assert await _wrong(("name", "x"), ("name", "y")) == {"name": "duplicate"}

    async def test_form_token_is_not_a_field_of_the_model(self) -> None:
        assert await _sent(("csrf_token", "t"), ("name", "x")) == {"name": "x"}

    async def test_a_missing_field_is_named(self) -> None:
        assert await _wrong(("title", "x"), path="/required") == {"guild_id": "missing"}

    async def test_an_empty_field_that_must_not_be_is_missing(self) -> None:
        assert await _wrong(("title", ""), ("guild_id", "1"), path="/required") == {"title": "missing"}

    async def test_every_wrong_field_is_named_once(self) -> None:
        wrong = await _wrong(("title", "too long"), ("guild_id", "1"), ("guild_id", "2"), ("x", ""), path="/required")
        assert wrong == {"title": "too_long", "guild_id": "duplicate", "x": "unknown"}

    async def test_a_choice_is_one_of_the_choices(self) -> None:
        assert await _sent(("colour", "ember"), ("size", "m")) == {"colour": "ember", "size": "m"}
        assert await _wrong(("colour", "blue"), ("size", "xl")) == {"colour": "not_a_choice", "size": "not_a_choice"}


class TestDraft:
    async def test_a_wrong_form_can_be_shown_again(self) -> None:
        answer = await _post("/draft", urlencode({"title": "too long", "guild_id": "1"}))
        assert answer.json() == {"valid": False, "title": "too long", "problem": ["too_long", {"max_length": 5}]}

    async def test_valid_form_becomes_its_model(self) -> None:
        answer = await _post("/draft", urlencode({"title": "x", "guild_id": "1"}))
        assert answer.json() == {"valid": True, "title": "x", "problem": None}


class TestAnything:
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([*Settings.model_fields, "other-name", "csrf_token", "x"]),
                st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
            ),
            max_size=8,
        )
    )
    async def test_any_form_is_accepted_or_refused(self, pairs: list[tuple[str, str]]) -> None:
        assert (await _post("/settings", urlencode(pairs))).status_code in (200, 422)

    @given(st.binary(max_size=200))
    async def test_any_bytes_are_taken_or_refused(self, body: bytes) -> None:
        assert (await _post("/settings", body)).status_code in (200, 422)
