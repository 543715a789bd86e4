import os

import pytest

from common.machine.system import require_posix


def test_windows_is_told_in_one_sentence_where_hansa_runs() -> None:
    require_posix()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "name", "nt")
        with pytest.raises(SystemExit) as stop:
            require_posix()
    assert stop.value.code == "hansa runs on Linux; on Windows, run it in WSL, the Linux of Windows."
