"""Plans at the edges of what a plan may say, and beyond: every command says one sentence, or does it."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from damaged.homes import PLAN, run

DATED = PLAN.replace('time = "time"', 'time = "time"\nmerchant = "shop"')
LONG = 10**23


def days_of(first: date, last: date, origin: date) -> str:
    dates = {"2024-01-01": first, "2024-03-31": last, "[2024-03-01]": f"[{origin}]"}
    text = DATED
    for there, here in dates.items():
        text = text.replace(there, str(here))
    return text


def with_model(**keys: object) -> str:
    kept = [line for line in DATED.splitlines() if line.split(" ")[0] not in keys]
    place = kept.index("[model]") + 1
    return "\n".join([*kept[:place], *(f"{key} = {value}" for key, value in keys.items()), *kept[place:]])


def write(folder: Path, text: str, first: date) -> None:
    (folder / "plan.toml").write_text(text)
    days = [first + timedelta(days=day) for day in range(85)]
    rows = [f"c{customer},{day},s" for day in days for customer in range(3)]
    (folder / "rows.csv").write_text("\n".join(["customer,time,shop", *rows]) + "\n")


FIRST, LAST, USUAL = date(1700, 1, 1), date(2200, 12, 31), date(2024, 1, 1)
PLANS = {
    "the first days there are": (days_of(FIRST, date(1700, 3, 31), date(1700, 3, 1)), FIRST),
    "the last days there are": (days_of(date(2200, 10, 1), LAST, date(2200, 12, 28)), date(2200, 10, 1)),
    "a day too early": (days_of(date(1699, 12, 31), date(1700, 3, 31), date(1700, 3, 1)), FIRST),
    "a year too late": (days_of(USUAL, date(2260, 12, 31), date(2024, 3, 1)), USUAL),
    "the last year of all": (days_of(USUAL, date(9999, 12, 31), date(2024, 3, 1)), USUAL),
    "an origin on the first day": (days_of(USUAL, date(2024, 3, 31), USUAL), USUAL),
    "an origin after the end": (days_of(USUAL, date(2024, 3, 31), date(2024, 4, 1)), USUAL),
    "a horizon past the end": (with_model(horizon_days=400), USUAL),
    "a horizon of ages": (with_model(horizon_days=LONG), USUAL),
    "a window longer than history": (with_model(window_steps=5000), USUAL),
    "a window of ages": (with_model(window_steps=LONG), USUAL),
    "rounds without end": (DATED.replace("num_rounds = 3", f"num_rounds = {LONG}"), USUAL),
    "classes beyond all": (DATED.replace("unit =", f"size_classes = [32, {LONG}]\nunit ="), USUAL),
}


DONE = {"the first days there are", "the last days there are", "a window longer than history", "a window of ages"} | {
    "rounds without end",
    "classes beyond all",
}


def only_sentence(program: str, *words: object) -> tuple[int, str]:
    ended = run(program, *words)
    assert not ended.raised, ended
    assert len(ended.stderr.splitlines()) == (1 if ended.code and not ended.stdout else 0), ended
    return ended.code, ended.stderr


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_at_an_edge_is_done_or_refused_in_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, first = PLANS[name]
    write(tmp_path, text, first)
    monkeypatch.chdir(tmp_path)
    codes = [
        only_sentence("hansa-client", "check", "plan.toml")[0],
        only_sentence("hansa-sim", "check", "plan.toml")[0],
        only_sentence("hansa-sim", "export", "plan.toml", "--out", "exported")[0],
    ]
    assert set(codes) <= {0, 2}
    assert (codes[0] == 0) == (name in DONE)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["the first days there are", "the last days there are", "a window of ages"])
def test_a_plan_at_an_edge_is_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, *PLANS[name])
    monkeypatch.chdir(tmp_path)
    assert run("hansa-sim", "run", "plan.toml", "--out", "run").code == 0


def test_a_number_beyond_64_bits_is_one_sentence(homes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    homes = shutil.copytree(homes, tmp_path / "homes")
    monkeypatch.chdir(homes / "fed")
    (homes / "fed" / "plan.toml").write_text(
        PLAN.replace('"small"', '"long"').replace(
            "[federation]\ntraining = { num_rounds = 3", f"[federation]\ntraining = {{ num_rounds = {LONG}"
        )
    )
    for words in (
        ("launch", "plan.toml", "--without-noise"),
        ("stop", LONG),
        ("resume", LONG),
        ("launch", "plan.toml", "--quorum", LONG),
    ):
        assert only_sentence("hansa-server", *words)[0] == 2, words
    monkeypatch.chdir(homes / "shop")
    assert only_sentence("hansa-client", "tap", "--line", LONG)[0] == 2
