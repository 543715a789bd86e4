"""A file that is handed in, by its name."""

from client.serving.api.importing import LONGEST_NAME, _name_safely


def test_a_file_that_is_handed_in_may_be_called_anything() -> None:
    for name in ("茶" * 200 + ".csv", "../" * 50, "." * 200, "\x00", "a\\b.csv", "é" * 200):
        plain = _name_safely(name)
        assert 0 < len(plain.encode()) <= LONGEST_NAME
        assert not plain.startswith(".")
        assert "/" not in plain
    assert _name_safely("C:\\x\\sales 1.csv") == "sales_1.csv"
