"""No backup leads out of its folder, makes anything but plain files, or takes more than it says: harmless inputs."""

import hashlib
import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from common.backup.manifest import Listed, Manifest
from common.backup.reading import Backup
from common.backup.writing import writing_backup
from common.errors import DataError

ANY = re.compile(".*")


def make_tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """Write a tar with a manifest that fits its members, as somebody would who wants them taken."""
    files = tuple(
        Listed(name=about.name, num_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        for about, content in members
    )
    manifest = Manifest(kind="merchant", hansa="1", made_at="2025", files=files).to_json()
    with tarfile.open(path, "w") as tar:
        for about, content in [*members, (tarfile.TarInfo("manifest.json"), manifest)]:
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return path


def named(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type, about.linkname = kind, target
    return about


@pytest.mark.parametrize(
    "about",
    [
        named("/hansa-outside"),
        named("../outside"),
        named("models/../../outside"),
        named("./shop.toml"),
        named("models//a.json"),
        named("models\\a.json"),
        named("a\nb"),
        named("link", tarfile.SYMTYPE, "/etc/passwd"),
        named("link", tarfile.LNKTYPE, "shop.toml"),
        named("device", tarfile.CHRTYPE),
        named("pipe", tarfile.FIFOTYPE),
        named("folder", tarfile.DIRTYPE),
    ],
    ids=lambda about: repr(about.name),
)
def test_what_is_no_plain_file_below_the_folder_is_refused(about: tarfile.TarInfo, tmp_path: Path) -> None:
    is_file = about.type == tarfile.REGTYPE
    path = make_tar(tmp_path / "b.tar", [(named("shop.toml"), b"a"), (about, b"b" if is_file else b"")])
    with pytest.raises(DataError, match="no plain file"):
        Backup.open(path)


def test_a_plain_backup_of_the_same_making_is_taken(tmp_path: Path) -> None:
    backup = Backup.open(make_tar(tmp_path / "b.tar", [(named("shop.toml"), b"a"), (named("models/a.json"), b"b")]))
    backup.require("merchant", ANY)
    backup.unpack(tmp_path / "new")
    assert (tmp_path / "new" / "models" / "a.json").read_bytes() == b"b"


def claim_too_much(tar: bytearray) -> None:
    """Say in the first header that the file has a terabyte."""
    tar[124:136] = b"\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00"
    tar[148:156] = b" " * 8
    tar[148:156] = f"{sum(tar[:512]):06o}\0 ".encode()


def cut_the_end(tar: bytearray) -> None:
    del tar[1000:]


def grow_the_end(tar: bytearray) -> None:
    """Put another whole file behind the manifest."""
    end = len(tar.rstrip(b"\0"))
    tar[-(-end // 512) * 512 :] = tar[:1024] + b"\0" * 1024


@pytest.mark.parametrize("hurt", [claim_too_much, cut_the_end, grow_the_end])
def test_a_size_that_is_not_true_is_refused(hurt: Callable[[bytearray], None], tmp_path: Path) -> None:
    tar = bytearray(make_tar(tmp_path / "b.tar", [(named("shop.toml"), b"a")]).read_bytes())
    hurt(tar)
    (tmp_path / "b.tar").write_bytes(tar)
    with pytest.raises(DataError, match="no whole backup"):
        Backup.open(tmp_path / "b.tar")


def test_a_sparse_file_that_would_grow_is_refused(tmp_path: Path) -> None:
    about = named("shop.toml")
    about.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
    content = b"0\n" + b"\0" * 510
    path = tmp_path / "b.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        about.size = len(content)
        tar.addfile(about, io.BytesIO(content))
    with pytest.raises(DataError, match="no plain file"):
        Backup.open(path)


def test_the_same_file_twice_or_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    twice = make_tar(tmp_path / "b.tar", [(named("shop.toml"), b"a"), (named("shop.toml"), b"b")])
    with pytest.raises(DataError, match="each once"):
        Backup.open(twice)
    other = Backup.open(make_tar(tmp_path / "c.tar", [(named("ledger.head.json"), b"a")]))
    with pytest.raises(DataError, match="no file of such a folder"):
        other.require("merchant", re.compile("shop.toml"))
    with pytest.raises(DataError, match="hansa-client restore"):
        other.require("coordinator", ANY)


def test_a_backup_of_a_later_version_says_so(tmp_path: Path) -> None:
    path = tmp_path / "b.tar"
    with tarfile.open(path, "w") as tar:
        about = tarfile.TarInfo("manifest.json")
        content = b'{"schema":9,"kind":"merchant","hansa":"9","made_at":"2030","files":[]}'
        about.size = len(content)
        tar.addfile(about, io.BytesIO(content))
    with pytest.raises(DataError, match="newer version"):
        Backup.open(path)


def test_nothing_is_left_of_a_backup_that_could_not_be_written_whole(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing was backed up"), writing_backup(tmp_path / "b.tar") as writer:
        writer.add("shop.toml", tmp_path / "not-there")
    assert not list(tmp_path.iterdir())
