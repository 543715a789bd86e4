"""A coordinator's folder is its owner's alone."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import ConfigError
from server.folder import CoordinatorFolder
from server.founding import check_settings, make_federation
from server.modes import owner_only, tighten
from server.registry.registry import Registry

SETTINGS = {"name": "hanse", "hosts": ("localhost",)}


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in [folder, *folder.rglob("*")]}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_whatever_the_umask_a_new_folder_is_closed(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "hanse"
    words = ["init", "hanse", "--folder", str(folder)]
    command = [sys.executable, "-c", "from server.cli import main; main()", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, umask=umask)
    assert done.returncode == 0, done.stderr
    found = modes(folder)
    assert {"certs/authority.key", "federation.toml", "superexec.secret"} <= set(found)
    assert {name: mode for name, mode in found.items() if mode & 0o077} == {}
    assert all(mode >= 0o600 for mode in found.values()), "its owner can use it"


def test_a_registry_is_made_closed(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        with owner_only():
            Registry(tmp_path / "registry.sqlite").close()
        assert os.umask(0o000) == 0o000, "the umask is as it was"
    finally:
        os.umask(before)
    assert modes(tmp_path)["registry.sqlite"] == 0o600


def test_what_an_earlier_version_left_open_is_closed_and_nothing_else_is_touched(tmp_path: Path) -> None:
    home = CoordinatorFolder(tmp_path / "hanse")
    make_federation(home, check_settings(**SETTINGS))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    for folder in (home.logs, home.launch(1), home.models, home.flower / "deep"):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    for name in ("registry.sqlite", "registry.sqlite-wal", "superlink.sqlite", "mine.txt"):
        (home.folder / name).touch()
    (home.logs / "link").symlink_to(outside)
    for path in [home.folder, outside, *home.folder.rglob("*"), outside / "file"]:
        if not path.is_symlink():
            path.chmod(0o777)
    closed, still_open = tighten(home)
    found = {name: mode for name, mode in modes(home.folder).items() if name != "logs/link"}
    assert {name for name, mode in found.items() if mode & 0o077} == {"mine.txt", ".gitignore"}
    assert (closed, still_open) == (len(found) - 2, [])
    assert set(modes(outside).values()) == {0o777}
    assert tighten(home) == (0, [])


def test_what_cannot_be_closed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = CoordinatorFolder(tmp_path / "hanse")
    make_federation(home, check_settings(**SETTINGS))
    tighten(home)
    home.settings_file.chmod(0o644)

    def forbid(path: Path, mode: int) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", forbid)
    assert tighten(home) == (0, [home.settings_file])


def test_a_second_init_changes_no_mode(tmp_path: Path) -> None:
    (tmp_path / "federation.toml").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigError):
        make_federation(CoordinatorFolder(tmp_path), check_settings(**SETTINGS))
    assert modes(tmp_path)["."] == 0o755
