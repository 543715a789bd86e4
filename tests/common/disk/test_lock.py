import subprocess
import sys
from pathlib import Path

import pytest

from common.disk.lock import hold
from common.errors import ConfigError

HOLD = """
import sys
from pathlib import Path
from common.disk.lock import hold
lock = hold(Path(sys.argv[1]), taken="taken")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_is_one_processs_until_it_ends_however_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(ConfigError, match=r"^stop the other one$"):
        hold(path, taken="stop the other one")
    other.kill()
    other.communicate()
    lock = hold(path, taken="stop the other one")
    with pytest.raises(ConfigError):
        hold(path, taken="stop the other one")
    lock.release()
    hold(path, taken="stop the other one").release()


def test_a_folder_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="make it writable, or choose another folder"):
        hold(tmp_path / "file" / "a.lock", taken="taken")
