"""An import is killed, meets a full disk or meets another: what it had committed stands, with its cursor."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from client.shop.history.history import History
from common.errors import ConfigError, DataError, HansaError
from fleet.full_disk import full_disk, largest_file, mounted

Make = Callable[..., pa.Table]
REMEDY = "bring a copy back, or move it away and import everything anew."
GROUPS, RECORDS = 5, 300
# A process that imports one group after the other, says how far each commit came, and waits to be killed.
IMPORT = """
import sys
from collections.abc import Iterator
from pathlib import Path
sys.path.insert(0, {tests!r})
from shop_records import make_records
from client.shop.history.history import History
groups, records, folder = {groups}, {records}, Path({folder!r})
history = History.open(folder)
after = history.cursor("till", fingerprint="f")
tables = [make_records("sales", *({{"order": str(n), "quantity": 2.0}} for n in range(g * records, (g + 1) * records)))
          for g in range(groups)]
print("ready", flush=True)
with history.begin("till", fingerprint="f", after=after) as one:
    for group in range(int(after or 0), groups):
        one.append("sales", tables[group])
        one.remember(str(group + 1))
        one.commit()
        print(group + 1, flush=True)
        if group + 1 == {halt}:
            sys.stdin.readline()
    one.finish()
print("done", flush=True)
"""


def start(folder: Path, *, halt: int = 0) -> subprocess.Popen[str]:
    """Start an import that is ready to begin; after group `halt` it waits for a word."""
    script = IMPORT.format(
        tests=str(Path(__file__).parents[3]), groups=GROUPS, records=RECORDS, folder=str(folder), halt=halt
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def check_whole_groups(folder: Path) -> int:
    """Whole groups are there, as many as the cursor says; how many."""
    history = History.open(folder)
    numbers = sorted(int(order) for order in history.records("sales")["order"].to_pylist())
    reached = int(history.cursor("till", fingerprint="f") or 0)
    if [entry.state for entry in history.journal()] == ["done"]:
        reached = GROUPS
    assert numbers == list(range(reached * RECORDS))
    assert sum(entry.counts["sales"].new for entry in history.journal() if entry.counts) == len(numbers)
    return reached


def besiege(folder: Path, *, kills: int, seed: int) -> None:
    """Kill an import at random moments, go on where it ended, and begin anew in another folder once it is through."""
    generator = random.Random(seed)  # noqa: S311
    place, reached, through = folder / "0", 0, 0
    place.mkdir()
    for _ in range(kills):
        child = start(place)
        time.sleep(generator.random() * 0.7)
        child.kill()
        said = child.communicate()[0].split()
        told = GROUPS if "done" in said else int(said[-1]) if said else reached
        assert child.returncode in (0, -signal.SIGKILL)
        reached = check_whole_groups(place)
        assert reached >= told, "what commit returned from is on the disk"
        if reached == GROUPS:
            through += 1
            place, reached = folder / str(through), 0
            place.mkdir()
    child = start(place)
    assert child.communicate()[0].split()[-1] == "done"
    assert check_whole_groups(place) == GROUPS
    (entry,) = History.open(place).journal()
    assert entry.state == "done", "one import, however often it was killed"
    assert [file.name for file in place.iterdir() if "spill" in file.name or ".new" in file.name] == []


ASK = """
import sys
from pathlib import Path
from client.shop.history.history import History
try:
    with History.open(Path(sys.argv[1]))._store.writing() as connection:
        print("ready", flush=True)
        connection.execute("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b")
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_in_the_middle_of_a_query_is_ctrl_c(tmp_path: Path) -> None:
    """In a process of its own: DuckDB may not open a file again in one whose query was left so."""
    process = subprocess.Popen(
        [sys.executable, "-c", ASK, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a suite may ignore it
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "")
    assert History.open(tmp_path).journal() == ()


@pytest.mark.parametrize(("kills", "seed"), [(2, 0), pytest.param(120, 1, marks=pytest.mark.slow)])
def test_killed_at_any_moment_whole_commits_are_left_with_their_cursor(tmp_path: Path, kills: int, seed: int) -> None:
    besiege(tmp_path, kills=kills, seed=seed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of sixteen megabytes, where this machine lets a test mount one."""
    with mounted(tmp_path / "disk", megabytes=16) as disk:
        yield disk


def refusal(attempt: Callable[[], object]) -> str:
    with pytest.raises(HansaError) as refused:
        attempt()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def siege(folder: Path, make: Make, *, filled: Callable[[], object]) -> None:
    """Import, fail for want of room, and go on: nothing is lost or doubled, and all that was committed can be read."""
    history = History.open(folder)
    many = make("sales", *({"order": f"{n}", "line": f"{n * 7919}"} for n in range(12_000)))
    with history.begin("till") as one:
        one.append("sales", make("sales", {}))
        one.remember("1")
        one.commit()
        one.append("sales", many)
        one.remember("2")
        with filled():  # type: ignore[attr-defined]
            said = refusal(one.commit)
            assert "make room" in said
            assert (history.cursor("till"), history.records("sales").num_rows) == ("1", 1)
    with history.begin("till", after="1") as one:
        one.append("sales", many)
        one.finish()
    assert history.records("sales").num_rows == 12_001
    assert [entry.state for entry in history.journal()] == ["partial", "done"]


def test_where_no_file_may_grow_what_was_committed_stands(tmp_path: Path, make: Make) -> None:
    siege(tmp_path, make, filled=lambda: largest_file(300_000))


def test_on_a_full_disk_what_was_committed_stands(small_disk: Path, make: Make) -> None:
    siege(small_disk, make, filled=lambda: full_disk(small_disk))


def test_beginning_on_a_full_disk_leaves_nothing_and_may_be_tried_again(small_disk: Path, make: Make) -> None:
    def begin() -> None:
        with History.open(small_disk).begin("till") as one:
            one.append("sales", make("sales", {}))
            one.finish()

    with full_disk(small_disk):
        assert "make room" in refusal(begin)
        assert [file.name for file in small_disk.iterdir() if "duckdb" in file.name] == []
        assert History.open(small_disk).journal() == ()
    begin()
    assert History.open(small_disk).records("sales").num_rows == 1


def test_a_second_import_is_told_of_the_first_and_readers_see_whole_commits(tmp_path: Path, make: Make) -> None:
    child = start(tmp_path, halt=2)
    assert child.stdout is not None
    assert [child.stdout.readline() for _ in range(2)] == ["1\n", "2\n"]
    said = refusal(lambda: History.open(tmp_path).begin("till"))
    assert "Another import" in said
    assert History.open(tmp_path).records("sales").num_rows == 2 * RECORDS
    assert child.communicate("go on\n")[0].split()[-1] == "done"
    assert History.open(tmp_path).records("sales").num_rows == GROUPS * RECORDS
    with pytest.raises(DataError, match="There is no import 9"):
        History.open(tmp_path).undo(9)


def test_a_second_import_of_one_process_is_told_so_too_and_an_abandoned_one_lets_go(
    history: History, make: Make
) -> None:
    with history.begin("till") as one:
        with pytest.raises(ConfigError, match="is under way; wait until it is done"):
            history.begin("shop")
        with pytest.raises(ConfigError, match="is under way"):
            history.undo(1)
        one.append("sales", make("sales", {}))
    history.begin("shop").__exit__(None, None, None)
    assert history.journal() == ()


def test_readers_wait_for_a_commit_and_a_commit_for_readers(history: History, make: Make) -> None:
    with history.begin("till") as one:
        one.append("sales", make("sales", {}))
        one.commit()
        with history._store.reading():
            one.append("sales", make("sales", {"order": "2"}))
            commit = threading.Thread(target=one.commit)
            commit.start()
            commit.join(0.1)
            assert commit.is_alive()
        commit.join()
        assert history.records("sales").num_rows == 2


def test_two_threads_of_a_process_read_at_once(history: History, make: Make) -> None:
    with history.begin("till") as one:
        one.append("sales", make("sales", {"product": "cup"}, {"line": "2"}))
        one.finish()
    began = time.monotonic()
    for _ in history.dense_daily(num_products=1):
        assert History.open(history.folder).daily().num_rows == 2
    assert time.monotonic() - began < 10, "nobody waits for a reader"


def damage(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(random.Random(place).randbytes(4096))  # noqa: S311


def read_or_refuse(history: History) -> str:
    try:
        return str(history.records("sales").num_rows)
    except DataError as error:
        return str(error)


def test_a_damaged_file_is_one_sentence(history: History, make: Make) -> None:
    with history.begin("till") as one:
        one.append("sales", make("sales", *({"order": f"{n}"} for n in range(6_000))))
        one.finish()
    path = history.folder / "history.duckdb"
    whole = path.read_bytes()
    for place in (0, 4096, 12288, len(whole) // 2, len(whole) - 8192):
        path.write_bytes(whole)
        damage(path, place)
        assert read_or_refuse(history) in ("6000", f"Cannot use {path}: it is damaged; {REMEDY}")
    path.write_bytes(whole[: len(whole) // 2])
    assert "is damaged" in refusal(lambda: history.records("sales"))
    path.write_bytes(b"")
    assert "is damaged" in refusal(history.journal)
    path.write_bytes(whole)
    assert history.records("sales").num_rows == 6_000


def test_nothing_is_ever_fetched(history: History, make: Make) -> None:
    with history.begin("till") as one:
        one.append("sales", make("sales", {}))
        one.finish()
    with history._store.reading() as connection:
        names = ("autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions")
        for name in names:
            (value,) = connection.execute("SELECT value FROM duckdb_settings() WHERE name = ?", [name]).fetchone() or ()
            assert value == "false"
        with pytest.raises(duckdb.Error):
            connection.execute("SELECT * FROM 'https://example.com/rows.parquet'")
