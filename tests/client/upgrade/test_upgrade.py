"""A real environment is really upgraded, and is as it was where the new version fails: two wheels, one broken."""

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path

import pytest

import client
from client.account.ledger.ledger import Ledger, create_ledger
from client.upgrade.kept_wheel import pack_wheel
from client.upgrade.upgrade import upgrade_hansa
from common.disk.lock import hold
from common.errors import ConfigError
from small_shop import draw_sales, make_shop

ROOT = Path(client.__file__).parents[1]
FOLDERS = ("certs", "client", "common", "server", "simulation", "plans")
PACKED = (*FOLDERS, "hatch_build.py", "pyproject.toml", "README.md", "LICENSE")
# What a broken version may do: bring the ledger forward for good, and then fail.
BROKEN = """
import sqlite3, sys
if "verify" in sys.argv:
    with sqlite3.connect("ledger.sqlite") as ledger:
        ledger.execute("PRAGMA user_version = 99")
    raise SystemExit("hansa-client: this version cannot verify anything")
"""


def build(folder: Path, version: str, broken: str = "") -> Path:
    """Build a wheel of this very source with another version."""
    source = folder / f"source-{version}"
    source.mkdir(parents=True)
    for name in PACKED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)  # type: ignore[operator]
    about = source / "common" / "__init__.py"
    about.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', about.read_text()))
    main = source / "client" / "__main__.py"
    main.write_text(main.read_text().replace("def main", f"{broken}\n\ndef main", 1))
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(source)], check=True, capture_output=True)
    (wheel,) = folder.glob(f"hansa-{version}-*.whl")
    return wheel


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with hansa 0.0.1 from a wheel; it sees the packages of this one, and not its hansa."""
    root = tmp_path_factory.mktemp("upgrade")
    place = root / "environment"
    venv.create(place, with_pip=True)
    (site,) = place.glob("lib/python*/site-packages")
    (root / "packages").mkdir()
    for path in Path(str(distribution("pytest").locate_file(""))).iterdir():
        if "hansa" not in path.name and not path.name.startswith(("pip", "__pycache__")):
            if path.name.endswith(".dist-info"):  # a copy: another may be at work on this environment
                shutil.copytree(path, root / "packages" / path.name)
            else:
                (root / "packages" / path.name).symlink_to(path)
    (site / "packages.pth").write_text(f"{root / 'packages'}\n")
    wheel = build(root, "0.0.1")
    run(place / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel)
    return place


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with a history and a ledger."""
    folder = make_shop(tmp_path_factory.mktemp("shop") / "shop", draw_sales(days=5, products=2))
    create_ledger(folder / "ledger.sqlite")
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        ledger.open_account("shop", "customer", delta=1e-5, at=datetime(2025, 1, 1, tzinfo=UTC))
    return folder


def run(program: Path, *words: object, code: int = 0) -> str:
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(program), *map(str, words)], cwd="/", env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done
    return done.stdout + done.stderr


@pytest.mark.slow
def test_an_environment_is_upgraded_and_a_version_that_fails_is_taken_back(
    environment: Path, shop: Path, tmp_path: Path
) -> None:
    hansa, files = environment / "bin" / "hansa-client", ("ledger.sqlite", "ledger.head.json", "history.duckdb")
    assert run(hansa, "--version") == "hansa-client 0.0.1\n"
    before = {name: (shop / name).read_bytes() for name in files}

    said = run(hansa, "upgrade", build(tmp_path, "0.0.3", BROKEN), "--folder", shop, code=2)
    assert "this version cannot verify anything" in said
    assert "hansa 0.0.1 is back, and nothing of the shop was changed" in said
    assert said.count("\n") == 1
    assert run(hansa, "--version") == "hansa-client 0.0.1\n"
    assert {name: (shop / name).read_bytes() for name in files} == before
    run(hansa, "ledger", "verify", "--folder", shop)

    said = run(hansa, "upgrade", build(tmp_path, "0.0.2"), "--folder", shop)
    assert "hansa 0.0.2 is in place of 0.0.1" in said
    assert run(hansa, "--version") == "hansa-client 0.0.2\n"
    assert {name: (shop / name).read_bytes() for name in files} == before
    run(hansa, "ledger", "verify", "--folder", shop)
    assert not list((shop / "backups").glob(".trial*"))

    (wheels,) = shop.glob("backups/before-0.0.2-*.wheels")  # and back again by hand
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", *wheels.glob("*.whl"))
    assert run(hansa, "--version") == "hansa-client 0.0.1\n"
    (backup,) = shop.glob("backups/before-0.0.2-*.tar")
    run(hansa, "restore", backup, "--folder", tmp_path / "new", "--head", shop / "ledger.head.json")
    run(hansa, "ledger", "verify", "--folder", tmp_path / "new")
    assert "no other version" in run(hansa, "upgrade", build(tmp_path / "same", "0.0.1"), "--folder", shop, code=2)


def test_a_working_copy_is_not_upgraded(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="working copy"):
        upgrade_hansa(tmp_path / "hansa-9-py3-none-any.whl", shop)


@pytest.mark.parametrize("name", ["daemon.lock", "served/serving.lock", "history.lock"])
def test_nothing_is_upgraded_while_something_runs(name: str, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.upgrade.upgrade.require_installed", lambda: distribution("pytest"))
    (shop / name).parent.mkdir(exist_ok=True)
    lock = hold(shop / name, taken="")
    try:
        with pytest.raises(ConfigError, match="stop it, upgrade, and start it again"):
            upgrade_hansa(Path("hansa-9-py3-none-any.whl"), shop)
    finally:
        lock.release()


def test_an_installed_package_becomes_the_wheel_that_it_came_from(tmp_path: Path) -> None:
    package = distribution("iniconfig")  # small, pure, with pytest
    wheel = pack_wheel(package, tmp_path)
    assert wheel.name == f"iniconfig-{package.version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        assert (
            packed.read("iniconfig/__init__.py") == Path(str(package.locate_file("iniconfig/__init__.py"))).read_bytes()
        )
    assert f"iniconfig-{package.version}.dist-info/RECORD" in names
    assert not [name for name in names if name.endswith((".pyc", "INSTALLER"))]


def test_a_package_that_could_not_be_put_back_is_not_touched(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="could not be put back"):
        pack_wheel(distribution("hansa"), tmp_path)
