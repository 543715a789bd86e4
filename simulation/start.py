"""Start hansa-sim; where a package is missing, one sentence says what to install."""

from __future__ import annotations

import sys

from simulation.command.terminal import EXIT_MISTAKE


def main() -> None:
    """Run the command line; not every installation has the packages that the simulator alone needs."""
    try:
        from simulation.cli import main as run

        run()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        sys.stderr.write(
            f"hansa-sim: The package {package} is not installed; pip install 'hansa[sim,forecast]' brings all that the "
            "simulator uses.\n"
        )
        sys.exit(EXIT_MISTAKE)
