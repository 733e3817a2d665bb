"""Parts of an array are worked on at once, and the caller cannot tell but by the clock."""

import os
import sys
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from minunet import InputError
from minunet.fast.cpu import crop_concat as fast_crop_concat
from minunet.fast.cpu import parallel
from minunet.fast.cpu import pool as fast_pool
from minunet.fast.cpu import up_conv as fast_up_conv
from minunet.layers import crop_concat, pool, up_conv


@pytest.fixture(autouse=True)
def two_blas_threads():
    """Let BLAS have two threads; in the tests' processes it has one, see conftest.py."""
    parallel._pool.cache_clear()
    with threadpool_limits(2, "blas"):
        yield
    parallel._pool.cache_clear()


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def three_threads(monkeypatch) -> None:
    monkeypatch.setattr(parallel, "threads", lambda: 3)
    for module in (fast_crop_concat, fast_pool, fast_up_conv):
        monkeypatch.setattr(module, "WORTH", 0)


def test_results_come_in_the_order_of_the_parts():
    assert parallel.in_parallel(lambda part: part**2, range(20)) == [part**2 for part in range(20)]


def test_several_threads_work_and_blas_keeps_to_one_core_meanwhile(monkeypatch):
    monkeypatch.setattr(parallel, "threads", lambda: 2)
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


def test_the_callers_settings_hold_in_the_parts():
    with np.errstate(divide="ignore"):
        parallel.in_parallel(lambda part: np.ones(3) / 0, range(4))


@pytest.mark.parametrize("size", [1, 2, 7, 12, 40])
@pytest.mark.parametrize("multiple", [1, 4])
@pytest.mark.parametrize("at_most", [None, 5])
def test_slices_cover_the_axis(monkeypatch, size, multiple, at_most):
    monkeypatch.setattr(parallel, "threads", lambda: 3)
    slices = parallel.slices(size, multiple, at_most)
    assert [place for part in slices for place in range(size)[part]] == list(range(size))
    assert all(part.start % multiple == 0 and part.stop > part.start for part in slices)
    if multiple == 1:
        assert len(slices) == size or len(slices) % 3 == 0  # no core is left over in the last round
        assert max(part.stop - part.start for part in slices) <= (at_most or size)


def test_as_many_threads_as_blas_would_use():
    with threadpool_limits(1, "blas"):
        assert parallel.threads() == 1


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


@pytest.mark.parametrize("pixels", [1, 30, 10**6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_max_pool_in_parts(rng, monkeypatch, pixels, dtype):
    three_threads(monkeypatch)
    monkeypatch.setattr(fast_pool, "PIXELS", pixels)
    x = rng.integers(0, 3, (2, 7, 6, 10)).astype(dtype)  # with ties
    x[0, 2, 3, 4] = np.nan
    y, cache = fast_pool.max_pool_forward(x)
    expected, expected_cache = pool.max_pool_forward(x)
    dy = rng.standard_normal(y.shape).astype(dtype)
    dx, expected_dx = fast_pool.max_pool_backward(dy, cache), pool.max_pool_backward(dy, expected_cache)
    for result, wanted in ((y, expected), (cache.winner, expected_cache.winner), (dx, expected_dx)):
        assert result.dtype == wanted.dtype
        np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("band", [1, 10**6])
@pytest.mark.parametrize("H", [1, 2, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_up_conv_in_parts(rng, monkeypatch, H, dtype, band):
    three_threads(monkeypatch)
    monkeypatch.setattr(fast_up_conv, "BAND", band)
    shapes = (2, 6, H, 5), (6, 4, 2, 2), (4,)
    args = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    y, cache = fast_up_conv.up_conv_forward(*args)
    expected, expected_cache = up_conv.up_conv_forward(*args)
    dy = rng.standard_normal(y.shape).astype(dtype)
    results = [y, *fast_up_conv.up_conv_backward(dy, cache)]
    for result, wanted in zip(results, [expected, *up_conv.up_conv_backward(dy, expected_cache)], strict=True):
        assert result.dtype == wanted.dtype
        np.testing.assert_allclose(
            result, wanted, rtol=0, atol=(1e-13 if dtype == np.float64 else 1e-5) * abs(wanted).max()
        )


@pytest.mark.parametrize(("S", "C"), [(5, 5), (2, 7), (7, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_crop_concat_in_parts(rng, monkeypatch, S, C, dtype):
    three_threads(monkeypatch)
    skip, x = (rng.standard_normal(shape).astype(dtype) for shape in ((2, S, 9, 8), (2, C, 4, 6)))
    y, cache = fast_crop_concat.crop_concat_forward(skip, x)
    expected, expected_cache = crop_concat.crop_concat_forward(skip, x)
    dy = rng.standard_normal(y.shape).astype(dtype)
    gradients = fast_crop_concat.crop_concat_backward(dy, cache)
    expected_gradients = crop_concat.crop_concat_backward(dy, expected_cache)
    assert cache == expected_cache
    for result, wanted in zip((y, *gradients), (expected, *expected_gradients), strict=True):
        assert result.dtype == wanted.dtype
        np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("module", [crop_concat, fast_crop_concat], ids=["readable", "fast"])
def test_crop_concat_refuses_what_the_readable_one_refuses(rng, module):
    with pytest.raises(InputError, match="crop-concat needs a skip at least as large as x"):
        module.crop_concat_forward(rng.standard_normal((1, 2, 3, 4)), rng.standard_normal((1, 2, 4, 4)))
    y, cache = module.crop_concat_forward(rng.standard_normal((1, 2, 5, 4)), rng.standard_normal((1, 3, 4, 4)))
    with pytest.raises(InputError, match="dy must have the shape of the forward output"):
        module.crop_concat_backward(y[:, 1:], cache)


@pytest.mark.parametrize("module", [pool, fast_pool], ids=["readable", "fast"])
def test_max_pool_refuses_what_the_readable_one_refuses(rng, module):
    with pytest.raises(InputError, match="max-pool needs even H and W, got H=3, W=4"):
        module.max_pool_forward(rng.standard_normal((1, 2, 3, 4)))
    _, cache = module.max_pool_forward(rng.standard_normal((1, 2, 4, 4)))
    with pytest.raises(InputError, match="dy must have the shape of the forward output"):
        module.max_pool_backward(rng.standard_normal((1, 2, 4, 4)), cache)


@pytest.mark.parametrize("module", [up_conv, fast_up_conv], ids=["readable", "fast"])
def test_up_conv_refuses_what_the_readable_one_refuses(rng, module):
    x, weight, bias = (rng.standard_normal(shape) for shape in ((1, 3, 4, 4), (3, 2, 2, 2), (2,)))
    with pytest.raises(InputError, match="up-conv needs a 2x2 kernel"):
        module.up_conv_forward(x, weight[..., :1], bias)
    y, cache = module.up_conv_forward(x, weight, bias)
    with pytest.raises(InputError, match="dy must have the shape of the forward output"):
        module.up_conv_backward(y[:, :1], cache)
