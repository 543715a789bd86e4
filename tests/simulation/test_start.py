"""hansa-sim where not all of its packages are installed."""

import subprocess
import sys

WITHOUT = "import sys; sys.modules['tensorboard'] = None; from simulation.__main__ import main; main()"


def test_a_missing_package_is_one_sentence_that_says_what_to_install(write_plan, tables, tmp_path):
    command = [sys.executable, "-c", WITHOUT, "run", write_plan(), "--data-root", tables, "--out", tmp_path / "run"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert finished.stderr == (
        "hansa-sim: The package tensorboard is not installed; pip install 'hansa[sim,forecast]' brings all that the "
        "simulator uses.\n"
    )
