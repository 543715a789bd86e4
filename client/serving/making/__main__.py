"""The maker: `python -m client.serving.making FOLDER` makes one edition, tells how far it is, and ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from client.serving.pipe import Pipe
from common.errors import HansaError

TELL_SECONDS = 0.25
NICE = 5  # who is answered now comes first


def main() -> None:
    """Make one edition."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to hear; it ends its children
    os.nice(NICE)
    pipe, told_at, told = Pipe(), 0.0, ""

    def tell(what: str, share: float) -> None:
        nonlocal told_at, told
        now = time.monotonic()
        if what != told or now - told_at > TELL_SECONDS:
            told_at, told = now, what
            pipe.say({"what": what, "share": share})

    from client.serving.making.making import make_edition  # heavy

    try:
        pipe.say({"made": make_edition(Path(sys.argv[1]), tell)})
    except HansaError as error:
        pipe.say({"trouble": str(error)})
    except OSError as error:
        pipe.say({"trouble": f"The disk cannot be written: {error.strerror}; make room."})


if __name__ == "__main__":
    main()
