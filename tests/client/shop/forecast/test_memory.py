"""What was learned of a shop is recalled where the very same would be learned, bit for bit, and nowhere else."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from client.explanation.explaining import explain, make_ready
from client.shop.forecast import fingerprint
from client.shop.forecast.candidate import Batch
from client.shop.forecast.fingerprint import name_batch
from client.shop.forecast.learnt import Learnt, learn_shop
from client.shop.forecast.memory import Memory, read_memory, write_memory
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

DAYS = 120
NEXT = START + timedelta(days=DAYS)
WEEK = Question(by="day", horizon="14d")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that was forecast once."""
    folder = make_shop(tmp_path_factory.mktemp("kept") / "shop", draw_sales(days=DAYS, products=3))
    learn(folder)
    return folder


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


def test_what_is_recalled_is_to_the_last_bit_what_is_learned(shop: Path) -> None:
    recalled, fresh = ask(shop), ask_anew(shop)
    assert recalled.equals(fresh)
    assert [path.stem for path in kept(shop)] == [name_of(shop)]
    forge(shop)
    assert not ask(shop).equals(fresh), "so it was recalled, and not learned again"


def test_trees_that_are_recalled_forecast_and_explain_as_those_that_were_fitted(shop: Path, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(shop, tmp_path / "bare", ignore=shutil.ignore_patterns(FOLDER)))
    fitted, recalled = (learn(folder) for folder in (bare, shop))
    assert recalled.fitted.learned.trees is not None
    assert any(each.booster is not None for each in recalled.fitted.learned.trees)
    period = fitted.setting.periods[2]
    one, other = (explain(make_ready(each, period), ("P1",)) for each in (fitted, recalled))
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


@pytest.mark.parametrize("change", [sell_more, close_on_mondays])
def test_a_changed_row_or_setting_is_learned_anew(shop: Path, change: Callable[[Path], None]) -> None:
    forge(shop)
    change(shop)
    assert ask(shop).equals(ask_anew(shop))


def test_another_day_is_learned_anew(shop: Path) -> None:
    forge(shop)
    yesterday = Question(by="day", horizon="14d", origin=NEXT - timedelta(days=1))
    assert ask(shop, yesterday).equals(ask_anew(shop, yesterday))


def test_an_override_counts_though_what_is_below_it_is_recalled(shop: Path) -> None:
    plain = ask(shop)
    made = Override(
        number=1, of="product", name="P1", first=NEXT, last=NEXT, factor=2.0, author="Ada", reason="a fair", made=NEXT
    )
    Overrides(shop).add(made)
    changed = ask(shop)
    assert changed.equals(ask_anew(shop))
    assert changed["without"].equals(plain["without"])
    assert not changed["mean"].equals(plain["mean"])


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


@pytest.mark.parametrize("field", ["target", "known", "open", "first_day", "censored", "entities", "start"])
def test_every_field_of_the_panel_is_in_the_name(learned: Path, field: str) -> None:
    from dataclasses import replace

    setting = learn(learned).setting
    batch = setting.batch(choose_learned(setting.sales))
    value = getattr(batch.panel, field)
    changed = value - timedelta(days=1) if isinstance(value, date) else np.array(value)
    if field == "entities":
        changed[0] = "another"
    elif isinstance(changed, np.ndarray) and changed.size:
        changed.flat[-1] = not changed.flat[-1] if changed.dtype == bool else changed.flat[-1] + 1
    other = replace(batch, panel=replace(batch.panel, **{field: changed}))
    if isinstance(changed, np.ndarray) and not changed.size:
        pytest.skip("this shop has nothing in that field")
    assert name_batch(other, seed=0) != name_batch(batch, seed=0)


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "foreign", "folder", "pipe", "renamed"])
def test_what_is_damaged_or_foreign_is_learned_again_and_mended(shop: Path, damage: str) -> None:
    fresh = ask(shop)
    (path,) = kept(shop)
    content = path.read_bytes()
    path.unlink()
    middle = len(content) // 2
    if damage == "flipped":
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "cut":
        path.write_bytes(content[:middle])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        path.write_bytes(b"PK\x03\x04 something else")
    elif damage == "folder":
        path.mkdir()
    elif damage == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(write_memory(Memory(None, {}), "another name"))
    assert ask(shop).equals(fresh)
    assert damage == "folder" or path.read_bytes() == content, "and it is there again"


def test_where_nothing_can_be_kept_it_is_forecast_all_the_same(shop: Path) -> None:
    fresh = ask(shop)
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


def test_two_commands_at_once_both_answer_and_leave_whole_files(shop: Path) -> None:
    fresh = ask(shop)
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
    for question in (WEEK, Question(by="week", horizon="14d"), Question(by="day", horizon="14d", of="shop")):
        assert forecast_learnt(learnt, question).table.equals(ask(learned, question))
    history = History.open(learned)
    (own,) = draw_learnt_paths(learnt, days=14, num_draws=20)
    (asked,) = draw_paths(history, read_shop(learned), days=14, num_draws=20, today=NEXT)
    assert np.array_equal(own.draws, asked.draws)
    rows = forecast_learnt(learnt, Question(by="week", horizon="14d")).table.to_pylist()
    for row in rows[:3]:
        period = Period(row["period"], row["first"], row["last"], 7)
        (why,) = explain(make_ready(learnt, period), (row["product"],))
        assert (why.mean, why.low, why.high) == pytest.approx((row["mean"], row["q10"], row["q90"]))


def test_what_was_learned_is_not_asked_beyond_its_days(learned: Path) -> None:
    learnt = learn(learned)
    assert learnt.serves(NEXT, 14)
    assert not learnt.serves(NEXT, 15)
    with pytest.raises(ConfigError, match="learn it anew to look at"):
        forecast_learnt(learnt, Question(by="day", horizon="15d"))
    with pytest.raises(ConfigError, match="for another first day or method"):
        forecast_learnt(learnt, Question(by="day", horizon="7d", method="anchor"))
