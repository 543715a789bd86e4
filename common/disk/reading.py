"""Read files that a person, a crash or another program may have put there: never wait for ever, never fall over.

Whoever reads knows what a file is to its user, so nothing here makes a sentence: all that can be wrong comes out as
OSError (there is no such file, or it is none) or ValueError (it does not hold what it should).
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO


def read_file(path: Path) -> bytes:
    """Read all of a file, or of a pipe that somebody writes into, as `<(…)` of a shell.

    Raises
    ------
    OSError
        It cannot be read, or it is a pipe that nobody writes into, a folder or a device, which might never end.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
            raise _no_file(path)
        first = stream.read(1)  # None where a pipe has a writer that has said nothing yet
        if first == b"" and stat.S_ISFIFO(mode):
            raise _no_file(path)
        os.set_blocking(stream.fileno(), True)
        return (first or b"") + stream.readall()


def open_file(path: Path) -> BinaryIO:
    """Open a file to read it part by part.

    Raises
    ------
    OSError
        It cannot be read, or it is a pipe, a folder or a device, which might never end.
    """
    stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    stream.close()
    raise _no_file(path)


def read_file_text(path: Path) -> str:
    """Read a file of text; a UnicodeDecodeError, which is a ValueError, where it is no UTF-8."""
    return read_file(path).decode()


def read_file_json(path: Path) -> Any:
    """Read a file of JSON.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is no JSON, deeper than can be read, or has text that cannot be written again.
    """
    try:
        value = json.loads(read_file(path))
    except RecursionError as error:
        raise ValueError("brackets within brackets, too deep to read") from error
    json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    return value


def require_file(path: Path) -> None:
    """Refuse what a library would wait for, for ever: anything that is there and is no file.

    Raises
    ------
    OSError
        It is not there, or is a pipe, a folder or a device.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise _no_file(path)


def _no_file(path: Path) -> OSError:
    return OSError(errno.EINVAL, "it is no file", str(path))
