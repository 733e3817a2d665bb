"""Parts of an array are worked on at once, and the caller cannot tell but by the clock."""

import os
import sys
import threading
import weakref

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from minunet import InputError
from minunet.fast.cpu import parallel


@pytest.fixture(autouse=True)
def two_blas_threads():
    """Let BLAS have two threads; in the tests' processes it has one, see conftest.py."""
    with threadpool_limits(2, "blas"):
        yield


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_results_come_in_the_order_of_the_parts():
    assert parallel.in_parallel(lambda part: part**2, range(20)) == [part**2 for part in range(20)]


def test_several_threads_work_and_blas_keeps_to_one_core_meanwhile():
    meeting, before = threading.Barrier(2, timeout=10), blas_threads()
    seen = parallel.in_parallel(lambda part: (meeting.wait(), blas_threads()), [0, 1])  # two, or it breaks
    assert all(count == 1 for _, counts in seen for count in counts)
    assert blas_threads() == before


def test_an_error_in_a_part_reaches_the_caller_and_blas_gets_its_threads_back():
    before = blas_threads()

    def work(part):
        raise InputError(f"part {part}")

    for count in (1, 2):
        with pytest.raises(InputError, match=r"part [01]"):
            parallel.in_parallel(work, range(count))
    assert blas_threads() == before


@pytest.mark.parametrize("inner", [[-3], range(-4, 0)], ids=["one part", "several parts"])
def test_a_call_from_within_the_work_does_its_parts_itself_in_every_thread(inner):
    """It deadlocked: the inner call waited for the outer one to end."""
    meeting, before = threading.Barrier(2, timeout=10), blas_threads()

    def work(part):
        meeting.wait()  # so that the caller's thread does one part, and another thread the other
        assert parallel.threads() == 1
        seen = parallel.in_parallel(lambda number: (abs(number), threading.current_thread()), inner)
        assert seen == [(abs(number), threading.current_thread()) for number in inner]
        return threading.current_thread()

    both = within_seconds(lambda: parallel.in_parallel(work, [0, 1]))
    assert len(set(both)) == 2 and blas_threads() == before
    assert parallel.threads() == 2


def test_the_parts_after_an_error_are_not_begun():
    begun = []

    def work(part):
        begun.append(part)
        raise ValueError(part)

    with pytest.raises(ValueError):
        parallel.in_parallel(work, range(100))
    assert len(begun) <= 2


def test_threads_stay_and_keep_nothing_of_the_work():
    array = np.zeros(3)
    left = weakref.ref(array)
    before = threading.active_count()
    for _ in range(5):
        parallel.in_parallel(lambda part, array=array: None, range(4))
    assert threading.active_count() <= before + 1
    del array
    parallel.in_parallel(abs, range(4))  # the helper has let go of what it did before this
    assert left() is None


@pytest.mark.parametrize("items", range(6))
@pytest.mark.parametrize("count", [1, 2, 3])
def test_items_side_by_side(items, count):
    with threadpool_limits(count, "blas"):
        shared = parallel.side_by_side(lambda item: (item, parallel.threads()), range(items))
    assert [item for item, _ in shared] == list(range(items))
    with_all_cores = [item for item, cores in shared if cores > 1]
    assert with_all_cores == {(1, 2): [0], (3, 2): [2], (5, 2): [4], (1, 3): [0], (4, 3): [3]}.get((items, count), [])


def test_two_callers_wait_for_each_other():
    inside, log = threading.Lock(), []

    def work(part):
        if part == 0:  # one part of each call
            assert inside.acquire(blocking=False), "the other call is at work, too"
            threading.Event().wait(0.05)
            inside.release()
        log.append(part)

    callers = [threading.Thread(target=parallel.in_parallel, args=(work, range(3)), daemon=True) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=10)
    assert sorted(log) == [0, 0, 1, 1, 2, 2]


def within_seconds(function):
    """Return what the function returns; fail, rather than hang, if that takes more than ten seconds."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()), daemon=True)
    thread.start()
    thread.join(timeout=10)
    assert results, "it hangs, or has raised"
    return results[0]


def test_the_callers_settings_hold_in_the_parts():
    with np.errstate(divide="ignore"):
        parallel.in_parallel(lambda part: np.ones(3) / 0, range(4))


@pytest.mark.parametrize("size", [1, 2, 7, 12, 40])
@pytest.mark.parametrize("multiple", [1, 4])
def test_parts_cover_the_axis(monkeypatch, size, multiple):
    monkeypatch.setattr(parallel, "threads", lambda: 3)
    parts = parallel.parts_of(size, multiple)
    assert [place for part in parts for place in range(size)[part]] == list(range(size))
    assert all(part.start % multiple == 0 and part.stop > part.start for part in parts)
    assert len(parts) == min(3, -(-size // multiple))


def test_as_many_threads_as_blas_would_use():
    with threadpool_limits(1, "blas"):
        assert parallel.threads() == 1


def test_no_more_threads_than_the_cores_that_a_container_may_use(monkeypatch):
    """BLAS counts the cores of the machine; more threads than a container's cores only stop each other."""
    with threadpool_limits(3, "blas"):
        for count in (1, 2):
            monkeypatch.setattr(parallel, "cores", lambda count=count: count)
            at_work = parallel.in_parallel(lambda part: threading.Event().wait(0.01) or threading.get_ident(), range(9))
            assert parallel.threads() == len(parallel.parts_of(100)) == len(set(at_work)) == count


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    parallel.in_parallel(abs, range(4))
    sys.stdout.flush()
    child = os.fork()
    if not child:
        os._exit(parallel.in_parallel(abs, range(4)) != [0, 1, 2, 3])
    for _ in range(100):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        threading.Event().wait(0.1)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child waits for threads that it does not have")
    assert status == 0
