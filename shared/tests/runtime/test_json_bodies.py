"""JSON bodies in which a name is repeated."""

import json

import pytest

from bongsu.runtime.errors import FieldError, Invalid
from bongsu.runtime.json_bodies import RepeatedName, unique_names
from bongsu.runtime.problems import problem_response
from shared.tests.counted import CountedName


class TestUniqueNames:
    def test_work_grows_with_the_number_of_names(self) -> None:
        names = [CountedName(f"n{number}") for number in range(1000)]
        CountedName.comparisons = 0
        with pytest.raises(RepeatedName):
            unique_names([(name, 1) for name in [*names, CountedName("n999")]])
        assert CountedName.comparisons < 10 * len(names)

    def test_first_repeated_name_is_reported(self) -> None:
        with pytest.raises(RepeatedName) as refused:
            unique_names([("a", 1), ("b", 1), ("b", 2), ("a", 2)])
        assert refused.value.name == "b"


class TestProblem:
    def test_problem_repeats_a_name_that_utf8_cannot_encode(self) -> None:
        problem = Invalid("Invalid input: \ud800", errors=[FieldError(("body", "\ud800"), "Repeated field")])
        body = json.loads(bytes(problem_response(problem, request_id="r").body))
        assert (body["detail"], body["errors"][0]["loc"]) == ("Invalid input: \ud800", ["body", "\ud800"])
