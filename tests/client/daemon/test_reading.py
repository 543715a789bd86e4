import threading
import time

import pytest

from client.daemon.reading import BackgroundReading
from common.errors import DataError, MessageError


def test_what_was_read_is_given_to_whoever_waits_long_enough() -> None:
    gate = threading.Event()
    reading = BackgroundReading(lambda: gate.wait(60))
    assert not reading.is_done(within_seconds=0.05)
    with pytest.raises(MessageError, match="still being read"):
        reading.result(is_over=lambda: True)
    gate.set()
    assert reading.result(is_over=lambda: False) is True


def test_an_error_comes_out_where_the_result_would() -> None:
    def fail() -> int:
        raise DataError("There is no file.")

    reading = BackgroundReading(fail)
    with pytest.raises(DataError, match="no file"):
        reading.result(is_over=lambda: False)
    assert reading.has_failed


def test_one_is_read_at_a_time_and_what_nobody_wants_is_not_begun() -> None:
    gate, begun = threading.Event(), []

    def read(name: str) -> str:
        begun.append(name)
        gate.wait(60)
        return name

    first = BackgroundReading(lambda: read("first"))
    first.cancel()
    second = BackgroundReading(lambda: read("second"), after=first)
    second.cancel()
    third = BackgroundReading(lambda: read("third"), after=second)
    time.sleep(0.1)
    assert begun == ["first"]
    gate.set()
    assert third.result(is_over=lambda: False) == "third"
    assert begun == ["first", "third"]
