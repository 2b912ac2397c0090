"""The language check: banned words in names, comments, docstrings, texts of the product, and documentation.

`banned_words.txt` lists the words. In tests, string literals are left out: they are data or quote what is tested.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools.architecture.source_rules import NOT_SOURCE, Violation, is_test

RULE = "banned-word"
WORD_LIST = Path(__file__).with_name("banned_words.txt")
SUFFIXES = {
    ".conf", ".css", ".example", ".html", ".js", ".md", ".py", ".pyi", ".subject", ".toml", ".txt", ".yaml", ".yml",
}  # fmt: skip
NAMES = {".importlinter", "Caddyfile", "Dockerfile", "Makefile", "run"}
HIDDEN_FOLDERS = {".ci", ".github"}
# Other people's work, and the list itself.
NOT_OUR_WORDS = {"vendor", "swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", WORD_LIST.name}
STRING_TOKENS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
# Between the words of a phrase there may be a line's end, with the next line's comment sign or quotation mark.
GAP = r"""[\s_#*"'`]+"""


@cache
def banned_words() -> dict[str, str]:
    """Each banned word or phrase with its replacements."""
    lines = [line for line in WORD_LIST.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    entries = [line.partition(": ") for line in lines]
    return {word: instead for words, _, instead in entries for word in words.split(", ")}


@cache
def _pattern() -> re.Pattern[str]:
    phrases = "|".join(GAP.join(map(re.escape, phrase.split())) for phrase in banned_words())
    return re.compile(rf"(?<![a-z])({phrases})(?![a-z])", re.IGNORECASE)


def violations(root: Path) -> list[Violation]:
    """Every banned word in the files of a project."""
    return [violation for path in _files(root) for violation in _banned_in(path.relative_to(root), path)]


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in NOT_SOURCE | NOT_OUR_WORDS:
            continue
        if path.is_dir():
            if not path.name.startswith(".") or path.name in HIDDEN_FOLDERS:
                yield from _files(path)
        elif path.suffix in SUFFIXES or path.name in NAMES:
            yield path


def _banned_in(path: Path, file: Path) -> Iterator[Violation]:
    text = file.read_text(encoding="utf-8")
    if path.suffix in {".py", ".pyi"} and is_test(path):
        text = _without_data(text)
    # The words of a name are separated as `_pattern` expects them.
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    for match in _pattern().finditer(text):
        if "None" in match[0] or (
            path.suffix == ".html" and match[0].endswith(" none")
        ):  # Python's value, Jinja's test
            continue
        found = " ".join(re.split(GAP, match[0])).lower()
        line = text.count("\n", 0, match.start()) + 1
        yield Violation(path, line, RULE, f"`{found}`: write {banned_words()[found]}")


def _without_data(code: str) -> str:
    """The code with blanks for its string literals, docstrings apart."""
    docstrings = {
        (node.body[0].lineno, node.body[0].col_offset)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node, clean=False) is not None
    }
    lines = code.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type not in STRING_TOKENS or token.start in docstrings:
            continue
        (first, start), (last, end) = token.start, token.end
        for number in range(first - 1, last):
            line = lines[number]
            begin = start if number == first - 1 else 0
            stop = end if number == last - 1 else len(line.rstrip("\n"))
            lines[number] = line[:begin] + re.sub(r"\S", "-", line[begin:stop]) + line[stop:]
    return "".join(lines)
