"""Style sheets and scripts, out of the wheel, under names that hold their hash: a browser keeps them for ever."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files

SHARED = ("page.css", "page.js")  # of both sides' pages
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


def read_asset(name: str, package: str) -> Asset:
    """Read an asset from the folder `static` of a package."""
    content = (files(package) / "static" / name).read_bytes()
    stem, _, ending = name.rpartition("/")[2].rpartition(".")
    told = hashlib.sha256(content).hexdigest()[:16]
    return Asset(f"{PREFIX}{stem}.{told}.{ending}", KINDS[ending], content, gzip.compress(content, 9, mtime=0))
