"""The fake driver is strict: it finds what a GPU would do silently, and counts what is done."""

import numpy as np
import pytest

pytestmark = pytest.mark.gpu
KERNEL = """
extern "C" __global__ void fill(float *x, int size, float value)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < size) x[i] = value;
}
extern "C" __global__ void copy(float *x, const float *y, int size)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < size) x[i] = y[i];
}
extern "C" __global__ void reverse(float *x)
{
    __shared__ float all[64];
    all[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = all[blockDim.x - 1 - threadIdx.x];
}
struct alignas(8) Pair { float first, second; };
extern "C" __global__ void swap(float *x)
{
    Pair *pair = (Pair *)x + threadIdx.x;
    const Pair old = *pair;
    *pair = {old.second, old.first};
}
"""


@pytest.fixture
def cp(driver):
    import cupy

    return cupy


def kernel(cp, name, code=KERNEL):
    return cp.RawModule(code=code).get_function(name)


def test_a_kernel_runs_and_is_counted(cp, driver):
    x = cp.empty(300, np.float32)
    with driver.counted() as counts:
        kernel(cp, "fill")((2,), (256,), (x, np.int32(300), np.float32(7)))
        assert counts().launches == 1 and counts().by_name == {"fill": (1, 1200)} and counts().bytes == 1200
    assert (x.get() == 7).all()


def test_the_bytes_of_a_view_are_counted_if_its_size_is_said(cp, driver):
    x, fill = cp.empty(300, np.float32)[:10], kernel(cp, "fill")
    for run, size in ((fill, 1200), (driver.saying_sizes(fill), 40), (fill, 1200)):
        with driver.counted() as counts:
            run((1,), (256,), (x, np.int32(10), np.float32(7)))
            assert counts().by_name == {"fill": (1, size)}


def test_threads_wait_for_each_other_at_a_barrier(cp):
    x = cp.arange(64, dtype=np.float32)
    kernel(cp, "reverse")((1,), (64,), (x,))
    np.testing.assert_array_equal(x.get(), np.arange(64)[::-1])


@pytest.mark.parametrize("distance", [1, 31])
def test_a_missing_barrier_shows_at_one_of_two_launches(cp, distance):
    """Whether a thread reads what the next one has written, or the one before it."""
    code = KERNEL.replace("__syncthreads();", "")
    code = code.replace("blockDim.x - 1 - threadIdx.x", f"(threadIdx.x + {distance}) % blockDim.x")
    shift, is_right = kernel(cp, "reverse", code), []
    for launch in range(2):
        x = np.arange(32, dtype=np.float32) + 100 * launch
        y = cp.asarray(x)
        shift((1,), (32,), (y,))
        is_right.append(np.count_nonzero(y.get() == np.roll(x, -distance)) > 30)  # all but one, or nearly none
    assert sorted(is_right) == [False, True]


def test_a_write_beyond_an_array_is_found(cp):
    x = cp.empty(300, np.float32)
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="fill has written beyond the array"):
        kernel(cp, "fill")((2,), (256,), (x, np.int32(301), np.float32(7)))


def test_a_pair_that_does_not_begin_at_a_multiple_of_its_size_is_found(cp):
    x, swap = cp.arange(9, dtype=np.float32), kernel(cp, "swap")
    swap((1,), (4,), (x,))
    np.testing.assert_array_equal(x.get(), [1, 0, 3, 2, 5, 4, 7, 6, 8])
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="swap has read or written at an address"):
        swap((1,), (4,), (x[1:],))
    swap((1,), (4,), (x,))  # the error is over


def test_so_is_one_that_copies_what_lies_beyond_another_array(cp):
    x, y = cp.empty(300, np.float32), cp.empty(300, np.float32)
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="copy has written beyond the array"):
        kernel(cp, "copy")((2,), (256,), (x, y, np.int32(301)))


def test_fresh_memory_is_not_a_number(cp):
    assert np.isnan(cp.empty(5, np.float32).get()).all() and np.isnan(cp.empty(5).get()).all()


def test_a_source_that_does_not_compile_for_a_gpu_is_an_error_of_nvrtc(cp):
    with pytest.raises(cp.cuda.compiler.CompileException, match="nothing_such"):
        kernel(cp, "fill", KERNEL.replace("x[i] = value", "x[i] = nothing_such"))


def read_in_a_condition(cp, x):
    if x.any():
        return 1


@pytest.mark.parametrize(
    "wait",
    [
        lambda cp, x: float(x.sum()),
        lambda cp, x: int(x.sum()),
        read_in_a_condition,
        lambda cp, x: max(x),
        lambda cp, x: x.get(),
        lambda cp, x: x.tolist(),
        lambda cp, x: x[0].item(),
        lambda cp, x: cp.asnumpy(x),
        lambda cp, x: f"{x.sum()}",
        lambda cp, x: x[x > 1],
        lambda cp, x: x.__setitem__(x > 1, 0),
        lambda cp, x: x[np.ones(6, bool)],
        lambda cp, x: cp.unique(x),
        lambda cp, x: cp.where(x > 1),
        lambda cp, x: cp.cuda.Device().synchronize(),
    ],
)
def test_what_waits_for_the_gpu_is_an_error_where_it_is_forbidden_and_only_there(cp, driver, wait):
    x = cp.arange(6.0)
    with driver.no_waits(), pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="makes the host wait for the GPU"):
        wait(cp, x)
    wait(cp, x)
    with driver.no_waits():
        x += 2 * x


@pytest.mark.parametrize("index", [np.array([0, 2]), [0, 1]], ids=["array", "list"])
def test_an_index_of_the_host_is_a_copy_to_the_gpu_each_time(cp, driver, index):
    x = cp.arange(6.0)
    with pytest.raises(AssertionError, match="1 copies to the GPU"), driver.no_trips():
        x[index] = 0
    with driver.no_trips(copies=1):
        x[cp.asarray(index)] = cp.where(x > 1, x, 0).sum()


def test_copies_and_products_are_counted(cp, driver):
    host = np.ones((20, 30), np.float32)
    with driver.counted() as counts:
        x = cp.asarray(host)
        y = x @ x.T
        y.get()
        seen = counts()
    assert (seen.to_device, seen.to_host, seen.products, seen.launches) == (1, 1, 1, 0)
    assert seen.by_name["gemm"] == (1, 4 * (2 * 600 + 400))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shapes", [((5, 7), (7, 300)), ((3, 5, 7), (3, 7, 300)), ((7, 5), (5,)), ((2, 3, 4), (4, 3))])
def test_products_are_right(cp, shapes, dtype):
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    result = cp.asarray(a) @ cp.asarray(b)
    np.testing.assert_allclose(result.get(), a @ b, rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-5)


def test_with_nothing_but_counting_nothing_is_computed(cp, driver):
    with driver.counted(only_count=True) as counts:
        x = cp.ones((1000, 1000, 1000), np.float32)
        x += 1
        assert counts().launches == 2 and counts().bytes == 3 * 4 * 10**9
