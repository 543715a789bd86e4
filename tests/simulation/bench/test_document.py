"""The whole command on a few small points; figures are looked at for their sense, not for their size."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulation.bench.document import PARTS

FAST = ("--quick", "--patience", "0", "--threads", "1")


def ratios(entry: dict[str, Any]) -> list[float]:
    return [comparison["ratio"] for comparison in entry["comparisons"]]


def test_every_part_has_ratios_and_says_where_it_was_measured(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", "--json", "--only", "federation", *FAST)
    assert done.code == 0
    document = json.loads(done.stdout)
    assert document["schema"] == 1
    assert document["machine"]["threads"] == 1
    assert set(document) == {"schema", "machine", "federation"}
    assert [entry["merchants"] for entry in document["federation"]] == [2, 4]
    assert all(ratio > 0 for entry in document["federation"] for ratio in ratios(entry))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_the_table_shows_every_ratio(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", *FAST)
    assert done.code == 0
    for word in (
        "step",
        "federation",
        "forecast",
        "server",
        "memory",
        "reading",
        "auto_ets",
        "pandas",
        "nn_gru",
        "opacus",
    ):
        assert word in done.stdout


def test_an_unknown_part_is_refused_with_the_names_of_all(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", "--only", "steps", *FAST)
    assert (done.code, done.stdout) == (2, "")
    assert all(part in done.stderr for part in PARTS)


MACHINE = {"processor": "abacus", "cores": 2, "threads": 1, "load": 0.25, "allocator": {}}
POINT = {"hidden_size": 32, "steps": 28}


def a_step(entities: int, *ratios: float) -> dict[str, Any]:
    of_to_what = [
        ("hansa", "nn_gru", "seconds"),
        ("opacus", "hansa", "seconds"),
        ("hansa_torch", "nn_gru", "seconds"),
        ("hansa", "nn_gru", "peak_bytes"),
    ]
    named = zip(of_to_what, ratios, strict=True)
    comparisons = [{"of": of, "to": to, "what": what, "ratio": ratio} for (of, to, what), ratio in named]
    return {**POINT, "entities": entities, "comparisons": comparisons}


def test_markdown_shows_misses_and_what_was_asked(hansa_sim: Callable[..., Any], tmp_path: Path) -> None:
    reference = {"merchants": 100, "comparisons": [{"of": "flower_opacus", "to": "hansa", "ratio": 12.0}]}
    steps = [a_step(16, 0.31, 10.0, 0.9, 0.5), a_step(256, 0.3, 9.9, 1.5, 0.51)]
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"schema": 1, "machine": MACHINE, "step": steps, "reference": reference}))
    done = hansa_sim("bench", "--read", file, "--markdown")
    assert done.stdout.splitlines() == [
        "abacus, 2 cores, load 0.2 before, 1 threads, allocator default.",
        "",
        "| model | hidden size | steps | entities | `hansa` to `nn_gru` | `opacus` to `hansa` | "
        "`hansa_torch` to `nn_gru` | memory to `nn_gru` |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        "| GRU | 32 | 28 | 16 | **0.31**, not ≤ 0.3 | 10.00 | 0.90 | 0.50 |",
        "| GRU | 32 | 28 | 256 | 0.30 | **9.90**, not ≥ 10 | 1.50 | **0.51**, not ≤ 0.5 |",
        "",
        "| part | at | what | ratio |",
        "|---|---|---|---:|",
        "| reference | merchants 100 | seconds of `flower_opacus` to `hansa` | **12.00**, not ≥ 40 |",
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2, "machine": {}}'])
def test_what_is_no_document_is_refused(hansa_sim: Callable[..., Any], tmp_path: Path, text: str) -> None:
    file = tmp_path / "bench.json"
    file.write_text(text)
    done = hansa_sim("bench", "--read", file)
    assert done.code == 2
    assert "make one with --json" in done.stderr
