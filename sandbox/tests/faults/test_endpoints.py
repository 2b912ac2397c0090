import re

import httpx
import pytest

PATH = "/sandbox/faults"


class TestSetFault:
    async def test_a_fault_is_listed_with_its_end_and_its_hits(self, http: httpx.AsyncClient) -> None:
        asked = {"target": "ses", "kind": "throttle", "rate": 0.25, "duration_s": 60}
        answer = await http.post(PATH, json=asked)
        assert answer.status_code == 201
        (listed,) = (await http.get(PATH)).json()["items"]
        assert {name: listed[name] for name in asked} == asked
        assert listed["hits"] == 0
        assert listed["until"].endswith("Z")

    async def test_fault_is_replaced_when_its_kind_is_set_again(self, http: httpx.AsyncClient) -> None:
        for rate in (0.1, 0.9):
            await http.post(PATH, json={"target": "ses", "kind": "hang", "rate": rate})
        assert [item["rate"] for item in (await http.get(PATH)).json()["items"]] == [0.9]

    @pytest.mark.parametrize(
        ("body", "field", "words"),
        [
            ({"target": "smtp", "kind": "error"}, "target", "'ses'"),
            ({"target": "ses", "kind": "explode"}, "kind", "'throttle'"),
            ({"target": "ses", "kind": "huge_token"}, "kind", "ses cannot do huge_token; it can do error,"),
            ({"target": "kakao_message", "kind": "quota"}, "kind", "kakao_message cannot do quota"),
            ({"target": "ses", "kind": "error", "detail": "Nope"}, "detail", "Nope is no SES error"),
            ({"target": "ses", "kind": "hang", "detail": "long"}, "detail", "long"),
            ({"target": "ses", "kind": "hang", "detail": ["1"]}, "detail", "number of seconds"),
            ({"target": "ses", "kind": "throttle", "detail": "x"}, "detail", "takes no detail"),
            ({"target": "ses", "kind": "per_entry", "detail": ["BAD"]}, "detail", "BAD is no status"),
            ({"target": "ses", "kind": "per_entry", "detail": {"a@b.co": "BAD"}}, "detail", "BAD is no status"),
            ({"target": "ses", "kind": "per_entry", "detail": 3}, "detail", "list of names"),
            ({"target": "ses", "kind": "error", "rate": 0}, "rate", "greater than 0"),
            ({"target": "ses", "kind": "error", "rate": 1.5}, "rate", "less than or equal to 1"),
            ({"target": "ses", "kind": "error", "duration_s": -1}, "duration_s", "greater than 0"),
            ({"target": "ses", "kind": "error", "duration": 1}, "duration", "Unknown field"),
        ],
    )
    async def test_invalid_fault_is_refused_and_its_field_named(
        self, http: httpx.AsyncClient, body: dict[str, object], field: str, words: str
    ) -> None:
        answer = await http.post(PATH, json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        (error,) = answer.json()["errors"]
        assert error["loc"][:2] == ["body", field]
        assert words in error["msg"]
        assert (await http.get(PATH)).json()["items"] == []

    @pytest.mark.parametrize("target", ["ses", "gateway"])
    @pytest.mark.parametrize(
        "detail",
        ['"\\ud800"', '["MessageRejected", "\\ud800"]', '{"\\ud800": "SUCCESS"}', '{"a@b.co": "\\ud800"}'],
    )
    async def test_half_a_character_in_the_detail_is_refused(
        self, http: httpx.AsyncClient, target: str, detail: str
    ) -> None:
        body = f'{{"target": "{target}", "kind": "error", "detail": {detail}}}'
        answer = await http.post(PATH, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
        assert {error["loc"][1] for error in answer.json()["errors"]} == {"detail"}

    @pytest.mark.parametrize("field", ["target", "kind", "\\ud800"])
    async def test_half_a_character_elsewhere_is_refused(self, http: httpx.AsyncClient, field: str) -> None:
        body = f'{{"target": "ses", "kind": "error", "{field}": "\\ud800"}}'
        answer = await http.post(PATH, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422


class TestClearFaults:
    async def test_delete_clears_a_single_kind_or_every_fault(self, http: httpx.AsyncClient) -> None:
        for kind in ("error", "hang", "quota"):
            await http.post(PATH, json={"target": "ses", "kind": kind})
        await http.delete(PATH, params={"target": "ses", "kind": "hang"})
        assert [item["kind"] for item in (await http.get(PATH)).json()["items"]] == ["error", "quota"]
        assert (await http.delete(PATH)).status_code == 204
        assert (await http.get(PATH)).json()["items"] == []


class TestForms:
    async def test_a_fault_is_set_by_form(self, http: httpx.AsyncClient) -> None:
        form = {"fault": "ses/error", "rate": "0.5", "duration_s": "", "detail": "MessageRejected"}
        answer = await http.post(f"{PATH}/set", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sandbox/#faults")
        (listed,) = (await http.get(PATH)).json()["items"]
        assert (listed["rate"], listed["duration_s"], listed["detail"]) == (0.5, None, ["MessageRejected"])

    async def test_a_wrong_form_comes_back_as_it_was_sent(self, http: httpx.AsyncClient) -> None:
        form = {"fault": "ses/error", "rate": "0.5", "detail": '<b>"Nope"'}
        answer = await http.post(f"{PATH}/set", data=form)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert "&lt;b&gt;&#34;Nope&#34;" in answer.text

    async def test_a_form_without_a_fault_comes_back(self, http: httpx.AsyncClient) -> None:
        assert (await http.post(f"{PATH}/set", data={"rate": "1"})).status_code == 422

    async def test_every_fault_that_can_be_set_is_shown(self, http: httpx.AsyncClient) -> None:
        page = (await http.get("/sandbox/")).text
        faults = re.findall(r'<option value="(\w+)/(\w+)"', page)
        assert len(faults) > 15
        for target, kind in faults:
            answer = await http.post(f"{PATH}/set", data={"fault": f"{target}/{kind}", "rate": "1"})
            assert answer.status_code == 303
        for language in ("ko", "en"):
            assert (await http.get("/sandbox/", headers={"Accept-Language": language})).status_code == 200

    async def test_a_fault_is_cleared_by_form(self, http: httpx.AsyncClient) -> None:
        for kind in ("error", "hang"):
            await http.post(PATH, json={"target": "ses", "kind": kind})
        await http.post(f"{PATH}/clear", data={"target": "ses", "kind": "hang"})
        assert [item["kind"] for item in (await http.get(PATH)).json()["items"]] == ["error"]
        await http.post(f"{PATH}/clear")
        assert (await http.get(PATH)).json()["items"] == []
