import subprocess
import sys
from pathlib import Path

import pytest

from server.coordinator.journal import Journal

ROOT = Path(__file__).parents[3]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.read() == []
    journal.write("round", round=1, refused={"bob": "late"})
    journal.write("round", round=2)
    assert [(line["event"], line["round"]) for line in journal.read()] == [("round", 1), ("round", 2)]


def test_a_line_that_was_cut_short_costs_only_itself(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    journal = Journal(file)
    journal.write("round", round=1)
    with file.open("ab") as stream:
        stream.write(b'{"at": "2025-01-01", "event": "rou')
    journal.write("round", round=2)
    assert [line["round"] for line in journal.read()] == [1, 2]


def test_a_journal_that_is_full_goes_on_in_a_new_file_and_three_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    journal = Journal(file, most_bytes=1000)
    for number in range(200):
        journal.write("round", round=number)
    files = sorted(found.name for found in tmp_path.iterdir())
    assert files == ["journal.jsonl", "journal.jsonl.1", "journal.jsonl.2", "journal.jsonl.3"]
    assert all(found.stat().st_size < 1100 for found in tmp_path.iterdir())
    rounds = [line["round"] for name in reversed(files) for line in Journal(tmp_path / name).read()]
    assert rounds == list(range(rounds[0], 200))


@pytest.mark.parametrize("room", [1, 40, 60, 61])
def test_a_line_that_a_full_disk_cut_is_neither_read_nor_glued_to_the_next(tmp_path: Path, room: int) -> None:
    """The limit of the kernel on a file's size writes what fits, as a full disk does, and then refuses."""
    file = tmp_path / "journal.jsonl"
    Journal(file).write("round", round=1)
    whole = file.stat().st_size
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from pathlib import Path; from server.coordinator.journal import Journal\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))\n"
        "try: Journal(Path(sys.argv[1])).write('round', round=2)\n"
        "except OSError as error: print(error.strerror)"
    )
    child = subprocess.run(
        [sys.executable, "-c", code, str(file), str(whole + room)], capture_output=True, text=True, cwd=ROOT
    )
    assert (child.returncode, child.stderr) == (0, "")
    Journal(file).write("round", round=3)
    rounds = [line["round"] for line in Journal(file).read()]
    assert rounds == ([1, 3] if child.stdout else [1, 2, 3])
