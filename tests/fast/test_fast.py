"""The fast convolutions on a CPU give what the readable one gives, for any shape and layout of memory."""

import numpy as np
import pytest

from minunet import InputError, gradcheck, init_unet, unet_backward, unet_forward
from minunet.backend import flatten, map_tree
from minunet.fast import conv, thresholds
from minunet.fast.cpu import parallel, winograd, winograd_deep, winograd_tiles
from minunet.layers import conv as readable
from minunet.layers import conv2d_relu_backward, conv2d_relu_forward

SHAPES = [  # N, C, F, H, W, KH, KW
    (2, 5, 4, 7, 6, 3, 3),
    (1, 6, 3, 3, 3, 3, 3),  # a single output pixel
    (3, 5, 5, 12, 9, 3, 3),  # one row of tiles beyond the last whole one, and three columns
    (1, 16, 8, 230, 47, 3, 3),  # bands that do not divide the image
    (1, 5, 2, 9, 33, 2, 5),
    (3, 6, 3, 6, 5, 1, 1),
    (2, 5, 2, 8, 5, 8, 1),  # the kernel as high as the image
    (1, 5, 3, 4, 4, 4, 4),
    (2, 6, 2, 23, 14, 3, 3),  # parts by rows, which see two rows of x in common
    (2, 5, 2, 9, 11, 1, 1),  # and none
    (2, 5, 2, 19, 11, 8, 3),  # and more than a part has
    (2, 1, 2, 19, 9, 3, 3),  # few channels
    (2, 3, 2, 21, 9, 2, 5),
    (2, 1, 4, 8, 9, 3, 3),  # and too few pixels for parts by rows
    (1, 64, 65, 11, 9, 3, 3),  # so many channels that groups of rows share a product
]
WAYS = pytest.mark.parametrize("way", ["direct", "im2col", "winograd_rows", "winograd"])


@pytest.fixture(params=[1, 3], ids=["one core", "three cores"], autouse=True)
def cores(request, monkeypatch):
    """Cut each convolution into so many parts."""
    monkeypatch.setattr(parallel, "threads", lambda: request.param)
    monkeypatch.setattr(thresholds, "PARALLEL_MULTIPLICATIONS", 0)


def arguments(rng, shape, dtype=np.float64):
    N, C, F, H, W, KH, KW = shape
    sizes = (N, C, H, W), (F, C, KH, KW), (F,), (N, F, H - KH + 1, W - KW + 1)
    return [rng.standard_normal(size).astype(dtype) for size in sizes]


def run(way, x, weight, bias, dy):
    """Return the results of the convolution, and of the one that ends with a ReLU, by a way of MINUNET_CONVOLUTION."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINUNET_CONVOLUTION", way)
        y, cache = conv.conv2d_forward(x, weight, bias)
        results = {"y": y, **dict(zip(("dx", "dweight", "dbias"), conv.conv2d_backward(dy, cache), strict=True))}
        relu_y, cache = conv.conv2d_relu_forward(x, weight, bias)
        dx, dweight, dbias = conv.conv2d_relu_backward(dy, cache)
        no_dx, *without_dx = conv.conv2d_relu_backward(dy, cache, with_dx=False)
    assert no_dx is None
    results |= {"relu y": relu_y, "relu dx": dx, "relu dweight": dweight, "relu dbias": dbias}
    return {**results, "dweight alone": without_dx[0], "dbias alone": without_dx[1]}


def expected_results(x, weight, bias, dy):
    """Return the same results by the readable layers."""
    y, cache = readable.conv2d_forward(x, weight, bias)
    gradients = readable.conv2d_backward(dy, cache)
    relu_y, relu_cache = conv2d_relu_forward(x, weight, bias)
    relu_gradients = conv2d_relu_backward(dy, relu_cache)
    results = {"y": y, "relu y": relu_y, "dweight alone": relu_gradients[1], "dbias alone": relu_gradients[2]}
    for name, plain, after_relu in zip(("dx", "dweight", "dbias"), gradients, relu_gradients, strict=True):
        results |= {name: plain, f"relu {name}": after_relu}
    return results


def assert_equal(fast_results, readable_results, tolerance):
    for name, expected in readable_results.items():
        assert fast_results[name].dtype == expected.dtype, name
        np.testing.assert_allclose(
            fast_results[name], expected, rtol=0, atol=tolerance * np.abs(expected).max(), err_msg=name
        )


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-13), (np.float32, 2e-5)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@WAYS
def test_equals_the_readable_way(rng, way, shape, dtype, tolerance):
    args = arguments(rng, shape, dtype)
    assert_equal(run(way, *args), expected_results(*args), tolerance)


def test_bands_of_one_row_and_of_the_whole_image(rng, monkeypatch):
    args = arguments(rng, (2, 5, 4, 15, 11, 3, 3))
    expected = expected_results(*args)
    monkeypatch.setattr(thresholds, "SMALL_BAND", 10**9)
    for size in (1, 200, 10**9):
        monkeypatch.setattr(thresholds, "BAND", size)
        monkeypatch.setattr(thresholds, "PRODUCTS", size)
        monkeypatch.setattr(thresholds, "SMALL_PRODUCT", size)
        monkeypatch.setattr(thresholds, "WINOGRAD_BAND", size)
        monkeypatch.setattr(thresholds, "WINOGRAD_CHUNK", size)
        for way in ("direct", "im2col", "winograd_rows", "winograd"):
            assert_equal(run(way, *args), expected, 1e-13)


@WAYS
def test_strided_transposed_and_read_only_arguments(rng, way):
    x, weight, bias, dy = arguments(rng, (2, 5, 4, 8, 6, 3, 3))
    expected = expected_results(x, weight, bias, dy)
    wide = np.repeat(x, 2, axis=3)[..., ::2]
    odd = [
        wide,
        np.asfortranarray(weight),
        np.repeat(bias, 3)[::3],
        dy.transpose(3, 2, 1, 0).copy().transpose(3, 2, 1, 0),
    ]
    for array in odd:
        array.flags.writeable = False
    assert_equal(run(way, *odd), expected, 1e-13)


@WAYS
def test_results_do_not_depend_on_the_batch(rng, way):
    x, weight, bias, dy = arguments(rng, (3, 6, 5, 20, 12, 3, 3), np.float32)
    together, alone = run(way, x, weight, bias, dy), run(way, x[1:2], weight, bias, dy[1:2])
    for name in ("y", "dx"):
        np.testing.assert_array_equal(together[name][1:2], alone[name])


def test_cores_share_what_winograd_makes_of_a_deep_layers_image(rng, monkeypatch):
    x, weight, bias, dy = arguments(rng, (2, 7, 9, 10, 9, 3, 3))
    channels, kernels = [], []

    def evaluate(B2, image, *args, **kwargs):
        channels.append(len(image))
        return winograd_tiles.evaluate(B2, image, *args, **kwargs)

    def interpolate_back(A2, image, *args, **kwargs):
        kernels.append(len(image))
        return winograd_tiles.interpolate_back(A2, image, *args, **kwargs)

    monkeypatch.setattr(winograd_deep, "evaluate", evaluate)
    monkeypatch.setattr(winograd_deep, "interpolate_back", interpolate_back)
    monkeypatch.setenv("MINUNET_CONVOLUTION", "winograd")
    _, cache = conv.conv2d_forward(x, weight, bias)
    assert sum(channels) == 2 * 7  # of each image each channel once, whatever the number of cores
    conv.conv2d_backward(dy, cache)
    assert (sum(channels), sum(kernels)) == (2 * 2 * 7, 2 * 9)


@WAYS
def test_equal_runs_give_equal_bits(rng, way):
    args = arguments(rng, (1, 8, 8, 30, 40, 3, 3), np.float32)
    first, second = run(way, *args), run(way, *args)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("mode", [pytest.param("elements", marks=pytest.mark.slow), "directions"])
@WAYS
def test_its_gradient(rng, monkeypatch, way, mode):
    monkeypatch.setenv("MINUNET_CONVOLUTION", way)
    args = tuple(arguments(rng, SHAPES[0])[:3])
    for forward, backward in (
        (conv.conv2d_forward, conv.conv2d_backward),
        (conv.conv2d_relu_forward, conv.conv2d_relu_backward),
    ):
        report = gradcheck(forward, backward, args, mode=mode)
        assert report.ok and not report.findings, report


@WAYS
def test_it_raises_what_the_readable_way_raises(rng, monkeypatch, way):
    monkeypatch.setenv("MINUNET_CONVOLUTION", way)
    x, weight, bias, dy = arguments(rng, SHAPES[0])
    for bad in ((x[0], weight, bias), (x, weight[:, :2], bias), (x, weight, bias[:1]), (x[:, :, :2], weight, bias)):
        messages = []
        for forward in (conv.conv2d_forward, conv.conv2d_relu_forward, readable.conv2d_forward):
            with pytest.raises(InputError) as error:
                forward(*bad)
            messages.append(str(error.value))
        assert len(set(messages)) == 1
    with pytest.raises(InputError, match="dy must have the shape of the forward output"):
        conv.conv2d_backward(dy[:, :, 1:], readable.Conv2dCache(x, weight))
    with pytest.raises(InputError, match="dy must have the shape of the forward output"):
        conv.conv2d_relu_backward(dy[:, :, 1:], conv.conv2d_relu_forward(x, weight, bias)[1])


def test_winograds_matrices_are_those_of_polynomials():
    """Evaluating, multiplying and interpolating is a convolution, so by transposition F(4, 3) is a correlation."""
    x, taps = np.arange(6.0) ** 2, np.array([3.0, -1.0, 2.0])
    y = winograd.A @ ((winograd.G @ taps) * (winograd.B @ x))
    np.testing.assert_allclose(y, np.correlate(x, taps), rtol=1e-14)


@pytest.mark.parametrize("choice", ["auto", "direct", "winograd"])
def test_the_whole_network_in_float32_is_within_a_thousandth_of_float64_by_the_readable_way(rng, monkeypatch, choice):
    params = init_unet(rng, 1, 2, base_channels=64, depth=1, dtype=np.float64)
    x, dlogits = rng.standard_normal((1, 1, 68, 60)), rng.standard_normal((1, 2, 52, 44))
    monkeypatch.setenv("MINUNET_CONVOLUTION", "readable")
    expected = network(params, x, dlogits)
    monkeypatch.setenv("MINUNET_CONVOLUTION", choice)
    assert_equal(network(params, x, dlogits), expected, 1e-10)
    result = network(*(map_tree(np.float32, tree) for tree in (params, x, dlogits)))
    for name, value in expected.items():
        error = np.linalg.norm(result[name] - value) / np.linalg.norm(value)
        assert result[name].dtype == np.float32 and error < 1e-3, (name, error)


def network(params, x, dlogits):
    logits, cache = unet_forward(params, x)
    return {"logits": logits, **flatten(unet_backward(dlogits, cache))}
