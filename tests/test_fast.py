"""The fast convolution gives what the readable one gives, for any shape and layout of memory."""

import numpy as np
import pytest

from minunet import InputError, gradcheck
from minunet.fast import conv as fast
from minunet.layers import conv as readable

SHAPES = [  # N, C, F, H, W, KH, KW
    (2, 3, 4, 7, 6, 3, 3),
    (1, 5, 2, 9, 33, 2, 5),
    (3, 4, 3, 6, 5, 1, 1),
    (2, 3, 2, 8, 5, 8, 1),  # the kernel as high as the image
    (1, 2, 3, 4, 4, 4, 4),  # a single output pixel
    (1, 16, 8, 230, 47, 3, 3),  # bands that do not divide the image
]


def arguments(rng, shape, dtype=np.float64):
    N, C, F, H, W, KH, KW = shape
    sizes = (N, C, H, W), (F, C, KH, KW), (F,), (N, F, H - KH + 1, W - KW + 1)
    return [rng.standard_normal(size).astype(dtype) for size in sizes]


def run(module, x, weight, bias, dy):
    y, cache = module.conv2d_forward(x, weight, bias)
    return {"y": y, **dict(zip(("dx", "dweight", "dbias"), module.conv2d_backward(dy, cache), strict=True))}


def assert_equal(fast_results, readable_results, tolerance):
    for name, expected in readable_results.items():
        assert fast_results[name].dtype == expected.dtype, name
        np.testing.assert_allclose(
            fast_results[name], expected, rtol=0, atol=tolerance * np.abs(expected).max(), err_msg=name
        )


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-13), (np.float32, 1e-5)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_the_readable_way(rng, shape, dtype, tolerance):
    args = arguments(rng, shape, dtype)
    assert_equal(run(fast, *args), run(readable, *args), tolerance)


def test_bands_of_one_row_and_of_the_whole_image(rng, monkeypatch):
    args = arguments(rng, (2, 3, 4, 9, 7, 3, 3))
    expected = run(readable, *args)
    monkeypatch.setattr(fast, "BAND_ROWS", 1)
    for pixels in (1, 20, 10**9):
        monkeypatch.setattr(fast, "BAND_PIXELS", pixels)
        assert_equal(run(fast, *args), expected, 1e-13)


def test_strided_transposed_and_read_only_arguments(rng):
    x, weight, bias, dy = arguments(rng, (2, 3, 4, 8, 6, 3, 3))
    expected = run(readable, x, weight, bias, dy)
    wide = np.repeat(x, 2, axis=3)[..., ::2]
    odd = [
        wide,
        np.asfortranarray(weight),
        np.repeat(bias, 3)[::3],
        dy.transpose(3, 2, 1, 0).copy().transpose(3, 2, 1, 0),
    ]
    for array in odd:
        array.flags.writeable = False
    assert_equal(run(fast, *odd), expected, 1e-13)


def test_results_do_not_depend_on_the_batch(rng):
    x, weight, bias, dy = arguments(rng, (3, 4, 5, 20, 12, 3, 3), np.float32)
    together, alone = run(fast, x, weight, bias, dy), run(fast, x[1:2], weight, bias, dy[1:2])
    for name in ("y", "dx"):
        np.testing.assert_array_equal(together[name][1:2], alone[name])


@pytest.mark.parametrize("mode", ["elements", "directions"])
def test_its_gradient(rng, mode):
    report = gradcheck(fast.conv2d_forward, fast.conv2d_backward, tuple(arguments(rng, SHAPES[0])[:3]), mode=mode)
    assert report.ok and not report.findings, report


def test_it_raises_what_the_readable_way_raises(rng):
    x, weight, bias, dy = arguments(rng, SHAPES[0])
    for bad in ((x[0], weight, bias), (x, weight[:, :2], bias), (x, weight, bias[:1]), (x[:, :, :2], weight, bias)):
        messages = []
        for module in (fast, readable):
            with pytest.raises(InputError) as error:
                module.conv2d_forward(*bad)
            messages.append(str(error.value))
        assert messages[0] == messages[1]
    with pytest.raises(InputError, match="dy must have the shape of the forward output"):
        fast.conv2d_backward(dy[:, :, 1:], readable.Conv2dCache(x, weight))
