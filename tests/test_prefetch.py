"""Drawing ahead changes nothing but the wait."""

import contextlib
import threading
import time
from itertools import islice

import pytest

from minunet.data import prefetch


def test_what_is_drawn_comes_in_order():
    with contextlib.closing(prefetch(lambda step: step**2, 3)) as drawn:
        assert [value for value, _ in islice(drawn, 5)] == [9, 16, 25, 36, 49]


def test_it_is_drawn_while_the_consumer_works():
    def draw(step):
        time.sleep(0.05)
        return step

    with contextlib.closing(prefetch(draw, 0)) as drawn:
        waits = []
        for _, wait in islice(drawn, 4):
            waits.append(wait)
            time.sleep(0.15)
    assert waits[0] > 0.03 and max(waits[1:]) < 0.03


def test_an_error_comes_up_where_its_result_is_asked_for():
    def draw(step):
        if step == 2:
            raise ValueError("no tile")
        return step

    with contextlib.closing(prefetch(draw, 0)) as drawn:
        assert [next(drawn)[0], next(drawn)[0]] == [0, 1]
        with pytest.raises(ValueError, match="no tile"):
            next(drawn)


def test_closing_stops_the_thread():
    drawn = prefetch(lambda step: step, 0)
    next(drawn)
    assert any(thread.name.startswith("tiles") for thread in threading.enumerate())
    drawn.close()
    assert not any(thread.name.startswith("tiles") for thread in threading.enumerate())
