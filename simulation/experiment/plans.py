"""The plans that hansa brings along, each known by its bare name."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from common.errors import ConfigError
from common.plan.reading import read_plan
from common.plan.schema import Plan


def bundled_plans() -> dict[str, Path]:
    """Find the plans beside the installed package, or in the repository that it runs from."""
    with as_file(files("simulation")) as package:
        folder = package / "plans"
        return {
            path.stem: path for path in sorted((folder if folder.is_dir() else package.parent / "plans").glob("*.toml"))
        }


def find_plan(file: Path) -> Path:
    """Give a file as it is, or the bundled plan of that name where there is no such file.

    Raises
    ------
    ConfigError
        There is neither.
    """
    if file.is_file() or file.suffix or file.name != str(file):
        return file
    plans = bundled_plans()
    if file.name not in plans:
        raise ConfigError(
            f"Cannot read the plan {file}: there is no such file, and hansa brings no plan of this name; "
            f"it brings {', '.join(plans)}."
        )
    return plans[file.name]


def read_named_plan(file: Path) -> Plan:
    """Read the plan of a file, or the bundled one of that name."""
    return read_plan(find_plan(file))
