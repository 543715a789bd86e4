"""Make a wheel of a package that is installed, so that it can be put back without asking anybody for it.

A wheel is a zip file with the package's files and a list of them (Binary Distribution Format 1.0), and the list of what
was installed is the package's own RECORD. What is made at installation is left out, since pip makes it again: scripts
of entry points, byte code, and who installed it.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackagePath
from pathlib import Path

from common.errors import ConfigError

MADE_ANEW = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def pack_wheel(package: Distribution, folder: Path) -> Path:
    """Write the wheel of an installed package into a folder.

    Raises
    ------
    ConfigError
        The package was not installed from a wheel, or lacks a file, so it could not be put back.
    """
    tags = re.findall(r"^Tag: *(\S+)-(\S+)-(\S+)$", package.read_text("WHEEL") or "", re.MULTILINE)
    if not tags or package.files is None or '"editable": true' in (package.read_text("direct_url.json") or ""):
        raise ConfigError(
            f"{package.name} {package.version} was not installed from a wheel and could not be put back, so nothing is "
            "upgraded; make a new environment beside this one."
        )
    name = re.sub(r"[-_.]+", "_", package.name)
    parts = [".".join(sorted({tag[place] for tag in tags})) for place in range(3)]
    path = folder / f"{name}-{package.version}-{'-'.join(parts)}.whl"
    files = list(_files(package, f"{name}-{package.version}"))
    info = next(place.partition("/")[0] for place, _ in files if place.endswith(".dist-info/METADATA"))
    record = f"{info}/RECORD"
    lines = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as wheel:
        for place, file in files:
            content = _read(file, package)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            lines.append(f"{_quote(place)},sha256={digest},{len(content)}\n")
            wheel.writestr(place, content)
        wheel.writestr(record, "".join([*lines, f"{record},,\n"]))
    return path


def _files(package: Distribution, stem: str) -> Iterator[tuple[str, Path]]:
    """Name what belongs into the wheel, and where it lies."""
    scripts = {point.name for point in package.entry_points}
    for file in package.files or ():
        if "__pycache__" in file.parts or (file.parts[0].endswith(".dist-info") and file.name in MADE_ANEW):
            continue
        place = _place_of(file, stem)
        if place and not (file.parts[0] == ".." and file.name in scripts):
            yield place, Path(str(file.locate()))


def _place_of(file: PackagePath, stem: str) -> str:
    """Give a file's place in a wheel; what lies beside the packages goes where its kind of file goes."""
    below = [part for part in file.parts if part != ".."]
    if file.parts[0] != "..":
        return file.as_posix()
    if below[0] in ("bin", "Scripts"):
        return f"{stem}.data/scripts/{'/'.join(below[1:])}"
    return f"{stem}.data/data/{'/'.join(below)}"


def _read(file: Path, package: Distribution) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{file} of {package.name} {package.version} cannot be read, so that version could not be put back, and "
            "nothing is upgraded; make a new environment beside this one."
        ) from error


def _quote(place: str) -> str:
    return '"' + place.replace('"', '""') + '"' if "," in place or '"' in place else place
