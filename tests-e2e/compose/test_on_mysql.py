"""The mixins' own tests, and the plans of notify's queries, on the MySQL that is deployed.

`make test` runs them on whatever server the machine has.
"""

import os
import re
import subprocess
import sys

import pytest
from harness.compose import ROOT, ComposeStack

pytestmark = pytest.mark.timeout(600)


class TestMixins:
    @pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
    def test_every_test_of_the_library_passes_by_this_driver(self, composed: ComposeStack, driver: str) -> None:
        done = run_tests(composed, "-k", driver, "shared/tests/mixins")
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        # "286 passed, 286 deselected in 60.1s": the other driver's, and nothing that was skipped or is known to fail
        summary = done.stdout.rstrip().splitlines()[-1]
        assert re.search(r"\d{3} passed(, \d+ deselected)? in", summary), done.stdout[-6000:]


class TestPlans:
    def test_no_query_of_notify_reads_more_when_there_are_more_notifications(self, composed: ComposeStack) -> None:
        done = run_tests(composed, "tests/bench/test_growth.py", "services/notify/tests/notifications/test_lists.py")
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert re.search(r"\d{2} passed(, \d+ deselected)? in", done.stdout.rstrip().splitlines()[-1])


def run_tests(composed: ComposeStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert composed.sql("SELECT VERSION()").startswith("9.7")
    url = f"mysql://root:{composed.root_password()}@127.0.0.1:{composed.mysql_port}"
    return subprocess.run(  # noqa: S603 - the arguments are this module's
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "--timeout=120",
         "-m", "mysql", *arguments],
        cwd=ROOT,
        env=os.environ | {"TEST_MYSQL_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
