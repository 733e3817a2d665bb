"""Every CUDA kernel, run on the CPU on the strict stand-in for CuPy, equals the readable layer."""

import numpy as np
import pytest
from strict_cupy import raw_module

from minunet import InputError, flatten, unet_backward, unet_forward
from minunet.backend import array_module, map_tree, to_device, to_host
from minunet.course import pretend_gpu
from minunet.fast import conv as fast_conv
from minunet.fast import layers as fast
from minunet.fast.choose import choose
from minunet.fast.cpu import winograd
from minunet.fast.cuda import crop_concat as crop_concat_kernels
from minunet.fast.cuda import loader
from minunet.fast.cuda import loss as loss_kernels
from minunet.fast.cuda import pool as pool_kernels
from minunet.fast.cuda import relu as relu_kernels
from minunet.fast.cuda import winograd as winograd_kernels
from minunet.layers import conv, crop_concat, loss, pool, relu

pytestmark = [
    pytest.mark.skipif(raw_module.COMPILER is None, reason="g++ is not there to run the kernels on the CPU"),
    pytest.mark.usefixtures("stand_in"),
]


@pytest.fixture(autouse=True)
def no_choice(monkeypatch):
    monkeypatch.delenv("MINUNET_KERNELS", raising=False)
    monkeypatch.delenv("MINUNET_CONVOLUTION", raising=False)


@pytest.fixture(params=[(np.float32, "int"), (np.float64, "long long")], ids=["float", "double"])
def dtype(request, monkeypatch):
    """Return a dtype; the kernels of the second count as if the arrays were huge."""
    if request.param[1] == "long long":
        monkeypatch.setattr(loader, "INT_LIMIT", 0)
    return request.param[0]


def on_device(x):
    return to_device(x, "gpu")


def assert_same(result, expected, tolerance=0.0):
    assert array_module(result).__name__ == "cupy"
    assert result.dtype == expected.dtype and result.shape == expected.shape
    np.testing.assert_allclose(to_host(result), expected, rtol=tolerance, atol=tolerance)


def with_ties(rng, shape, dtype):
    """Return few different values, so that many windows are ties, and some pixels that are no numbers."""
    x = rng.integers(-1, 2, shape).astype(dtype)
    x[0, 0, :2, :3] = [[np.nan, -np.inf, 1], [2, 0, np.nan]]
    return x


@pytest.mark.parametrize("shape", [(2, 3, 6, 10), (1, 1, 2, 4), (3, 5, 30, 14)])
def test_max_pool(rng, dtype, shape):
    x = with_ties(rng, shape, dtype)
    y, cache = pool.max_pool_forward(x)
    dy = rng.standard_normal(y.shape).astype(dtype)
    y_kernel, cache_kernel = pool_kernels.max_pool_forward(on_device(x))
    assert_same(y_kernel, y)
    assert_same(cache_kernel.winner, cache.winner)
    assert_same(pool_kernels.max_pool_backward(on_device(dy), cache_kernel), pool.max_pool_backward(dy, cache))


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (300,), (), (2, 0, 3, 3)])
def test_relu(rng, dtype, shape):
    x, dy = np.asarray(rng.standard_normal((2, *shape)), dtype)
    x.reshape(-1)[:4] = [0, -0.0, np.nan, np.inf][: x.size]
    y, cache = relu.relu_forward(x)
    y_kernel, cache_kernel = relu_kernels.relu_forward(on_device(x))
    assert_same(y_kernel, y)
    assert_same(relu_kernels.relu_backward(on_device(dy), cache_kernel), relu.relu_backward(dy, cache))


@pytest.mark.parametrize(
    ("skip_shape", "x_shape"),
    [
        ((2, 3, 9, 8), (2, 2, 5, 4)),
        ((1, 1, 7, 8), (1, 4, 4, 3)),  # odd differences
        ((3, 2, 5, 6), (3, 5, 5, 6)),  # nothing to crop
        ((1, 2, 40, 9), (1, 3, 2, 7)),
    ],
)
def test_crop_concat(rng, dtype, skip_shape, x_shape):
    skip, x = rng.standard_normal(skip_shape).astype(dtype), rng.standard_normal(x_shape).astype(dtype)
    y, cache = crop_concat.crop_concat_forward(skip, x)
    dy = rng.standard_normal(y.shape).astype(dtype)
    y_kernel, cache_kernel = crop_concat_kernels.crop_concat_forward(on_device(skip), on_device(x))
    assert_same(y_kernel, y)
    assert cache_kernel == cache
    gradients = crop_concat_kernels.crop_concat_backward(on_device(dy), cache_kernel)
    for gradient, expected in zip(gradients, crop_concat.crop_concat_backward(dy, cache), strict=True):
        assert_same(gradient, expected)


@pytest.mark.parametrize("labels_dtype", [np.int64, np.uint8])
@pytest.mark.parametrize("with_weights", [True, False])
@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (1, 2, 30, 11), (3, 1, 2, 3)])
def test_loss(rng, dtype, shape, with_weights, labels_dtype):
    N, K, H, W = shape
    logits = (rng.standard_normal(shape) * 10 + 1e4 * rng.standard_normal((N, 1, H, W))).astype(dtype)
    labels = rng.integers(0, K, (N, H, W)).astype(labels_dtype)
    weights = None
    if with_weights:
        weights = rng.random((N, H, W))  # float64, whatever the logits
        weights[:, 0] = 0
        labels[:, 0] = 255  # not to be used as an index
    value, cache = loss.softmax_cross_entropy_forward(logits, labels, weights)
    dloss = np.asarray(-1.7, dtype)
    args = [None if x is None else on_device(x) for x in (logits, labels, weights)]
    value_kernel, cache_kernel = loss_kernels.softmax_cross_entropy_forward(*args)
    tolerance = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(to_host(value_kernel), value, rtol=tolerance)
    assert_same(cache_kernel.p, cache.p, tolerance)
    dlogits = loss_kernels.softmax_cross_entropy_backward(on_device(dloss), cache_kernel)
    assert_same(dlogits, loss.softmax_cross_entropy_backward(dloss, cache), tolerance / 10)
    if with_weights:
        assert not to_host(dlogits)[:, :, 0].any()


CONVOLUTIONS = [  # N, C, F, H, W
    (2, 3, 4, 7, 6),
    (1, 2, 3, 3, 3),  # a single output pixel
    (3, 2, 5, 12, 9),  # one row of tiles beyond the last whole one, and three columns
    (2, 1, 2, 10, 18),  # whole tiles
    (1, 5, 1, 5, 40),
]


def convolution(rng, shape, dtype):
    """Return x, weight, bias and dy."""
    N, C, F, H, W = shape
    sizes = (N, C, H, W), (F, C, 3, 3), (F,), (N, F, H - 2, W - 2)
    return [rng.standard_normal(size).astype(dtype) for size in sizes]


def assert_close(results, expected, dtype):
    """Compare y, dx, dweight and dbias, each to its largest value."""
    for result, value in zip(results, expected, strict=True):
        assert_same(result, value, (2e-5 if dtype == np.float32 else 1e-13) * max(1, np.abs(value).max()))


@pytest.fixture(params=[4, 2], ids=["F(4x4)", "F(2x2)"])
def tile(request, monkeypatch):
    """Return how large Winograd's tiles are in this test."""
    for module in (loader, winograd_kernels):
        monkeypatch.setattr(module, "tile_size", lambda dtype: request.param)
    return request.param


@pytest.mark.parametrize("buffer", [2**28, 1], ids=["together", "one_by_one"])
@pytest.mark.parametrize("shape", CONVOLUTIONS)
def test_winograd(rng, monkeypatch, dtype, tile, shape, buffer):
    monkeypatch.setattr(winograd_kernels, "BUFFER", buffer)
    x, weight, bias, dy = convolution(rng, shape, dtype)
    y, cache = conv.conv2d_forward(x, weight, bias)
    y_kernel, cache_kernel = winograd_kernels.conv2d_forward(*(on_device(a) for a in (x, weight, bias)))
    gradients = winograd_kernels.conv2d_backward(on_device(dy), cache_kernel)
    assert_close([y_kernel, *gradients], [y, *conv.conv2d_backward(dy, cache)], dtype)


@pytest.mark.parametrize("shape", CONVOLUTIONS)
def test_winograd_with_relu(rng, dtype, tile, shape):
    x, weight, bias, dy = convolution(rng, shape, dtype)
    y, cache = conv.conv2d_forward(x, weight, bias)
    y, relu_cache = relu.relu_forward(y)
    expected = conv.conv2d_backward(relu.relu_backward(dy, relu_cache), cache)
    y_kernel, cache_kernel = winograd_kernels.conv2d_relu_forward(*(on_device(a) for a in (x, weight, bias)))
    gradients = winograd_kernels.conv2d_relu_backward(on_device(dy), cache_kernel)
    assert_close([y_kernel, *gradients], [y, *expected], dtype)


B2 = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]])  # of F(2x2, 3x3)
G2 = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2


def test_winograds_transforms_are_those_of_its_matrices(rng, tile):
    B, G = (winograd.B, winograd.G) if tile == 4 else (B2, G2)
    side, points = tile + 2, (tile + 2) ** 2
    x, weight, *_ = convolution(rng, (2, 3, 4, 12, 9), np.float64)
    U = np.einsum("ip,jq,fcpq->ijfc", G, G, weight).reshape(points, 4, 3)
    np.testing.assert_allclose(to_host(winograd_kernels._evaluate_kernels(on_device(weight))), U, atol=1e-14)
    padded = np.pad(x, [(0, 0), (0, 0), (0, 2), (0, 1)])  # y has 10 x 7 pixels; it is covered by 12 x 8
    corners = [(n, h, w) for n in range(2) for h in range(0, 10, tile) for w in range(0, 7, tile)]
    tiles = np.array([padded[n, :, h : h + side, w : w + side] for n, h, w in corners])
    V = np.einsum("ip,jq,tcpq->ijct", B, B, tiles).reshape(points, 3, len(corners))
    np.testing.assert_allclose(to_host(winograd_kernels._evaluate_tiles(on_device(x))), V, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tf32_takes_the_smaller_tiles_for_float32_only(monkeypatch, dtype):
    assert loader.tile_size(dtype) == 4
    monkeypatch.setenv("CUPY_TF32", "1")
    assert loader.tile_size(dtype) == (2 if dtype == np.float32 else 4)


@pytest.mark.parametrize("label", [-1, 3, 255, 2**32, -(2**32)])
def test_a_wrong_label_makes_the_loss_nan_unless_it_weighs_nothing(rng, dtype, label):
    logits, labels = rng.standard_normal((2, 3, 4, 5)).astype(dtype), rng.integers(0, 3, (2, 4, 5))
    weights = rng.random(labels.shape).astype(dtype)
    labels[0, 2, 3] = label  # a class that is one too many would be found in the next image
    for given in (None, weights):
        args = [x if x is None else on_device(x) for x in (logits, labels, given)]
        value, cache = loss_kernels.softmax_cross_entropy_forward(*args)
        expected, expected_cache = loss.softmax_cross_entropy_forward(*args)
        assert np.isnan(float(value)) and np.isnan(float(expected))
        dlogits = loss_kernels.softmax_cross_entropy_backward(dtype(1), cache)
        assert_same(dlogits, to_host(loss.softmax_cross_entropy_backward(dtype(1), expected_cache)), 1e-6)
    weights[0, 2, 3] = 0
    value, _ = loss_kernels.softmax_cross_entropy_forward(*(on_device(x) for x in (logits, labels, weights)))
    assert np.isfinite(float(value))


def test_numbers_that_are_none_spread_as_in_the_readable_layers(rng, dtype):
    x = rng.standard_normal((2, 3, 8, 10)).astype(dtype)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[rng.random(x.shape) < 0.2] = -np.inf
    labels = rng.integers(0, 3, (2, 8, 10))
    with np.errstate(invalid="ignore"):
        _, cache = loss.softmax_cross_entropy_forward(x, labels)
    assert 0 < np.isnan(cache.p).mean() < 1
    assert_same(loss_kernels.softmax_cross_entropy_forward(on_device(x), on_device(labels))[1].p, cache.p, 1e-6)
    dy = x[:, :, ::2, ::2]
    y, cache = pool.max_pool_forward(x)
    y_kernel, cache_kernel = pool_kernels.max_pool_forward(on_device(x))
    assert_same(y_kernel, y)
    with np.errstate(invalid="ignore"):
        dx = pool.max_pool_backward(dy, cache)
        assert_same(pool_kernels.max_pool_backward(on_device(dy), cache_kernel), dx)
        y, cache = relu.relu_forward(x)
        dx = relu.relu_backward(x[::-1], cache)
    assert_same(relu_kernels.relu_backward(on_device(x[::-1]), relu_kernels.relu_forward(on_device(x))[1]), dx)


def strewn(x):
    """Return the device's x with gaps in its memory, and read-only."""
    x = on_device(np.repeat(x, 2, axis=-1))[..., ::2]
    x._memory.flags.writeable = False
    assert not x.flags.c_contiguous
    return x


def test_arguments_of_any_layout(rng):
    x, skip, weight = (rng.standard_normal(shape) for shape in ((2, 3, 8, 6), (2, 2, 12, 9), (4, 3, 3, 3)))
    bias, labels, weights = rng.standard_normal(4), rng.integers(0, 3, (2, 8, 6)), rng.random((2, 8, 6))
    for kernels, readable, name, args in [
        (relu_kernels, relu, "relu", (x,)),
        (pool_kernels, pool, "max_pool", (x,)),
        (crop_concat_kernels, crop_concat, "crop_concat", (skip, x)),
        (loss_kernels, loss, "softmax_cross_entropy", (x, labels, weights)),
        (winograd_kernels, conv, "conv2d", (x, weight, bias)),
    ]:
        y, cache = getattr(readable, f"{name}_forward")(*args)
        y_kernel, cache_kernel = getattr(kernels, f"{name}_forward")(*(strewn(arg) for arg in args))
        assert_same(y_kernel, np.asarray(y), 1e-13)
        dy = rng.standard_normal(np.shape(y))
        expected = getattr(readable, f"{name}_backward")(dy, cache)
        result = getattr(kernels, f"{name}_backward")(strewn(dy) if dy.ndim else on_device(dy), cache_kernel)
        for gradient, wanted in zip(flatten([result]).values(), flatten([expected]).values(), strict=True):
            assert_same(gradient, wanted, 1e-13)


def test_an_array_of_the_host_among_those_of_the_device_is_named(rng):
    x, skip, weight = (rng.standard_normal(shape) for shape in ((2, 3, 8, 6), (2, 2, 12, 8), (4, 3, 3, 3)))
    bias, labels, weights = np.zeros(4), np.zeros((2, 8, 6), int), np.ones((2, 8, 6))
    for kernels, name, args in [
        (crop_concat_kernels, "crop_concat", {"skip": skip, "x": x}),
        (loss_kernels, "softmax_cross_entropy", {"logits": x, "labels": labels, "weights": weights}),
        (winograd_kernels, "conv2d", {"x": x, "weight": weight, "bias": bias}),
    ]:
        for moved in list(args)[1:]:
            mixed = [x if argument == moved else on_device(x) for argument, x in args.items()]
            with pytest.raises(
                InputError, match=rf"^{moved} must be on the device of \w+ \(GPU\), got an array on the host"
            ):
                getattr(kernels, f"{name}_forward")(*mixed)
    for kernels, name, args in [
        (relu_kernels, "relu", [x]),
        (pool_kernels, "max_pool", [x]),
        (winograd_kernels, "conv2d", [x, weight, bias]),
        (winograd_kernels, "conv2d_relu", [x, weight, bias]),
    ]:
        y, cache = getattr(kernels, f"{name}_forward")(*(on_device(arg) for arg in args))
        with pytest.raises(InputError, match=r"^dy must be on the device of cache \(GPU\), got an array on the host"):
            getattr(kernels, f"{name}_backward")(to_host(y), cache)


def test_arrays_of_numpy_take_the_readable_layer_and_those_of_cupy_the_kernel(monkeypatch, rng):
    x = rng.standard_normal((1, 2, 4, 4))
    assert choose(pool, pool_kernels, x) is pool
    assert choose(pool, pool_kernels, on_device(x)) is pool_kernels
    assert choose(pool, pool_kernels, on_device(x.astype(np.float16))) is pool
    monkeypatch.setenv("MINUNET_KERNELS", "readable")
    assert choose(pool, pool_kernels, on_device(x)) is pool
    monkeypatch.setenv("MINUNET_KERNELS", "cuda")
    with pytest.raises(InputError, match="MINUNET_KERNELS must be one of auto, readable, got 'cuda'"):
        fast.relu_forward(x)


def test_which_convolution_is_taken(monkeypatch, rng):
    x, weight, *_ = (on_device(a) for a in convolution(rng, (1, 2, 3, 8, 8), np.float32))
    monkeypatch.delenv("MINUNET_CONVOLUTION", raising=False)
    assert fast_conv.quickest(x, weight, 64) is winograd_kernels
    assert fast_conv.quickest(x, weight[..., :1, :1], 64) is conv
    assert fast_conv.quickest(x.astype(np.float16), weight, 64) is conv
    for way in ("readable", "direct"):
        monkeypatch.setenv("MINUNET_CONVOLUTION", way)
        assert fast_conv.quickest(x, weight, 64) is conv
    monkeypatch.setenv("MINUNET_CONVOLUTION", "winograd")
    assert fast_conv.quickest(x, weight, 64) is winograd_kernels
    monkeypatch.setenv("MINUNET_KERNELS", "readable")
    assert fast_conv.quickest(x, weight, 64) is winograd


def test_the_whole_network_and_its_loss(monkeypatch, rng, small_unet):
    """All kernels in a row, as in a training step; and their gradient against the forward pass."""
    x, labels = rng.standard_normal((2, 1, 48, 44)), rng.integers(0, 3, (2, 8, 4))
    weights = rng.random((2, 8, 4))

    def step(params, x, labels, weights):
        logits, cache = unet_forward(params, x)
        loss_value, loss_cache = fast.softmax_cross_entropy_forward(logits, labels, weights)
        dlogits = fast.softmax_cross_entropy_backward(np.float64(1), loss_cache)
        grads, dx = unet_backward(dlogits, cache, with_dx=True)
        return {"loss": loss_value, "logits": logits, "dx": dx, **flatten(grads)}

    expected = step(small_unet, x, labels, weights)
    result = step(map_tree(on_device, small_unet), *(on_device(a) for a in (x, labels, weights)))
    for name, value in expected.items():
        np.testing.assert_allclose(to_host(result[name]), value, rtol=1e-10, atol=1e-12, err_msg=name)


def test_kernels_that_do_not_compile_give_way_with_one_warning(monkeypatch, stand_in, rng, small_unet):
    def broken(*, code, options):
        return raw_module.RawModule(code=code + "\n__global__ void half_a_kernel(", options=options)

    monkeypatch.setattr(stand_in, "RawModule", broken)
    x, labels = rng.standard_normal((1, 1, 44, 44)), rng.integers(0, 3, (1, 4, 4))
    logits, cache = unet_forward(small_unet, x)
    params, x, labels = map_tree(on_device, [small_unet, x, labels])
    message = (
        r"slower layers .* take the place .* do not compile; the first was winograd.cu for float64: RuntimeError: "
    )
    with pytest.warns(RuntimeWarning, match=message) as caught:
        for _ in range(2):
            logits_device, cache_device = unet_forward(params, x)
            _, loss_cache = fast.softmax_cross_entropy_forward(logits_device, labels)
            unet_backward(fast.softmax_cross_entropy_backward(np.float64(1), loss_cache), cache_device)
    assert len(caught) == 1
    assert_same(logits_device, logits, 1e-12)


def test_a_library_that_compiles_no_kernels_takes_the_readable_layers_without_a_warning(rng):
    with pretend_gpu.installed():
        assert choose(pool, pool_kernels, on_device(rng.standard_normal((1, 2, 4, 6)))) is pool


def test_the_largest_array_decides_how_the_kernels_count(monkeypatch):
    launched = []
    monkeypatch.setattr(loader, "_kernel", lambda *key: lambda *launch: launched.append((*key, *launch)))

    class Huge:
        dtype = np.dtype(np.float32)

        def __init__(self, size):
            self.size = size

    for size, index, kind, blocks in [
        (2**31 - 256, "int", np.int32, 2**23 - 1),
        (2**31 - 255, "long long", np.int64, 2**23),
        (2**33 + 1, "long long", np.int64, 2**25 + 1),
    ]:
        loader.launch("pool", "max_pool_forward", size, Huge(size), size)
        *_, used, _, grid, block, args = launched.pop()
        assert (used, grid, block) == (index, (blocks,), (256,))
        assert type(args[1]) is kind and args[1] == size
