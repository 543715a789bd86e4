"""What the code imports is declared, for the users who run it: a merchant installs no extra."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {"certs", "client", "common", "server", "simulation"}
DISTRIBUTIONS = {"chronos": ["chronos-forecasting"], **packages_distributions()}  # it may not be installed
THROUGH_ANOTHER = {"tensorboard", "httptools"}  # torch.utils.tensorboard and uvicorn import them
ELSEWHERE = {"mlserver", "kserve"}  # files that environments of their own run: make mlserver, make test-kserve


def declared(*extras: str) -> set[str]:
    """Names of what an installation with these extras asks for."""
    lines = [*PROJECT["dependencies"]]
    lines += [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    return {canonicalize_name(Requirement(line).name) for line in lines} - {"hansa"}


def imported(folder: str, *, late: bool) -> set[str]:
    """Names of the distributions that a folder's modules import: when they are loaded, or late in a function."""
    return {
        canonicalize_name(DISTRIBUTIONS.get(top, [top])[0])
        for path in (ROOT / folder).rglob("*.py")
        for top in _modules(ast.parse(path.read_text()), late=late)
        if top not in sys.stdlib_module_names and top not in OURS
    } - ELSEWHERE


def _modules(tree: ast.Module, *, late: bool) -> Iterator[str]:
    for node in _imports(tree, inside=False, late=late):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        yield from (name.partition(".")[0] for name in names)


def _imports(node: ast.AST, *, inside: bool, late: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            if inside == late:
                yield child
        else:
            deeper = inside or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.If))
            yield from _imports(child, inside=deeper, late=late)


@pytest.mark.parametrize("folder", ["certs", "client", "common", "server"])
def test_a_merchant_and_a_coordinator_import_nothing_but_what_every_installation_has(folder: str) -> None:
    assert imported(folder, late=False) - declared() == set()


def test_a_merchant_reaches_for_the_heavy_methods_when_it_uses_them() -> None:
    assert imported("client", late=True) - declared("forecast", "foundation", "sql") == set()
    assert (imported("common", late=True) | imported("server", late=True)) - declared() == set()


def test_the_simulator_imports_what_its_extras_declare() -> None:
    assert imported("simulation", late=False) - declared("sim", "forecast", "ray") == set()
    assert imported("simulation", late=True) - declared("sim", "forecast", "ray") == set()


def test_nothing_is_declared_that_is_not_imported() -> None:
    used = {name for folder in OURS for late in (False, True) for name in imported(folder, late=late)}
    assert declared("sim", "forecast", "foundation", "sql", "ray") - used == THROUGH_ANOTHER


def test_the_tests_import_what_developers_install() -> None:
    helpers = {canonicalize_name(path.stem) for path in (ROOT / "tests").iterdir()}
    used = imported("tests", late=False) | imported("tests", late=True)
    assert used - helpers - declared("sim", "forecast", "foundation", "sql", "ray", "dev") == set()
