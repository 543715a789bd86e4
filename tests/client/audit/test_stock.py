"""A merchant that says which days ran out of stock passes the audit, and what such days could betray is caught."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.audit.channel import look_at_channels, make_channel_neighbours
from client.audit.neighbour import make_neighbours
from client.audit.replay import replay_neighbours
from client.audit.report import LevelReport
from client.audit.source import make_source
from client.audit.subject import AuditSubject
from planted.stock import STOCK

DOCUMENT = Path(__file__).parents[3] / "docs" / "audit.md"
AUDITS: dict[str, Callable[[AuditSubject], LevelReport]] = {
    "l0": lambda subject: replay_neighbours(subject, most_violations=1),
    "channels": lambda subject: look_at_channels(
        subject, most_violations=1, neighbours=False, generator=np.random.default_rng(0)
    ),
}


SLOW = {"out-by-everybody"}  # only the neighbours that come late show it


@pytest.fixture
def shop(make_subject: Callable[..., AuditSubject]) -> AuditSubject:
    """Make customers of whom a third of the days say that the stock ran out; nobody buys on 20 January."""
    generator, days = np.random.default_rng(0), pd.date_range("2024-01-01", "2024-02-09").delete(19)
    rows = pd.DataFrame({"customer": np.repeat([f"c{number}" for number in range(6)], len(days))})
    rows = rows.assign(
        time=np.tile(days.strftime("%Y-%m-%d"), 6),
        units=generator.integers(1, 9, len(rows)).astype(str),
        country="here",
        gone=np.where(generator.random(len(rows)) < 0.35, "yes", "no"),
    )
    subject = make_subject(rows=rows)
    data = subject.plan.data.model_copy(update={"out_of_stock": "gone"})
    return replace(subject, plan=subject.plan.model_copy(update={"data": data}), source=make_source(rows, "sales.csv"))


# False alarm: none, nothing is drawn.
@pytest.mark.parametrize("level", [pytest.param("l0", marks=pytest.mark.slow), "channels"])
def test_a_merchant_with_days_out_of_stock_passes(shop: AuditSubject, level: str) -> None:
    assert AUDITS[level](shop).violations == ()


@pytest.mark.parametrize(
    ("plant", "level"),
    [pytest.param(*fault, id=name, marks=[pytest.mark.slow] * (name in SLOW)) for name, fault in STOCK.items()],
)
def test_what_stock_could_say_of_others_is_caught(
    shop: AuditSubject, plant: Callable[[pytest.MonkeyPatch], None], level: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        assert AUDITS[level](shop).violations


def test_entities_join_that_are_always_and_never_out_of_stock_and_some_whose_cell_is_odd(shop: AuditSubject) -> None:
    joining = [each.kind for each in make_neighbours(shop.source, shop.plan.data, shop.origin)]
    assert {f"an entity that is {words} out of stock joins" for words in ("always", "never")} <= set(joining)
    odd = [each.kind for each in make_channel_neighbours(shop.source, shop.plan.data)]
    assert sum("whose gone is" in kind for kind in odd) >= 5


def test_the_documentation_lists_these_faults_and_the_level_that_catches_each() -> None:
    text = DOCUMENT.read_text().split("<!-- stock faults -->")[1].split("<!-- end of stock faults -->")[0]
    rows = re.findall(r"^\| `([\w-]+)` \|[^|]*\| (\w+) \|$", text, re.MULTILINE)
    assert dict(rows) == {name: level for name, (_, level) in STOCK.items()}
