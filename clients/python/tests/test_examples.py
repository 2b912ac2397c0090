"""The examples of the README, run against the real notify service."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from clients.python.tests.conftest import ACCESS_KEY, Api, listening
from shared.tests.identity.seeds import SECRET
from tests.infrastructure.needs import cannot_run
from tests.infrastructure.node import require_node

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def example(title: str, language: str) -> str:
    found = re.search(rf"^##+ {title}.*?^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


SAMPLES = Path(__file__).parents[3] / "services" / "notify" / "src" / "bongsu_notify" / "notifications" / "samples"


@pytest.mark.parametrize(
    ("title", "language", "sample"),
    [("Python", "python", "python.txt"), ("curl", "sh", "curl.txt"), ("JavaScript", "js", "javascript.txt")],
)
def test_samples_of_the_api_document_are_the_examples(title: str, language: str, sample: str) -> None:
    assert (SAMPLES / sample).read_text(encoding="utf-8") == example(title, language)


async def run(api: Api, *command: str) -> str:
    """Run an example as a process; return the text that it prints."""
    environment = {
        "PATH": os.environ["PATH"],
        "BONGSU_URL": api.url,
        "BONGSU_ACCESS_KEY": ACCESS_KEY,
        "BONGSU_SECRET_KEY": SECRET,
        "PYTHONUTF8": "1",
    }
    async with listening(api):
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        printed, errors = await process.communicate()
    assert process.returncode == 0, (printed, errors)
    return printed.decode()


async def list_subjects(api: Api) -> list[str | None]:
    async with api.client() as client:
        return [notification["subject"] async for notification in client.iterate()]


def find(program: str, item: pytest.Item, remedy: str) -> str:
    path = shutil.which(program)
    if path is None:
        cannot_run(item, (program, remedy))
    return path


class TestExamples:
    async def test_python_example_sends_a_notification(self, api: Api) -> None:
        printed = await run(api, sys.executable, "-c", example("Python", "python"))
        assert printed.splitlines()[0] == "accepted"
        assert await list_subjects(api) == ["안녕하세요"]

    async def test_curl_example_sends_a_notification(self, api: Api, request: pytest.FixtureRequest) -> None:
        for program in ("curl", "openssl"):
            find(program, request.node, f"install {program}")
        await run(api, "/bin/sh", "-c", example("curl", "sh"))
        assert await list_subjects(api) == ["Hello"]

    async def test_javascript_example_sends_a_notification(self, api: Api, request: pytest.FixtureRequest) -> None:
        node = require_node(request.node)
        printed = await run(api, node, "--input-type=module", "--eval", example("JavaScript", "js"))
        assert printed.startswith("202 ")
        assert await list_subjects(api) == ["Hello"]
