import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bongsu.mixins import uuid7


class TestUuid7:
    def test_uuid7_has_version_7_and_the_present_time(self) -> None:
        key = uuid7()
        assert (key.version, key.variant) == (7, "specified in RFC 4122")
        assert abs((key.int >> 80) - time.time_ns() // 1_000_000) < 5_000

    def test_each_key_is_greater_than_the_previous_key(self) -> None:
        keys = [uuid7() for _ in range(50_000)]
        assert keys == sorted(set(keys))

    def test_a_clock_that_goes_back_changes_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = uuid7()
        monkeypatch.setattr(time, "time_ns", lambda: 1)
        assert uuid7() > before

    def test_threads_get_different_keys(self) -> None:
        with ThreadPoolExecutor(4) as pool:
            batches = list(pool.map(lambda _: [uuid7() for _ in range(2_000)], range(4)))
        assert len({key for batch in batches for key in batch}) == 8_000

    def test_a_forked_child_goes_its_own_way(self) -> None:
        uuid7()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, uuid7().bytes)
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reader, 16) != uuid7().bytes
