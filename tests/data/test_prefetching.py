"""Results drawn in the background are the same; only the waiting time changes."""

import contextlib
import itertools
import subprocess
import sys
import threading
import time
import traceback

import numpy as np
import pytest

from minunet.data import prefetch


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def first(drawn, count):
    return [value for value, _ in itertools.islice(drawn, count)]


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_results_come_in_order_however_long_each_takes(ahead):
    def draw(step):
        time.sleep(0.02 * (step % 3))
        return np.random.default_rng([1, step]).random(4).tolist()

    with contextlib.closing(prefetch(draw, 3, ahead)) as drawn:
        assert first(drawn, 9) == [draw(step) for step in range(3, 12)]


def test_no_more_is_drawn_than_asked_for():
    begun = []
    with contextlib.closing(prefetch(begun.append, 10, ahead=3)) as drawn:
        assert begun == []
        next(drawn)
        time.sleep(0.05)
        assert sorted(begun) == [10, 11, 12, 13]


def test_the_wait_is_told_and_vanishes_when_the_consumer_is_slower():
    def draw(step):
        time.sleep(0.1)

    with contextlib.closing(prefetch(draw, 0)) as drawn:
        waits = []
        for _, wait in itertools.islice(drawn, 4):
            waits.append(wait)
            time.sleep(0.25)
    assert 0.08 < waits[0] and max(waits[1:]) < 0.05


def test_an_error_comes_up_where_its_result_is_due_with_its_traceback():
    def culprit(step):
        if step == 2:
            raise ValueError("no tile")
        return step

    drawn = prefetch(culprit, 0)
    assert first(drawn, 2) == [0, 1]
    with pytest.raises(ValueError, match="no tile") as caught:
        next(drawn)
    assert "culprit" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not threads()


def test_closing_ends_the_threads_and_starts_no_further_draw():
    begun = []

    def draw(step):
        begun.append(step)
        time.sleep(0.05)

    drawn = prefetch(draw, 0, ahead=2)
    next(drawn)
    assert len(threads()) == 2
    began = time.monotonic()
    drawn.close()
    assert time.monotonic() - began < 0.2 and not threads()
    count = len(begun)
    time.sleep(0.1)
    assert len(begun) == count


@pytest.mark.parametrize(("ending", "code"), [("", 0), ("raise KeyboardInterrupt", -2), ("raise SystemExit(3)", 3)])
def test_a_program_ends_at_once_though_the_generator_was_left_open(ending, code):
    program = f"from minunet.data import prefetch; drawn = prefetch(lambda n: n, 0); next(drawn); {ending}"
    ended = subprocess.run([sys.executable, "-c", program], timeout=10, check=False, capture_output=True)
    assert ended.returncode in (code, 130 if code == -2 else code)
