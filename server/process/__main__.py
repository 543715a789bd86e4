"""What `hansa-server up` starts: `python -m server.process superlink|gateway|coordinator FOLDER`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from common.errors import HansaError
from server.folder import CoordinatorFolder
from server.modes import owner_only

LOGGER = logging.getLogger(__name__)
EXIT_MISTAKE = 2
OWN = {"__main__", "certs", "common", "server"}


def main() -> None:
    """Run one process of the coordinator; it says one sentence where it fails, and its supervisor starts it again."""
    what, folder = sys.argv[1:]
    if what != "superlink":  # which brings a way of its own to write a line
        start_logging()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Flower's word to itself, also under nohup
    home = CoordinatorFolder(Path(folder))
    try:
        with owner_only():
            _run(what, home)
    except HansaError as error:
        LOGGER.error("%s", error)
        sys.exit(EXIT_MISTAKE)
    except KeyboardInterrupt:  # Flower sends SIGINT to its own process where the SuperLink refuses the task's word
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        LOGGER.error(
            "The %s was interrupted, as Flower does where the SuperLink does not take its task any more, after a clock "
            "was set: it is started again, and no round is lost; if it happens again and again, set the clock right.",
            what,
        )
        sys.exit(EXIT_MISTAKE)
    except Exception as error:
        LOGGER.exception("The %s failed: %s", what, type(error).__name__)
        sys.exit(EXIT_MISTAKE)


def start_logging() -> None:
    """Write what we say, each in one line; of the libraries below only what is a warning, whatever level they set."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.partition(".")[0] in OWN)
    threading.excepthook = _say_thread


def _say_thread(ended: threading.ExceptHookArgs) -> None:
    """Say in one line that a thread has failed, as Flower's heartbeat does where the SuperLink is killed."""
    LOGGER.warning(
        "A thread (%s) ended with %s; where that was Flower's line to the SuperLink, it is opened again.",
        ended.thread.name if ended.thread else "?",
        ended.exc_type.__name__,
    )


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
