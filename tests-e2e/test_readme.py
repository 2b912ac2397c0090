"""The commands of the README work."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from harness.people import wait_for_mail
from harness.stack import EmbeddedStack, environment

from tests.infrastructure import forked
from tests.infrastructure.needs import cannot_run

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"<!-- The end-to-end tests run this block as it stands. -->\n```sh\n(.*?)```", re.DOTALL)
# Each sleep waits for the mails before it: on a slow machine they may take longer than the commands wait. The first is
# the link, the second is about the new key, the third is to the friend.
PATIENCE = """
mails=1
sleep() {
  until [ "$(curl -sS "$url/sandbox/mailbox" | grep -o '"subject"' | wc -l)" -ge "$mails" ]; do command sleep 0.2; done
  mails=3
  command sleep "$1"
}
"""
TOOLS = ("sh", "curl", "openssl", "sed", "grep")


class TestTryIt:
    def test_commands_send_a_mail(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing:
            cannot_run(request.node, *((tool, f"install {tool}") for tool in missing))
        found = BLOCK.search(README.read_text(encoding="utf-8"))
        assert found is not None, "the README has no block to try"
        with EmbeddedStack(tmp_path, command=(forked.BONGSU, "up")) as stack:
            commands = PATIENCE + found[1].replace("http://localhost:8000", stack.url)
            done = subprocess.run(
                ["/bin/sh", "-eu"],
                input=commands,
                capture_output=True,
                text=True,
                env=environment(),
                timeout=90,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            with stack.client() as client:
                mail = wait_for_mail(client, "friend@example.com")
        assert (mail["subject"], mail["text"]) == ("봉수가 올랐습니다 🔥", "첫 번째 봉화: 안녕하세요!")
        shown = [json.loads(line) for line in done.stdout.replace("}{", "}\n{").splitlines() if line.startswith("{")]
        assert shown[-2]["status"] == "sent"
        assert shown[-1]["items"][0]["to"] == "friend@example.com"
