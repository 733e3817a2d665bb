"""Memory is used again once no array needs it, never before, and what lies idle stays within bounds."""

import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minunet import init_unet, unet_backward, unet_forward
from minunet.fast.cpu import memory

SHAPE, SIZE = (100, 500), 212_992  # of float32; 200,000 bytes, aligned and rounded up to 13 * 2**14


@pytest.fixture(autouse=True)
def nothing_idle():
    memory.give_back()
    yield
    memory.give_back()


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_is_used_again_when_the_array_is_gone():
    array = memory.empty(SHAPE, np.float32)
    before = address(array)
    assert array.shape == SHAPE and array.dtype == np.float32 and array.flags.c_contiguous and array.flags.writeable
    assert before % memory.ALIGNMENT == 0
    del array
    assert memory.idle_bytes() == SIZE
    again = memory.empty((50, 510), np.float64)  # another shape and dtype, of about the same size
    assert address(again) == before and memory.idle_bytes() == 0


@pytest.mark.parametrize(
    "view_of",
    [lambda a: a[3:, ::2], lambda a: a.T, lambda a: a.reshape(-1)[5:], memoryview, lambda a: np.asarray(memoryview(a))],
    ids=["slice", "transposed", "reshaped", "memoryview", "array of a memoryview"],
)
def test_memory_is_not_used_again_while_a_view_is_left(view_of):
    array = memory.empty(SHAPE, np.float32)
    array[:] = 7
    view = view_of(array)
    del array
    assert memory.idle_bytes() == 0
    memory.empty(SHAPE, np.float32)[:] = 8
    assert (np.asarray(view) == 7).all()
    del view
    assert memory.idle_bytes() == 2 * SIZE


def test_two_arrays_at_a_time_never_share_memory():
    arrays = [memory.empty(SHAPE, np.float32) for _ in range(5)]
    del arrays[1], arrays[2]
    arrays += [memory.empty(SHAPE, np.float32) for _ in range(4)]
    for number, array in enumerate(arrays):
        array[:] = number
    assert [np.unique(array).tolist() for array in arrays] == [[number] for number in range(7)]


def test_small_arrays_are_left_to_numpy():
    memory.empty((10, 10), np.float32)[:] = 1
    assert memory.idle_bytes() == 0


def test_what_lies_idle_is_given_back_before_it_is_too_much(monkeypatch):
    monkeypatch.setattr(memory, "AT_MOST", 3 * SIZE)
    for larger in range(1, 20):  # each of another size
        memory.empty((100, 500 * larger), np.float32)
        assert memory.idle_bytes() <= max(3, 1.2 * larger) * SIZE


def test_an_error_keeps_no_memory():
    def work():
        memory.empty(SHAPE, np.float32)[:] = 1
        array = memory.empty(SHAPE, np.float32)
        raise ValueError(array.shape)

    with pytest.raises(ValueError):
        work()
    assert memory.idle_bytes() == SIZE


def test_threads_never_get_the_same_memory():
    wrong = []

    def work(number):
        for _ in range(200):
            array = memory.empty(SHAPE, np.float32)
            array[::10] = number
            if not (array[::10] == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert memory.idle_bytes() <= 8 * SIZE  # each thread holds its last array while it asks for the next one


def test_an_array_can_be_pickled_and_copied():
    array = memory.empty(SHAPE, np.float32)
    array[:] = np.arange(500)
    other = pickle.loads(pickle.dumps(array))
    np.testing.assert_array_equal(other, array)
    assert not np.shares_memory(other, array) and not np.shares_memory(array.copy(), array)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_has_memory_of_its_own():
    array = memory.empty(SHAPE, np.float32)
    array[:] = 1
    child = os.fork()
    if not child:
        del array
        memory.empty(SHAPE, np.float32)[:] = 2
        os._exit(0)
    os.waitpid(child, 0)
    assert (array == 1).all()


def test_steps_after_the_first_ones_need_no_more_memory(rng):
    params = init_unet(rng, base_channels=8, depth=2)
    x = rng.standard_normal((2, 1, 124, 124)).astype(np.float32)
    held = []
    for _ in range(6):
        with threadpool_limits(1):  # with several threads it depends on chance how many arrays there are at a time
            logits, cache = unet_forward(params, x)
            unet_backward(np.ones_like(logits), cache)
        del logits, cache
        held.append(memory.idle_bytes())
    assert held[-1] == held[1] > 0


def test_python_ends_in_peace_while_arrays_are_left():
    code = (
        "from minunet.fast.cpu import memory; import numpy; b = [memory.empty((1000, 1000), numpy.float32)]; b += [b]"
    )
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


CODE = """
import resource, sys
import numpy as np
from minunet.fast.cpu.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(10_000_000, np.float32)  # 40 MB, made and dropped
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(choice):
    return int(subprocess.run([sys.executable, "-c", CODE, choice], capture_output=True, text=True, check=True).stdout)


def test_arrays_are_made_of_pages_that_are_there():
    if not memory.keep_freed_memory():
        pytest.skip("only glibc's malloc can be told")
    assert page_faults("keep") < page_faults("as it is") / 5


@pytest.mark.parametrize("error", [OSError, AttributeError, TypeError])
def test_another_c_library_is_left_alone(monkeypatch, error):
    def no_library(name):
        raise error

    monkeypatch.setattr("ctypes.CDLL", no_library)
    assert memory.keep_freed_memory() is False
