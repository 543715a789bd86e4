from pathlib import Path

from server.coordinator.journal import Journal


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
