"""The mixins' own tests, and the plans of notify's queries, on the MySQL that is deployed.

`make test` runs them on whatever server the machine has.
"""

import re

import pytest
from harness.compose import ComposeStack

pytestmark = pytest.mark.timeout(600)
PARALLEL = ("-n", "2", "-m", "mysql")


class TestMixins:
    @pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
    def test_every_test_of_the_library_passes_by_this_driver(self, composed: ComposeStack, driver: str) -> None:
        done = composed.run_tests(*PARALLEL, "-k", driver, "shared/tests/mixins")
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        # "286 passed, 286 deselected in 60.1s": the other driver's, and nothing that was skipped or is known to fail
        summary = done.stdout.rstrip().splitlines()[-1]
        assert re.search(r"\d{3} passed(, \d+ deselected)?(, \d+ subtests passed)? in", summary), done.stdout[-6000:]


class TestPlans:
    def test_no_query_of_notify_reads_more_when_there_are_more_notifications(self, composed: ComposeStack) -> None:
        done = composed.run_tests(
            *PARALLEL, "tests/bench/test_growth.py", "services/notify/tests/notifications/test_lists.py"
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert re.search(r"\d{2} passed(, \d+ deselected)? in", done.stdout.rstrip().splitlines()[-1])
