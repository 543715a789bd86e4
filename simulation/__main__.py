"""Start hansa-sim, ready for Ctrl-C before anything else is imported."""

from __future__ import annotations

import sys

from common.command.signals import hearing_signals


def main() -> None:
    """Run the command line; not every installation has the packages that the simulator alone needs."""
    with hearing_signals("hansa-sim"):
        from common.command.program import EXIT_MISTAKE, run_program

        try:
            run_program("hansa-sim", "simulation.cli")
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            sys.stderr.write(
                f"hansa-sim: The package {package} is not installed; pip install 'hansa[sim,forecast]' brings all that "
                "the simulator uses.\n"
            )
            sys.exit(EXIT_MISTAKE)


if __name__ == "__main__":
    main()
