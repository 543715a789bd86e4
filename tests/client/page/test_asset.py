"""Style and scripts: small, named by their hash, and the vendored ones as they were published."""

import gzip
import hashlib
import re
from importlib.resources import files

from client.page.asset import assets_by_path, read_assets

VENDORED = {  # of uplot 1.6.32, as npm gives it: dist/ and LICENSE
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}


def test_what_is_vendored_is_what_was_published() -> None:
    folder = files("client.page") / "static" / "vendor" / "uplot"
    found = {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()}
    assert found == VENDORED


def test_a_name_changes_with_its_content_and_what_is_packed_is_the_content() -> None:
    for asset in read_assets().values():
        assert hashlib.sha256(asset.content).hexdigest()[:16] in asset.path
        assert gzip.decompress(asset.packed) == asset.content
        assert assets_by_path()[asset.path] is asset


def test_all_of_them_are_small_and_none_asks_for_anything() -> None:
    assert sum(len(asset.packed) for asset in read_assets().values()) < 50_000
    for name, asset in read_assets().items():
        text = re.sub(r"/\*.*?\*/", "", asset.content.decode(), flags=re.DOTALL)  # its first line says where it is from
        assert not re.search(r"https?://(?!www\.w3\.org)|@import|url\(|importScripts|eval\(", text), name
