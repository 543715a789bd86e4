"""An edition that was served and backups are read for ever; those of a later version are said to be that."""

import io
import json
import lzma
import shutil
import tarfile
from pathlib import Path

import pytest

from client.backup.backup import restore_backup
from client.backup.kept import KEPT
from client.serving.edition.disk import FILE_NAME, read_edition
from client.serving.edition.edition import NotThere
from common.backup.manifest import MANIFEST, Manifest
from common.backup.reading import Backup
from common.errors import DataError

FROZEN = Path(__file__).parent / "0.2"
NAME = "20261206T080000Z-0123456789ab"


@pytest.fixture
def edition(tmp_path: Path) -> Path:
    return shutil.copytree(FROZEN / "edition" / NAME, tmp_path / NAME)


@pytest.fixture(params=["merchant", "coordinator"])
def backup(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    packed = FROZEN / "backup" / f"{request.param}.tar.xz"
    path = tmp_path / packed.stem
    path.write_bytes(lzma.decompress(packed.read_bytes()))
    return path


def test_an_edition_says_what_it_said(edition: Path) -> None:
    found = read_edition(edition)
    assert (found.name, found.imprint.shop, found.imprint.currency) == (NAME, "Teehaus", "EUR")
    assert found.imprint.made.isoformat() == "2026-12-06T08:00:00+00:00"
    assert found.rows("products").to_pylist()[1] == {"product": "P2", "category": "green"}
    assert found.by_week.products == ("P1", "P2")
    assert found.by_week.mean.tolist() == [[4.0], [2.5]]
    week = found.part("week")
    assert (week.document["sentences"], week.spoken["zh"]["sentences"]) == (["Made."], ["已制作。"])
    with pytest.raises(NotThere, match="no reviews"):
        found.part("reviews")


def test_an_edition_of_a_later_version_is_said_to_be_one(edition: Path) -> None:
    said = json.loads((edition / FILE_NAME).read_text())
    (edition / FILE_NAME).write_text(json.dumps({**said, "schema": 999}))
    with pytest.raises(DataError, match="newer version of hansa"):
        read_edition(edition)


@pytest.mark.parametrize("change", [{"parts": ["products", "stars"]}, {"made": "yesterday"}, {"colour": "red"}])
def test_a_changed_imprint_is_one_sentence(edition: Path, change: dict[str, object]) -> None:
    said = json.loads((edition / FILE_NAME).read_text())
    (edition / FILE_NAME).write_text(json.dumps({**said, **change}))
    with pytest.raises(DataError, match=r"is damaged .*; remove it, another one is made"):
        read_edition(edition)


def test_a_backup_lists_what_it_listed_and_is_written_byte_for_byte(backup: Path) -> None:
    found = Backup.open(backup).manifest
    assert found.kind == backup.stem
    assert found.ledger is None
    if found.kind == "merchant":
        assert [each.name for each in found.files] == ["shop.toml", "served/chosen.json", "policy.toml"]
    else:
        assert (found.files[0].name, found.files[0].num_bytes) == ("federation.toml", 13)
    with tarfile.open(backup) as tar:
        manifest = tar.extractfile(MANIFEST)
        assert manifest is not None
        written = manifest.read()
    assert Manifest.model_validate_json(written).to_json() == written


def test_a_merchant_s_backup_is_brought_back(tmp_path: Path) -> None:
    path = tmp_path / "merchant.tar"
    path.write_bytes(lzma.decompress((FROZEN / "backup" / "merchant.tar.xz").read_bytes()))
    Backup.open(path).require("merchant", KEPT)
    restore_backup(path, tmp_path / "shop", head=None)
    assert (tmp_path / "shop" / "shop.toml").read_text() == 'name = "Teehaus"\n'
    assert json.loads((tmp_path / "shop" / "served" / "chosen.json").read_text())["pieces"] == {"P1": 12.0}


def test_a_backup_of_a_later_version_is_said_to_be_one(backup: Path, tmp_path: Path) -> None:
    later = tmp_path / "later.tar"
    with tarfile.open(backup) as tar, tarfile.open(later, "w") as into:
        for member in tar:
            stream = tar.extractfile(member)
            assert stream is not None
            content = stream.read()
            if member.name == MANIFEST:
                content = json.dumps({**json.loads(content), "schema": 999}).encode()
                member.size = len(content)
            into.addfile(member, io.BytesIO(content))
    with pytest.raises(DataError, match="newer version of hansa"):
        Backup.open(later)
