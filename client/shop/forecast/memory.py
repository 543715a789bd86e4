"""Keep what was learned in the shop's folder, and recall it when exactly the same would be learned again.

Fitting trees at several past origins is nearly all that a forecast costs; the rest is quick and is worked out each
time: shares of the methods, levels, births, spreads, persons' overrides. So what is kept are the trees and what every
method says of who was learned from, named by the content of what they were learned from (`fingerprint`).

A file is one line, `hansa learned 1 SHA-256`, and after it safetensors:

    offsets        float64 [origin]: where the trees' scores start
    trees.NUMBER   uint8: LightGBM's text of an origin's trees; not there where no tree helps
    mean.METHOD    float64 [origin, product, day]: what a method says; none where all would be more than a file may hold

The digest is of the file's name and all that follows the line, so what is damaged, renamed or foreign counts for
nothing before LightGBM sees it: the same is learned again, and written over it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from client.forecast.method.trees.demand import BoostedMean
from client.forecast.method.trees.tree import read_trees, write_trees
from client.shop.forecast.candidate import CLASSIC, Batch, Learned, Means, forecast_means, learn
from client.shop.forecast.fingerprint import name_batch
from client.shop.forecast.shelf import MOST_BYTES_EACH, Shelf

MAGIC = b"hansa learned 1 "
COSTLY = frozenset({"lightgbm", *CLASSIC})  # others are as quick to work out as to read
OnStep = Callable[[str, float], None]


@dataclass(frozen=True)
class Memory:
    """What is kept: the trees of each origin, None where none were learned, and what each method says."""

    trees: tuple[BoostedMean, ...] | None
    means: dict[str, Means]


NOTHING = Memory(None, {})


def learn_or_recall(
    folder: Path | None, batch: Batch, names: Sequence[str], *, seed: int, on_step: OnStep
) -> tuple[Learned, dict[str, Means]]:
    """Recall what was learned from this very batch; learn what was not, and keep it.

    Guarantee: what is recalled is, to the last bit, what would be learned.

    Parameters
    ----------
    folder
        The shop's; None to learn all and keep nothing.
    names
        Of the methods.
    """
    name = name_batch(batch, seed=seed) if folder is not None and COSTLY & set(names) else ""
    shelf = Shelf(folder) if folder is not None and name else None
    kept = _recall(shelf, name, batch) if shelf is not None else NOTHING
    learned = _learn(batch, names, kept.trees, seed=seed, on_step=on_step)
    missing = [each for each in names if each not in kept.means]
    means = kept.means | forecast_means(batch, learned, missing) if missing else kept.means
    if shelf is not None and COSTLY & set(missing):
        _keep(shelf, name, Memory(learned.trees or kept.trees, means), has_trees=kept.trees is not None)
    return learned, {each: means[each] for each in names}


def _keep(shelf: Shelf, name: str, memory: Memory, *, has_trees: bool) -> None:
    """Keep all of it, or the trees alone where that is too much: they are what takes longest."""
    content = write_memory(memory, name)
    if len(content) <= MOST_BYTES_EACH:
        shelf.put(name, content)
    elif memory.trees is not None and not has_trees:
        shelf.put(name, write_memory(Memory(memory.trees, {}), name))


def _recall(shelf: Shelf, name: str, batch: Batch) -> Memory:
    content = shelf.find(name)
    found = read_memory(content, name) if content is not None else None
    return found if found is not None and _fits(found, batch) else NOTHING


def _fits(found: Memory, batch: Batch) -> bool:
    shape = (len(batch.origins), len(batch.panel.entities), batch.horizon)
    has_trees = found.trees is None or len(found.trees) == len(batch.origins)
    return has_trees and all(mean.shape == shape for mean in found.means.values())


def _learn(
    batch: Batch, names: Sequence[str], trees: tuple[BoostedMean, ...] | None, *, seed: int, on_step: OnStep
) -> Learned:
    """Learn all but trees that are there."""
    if trees is None or "lightgbm" not in names:
        return learn(batch, names, seed=seed, on_step=lambda share: on_step("learning", share))
    others = [name for name in names if name != "lightgbm"]
    warm = learn(batch, others, seed=seed, on_step=lambda share: None).warm
    on_step("learning", 1.0)
    return Learned(trees, warm)


def write_memory(memory: Memory, name: str) -> bytes:
    """Write it as a file of that name."""
    content = {f"mean.{method}": np.ascontiguousarray(mean, np.float64) for method, mean in memory.means.items()}
    if memory.trees is not None:
        content["offsets"] = np.array([each.offset for each in memory.trees], np.float64)
        for number, each in enumerate(memory.trees):
            if each.booster is not None:
                content[f"trees.{number}"] = np.frombuffer(write_trees(each.booster).encode(), np.uint8)
    body = save(content)
    return MAGIC + _seal(name, body) + b"\n" + body


def read_memory(content: bytes, name: str) -> Memory | None:
    """Read a file of that name; None where it is damaged, another one, or of another version."""
    head, _, body = content.partition(b"\n")
    if head != MAGIC + _seal(name, body):
        return None
    try:
        parts = load(body)
    except (SafetensorError, ValueError):
        return None
    means = {key.removeprefix("mean."): part for key, part in parts.items() if key.startswith("mean.")}
    if "offsets" not in parts:
        return Memory(None, means)
    return Memory(
        tuple(_read_trees(parts, number, float(offset)) for number, offset in enumerate(parts["offsets"])), means
    )


def _read_trees(parts: dict[str, np.ndarray], number: int, offset: float) -> BoostedMean:
    text = parts.get(f"trees.{number}")
    return BoostedMean(None if text is None else read_trees(text.tobytes().decode()), offset)


def _seal(name: str, body: bytes) -> bytes:
    return hashlib.sha256(name.encode() + body).hexdigest().encode()
