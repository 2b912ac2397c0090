"""The worker's memory, as the kernel counts it in its container."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.compose import ComposeStack, docker
from harness.people import email, new_address, sign_up

pytestmark = pytest.mark.timeout(600)

LIMIT_MIB = 160.0
COUNT = 40
TEXT, HTML = "봉" * 300_000, f"<p>{'수' * 530_000}</p>"
"""2.5 MB in UTF-8."""


def _peak_mib(container: str) -> float:
    """The peak of resident memory since the start of the container's process."""
    found = re.search(r"VmHWM:\s+(\d+) kB", docker("exec", container, "cat", "/proc/1/status"))
    assert found is not None
    return int(found[1]) / 1024


class TestWorker:
    def test_worker_stays_within_its_limit_when_it_sends_large_mails(self, composed: ComposeStack) -> None:
        composed.compose("restart", "notify-worker")
        composed.scale(notify_worker=1)  # returns when it is healthy
        (container,) = composed.containers("notify-worker")
        program = sign_up(composed).program()
        content = {"subject": "큰 메일", "text": TEXT, "html": HTML}
        mails = [email(new_address(), content=content) for _ in range(COUNT)]
        with ThreadPoolExecutor(4) as threads:
            accepted = [*threads.map(program.accepted, mails)]
        for one in accepted:
            program.when(one["id"], "sent", "delivered", limit_s=120)
        assert _peak_mib(container) < LIMIT_MIB
