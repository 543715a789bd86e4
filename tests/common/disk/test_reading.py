import json
import os
import threading
from pathlib import Path

import pytest

from common.disk.reading import read_file, read_file_json, require_file


def test_a_file_is_read_whole_and_an_empty_one_too(tmp_path: Path) -> None:
    for content in (b"", b"a", bytes(range(256)) * 1000):
        (tmp_path / "file").write_bytes(content)
        assert read_file(tmp_path / "file") == content


def test_a_pipe_that_somebody_writes_into_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    keeps_it_open = os.open(tmp_path / "pipe", os.O_RDWR)  # as a shell does until the writer has begun

    def write() -> None:
        with (tmp_path / "pipe").open("wb") as pipe:
            pipe.write(b"abc" * 100_000)
            os.close(keeps_it_open)

    writer = threading.Thread(target=write)
    writer.start()
    assert read_file(tmp_path / "pipe") == b"abc" * 100_000
    writer.join()


def test_nothing_that_is_no_file_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero"), tmp_path / "loop", tmp_path / "none"):
        with pytest.raises(OSError, match=r"."):
            read_file(path)
        with pytest.raises(OSError, match=r"."):
            require_file(path)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '"\\ud800"', '{"a": "\\udfff"}', "\xff"])
def test_what_is_no_json_that_can_be_written_again_is_a_value_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "file.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"."):
        read_file_json(tmp_path / "file.json")


def test_json_is_read(tmp_path: Path) -> None:
    value = {"a": [1, None, "ä😀"]}
    (tmp_path / "file.json").write_text(json.dumps(value))
    assert read_file_json(tmp_path / "file.json") == value
