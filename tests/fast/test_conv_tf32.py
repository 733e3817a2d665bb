"""The convolution on tensor cores is that of rounded factors.

What is known of a tensor core is written down twice: by the tables below, which are those of the PTX ISA, and in
tests/gpu_on_cpu/tensor_core.h, which does its work where a CPU plays the GPU.
"""

import numpy as np
import pytest
from gpu_on_cpu import device
from on_gpu import assert_same, convolution, on_device

from minunet.backend import to_host
from minunet.fast import conv as fast_conv
from minunet.fast import thresholds
from minunet.fast.cuda import conv_tf32, loader
from minunet.fast.plan import plan
from minunet.gpu import TF32_CAPABILITY
from minunet.layers import conv, conv_relu

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("no_choice", "tf32_is_there")]

CONVOLUTIONS = [  # N, C, F, H, W
    (2, 3, 4, 7, 6),
    (1, 1, 1, 3, 3),  # a single output pixel
    (2, 9, 65, 12, 21),  # one more than a tile of channels, in and out; two tiles of pixels along each axis
    (1, 34, 3, 8, 35),
    (1, 8, 64, 10, 18),  # whole tiles
    (3, 2, 5, 27, 4),
    (1, 70, 130, 10, 18),  # three tiles of channels
]

# The PTX ISA 9.0, "Matrix Fragments for mma.m16n8k8", .tf32: row and column of each number that a lane holds
LANES = [(lane >> 2, lane % 4) for lane in range(32)]  # groupID, threadID_in_group
A = [[(g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)] for g, t in LANES]
B = [[(t, g), (t + 4, g)] for g, t in LANES]
D = [[(g, 2 * t), (g, 2 * t + 1), (g + 8, 2 * t), (g + 8, 2 * t + 1)] for g, t in LANES]

ONE_MMA = """
extern "C" __global__ void one_mma(const float *a, const float *b, float *d)
{
    __syncthreads();
    multiply_add(d + 4 * threadIdx.x, a + 4 * threadIdx.x, b + 2 * threadIdx.x);
}
"""


@pytest.fixture
def tf32_is_there(cupy):
    if int(cupy.cuda.Device().compute_capability) < TF32_CAPABILITY:
        pytest.skip("this GPU is older than TF32")


@pytest.fixture
def one_mma(cupy):
    """Return a function that takes what each lane of a warp holds of a, b and d, and returns what it then has of d."""
    code = loader.read(conv_tf32.SOURCE, "float32", "int", 4) + ONE_MMA
    kernel = cupy.RawModule(code=code, options=("-std=c++17",)).get_function("one_mma")

    def multiplied(*held):
        a, b, d = (on_device(x) for x in held)
        kernel((1,), (32,), (a, b, d))
        return to_host(d)

    return multiplied


def in_tf32(x):
    """Return numbers with 10 bits after the point; halves go away from zero, as `cvt.rna` rounds."""
    bits = x.astype(np.float32).view(np.uint32)
    return ((bits + np.uint32(1 << 12)) & np.uint32(0xFFFFE000)).view(np.float32)


def fragments(matrix, places):
    """Return what each lane holds of a matrix."""
    return np.array([[matrix[place] for place in held] for held in places], np.float32)


def test_the_tensor_core_has_the_isas_places(rng, one_mma):
    a, b, d = (in_tf32(rng.standard_normal(shape)) for shape in ((16, 8), (8, 8), (16, 8)))
    for matrix, places in ((a, A), (b, B), (d, D)):
        assert sorted(place for held in places for place in held) == list(np.ndindex(matrix.shape))  # each once
    held = [fragments(matrix, places) for matrix, places in ((a, A), (b, B), (d, D))]
    expected = fragments(d + a.astype(np.float64) @ b, D)
    np.testing.assert_allclose(one_mma(*held), expected, rtol=0, atol=1e-5)


def test_it_drops_the_bits_that_tf32_does_not_have(one_mma):
    a, b = np.full((32, 4), 1 + 2**-10 + 2**-11, np.float32), np.full((32, 2), 1 + 2**-11 + 2**-20, np.float32)
    assert (one_mma(a, b, np.zeros((32, 4), np.float32)) == 8 * (1 + 2**-10)).all()


@pytest.mark.parametrize("turned", [False, True])
def test_packed_weights_are_fragments_of_a(rng, turned):
    weight = rng.standard_normal((70, 13, 3, 3)).astype(np.float32)
    rows, columns = (13, 70) if turned else (70, 13)
    packed = to_host(conv_tf32._packed(on_device(weight), turned))
    packed = packed.reshape(
        -(-rows // 64), -(-columns // 8), 9, 4, 32, 4
    )  # blocks, chunks, taps, tiles, lanes, numbers
    expected = np.zeros((64 * packed.shape[0], 8 * packed.shape[1], 9), np.float32)
    as_read = weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1] if turned else weight
    expected[:rows, :columns] = in_tf32(as_read).reshape(rows, columns, 9)
    for block, chunk, tap, tile in np.ndindex(packed.shape[:4]):
        matrix = expected[64 * block + 16 * tile :, 8 * chunk :, tap]
        np.testing.assert_array_equal(packed[block, chunk, tap, tile], fragments(matrix, A))


def assert_close(results, expected):
    """Compare y, dx, dweight and dbias, each to its largest value: sums in float32 of factors in TF32.

    A GPU sums in another order, and may drop the last bit of a term.
    """
    tolerance = 2e-6 if device.IS_THERE else 2e-5
    for result, value in zip(results, expected, strict=True):
        assert_same(result, value.astype(np.float32), tolerance * max(1, np.abs(value).max()))


def rounded(*arrays):
    return [in_tf32(x).astype(np.float64) for x in arrays]


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("shape", CONVOLUTIONS, ids=str)
def test_it_is_the_readable_convolution(rng, shape):
    x, weight, bias, dy = convolution(rng, shape, np.float32)
    x_tf32, weight_tf32, dy_tf32 = rounded(x, weight, dy)
    y, cache = conv.conv2d_forward(x_tf32, weight_tf32, bias.astype(np.float64))
    dx, dweight, _ = conv.conv2d_backward(dy_tf32, cache)
    y_kernel, cache_kernel = conv_tf32.conv2d_forward(*(on_device(a) for a in (x, weight, bias)))
    gradients = conv_tf32.conv2d_backward(on_device(dy), cache_kernel)
    assert_close([y_kernel, *gradients], [y, dx, dweight, dy.sum(axis=(0, 2, 3))])


@pytest.mark.parametrize("slabs", [1, 1000])
def test_with_relu_in_any_number_of_slabs_and_without_dx(rng, monkeypatch, slabs):
    monkeypatch.setattr(thresholds, "CUDA_BLOCKS", slabs)
    monkeypatch.setattr(thresholds, "CUDA_TF32_SLAB", 1)
    x, weight, bias, dy = convolution(rng, (2, 5, 7, 13, 18), np.float32)
    y, _ = conv_relu.conv2d_relu_forward(*rounded(x, weight), bias.astype(np.float64))
    gated = dy * (y > 0)
    x_tf32, weight_tf32, gated_tf32 = rounded(x, weight, gated)
    dx, dweight, _ = conv.conv2d_backward(gated_tf32, conv.Conv2dCache(x_tf32, weight_tf32))
    y_kernel, cache = conv_tf32.conv2d_relu_forward(*(on_device(a) for a in (x, weight, bias)))
    gradients = conv_tf32.conv2d_relu_backward(on_device(dy), cache)
    assert_close([y_kernel, *gradients], [y, dx, dweight, gated.sum(axis=(0, 2, 3))])
    no_dx, dweight_alone, _ = conv_tf32.conv2d_relu_backward(on_device(dy), cache, with_dx=False)
    assert no_dx is None
    np.testing.assert_array_equal(to_host(dweight_alone), to_host(gradients[1]))


def test_a_number_that_is_none_stays_where_it_belongs(rng):
    x, weight, bias, _ = convolution(rng, (1, 2, 3, 14, 20), np.float32)
    x[0, 1, 9, 8] = np.nan
    x[0, 0, 2, 17] = np.inf
    y = to_host(conv_tf32.conv2d_forward(*(on_device(a) for a in (x, weight, bias)))[0])
    expected, _ = conv.conv2d_forward(x, weight, bias)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(y), np.isinf(expected))


@pytest.mark.parametrize(
    ("tf32", "choice", "dtype", "way"),
    [
        ("1", "auto", np.float32, "cuda_tf32"),
        ("1", "winograd", np.float32, "cuda"),  # the former way, to compare the two
        ("1", "auto", np.float64, "cuda"),
        ("0", "auto", np.float32, "cuda"),
    ],
)
def test_when_it_is_taken(rng, monkeypatch, tf32, choice, dtype, way):
    monkeypatch.setenv("CUPY_TF32", tf32)
    monkeypatch.setenv("MINUNET_CONVOLUTION", choice)
    x, weight, bias, dy = (on_device(a) for a in convolution(rng, (1, 2, 3, 6, 5), dtype))
    assert {plan(x, weight, backward).way for backward in (False, True)} == {way}
    y, cache = fast_conv.conv2d_relu_forward(x, weight, bias)
    expected, expected_cache = fast_conv.ON_GPU[way].conv2d_relu_forward(x, weight, bias)
    np.testing.assert_array_equal(to_host(y), to_host(expected))
    for result, gradient in zip(
        fast_conv.conv2d_relu_backward(dy, cache),
        fast_conv.ON_GPU[way].conv2d_relu_backward(dy, expected_cache),
        strict=True,
    ):
        np.testing.assert_array_equal(to_host(result), to_host(gradient))


def test_where_its_kernels_do_not_compile_winograds_take_their_place(rng, monkeypatch):
    monkeypatch.setenv("CUPY_TF32", "1")
    monkeypatch.setattr(loader, "compiles", lambda source, x: source != conv_tf32.SOURCE)
    x, weight, *_ = (on_device(a) for a in convolution(rng, (1, 2, 3, 6, 5), np.float32))
    assert plan(x, weight, backward=False).way == "cuda"
