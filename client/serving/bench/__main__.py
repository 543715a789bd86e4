"""The bench: `python -m client.serving.bench SNAPSHOT DAY` fits, and then answers one job after another."""

from __future__ import annotations

import signal
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from client.language.speech import OTHERS, say_in
from client.serving.pipe import Pipe
from common.errors import ConfigError, HansaError


def main() -> None:
    """Answer jobs until the server is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to hear; it ends its children
    pipe = Pipe()

    from client.serving.bench.job import JOBS  # heavy, as is what follows
    from client.serving.bench.workbench import Workbench

    bench = Workbench(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]))
    ahead = bench.warm_up()
    while True:
        message = pipe.hear(waits=False)
        while message is None and next(ahead, None) is not None:  # one step, unless somebody asks
            message = pipe.hear(waits=False)
        message = message or pipe.hear()
        if message is not None and time.time() < message["until"]:  # or nobody waits for it any more
            pipe.say({"number": message["number"], **_do(bench, JOBS.validate_python(message["job"]))})


def _do(bench: Any, job: Any) -> dict[str, Any]:
    try:
        answer = bench.do(job)
        return {"answer": answer, "spoken": {language: say_in(language, answer) for language in OTHERS}}
    except ConfigError as error:
        return {"question": str(error)}
    except HansaError as error:
        return {"data": str(error)}
    except Exception as error:  # the fault of one job costs no other
        return {"fault": type(error).__name__}


if __name__ == "__main__":
    main()
