"""What cannot be written is refused before anybody works for it."""

import os
from pathlib import Path

import pytest

from common.disk.file import require_folder_place, require_place
from common.errors import ConfigError


def test_a_new_file_and_new_folders_above_it_are_right(tmp_path: Path) -> None:
    for path in (tmp_path / "a.csv", tmp_path / "new" / "newer" / "a.csv"):
        require_place(path)
        require_folder_place(path)
    require_folder_place(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_and_what_lies_below_a_file_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a folder; name a file"):
        require_place(tmp_path)
    for require in (require_place, require_folder_place):
        with pytest.raises(ConfigError, match="is a file and no folder"):
            require(tmp_path / "file" / "a.csv")
    with pytest.raises(ConfigError, match="is a file and no folder"):
        require_folder_place(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="cannot be written to"):
        require_place(tmp_path / "new" / "a.csv")
