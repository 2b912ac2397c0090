"""Contract types for import-linter that it does not have itself; `.importlinter` uses them.

import-linter's "forbidden" contract names what is not allowed, so a new package passes. The first two
contracts here name what is allowed; the third gives a module's name its place in every feature.
"""

import sys
from abc import abstractmethod
from collections.abc import Iterable, Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

Import = tuple[str, str]  # importer, imported


def words(option: object) -> list[str]:
    """The value of a set or list field: the class declares the field, the instance has what the file says."""
    return [str(word) for word in option] if isinstance(option, set | list) else []


def modules_of(graph: ImportGraph, packages: Iterable[str]) -> set[str]:
    return {module for module in graph.modules if any(is_inside(module, package) for package in packages)}


def is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def third_party_imports(graph: ImportGraph, importers: Iterable[str]) -> Iterator[Import]:
    """The imports of neither our own modules nor the standard library."""
    for importer in sorted(importers):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            if graph.is_module_squashed(imported) and imported.partition(".")[0] not in sys.stdlib_module_names:
                yield importer, imported


class ImportRule(Contract):
    """A contract that is broken by single imports, each reported with its line."""

    guidance = fields.StringField(required=False)

    @abstractmethod
    def find(self, graph: ImportGraph) -> Iterator[Import]:
        """The imports that break it."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - the signature is import-linter's
        broken = sorted(set(self.find(graph)))
        lines = [line for importer, imported in broken for line in self._describe(graph, importer, imported)]
        return ContractCheck(kept=not broken, metadata={"lines": lines})

    @staticmethod
    def _describe(graph: ImportGraph, importer: str, imported: str) -> list[str]:
        details = graph.get_import_details(importer=importer, imported=imported)
        return [f"{importer} -> {imported} (l. {detail['line_number']})" for detail in details]

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["lines"]:
            output.print_error(line, bold=False)
        if isinstance(guidance := vars(self).get("guidance"), str):
            output.print_error(guidance, bold=False)
        output.new_line()


class OnlyTheseExternals(ImportRule):
    """``packages`` import, of third parties, nothing but ``allowed``."""

    type_name = "only_these_externals"
    packages = fields.SetField(subfield=fields.StringField())
    allowed = fields.SetField(subfield=fields.StringField())

    def find(self, graph: ImportGraph) -> Iterator[Import]:
        for importer, imported in third_party_imports(graph, modules_of(graph, words(self.packages))):
            if not any(is_inside(imported, package) for package in words(self.allowed)):
                yield importer, imported


class ExternalsOnlyIn(ImportRule):
    """The third-party ``externals`` are imported by nothing but ``importers``."""

    type_name = "externals_only_in"
    externals = fields.SetField(subfield=fields.StringField())
    importers = fields.SetField(subfield=fields.StringField())

    def find(self, graph: ImportGraph) -> Iterator[Import]:
        allowed = modules_of(graph, words(self.importers))
        for importer, imported in third_party_imports(graph, graph.modules - allowed):
            if any(is_inside(imported, package) for package in words(self.externals)):
                yield importer, imported


class Roles(ImportRule):
    """In ``packages`` a module's last name is its role, and the roles are layers.

    ``layers`` lists them from the top, roles of one layer separated by ``|``. A module imports neither a role of a
    higher layer nor another role of its own layer, in its own feature or in any other. ``forbidden_externals`` lists
    ``role: package package`` lines: third parties that modules of that role do not import.
    """

    type_name = "roles"
    packages = fields.SetField(subfield=fields.StringField())
    layers = fields.ListField(subfield=fields.StringField())
    forbidden_externals = fields.ListField(subfield=fields.StringField(), required=False)

    def find(self, graph: ImportGraph) -> Iterator[Import]:
        ours = modules_of(graph, words(self.packages))
        yield from self._upward_imports(graph, ours)
        for line in words(self.forbidden_externals):
            role, _, packages = line.partition(":")
            modules = {module for module in ours if self._role(module) == role.strip()}
            for importer, imported in third_party_imports(graph, modules):
                if imported.partition(".")[0] in packages.split():
                    yield importer, imported

    def _upward_imports(self, graph: ImportGraph, ours: set[str]) -> Iterator[Import]:
        depth = {role.strip(): number for number, layer in enumerate(words(self.layers)) for role in layer.split("|")}
        for importer in ours:
            role = self._role(importer)
            if role not in depth:
                continue
            for imported in graph.find_modules_directly_imported_by(importer) & ours:
                other = self._role(imported)
                if other in depth and other != role and depth[other] <= depth[role]:
                    yield importer, imported

    @staticmethod
    def _role(module: str) -> str:
        return module.rpartition(".")[2]
