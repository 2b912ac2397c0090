"""JSON bodies in which a name is repeated."""

import pytest

from bongsu.runtime.json_bodies import RepeatedName, unique_names
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
