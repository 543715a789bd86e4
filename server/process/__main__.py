"""What `hansa-server up` starts: `python -m server.process superlink|gateway|coordinator FOLDER`."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from types import FrameType

from common.errors import HansaError
from server.folder import CoordinatorFolder
from server.modes import owner_only

LOGGER = logging.getLogger(__name__)
EXIT_MISTAKE = 2


def main() -> None:
    """Run one process of the coordinator; it says one sentence where it fails, and its supervisor starts it again."""
    what, folder = sys.argv[1:]
    if what != "superlink":  # which brings a way of its own to write a line
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
        logging.getLogger("httpx").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, _leave)
    home = CoordinatorFolder(Path(folder))
    try:
        with owner_only():
            _run(what, home)
    except HansaError as error:
        LOGGER.error("%s", error)
        sys.exit(EXIT_MISTAKE)
    except Exception as error:
        LOGGER.exception("The %s failed: %s", what, type(error).__name__)
        sys.exit(EXIT_MISTAKE)


def _run(what: str, home: CoordinatorFolder) -> None:
    if what == "superlink":
        from server.process.superlink import serve_superlink  # each process imports what it needs and no more

        serve_superlink(home, home.read_settings())
    elif what == "gateway":
        from server.process.gateway import serve

        serve(home)
    else:
        from server.coordinator.loop import coordinate

        coordinate(home)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
