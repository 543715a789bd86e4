"""Name what is learned from by its content, so that what was learned from it can be found again and from nothing else.

The name covers every value that training or its forecasts of past origins look at: the panel to the last bit, the
origins, the model's plan, the seed, a released model by its hash and the panel that it reads, and whatever else the
numbers depend on: the versions of the libraries that compute, the kind of processor, and the very text of our own
modules that learn. So nothing has to be told that it is out of date: what was learned from anything else has another
name.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import client.forecast
import client.shop.forecast
import common.data
import common.forecast
import common.model
import common.plan
from client.shop.forecast.candidate import TREE_ROWS, Batch
from client.shop.forecast.released import Released
from common import __version__
from common.data.panel import Panel

LIBRARIES = ("lightgbm", "numpy", "scipy", "statsforecast", "torch")
OWN = (client.forecast, client.shop.forecast, common.data, common.forecast, common.model, common.plan)


def name_batch(batch: Batch, *, seed: int) -> str:
    """Give 64 hexadecimal digits that are the same for the same content alone."""
    digest = hashlib.sha256()
    said: list[object] = [__version__, read_code(), platform.machine(), platform.python_version(), list_versions()]
    said += [seed, TREE_ROWS, batch.origins, batch.first_sale, batch.plan.model.model_dump_json()]
    digest.update(repr(said).encode())
    for part in _write_panel(batch.panel):
        digest.update(part)
    if batch.released is not None:
        for part in _write_released(batch.released, [str(name) for name in batch.panel.entities]):
            digest.update(part)
    return digest.hexdigest()


def list_versions() -> tuple[str, ...]:
    """Give the version of every library that the numbers come from; "" of one that is not installed."""
    return tuple(map(_version_of, LIBRARIES))


def _version_of(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


@cache
def read_code() -> str:
    """Give the digest of our own modules that learn, since a version between two releases says nothing."""
    digest = hashlib.sha256()
    for package in OWN:
        for folder in package.__path__:
            for file in sorted(Path(folder).rglob("*.py")):
                digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _write_panel(panel: Panel) -> Iterator[bytes]:
    for field in fields(panel):
        yield from _write(field.name, getattr(panel, field.name))


def _write_released(released: Released, products: list[str]) -> Iterator[bytes]:
    """Give everything that a released model's forecasts of some products come from."""
    there = [name for name in products if name in released.places]
    learners = [(each.until, each.model_hash) for each in released.learners]
    yield repr((learners, released.plan.model_dump_json(), there)).encode()
    yield from _write_panel(released.panel.select(np.array([released.places[name] for name in there], int)))


def _write(name: str, value: object) -> Iterator[bytes]:
    """Give a value as bytes, of an array every bit; what is the same for all products is given once."""
    if not isinstance(value, np.ndarray):
        yield f"{name}={value!r};".encode()
    elif value.dtype == object:
        yield f"{name}={value.tolist()!r};".encode()
    else:
        alike = len(value) > 1 and value.strides[0] == 0
        yield f"{name}={value.dtype.str}{value.shape}{alike};".encode()
        yield from (row.tobytes() for row in (value[:1] if alike else value))
