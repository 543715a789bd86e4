"""Start hansa-server, ready for Ctrl-C before anything else is imported."""

from __future__ import annotations

from common.command.signals import hearing_signals


def main() -> None:
    """Run the command line."""
    with hearing_signals("hansa-server"):
        from common.command.program import run_program

        run_program("hansa-server", "server.cli")


if __name__ == "__main__":
    main()
