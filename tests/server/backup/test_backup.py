"""A coordinator's backup is of one moment, also while others write; what cannot be of one moment is refused."""

import itertools
import json
import sqlite3
import stat
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import make_request
from common.disk.file import write_whole
from common.errors import ConfigError, DataError
from server.backup import backup
from server.backup.backup import KEPT, make_backup, restore_backup
from server.folder import CoordinatorFolder, Settings
from server.founding import make_federation
from server.registry.registry import Registry


@pytest.fixture
def home(tmp_path: Path) -> CoordinatorFolder:
    """A federation with one member and one checkpoint."""
    home = CoordinatorFolder(tmp_path / "fed")
    make_federation(home, Settings(name="hanse", hosts=("localhost",)))
    request = make_request(
        "alice",
        64,
        tls_key=read_or_make_curve_key(tmp_path / "tls", TLS_CURVE),
        node_key=read_or_make_curve_key(tmp_path / "node", NODE_CURVE),
    )
    with closing(Registry(home.registry)) as registry:
        registry.enroll(request, certificate="a" * 64, pem="pem")
    write_whole(home.launch(1) / "state.safetensors", b"0")
    write_whole(home.models / "a.safetensors", b"model")
    write_whole(home.superlink_state, b"of Flower")
    return home


@contextmanager
def rounds(home: CoordinatorFolder, seconds: float) -> Iterator[None]:
    """Hold rounds: a checkpoint first and the registry after it, as the coordinator does."""
    done = threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(home.registry, isolation_level=None)) as registry:
            for number in range(1, 10_000):
                write_whole(home.launch(1) / "state.safetensors", str(number).encode())
                registry.execute("UPDATE member SET size_class = ?", (number,))
                if done.wait(seconds):
                    return

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_what_is_restored_is_what_was_there_for_its_owners_eyes(home: CoordinatorFolder, tmp_path: Path) -> None:
    make_backup(home.folder, tmp_path / "b.tar")
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    restore_backup(tmp_path / "b.tar", tmp_path / "new")
    new = CoordinatorFolder(tmp_path / "new")
    with closing(Registry(home.registry)) as one, closing(Registry(new.registry)) as other:
        assert one.members() == other.members() != []
    for path in (
        home.signing_key,
        home.settings_file,
        home.authority / "authority.key",
        home.launch(1) / "state.safetensors",
    ):
        restored = new.folder / path.relative_to(home.folder)
        assert restored.read_bytes() == path.read_bytes()
        assert not restored.stat().st_mode & 0o077
    assert not new.superlink_state.exists()


def test_a_backup_between_rounds_holds_a_checkpoint_and_a_registry_that_fit(
    home: CoordinatorFolder, tmp_path: Path
) -> None:
    with rounds(home, 1.5):
        time.sleep(0.1)
        make_backup(home.folder, tmp_path / "b.tar")
    restore_backup(tmp_path / "b.tar", tmp_path / "new")
    new = CoordinatorFolder(tmp_path / "new")
    with closing(sqlite3.connect(new.registry)) as registry:
        (noted,) = registry.execute("SELECT size_class FROM member").fetchone()
    assert int((new.launch(1) / "state.safetensors").read_text()) in (noted, noted + 1)


def test_a_folder_that_never_holds_still_is_refused_and_nothing_is_left(
    home: CoordinatorFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAUSE_SECONDS", 0.0)
    add, numbers = tarfile.TarFile.addfile, itertools.count()

    def add_while_a_round_ends(*given: Any, **named: Any) -> None:
        add(*given, **named)
        write_whole(home.launch(1) / "state.safetensors", str(next(numbers)).encode())

    monkeypatch.setattr(tarfile.TarFile, "addfile", add_while_a_round_ends)
    with pytest.raises(ConfigError, match="between two rounds"):
        make_backup(home.folder, tmp_path / "b.tar")
    assert next(numbers) >= backup.TRIES
    assert not list(tmp_path.glob("*.tar")) + list(tmp_path.glob(".*"))


def test_a_damaged_registry_is_not_backed_up(home: CoordinatorFolder, tmp_path: Path) -> None:
    home.registry.write_bytes(b"no database" * 1000)
    with pytest.raises(DataError):
        make_backup(home.folder, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


def test_every_file_that_is_not_made_anew_is_kept(home: CoordinatorFolder, tmp_path: Path) -> None:
    make_backup(home.folder, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        names = set(tar.getnames())
        stream = tar.extractfile("manifest.json")
        assert stream is not None
        assert json.load(stream)["kind"] == "coordinator"
    found = {path.relative_to(home.folder).as_posix() for path in home.folder.rglob("*") if path.is_file()}
    remade = {name for name in found if name.startswith((".git", "registry.sqlite-", "superlink", "flwr", "logs"))}
    assert found - remade == names - {"manifest.json"}
    assert not KEPT.fullmatch("certs/../../x")
    assert not KEPT.fullmatch("up.lock")
