"""Rules on the source text that neither ruff nor import-linter can state.

Each rule is a generator over one parsed file; ``RULES`` lists them, ``violations()`` runs them over a tree.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

MAX_LINES = 500
# Folders of the project that are not its source.
NOT_SOURCE = {".venv", ".git", "var", "node_modules", "__pycache__", "build", "dist"}
MEANINGLESS_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
# The receivers on which execute() and its kin mean SQL past the mixins.
SESSION_NAMES = {"session", "connection", "conn"}
EXECUTING_METHODS = {"execute", "exec_driver_sql", "scalar", "scalars", "stream", "stream_scalars"}
ROUTING_METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "api_route", "route", "websocket"}
CONSTANT_NAME = re.compile(r"_?[A-Z][A-Z0-9_]+")
IGNORE_COMMENT = re.compile(
    r"#\s*(?:ruff:\s*|flake8[:=]\s*)?(?P<kind>noqa|type:\s*ignore|pyright:\s*ignore|mypy:\s*ignore-errors)\b(?P<rest>.*)",
    re.IGNORECASE,
)
RULE_CODES = re.compile(r"(?::\s*|\[)(?P<codes>[A-Za-z][\w-]*(?:[,\s]+[A-Z]+[0-9]+|,\s*[\w-]+)*)\]?")


@dataclass(frozen=True)
class Violation:
    path: Path
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message} [{self.rule}]"


@dataclass(frozen=True)
class Source:
    """One Python file; ``path`` is relative to the root of the project."""

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @cached_property
    def comments(self) -> dict[int, str]:
        """The comment of each line that has one."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}

    @property
    def is_test(self) -> bool:
        return is_test(self.path)

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))

    def is_explained(self, node: ast.expr | ast.stmt) -> bool:
        """Whether a comment that is more than an ignore stands at ``node``, or right above it or its statement."""
        around = (s for s in ast.walk(self.tree) if isinstance(s, ast.stmt) and encloses(s, node))
        statement = max((s.lineno for s in around), default=node.lineno)
        lines = (node.lineno, node.lineno - 1, statement, statement - 1)
        return any(len(IGNORE_COMMENT.sub("", self.comments.get(line, "")).split()) > 3 for line in lines)


def is_test(path: Path) -> bool:
    return any(part in {"tests", "tests-e2e"} for part in path.parts) or path.name == "conftest.py"


def encloses(statement: ast.stmt, node: ast.expr | ast.stmt) -> bool:
    return statement.lineno <= node.lineno and (node.end_lineno or 0) <= (statement.end_lineno or 0)


Rule = Callable[[Source], Iterator[tuple[int, str]]]


def last_name(node: ast.expr) -> str:
    """``session`` of ``session``, ``self._session`` and ``unit.session``."""
    if isinstance(node, ast.Await):
        return last_name(node.value)
    if isinstance(node, ast.Call):
        return last_name(node.func)
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name.lstrip("_")


def names_say_something(source: Source) -> Iterator[tuple[int, str]]:
    for part in source.path.with_suffix("").parts:
        if part.lower().lstrip("_") in MEANINGLESS_NAMES:
            yield 1, f"`{part}` says nothing: name the file after what is in it"


def files_are_short(source: Source) -> Iterator[tuple[int, str]]:
    lines = source.text.count("\n")
    if lines > MAX_LINES:
        yield MAX_LINES + 1, f"{lines} lines: split the file, {MAX_LINES} is the most"


def ignores_give_rule_and_reason(source: Source) -> Iterator[tuple[int, str]]:
    for line, comment in source.comments.items():
        match = IGNORE_COMMENT.search(comment)
        if match is None:
            continue
        codes = RULE_CODES.match(match["rest"].lstrip())
        if codes is None:
            yield line, f"`{match['kind']}` names no rule"
        elif len(re.findall(r"\w+", match["rest"].lstrip()[codes.end() :])) < 2:
            yield line, f"`{match['kind']}` gives no reason: write it behind the rule, after ` - `"


def services_do_not_commit(source: Source) -> Iterator[tuple[int, str]]:
    if source.path.name != "service.py" or source.is_test:
        return
    for call in source.calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr == "commit":
            yield call.lineno, "a service does not commit: the edge that called it opened the unit of work and ends it"


def sql_is_written_in_the_mixins(source: Source) -> Iterator[tuple[int, str]]:
    in_mixins = source.path.parts[:4] == ("shared", "src", "bongsu", "mixins")
    if "src" not in source.path.parts or in_mixins or source.is_test:
        return
    text_names = {
        alias.asname or alias.name
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sqlalchemy"
        for alias in node.names
        if alias.name == "text"
    }
    for call in source.calls():
        match call.func:
            case ast.Name(id=name) if name in text_names:
                what = "text()"
            case ast.Attribute(value=ast.Name(id="sa" | "sqlalchemy"), attr="text"):
                what = "text()"
            case ast.Attribute(value=receiver, attr=method) if (
                method in EXECUTING_METHODS and last_name(receiver) in SESSION_NAMES
            ):
                what = f"{last_name(receiver)}.{method}()"
            case _:
                continue
        if not source.is_explained(call):
            yield call.lineno, f"{what} outside bongsu.mixins: use the mixins, or say why not in a comment above"


def endpoints_import_no_models(source: Source) -> Iterator[tuple[int, str]]:
    if source.path.name != "endpoints.py" or source.is_test:
        return
    for node in ast.walk(source.tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                modules = [module, *(f"{module}.{alias.name}" for alias in names)]
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case _:
                continue
        if any(module.rpartition(".")[2] == "models" for module in modules):
            yield node.lineno, "an endpoint knows no tables: call one function of the service"


def routes_are_module_level(source: Source) -> Iterator[tuple[int, str]]:
    if source.path.name != "endpoints.py" or source.is_test:
        return
    for outer in ast.walk(source.tree):
        if not isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(outer):
            if node is outer or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(func=ast.Attribute(attr=method)) if method in ROUTING_METHODS:
                        yield node.lineno, f"`{node.name}` is a route inside a function: move it to the module's level"


def limits_are_arguments(source: Source) -> Iterator[tuple[int, str]]:
    if not source.is_test:
        return
    for call in source.calls():
        match call:
            case ast.Call(func=ast.Attribute(attr="setattr"), args=[_, ast.Constant(value=str(name)), *_]):
                pass
            case ast.Call(func=ast.Attribute(attr="setattr"), args=[ast.Constant(value=str(path)), *_]):
                name = path.rpartition(".")[2]
            case _:
                continue
        if CONSTANT_NAME.fullmatch(name):
            yield call.lineno, f"`{name}` is patched: make the limit an argument of the constructor, and pass it"


def tests_wait_with_eventually(source: Source) -> Iterator[tuple[int, str]]:
    if not source.is_test or source.path.name == "eventually.py":
        return
    for loop in ast.walk(source.tree):
        if not isinstance(loop, ast.While) or source.is_explained(loop):
            continue
        for node in ast.walk(loop):
            match node:
                case ast.Call(func=ast.Attribute(attr="sleep") | ast.Name(id="sleep"), args=[pause]) if (
                    ast.unparse(pause) != "0"
                ):
                    yield loop.lineno, "a polling loop: use tests.eventually, or say why not in a comment above"
                    break


RULES: dict[str, Rule] = {
    "meaningless-name": names_say_something,
    "file-too-long": files_are_short,
    "unexplained-ignore": ignores_give_rule_and_reason,
    "commit-in-service": services_do_not_commit,
    "raw-sql": sql_is_written_in_the_mixins,
    "models-in-endpoints": endpoints_import_no_models,
    "nested-route": routes_are_module_level,
    "patched-constant": limits_are_arguments,
    "polling-loop": tests_wait_with_eventually,
}


def python_files(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name in NOT_SOURCE:
            continue
        if path.is_dir():
            yield from python_files(path)
        elif path.suffix in {".py", ".pyi"}:
            yield path


def violations(root: Path) -> list[Violation]:
    found = []
    for path in python_files(root):
        source = Source(path.relative_to(root), path.read_text(encoding="utf-8"))
        for name, rule in RULES.items():
            found += [Violation(source.path, line, name, message) for line, message in rule(source)]
    return found
