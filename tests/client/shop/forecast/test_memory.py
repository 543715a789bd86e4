"""What was learned of a shop is recalled where the very same would be learned, bit for bit, and nowhere else."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from client.explanation.explaining import explain, make_ready
from client.shop.forecast import fingerprint, memory
from client.shop.forecast.candidate import Batch
from client.shop.forecast.fingerprint import name_batch
from client.shop.forecast.learnt import Learnt, learn_shop
from client.shop.forecast.memory import MAGIC, Memory, _seal, read_memory, write_memory
from client.shop.forecast.outlook import forecast_learnt, forecast_shop
from client.shop.forecast.path import draw_learnt_paths, draw_paths
from client.shop.forecast.period import Period
from client.shop.forecast.question import Question
from client.shop.forecast.setting import choose_learned, set_up
from client.shop.forecast.shelf import FOLDER, MOST_BYTES, MOST_FILES, SUFFIX, Shelf
from client.shop.history.history import History
from client.shop.override.override import Override, Overrides
from client.shop.settings import read_shop
from common.errors import ConfigError
from shop_records import make_records
from small_shop import START, draw_sales, make_shop

DAYS = 84
NEXT = START + timedelta(days=DAYS)
WEEK = Question(by="day", horizon="7d")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Learnt]:
    """A shop, and what was learned of it while nothing was kept yet."""
    folder = make_shop(tmp_path_factory.mktemp("kept") / "shop", draw_sales(days=DAYS, products=3))
    return folder, learn(folder)


@pytest.fixture(scope="module")
def learned(first: tuple[Path, Learnt]) -> Path:
    return first[0]


@pytest.fixture(scope="module")
def fresh(first: tuple[Path, Learnt]) -> pa.Table:
    return forecast_learnt(first[1], WEEK).table


@pytest.fixture
def shop(learned: Path, tmp_path: Path) -> Path:
    """The same, to be written into."""
    return Path(shutil.copytree(learned, tmp_path / "shop"))


def learn(folder: Path, question: Question = WEEK) -> Learnt:
    return learn_shop(History.open(folder), read_shop(folder), question, today=NEXT)


def ask(folder: Path, question: Question = WEEK) -> pa.Table:
    return forecast_shop(History.open(folder), read_shop(folder), question, today=NEXT).table


def ask_anew(folder: Path, question: Question = WEEK) -> pa.Table:
    """Ask a copy of the shop in which nothing is kept."""
    bare = Path(shutil.copytree(folder, folder.parent / "bare", ignore=shutil.ignore_patterns(FOLDER)))
    found = ask(bare, question)
    shutil.rmtree(bare)
    return found


def name_of(folder: Path, question: Question = WEEK) -> str:
    quiet: Callable[[str, float], None] = lambda what, share: None  # noqa: E731
    setting, _ = set_up(History.open(folder), read_shop(folder), question, today=NEXT, on_step=quiet)
    return name_batch(setting.batch(choose_learned(setting.sales)), seed=0)


def kept(folder: Path) -> list[Path]:
    return sorted((folder / FOLDER).glob(f"*{SUFFIX}"))


def forge(folder: Path) -> None:
    """Put means into what is kept that nobody would learn, so that whoever recalls them is found out."""
    for path in kept(folder):
        memory = read_memory(path.read_bytes(), path.stem)
        assert memory is not None
        wrong = {name: 1000.0 + mean for name, mean in memory.means.items()}
        path.write_bytes(write_memory(Memory(memory.trees, wrong), path.stem))


def test_what_is_recalled_is_to_the_last_bit_what_is_learned(shop: Path, fresh: pa.Table) -> None:
    assert ask(shop).equals(fresh)
    assert [path.stem for path in kept(shop)] == [name_of(shop)]
    forge(shop)
    assert not ask(shop).equals(fresh), "so it was recalled, and not learned again"


def test_the_trees_alone_are_kept_where_means_are_too_much_for_a_file(
    shop: Path, fresh: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = kept(shop)
    whole = read_memory(path.read_bytes(), path.stem)
    assert whole is not None
    trees = write_memory(Memory(whole.trees, {}), path.stem)
    assert len(trees) < path.stat().st_size
    path.unlink()
    monkeypatch.setattr(memory, "MOST_BYTES_EACH", len(trees))
    for _ in range(2):
        assert ask(shop).equals(fresh)
        assert path.read_bytes() == trees


def test_trees_that_are_recalled_explain_as_those_that_were_fitted(first: tuple[Path, Learnt]) -> None:
    folder, fitted = first
    recalled = learn(folder)
    assert recalled.fitted.learned.trees is not None
    assert any(each.booster is not None for each in recalled.fitted.learned.trees)
    one, other = (explain(make_ready(each, fitted.setting.periods[0]), ("P1",)) for each in (fitted, recalled))
    assert one == other


def sell_more(folder: Path) -> None:
    one_more = make_records(
        "sales", {"order": "x", "day": START + timedelta(days=50), "product": "P1", "quantity": 1.0, "state": "sold"}
    )
    with History.open(folder).begin("late") as late:
        late.append("sales", one_more)
        late.finish()


def close_on_mondays(folder: Path) -> None:
    with (folder / "shop.toml").open("a") as file:
        file.write('closed_weekdays = ["monday"]\n')


@pytest.mark.parametrize("change", [sell_more, pytest.param(close_on_mondays, marks=pytest.mark.slow)])
def test_a_changed_row_or_setting_is_learned_anew(shop: Path, change: Callable[[Path], None]) -> None:
    forge(shop)
    change(shop)
    assert ask(shop).equals(ask_anew(shop))


@pytest.mark.slow
def test_another_day_is_learned_anew(shop: Path) -> None:
    forge(shop)
    yesterday = Question(by="day", horizon="7d", origin=NEXT - timedelta(days=1))
    assert ask(shop, yesterday).equals(ask_anew(shop, yesterday))


def test_an_override_counts_though_what_is_below_it_is_recalled(shop: Path, fresh: pa.Table) -> None:
    made = Override(
        number=1, of="product", name="P1", first=NEXT, last=NEXT, factor=2.0, author="Ada", reason="a fair", made=NEXT
    )
    Overrides(shop).add(made)
    changed = ask(shop)
    assert changed["without"].equals(fresh["mean"])
    rows = zip(changed.to_pylist(), fresh.to_pylist(), strict=True)
    for row, plain in rows:
        doubled = row["product"] == "P1" and row["first"] == NEXT
        assert row["mean"] == plain["mean"] * (2.0 if doubled else 1.0)


def test_another_library_version_or_code_or_seed_has_another_name(
    learned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = learn(learned).setting
    batch: Batch = setting.batch(choose_learned(setting.sales))
    names = {name_batch(batch, seed=0), name_batch(batch, seed=1)}
    for library in fingerprint.LIBRARIES:
        with monkeypatch.context() as patch:
            real = fingerprint.version
            patch.setattr(
                fingerprint,
                "version",
                lambda name, library=library, real=real: "9.9.9" if name == library else real(name),
            )
            names.add(name_batch(batch, seed=0))
    monkeypatch.setattr(fingerprint, "__version__", "9.9.9")
    names.add(name_batch(batch, seed=0))
    monkeypatch.setattr(fingerprint, "read_code", lambda: "another text")
    names.add(name_batch(batch, seed=0))
    assert len(names) == 4 + len(fingerprint.LIBRARIES)


def test_every_field_of_the_panel_is_in_the_name(learned: Path) -> None:
    setting = learn(learned).setting
    batch = setting.batch(choose_learned(setting.sales))
    panel = batch.panel
    changed = {
        "start": panel.start - timedelta(days=1),
        "covariates": ("price",),
        "entities": np.array(["another", *panel.entities[1:]], dtype=object),
        "first_day": panel.first_day + 1,
        "known": np.ones((*panel.target.shape, 1), np.float32),
        "static": np.ones((len(panel.entities), 1), np.float32),
    }
    for field in ("target", "open", "censored"):
        changed[field] = getattr(panel, field).copy()
        changed[field][-1, 60] = not changed[field][-1, 60] if field != "target" else changed[field][-1, 60] + 1
    names = {name_batch(replace(batch, panel=replace(panel, **{key: changed[key]})), seed=0) for key in changed}
    assert len(names | {name_batch(batch, seed=0)}) == len(changed) + 1
    assert name_batch(replace(batch, origins=batch.origins[1:]), seed=0) not in names | {name_batch(batch, seed=0)}


def damage(content: bytes, name: str) -> dict[str, bytes]:
    middle = len(content) // 2
    return {
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "cut": content[:middle],
        "empty": b"",
        "of a later format": content.replace(b"hansa learned 1", b"hansa learned 2"),
        "foreign": b"PK\x03\x04 something else",
        "renamed": write_memory(Memory(None, {}), f"not {name}"),
        "no safetensors": MAGIC + _seal(name, b"x") + b"\nx",
    }


def test_what_is_damaged_foreign_or_of_another_version_is_not_there(learned: Path) -> None:
    (path,) = kept(learned)
    assert read_memory(path.read_bytes(), path.stem) is not None
    for said, content in damage(path.read_bytes(), path.stem).items():
        assert read_memory(content, path.stem) is None, said


@pytest.mark.parametrize("there", ["flipped", "pipe"])
def test_what_cannot_be_read_is_learned_again_and_mended(shop: Path, there: str) -> None:
    (path,) = kept(shop)
    content = path.read_bytes()
    path.unlink()
    if there == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(damage(content, path.stem)[there])
    learn(shop)
    assert path.read_bytes() == content, "and it is there again"


def test_where_nothing_can_be_kept_it_is_forecast_all_the_same(shop: Path, fresh: pa.Table) -> None:
    shutil.rmtree(shop / FOLDER)
    (shop / FOLDER).write_text("a file in the way")
    assert ask(shop).equals(fresh)
    assert (shop / FOLDER).read_text() == "a file in the way"


def test_only_the_owner_can_read_it(learned: Path) -> None:
    assert stat.S_IMODE((learned / FOLDER).stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (learned / FOLDER).iterdir()} == {0o600}


def test_the_folder_stays_small_and_the_longest_unused_goes_first(tmp_path: Path) -> None:
    shelf, half = Shelf(tmp_path), tmp_path / FOLDER / f".x{SUFFIX}.new"
    for number in range(MOST_FILES):
        assert shelf.put(f"{number:02}", b"x")
        os.utime(tmp_path / FOLDER / f"{number:02}{SUFFIX}", ns=(number, number))
    assert shelf.find("00") == b"x", "which is a use"
    half.write_bytes(b"half of one")
    (tmp_path / FOLDER / "notes.txt").write_text("mine")
    shelf.put("new", b"x")
    assert {path.stem for path in kept(tmp_path)} == {f"{n:02}" for n in range(MOST_FILES) if n != 1} | {"new"}
    assert not half.exists()
    assert (tmp_path / FOLDER / "notes.txt").exists(), "whose name is not ours stays"
    for number in range(3):
        assert shelf.put(f"large {number}", bytes(MOST_BYTES * 2 // 5))
    assert sum(path.stat().st_size for path in kept(tmp_path)) <= MOST_BYTES
    assert not shelf.put("too large", bytes(MOST_BYTES))


def test_two_commands_at_once_both_answer_and_leave_whole_files(shop: Path, fresh: pa.Table) -> None:
    (path,) = kept(shop)
    content = path.read_bytes()
    path.unlink()
    with ThreadPoolExecutor(2) as both:
        assert all(found.equals(fresh) for found in both.map(ask, (shop, shop)))
    assert [each.read_bytes() for each in kept(shop)] == [content]


WRITE = """
import sys
from pathlib import Path
from client.shop.forecast.shelf import Shelf
for number in range(40):
    assert Shelf(Path(sys.argv[1])).put("one", sys.argv[2].encode() * 100_000)
"""


def test_two_processes_that_write_one_file_never_show_a_part_of_it(tmp_path: Path) -> None:
    with (
        subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path), "a"]) as one,
        subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path), "b"]) as other,
    ):
        seen = set()
        while one.poll() is None or other.poll() is None:
            seen.add(Shelf(tmp_path).find("one"))
        assert (one.returncode, other.returncode) == (0, 0)
    assert seen <= {None, b"a" * 100_000, b"b" * 100_000}
    assert [path.name for path in (tmp_path / FOLDER).iterdir() if path.name.startswith(".")] == []


def test_one_learning_answers_by_day_by_week_with_paths_and_explanations(learned: Path) -> None:
    learnt = learn(learned)
    question = Question(by="week", horizon="7d")
    assert forecast_learnt(learnt, question).table.equals(ask(learned, question))
    history = History.open(learned)
    (own,) = draw_learnt_paths(learnt, days=7, num_draws=20)
    (asked,) = draw_paths(history, read_shop(learned), days=7, num_draws=20, today=NEXT)
    assert np.array_equal(own.draws, asked.draws)
    rows = forecast_learnt(learnt, Question(by="week", horizon="7d")).table.to_pylist()
    row = rows[0]
    period = Period(row["period"], row["first"], row["last"], 7)
    (why,) = explain(make_ready(learnt, period), (row["product"],))
    assert (why.mean, why.low, why.high) == pytest.approx((row["mean"], row["q10"], row["q90"]))


def test_what_was_learned_is_not_asked_beyond_its_days(learned: Path) -> None:
    learnt = learn(learned)
    assert learnt.serves(NEXT, 7)
    assert not learnt.serves(NEXT, 8)
    with pytest.raises(ConfigError, match="learn it anew to look at"):
        forecast_learnt(learnt, Question(by="day", horizon="8d"))
    with pytest.raises(ConfigError, match="for another first day or method"):
        forecast_learnt(learnt, Question(by="day", horizon="3d", method="anchor"))
