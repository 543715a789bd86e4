"""A clock that a test sets for one process: a small library between a program and the system's wall clock.

The monotonic clock is left alone, as a machine leaves it when somebody sets the time.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
    char text[32] = {0};
    const char *path = getenv("CLOCK_OFFSET_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    return size > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, at);
    if (!code && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += offset();
    return code;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


class Clocks:
    """Clocks by name, all right at first."""

    def __init__(self, folder: Path) -> None:
        if (compiler := shutil.which("cc")) is None:
            pytest.skip("a clock that a test can set needs a C compiler, cc")
        self._folder = folder
        self._library = folder / "clock.so"
        (folder / "clock.c").write_text(SOURCE)
        words = ["-shared", "-fPIC", "-O2", "-o", str(self._library), str(folder / "clock.c"), "-ldl"]
        subprocess.run([compiler, *words], check=True, capture_output=True)

    def environment(self, name: str) -> dict[str, str]:
        """What a process is started with that lives by this clock."""
        return {"LD_PRELOAD": str(self._library), "CLOCK_OFFSET_FILE": str(self._folder / f"{name}.offset")}

    def set(self, name: str, seconds: int) -> None:
        """Put a clock forward, or back where `seconds` is negative, against the right time."""
        fresh = self._folder / f"{name}.offset.new"
        fresh.write_text(str(seconds))
        fresh.replace(self._folder / f"{name}.offset")
