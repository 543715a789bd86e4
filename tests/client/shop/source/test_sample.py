"""A look at a large file takes whole rows, wherever the pieces that it reads begin and end."""

from pathlib import Path

from client.shop.source.sample import HEAD_BYTES, look_delimited

HEADER = "Name,Created at,Currency,Notes,Id\n"


def _row(number: int, note: str) -> str:
    return f"#{number},2024-05-{number % 28 + 1:02d} 10:00:00 +0200,EUR,{note},{5_400_000_000_000 + number}\n"


def test_notes_over_several_lines_move_no_cell_of_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    note = '"Please ring twice,\n' + ("and wait for me, thank you" * 20 + ",\n") * 6 + 'gladly,EUR,99"'
    path.write_text(HEADER + "".join(_row(number, note if number % 3 else "") for number in range(1500)))
    assert path.stat().st_size > 4 * HEAD_BYTES
    sample = look_delimited(path, path.name).sample
    assert len(sample["Name"]) > 150
    assert set(sample["Currency"]) == {"EUR"}
    assert all(name.startswith("#") for name in sample["Name"])


def test_a_file_whose_every_row_goes_over_several_lines_is_looked_at_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(
        HEADER + "".join(_row(number, '"Ring\n' + "and wait\n" * 9 + "please " * 500 + '"') for number in range(500))
    )
    assert set(look_delimited(path, path.name).sample["Currency"]) == {"EUR"}
