"""The code of the library's pages runs as it stands, on SQLite instead of the MySQL that it names."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import bongsu.mixins

FOLDER = Path(bongsu.mixins.__file__).parent
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
RUNNER = """
import ast, asyncio, sys, types
page = types.ModuleType("page")
sys.modules["page"] = page
code = compile(sys.stdin.read(), "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
running = types.FunctionType(code, vars(page))()
if running is not None:
    asyncio.run(running)
"""


@pytest.mark.parametrize("page", ["README.md", "COMING_FROM.md", "WITH_FASTAPI.md"])
def test_every_code_block_of_a_page_runs(page: str, tmp_path: Path) -> None:
    blocks = BLOCK.findall((FOLDER / page).read_text())
    assert blocks
    code = re.sub(r'"mysql\+aiomysql://[^"]*"', f'"sqlite+aiosqlite:///{tmp_path}/page.sqlite3"', "\n".join(blocks))
    done = subprocess.run(  # noqa: S603  # the code is the repository's own
        [sys.executable, "-W", "error", "-c", RUNNER],
        input=code,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
