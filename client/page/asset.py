"""Style sheets and scripts, out of the wheel, under names that hold their hash: a browser keeps them for ever."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

NAMES = ("page.css", "page.js", "chart.js", "vendor/uplot/uPlot.iife.min.js", "vendor/uplot/uPlot.min.css")
KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
PREFIX = "/asset/"
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A file as it is sent.

    Attributes
    ----------
    path
        Where a page asks for it.
    packed
        Its content, packed by gzip; the same bytes each time.
    """

    path: str
    kind: str
    content: bytes
    packed: bytes


@cache
def read_assets() -> Mapping[str, Asset]:
    """Read all of them, by name, once in a process."""
    return MappingProxyType({name: _read(name) for name in NAMES})


@cache
def assets_by_path() -> Mapping[str, Asset]:
    """Give them by the path at which they are asked for."""
    return MappingProxyType({asset.path: asset for asset in read_assets().values()})


def path_of(name: str) -> str:
    """Give the path of an asset, for a template."""
    return read_assets()[name].path


def _read(name: str) -> Asset:
    content = (files("client.page") / "static" / name).read_bytes()
    stem, _, ending = name.rpartition("/")[2].rpartition(".")
    told = hashlib.sha256(content).hexdigest()[:16]
    return Asset(f"{PREFIX}{stem}.{told}.{ending}", KINDS[ending], content, gzip.compress(content, 9, mtime=0))
