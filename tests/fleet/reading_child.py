"""Processes that read a table and note each batch in a file, and that die by kill -9 after so many rows.

One process imports everything once and forks a child for each order that it reads from its input: a line of JSON. It
answers with how the child ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from client.shop.settings import SourceSettings
from client.shop.source.database import DatabaseSource


def main() -> None:
    """Fork a child for each line of the input."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _read(json.loads(line))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201


def _read(order: dict[str, Any]) -> None:
    """Read on from the last whole line of the journal; a row may be the last thing that this process ever notes."""
    journal = Path(order["journal"])
    content = journal.read_bytes() if journal.exists() else b""
    content = content[: content.rfind(b"\n") + 1]
    lines = content.splitlines()
    cursor = json.loads(lines[-1])["cursor"] if lines else ""
    source = DatabaseSource(SourceSettings(**order["settings"]), Path(order["folder"]), **order["sizes"])
    left = order["rows_to_live"]
    with journal.open("wb") as file:
        file.write(content)
        for batch in source.batches(cursor):
            numbers = batch.rows["number"].to_pylist()
            note = json.dumps({"numbers": numbers, "cursor": batch.cursor}).encode() + b"\n"
            if left <= len(numbers):
                file.write(note[: len(note) * left // (len(numbers) + 1)])
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            left -= len(numbers)
            file.write(note)
            file.flush()


if __name__ == "__main__":
    main()
