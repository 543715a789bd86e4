"""What `hansa-server up` starts: `python -m server.process gateway|coordinator FOLDER`."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from types import FrameType

from common.errors import HansaError
from server.folder import CoordinatorFolder

LOGGER = logging.getLogger(__name__)
EXIT_MISTAKE = 2


def main() -> None:
    """Run one process of the coordinator; it says one sentence where it fails, and its supervisor starts it again."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    what, folder = sys.argv[1:]
    signal.signal(signal.SIGTERM, _leave)
    try:
        if what == "gateway":
            from server.process.gateway import serve  # each process imports what it needs and no more

            serve(CoordinatorFolder(Path(folder)))
        else:
            from server.coordinator.loop import coordinate

            coordinate(CoordinatorFolder(Path(folder)))
    except HansaError as error:
        LOGGER.error("%s", error)
        sys.exit(EXIT_MISTAKE)
    except Exception as error:
        LOGGER.exception("The %s failed: %s", what, type(error).__name__)
        sys.exit(EXIT_MISTAKE)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
