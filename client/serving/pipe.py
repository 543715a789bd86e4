"""How the server's children speak to it: a JSON object a line, over the pipes that they were started with.

Whatever a library prints goes to standard error, and a child whose server is gone ends at once, whatever it is doing.
"""

from __future__ import annotations

import json
import os
import threading
from queue import Empty, SimpleQueue
from typing import Any

from client.serving.encoding import encode


class Pipe:
    """A child's end; made once, before anything is printed."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._heard: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, message: dict[str, Any]) -> None:
        """Tell the server something."""
        with self._lock:
            self._out.write(encode(message) + b"\n")
            self._out.flush()

    def hear(self, *, waits: bool = True) -> dict[str, Any] | None:
        """Give what the server says next; None where it has said nothing and nobody waits."""
        try:
            return self._heard.get(block=waits)
        except Empty:
            return None

    def _listen(self) -> None:
        rest = b""
        while said := os.read(0, 1 << 16):  # not by sys.stdin, whose lock this thread would hold at the end
            *lines, rest = (rest + said).split(b"\n")
            for line in lines:
                self._heard.put(json.loads(line))
        os._exit(0)
