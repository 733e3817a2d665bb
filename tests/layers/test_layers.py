"""Every layer: a case worked by hand, its adjoint, and the contract (fresh arrays, kept dtype)."""

import copy

import numpy as np
import pytest

import minunet as m
from minunet.layers import conv2d_relu_backward, conv2d_relu_forward

SEEDS = range(5)
pytestmark = pytest.mark.usefixtures("device")  # each test runs on the CPU and on CuPy


def image(rows):
    """Return a batch of one image with one channel, (1, 1, H, W)."""
    return np.array(rows, dtype=float)[None, None]


def draw(rng, *shape):
    return rng.standard_normal(shape)


def as_tuple(gradients):
    return gradients if isinstance(gradients, tuple) else (gradients,)


# Worked by hand; the matrices stay matrices.
# fmt: off


def test_conv2d_by_hand():
    x = image([[1, 2, 3],
               [4, 5, 6],
               [7, 8, 9]])
    weight = image([[1, 2],
                    [3, 4]])
    # first pixel: 1*1 + 2*2 + 3*4 + 4*5 = 37, and the bias; every step to the right adds 1 + 2 + 3 + 4 = 10
    y, cache = m.conv2d_forward(x, weight, np.array([100.0]))
    np.testing.assert_array_equal(y, image([[137, 147],
                                            [167, 177]]))
    dy = image([[1, 0],
                [-1, 2]])
    dx, dweight, dbias = m.conv2d_backward(dy, cache)
    # dx is the kernel, painted where dy is not 0: 1 * kernel top left, -1 * bottom left, 2 * bottom right
    np.testing.assert_array_equal(dx, image([[1, 2, 0],
                                             [3 - 1, 4 - 2 + 2, 4],
                                             [-3, -4 + 6, 8]]))
    # dweight is dy slid over x: 1*1 - 1*4 + 2*5 = 7, 1*2 - 1*5 + 2*6 = 9, 1*4 - 1*7 + 2*8 = 13, 1*5 - 1*8 + 2*9 = 15
    np.testing.assert_array_equal(dweight, image([[7, 9],
                                                  [13, 15]]))
    np.testing.assert_array_equal(dbias, [1 + 0 - 1 + 2])


def test_conv2d_with_a_1x1_kernel_mixes_channels_by_hand():
    x = np.array([[1.0, 2.0], [10.0, 20.0]]).reshape(1, 2, 1, 2)  # two channels of one row
    weight = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).reshape(3, 2, 1, 1)  # three features
    y, cache = m.conv2d_forward(x, weight, np.array([0.0, 100.0, 200.0]))
    np.testing.assert_array_equal(y[0, :, 0], [[1 + 20, 2 + 40],
                                               [100 + 3 + 40, 100 + 6 + 80],
                                               [200 + 5 + 60, 200 + 10 + 120]])
    dy = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]).reshape(1, 3, 1, 2)
    dx, dweight, dbias = m.conv2d_backward(dy, cache)
    np.testing.assert_array_equal(dx[0, :, 0], [[1 + 2 * 5, 3],
                                                [2 + 2 * 6, 4]])
    np.testing.assert_array_equal(dweight[:, :, 0, 0], [[1, 10],
                                                        [2, 20],
                                                        [2 * 1, 2 * 10]])
    np.testing.assert_array_equal(dbias, [1, 1, 2])


def test_relu_by_hand():
    y, cache = m.relu_forward(image([[-1, 2, 0],
                                     [3, -4, 5]]))
    np.testing.assert_array_equal(y, image([[0, 2, 0],
                                            [3, 0, 5]]))
    dx = m.relu_backward(image([[10, 20, 30],
                                [40, 50, -60]]), cache)
    np.testing.assert_array_equal(dx, image([[0, 20, 0],
                                             [40, 0, -60]]))


def test_max_pool_by_hand():
    y, cache = m.max_pool_forward(image([[1, 2, -5, -6],
                                         [4, 3, -8, -7],
                                         [9, 0, 1, 1],
                                         [0, 0, 1, 2]]))
    np.testing.assert_array_equal(y, image([[4, -5],
                                            [9, 2]]))
    dx = m.max_pool_backward(image([[10, 20],
                                    [30, -40]]), cache)
    np.testing.assert_array_equal(dx, image([[0, 0, 20, 0],
                                             [10, 0, 0, 0],
                                             [30, 0, 0, 0],
                                             [0, 0, 0, -40]]))


def test_up_conv_by_hand():
    x = image([[1, 2, 3]])
    weight = image([[1, 10],
                    [100, -1]])
    y, cache = m.up_conv_forward(x, weight, np.array([5.0]))  # every pixel of x paints one 2x2 block of y
    np.testing.assert_array_equal(y, image([[1 + 5, 10 + 5, 2 + 5, 20 + 5, 3 + 5, 30 + 5],
                                            [100 + 5, -1 + 5, 200 + 5, -2 + 5, 300 + 5, -3 + 5]]))
    dx, dweight, dbias = m.up_conv_backward(image([[1, 0, 0, 1, 0, 0],
                                                   [0, 2, 0, 0, 1, 0]]), cache)
    np.testing.assert_array_equal(dx, image([[1 * 1 + 2 * -1, 1 * 10, 1 * 100]]))
    np.testing.assert_array_equal(dweight, image([[1 * 1, 2 * 1],
                                                  [3 * 1, 1 * 2]]))
    np.testing.assert_array_equal(dbias, [1 + 1 + 2 + 1])


def test_crop_concat_by_hand():
    skip = image([[1, 2, 3, 4, 5],
                  [6, 7, 8, 9, 10],
                  [11, 12, 13, 14, 15],
                  [16, 17, 18, 19, 20]])
    y, cache = m.crop_concat_forward(skip, image([[-1, -2, -3],
                                                  [-4, -5, -6]]))
    np.testing.assert_array_equal(y, [[[[7, 8, 9],  # the skip's centre comes first
                                        [12, 13, 14]],
                                       [[-1, -2, -3],
                                        [-4, -5, -6]]]])
    dskip, dx = m.crop_concat_backward(np.array([[[[1.0, 2.0, 3.0],
                                                   [4.0, 5.0, 6.0]],
                                                  [[7.0, 8.0, 9.0],
                                                   [10.0, 11.0, 12.0]]]]), cache)
    np.testing.assert_array_equal(dskip, image([[0, 0, 0, 0, 0],
                                                [0, 1, 2, 3, 0],
                                                [0, 4, 5, 6, 0],
                                                [0, 0, 0, 0, 0]]))
    np.testing.assert_array_equal(dx, image([[7, 8, 9],
                                             [10, 11, 12]]))


def test_dropout_by_hand():
    x = image([[1, 2, 3],
               [4, 5, 6],
               [7, 8, 9]])
    y, cache = m.dropout_forward(x, 0.75, np.random.default_rng(1))
    assert 0 < cache.keep.sum() < 9
    np.testing.assert_array_equal(y, np.where(cache.keep, 4 * x, 0))  # 1 / (1 - 0.75) = 4
    dx = m.dropout_backward(-x, cache)
    np.testing.assert_array_equal(dx, np.where(y == 0, 0, -4 * x))  # what was dropped gets no gradient


def test_loss_by_hand():
    logits = np.log([[1.0, 2.0],
                     [3.0, 6.0],
                     [4.0, 2.0]]).reshape(1, 3, 1, 2)  # three classes, a row of two pixels
    labels, weights = np.array([[[1, 2]]]), np.array([[[5.0, 2.0]]])  # p is 1/8, 3/8, 4/8 and 2/10, 6/10, 2/10
    loss, cache = m.softmax_cross_entropy_forward(logits, labels, weights)
    assert loss == pytest.approx((5 * np.log(8 / 3) + 2 * np.log(10 / 2)) / 2, rel=1e-15)
    dlogits = m.softmax_cross_entropy_backward(np.array(8.0), cache)  # 8 * weight / 2 * (p - onehot)
    np.testing.assert_allclose(dlogits[0, :, 0], [[20 * 1 / 8, 8 * 2 / 10],
                                                  [20 * (3 / 8 - 1), 8 * 6 / 10],
                                                  [20 * 4 / 8, 8 * (2 / 10 - 1)]], rtol=1e-14)


# fmt: on
# Zeros, ties and odd differences.


def test_relu_derivative_at_zero_is_zero():
    _, cache = m.relu_forward(np.array([0.0, -0.0]))
    np.testing.assert_array_equal(m.relu_backward(np.array([3.0, -3.0]), cache), [0, 0])


@pytest.mark.parametrize(
    "window, winner",
    [
        ([7, 7, 7, 7], 0),
        ([7, 5, 7, 7], 0),
        ([5, 7, 7, 7], 1),
        ([5, 7, 5, 7], 1),
        ([5, 5, 7, 7], 2),
        ([-1, -0.0, 0, 0], 1),
    ],
)
def test_a_tie_in_max_pool_goes_to_the_first_in_row_major_order(window, winner):
    _, cache = m.max_pool_forward(image(window).reshape(1, 1, 2, 2))
    dx = m.max_pool_backward(image([[3]]), cache)
    np.testing.assert_array_equal(dx.ravel(), 3 * np.eye(4)[winner])


def test_an_odd_difference_is_cropped_at_the_bottom_and_the_right():
    skip = image([[1, 2, 3, 4], [5, 6, 7, 8]])
    y, cache = m.crop_concat_forward(skip, image([[9]]))
    np.testing.assert_array_equal(y.ravel(), [2, 9])
    dskip, _ = m.crop_concat_backward(np.array([30.0, 40.0]).reshape(1, 2, 1, 1), cache)
    np.testing.assert_array_equal(dskip, image([[0, 30, 0, 0], [0, 0, 0, 0]]))


# <A x, y> = <x, A' y>: the backward pass of a linear layer is its adjoint.


def conv2d_arguments(rng):
    return draw(rng, 2, 3, 6, 5), draw(rng, 4, 3, 3, 2), np.zeros(4)


def up_conv_arguments(rng):
    return draw(rng, 2, 3, 4, 5), draw(rng, 3, 4, 2, 2), np.zeros(4)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["conv2d", "up_conv"])
def test_convolutions_are_adjoint_in_x_and_in_weight(name, seed):
    forward, backward, arguments = pairs()[name]
    rng = np.random.default_rng(seed)
    x, weight, no_bias = arguments(rng)
    y, cache = forward(x, weight, no_bias)
    dy = draw(rng, *y.shape)
    dx, dweight, _ = backward(dy, cache)
    assert np.vdot(x, dx) == pytest.approx(np.vdot(y, dy), rel=1e-11)
    assert np.vdot(weight, dweight) == pytest.approx(np.vdot(y, dy), rel=1e-11)


@pytest.mark.parametrize("seed", SEEDS)
def test_crop_concat_is_adjoint(seed):
    rng = np.random.default_rng(seed)
    skip, x = draw(rng, 2, 3, 9, 8), draw(rng, 2, 4, 4, 6)
    y, cache = m.crop_concat_forward(skip, x)
    dy = draw(rng, *y.shape)
    dskip, dx = m.crop_concat_backward(dy, cache)
    assert np.vdot(skip, dskip) + np.vdot(x, dx) == pytest.approx(np.vdot(y, dy), rel=1e-11)


@pytest.mark.parametrize("seed", SEEDS)
def test_dropout_with_a_fixed_mask_is_adjoint(seed):
    rng = np.random.default_rng(seed)
    x, dy = draw(rng, 2, 3, 4, 5), draw(rng, 2, 3, 4, 5)
    y, cache = m.dropout_forward(x, 0.4, rng)
    assert np.vdot(x, m.dropout_backward(dy, cache)) == pytest.approx(np.vdot(y, dy), rel=1e-11)


# The contract: fresh arrays, nothing changed, dtype kept.


def loss_arguments(rng):
    return draw(rng, 2, 3, 4, 5), rng.integers(0, 3, (2, 4, 5)), rng.random((2, 4, 5))


def draw_images(rng):
    return (draw(rng, 2, 3, 4, 6),)


def pairs():
    """Return {name: (forward, backward, arguments)}, looked up now: the fixture `device` replaces the passes."""
    return {
        "conv2d": (m.conv2d_forward, m.conv2d_backward, conv2d_arguments),
        "conv2d_1x1": (
            m.conv2d_forward,
            m.conv2d_backward,
            lambda rng: (draw(rng, 1, 1, 4, 6), np.ones((1, 1, 1, 1)), np.zeros(1)),
        ),
        "conv2d_relu": (conv2d_relu_forward, conv2d_relu_backward, conv2d_arguments),
        "relu": (m.relu_forward, m.relu_backward, draw_images),
        "relu_positive": (m.relu_forward, m.relu_backward, lambda rng: (rng.random((2, 3, 4, 6)),)),
        "max_pool": (m.max_pool_forward, m.max_pool_backward, draw_images),
        "up_conv": (m.up_conv_forward, m.up_conv_backward, up_conv_arguments),
        "crop_concat": (
            m.crop_concat_forward,
            m.crop_concat_backward,
            lambda rng: (draw(rng, 2, 3, 6, 5), draw(rng, 2, 1, 4, 5)),
        ),
        "dropout": (lambda x: m.dropout_forward(x, 0.3, np.random.default_rng(5)), m.dropout_backward, draw_images),
        "dropout_0": (lambda x: m.dropout_forward(x, 0.0, np.random.default_rng(5)), m.dropout_backward, draw_images),
        "loss": (m.softmax_cross_entropy_forward, m.softmax_cross_entropy_backward, loss_arguments),
    }


@pytest.fixture(params=list(pairs()))
def pair(request, device):
    """Return the passes of each layer, on the CPU and on CuPy, and a function that draws their arguments."""
    return pairs()[request.param]


Y_IS_THE_CACHE = {"relu_forward", "conv2d_relu_forward"}  # names, since `device` replaces the functions


def arrays(tree):
    return [leaf for leaf in m.flatten(tree).values() if isinstance(leaf, np.ndarray)]


def test_outputs_are_fresh_arrays(pair):
    forward, backward, arguments = pair
    rng = np.random.default_rng(0)
    arguments = arguments(rng)
    y, cache = forward(*arguments)
    dy = np.array(draw(rng, *y.shape))
    gradients = as_tuple(backward(dy, cache))
    assert not any(np.shares_memory(y, array) for array in [*arguments, dy])
    if forward.__name__ not in Y_IS_THE_CACHE:
        assert not any(np.shares_memory(y, array) for array in arrays(cache))
    for number, gradient in enumerate(gradients):
        others = [*arguments, dy, y, *arrays(cache), *gradients[:number]]
        assert not any(np.shares_memory(gradient, other) for other in others)


def test_inputs_dy_and_cache_are_unchanged(pair):
    forward, backward, arguments = pair
    rng = np.random.default_rng(0)
    arguments = arguments(rng)
    arguments_before = copy.deepcopy(arguments)
    y, cache = forward(*arguments)
    dy = np.array(draw(rng, *y.shape))
    dy_before, cache_before = copy.deepcopy((dy, cache))
    first = as_tuple(backward(dy, cache))
    second = as_tuple(backward(dy, cache))
    np.testing.assert_equal((arguments, dy, cache), (arguments_before, dy_before, cache_before))
    np.testing.assert_equal(first, second)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(pair, dtype):
    forward, backward, arguments = pair
    rng = np.random.default_rng(0)
    y, cache = forward(*[a.astype(dtype) if a.dtype.kind == "f" else a for a in arguments(rng)])
    gradients = as_tuple(backward(np.array(draw(rng, *y.shape), dtype), cache))
    assert [array.dtype for array in (y, *gradients)] == [dtype] * (1 + len(gradients))


# Dropout.


def test_dropout_keeps_the_expected_value():
    x = np.ones((2, 5, 100, 100))
    y, _ = m.dropout_forward(x, 0.3, np.random.default_rng(0))
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert y.mean() == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.7])


def test_dropout_uses_the_same_mask_on_the_way_back():
    x = np.ones((2, 3, 20, 20))
    y, cache = m.dropout_forward(x, 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(m.dropout_backward(x, cache), y)


def test_dropout_of_rate_0_changes_nothing():
    x = draw(np.random.default_rng(0), 2, 3, 4, 5)
    y, cache = m.dropout_forward(x, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(m.dropout_backward(x, cache), x)


def test_dropout_rate_may_be_a_numpy_number():
    x = np.ones((2, 3), np.float32)
    y, cache = m.dropout_forward(x, np.float64(0.5), np.random.default_rng(0))
    assert y.dtype == m.dropout_backward(x, cache).dtype == np.float32


# Loss.


def loss_and_gradient(logits, labels, weights=None, dloss=1.0):
    loss, cache = m.softmax_cross_entropy_forward(logits, labels, weights)
    return loss, m.softmax_cross_entropy_backward(np.array(dloss, logits.dtype), cache)


@pytest.mark.parametrize("label, dtype", [(255, np.uint8), (-1, np.int64), (3, np.int32)])
def test_weight_0_ignores_a_pixel_whatever_its_label(label, dtype):
    logits, labels, weights = loss_arguments(np.random.default_rng(0))
    labels = labels.astype(dtype)
    weights[:, 1, 2:] = 0
    expected = loss_and_gradient(logits, labels, weights)
    labels[:, 1, 2:] = label
    np.testing.assert_equal(loss_and_gradient(logits, labels, weights), expected)
    assert not expected[1][:, :, 1, 2:].any() and expected[1][:, :, 0].all()


def test_an_ignored_pixel_still_counts_in_the_mean():
    logits, labels, weights = loss_arguments(np.random.default_rng(0))
    weights[:, 2:] = 0
    loss, _ = loss_and_gradient(logits, labels, weights)
    upper, _ = loss_and_gradient(logits[:, :, :2], labels[:, :2], weights[:, :2])
    assert loss == pytest.approx(upper / 2, rel=1e-14)


def test_doubling_the_weights_doubles_loss_and_gradient():
    logits, labels, weights = loss_arguments(np.random.default_rng(0))
    loss, dlogits = loss_and_gradient(logits, labels, weights)
    doubled_loss, doubled_dlogits = loss_and_gradient(logits, labels, 2 * weights)
    assert doubled_loss == 2 * loss != 0
    np.testing.assert_array_equal(doubled_dlogits, 2 * dlogits)


def test_doubling_dloss_doubles_the_gradient():
    logits, labels, weights = loss_arguments(np.random.default_rng(0))
    _, dlogits = loss_and_gradient(logits, labels, weights)
    _, doubled = loss_and_gradient(logits, labels, weights, dloss=2.0)
    np.testing.assert_allclose(doubled, 2 * dlogits, rtol=1e-15)


def test_no_weights_are_weights_of_one():
    logits, labels, weights = loss_arguments(np.random.default_rng(0))
    expected = loss_and_gradient(logits, labels, np.ones_like(weights))
    np.testing.assert_equal(loss_and_gradient(logits, labels), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_do_not_overflow(dtype):
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype).reshape(1, 2, 1, 2)
    loss, dlogits = loss_and_gradient(logits, np.array([[[0, 0]]]))  # the first is right, the second is not at all
    assert loss == 1e4  # the mean of 0 and 2e4
    np.testing.assert_array_equal(dlogits[0, :, 0], [[0, -0.5], [0, 0.5]])


def test_pixels_with_logits_far_apart_do_not_disturb_each_other():
    logits = np.array([[1e4, -1e4], [1e4, -1e4]]).reshape(1, 2, 1, 2)  # each pixel on its own: p is 1/2, 1/2
    loss, dlogits = loss_and_gradient(logits, np.array([[[0, 0]]]))
    assert loss == pytest.approx(np.log(2), rel=1e-15)
    np.testing.assert_allclose(dlogits[0, :, 0], [[-0.25, -0.25], [0.25, 0.25]], rtol=1e-15)


def test_gradients_of_a_pixel_sum_to_zero():
    logits, labels, weights = loss_arguments(np.random.default_rng(0))
    _, dlogits = loss_and_gradient(logits, labels, weights)
    np.testing.assert_allclose(dlogits.sum(axis=1), 0, atol=1e-16)


def test_float64_weights_keep_a_float32_loss_float32():
    logits, labels, weights = loss_arguments(np.random.default_rng(0))
    loss, dlogits = loss_and_gradient(logits.astype(np.float32), labels, weights)
    assert loss.dtype == dlogits.dtype == np.float32


@pytest.mark.parametrize("dloss", [1, 1.0, np.float32(1), np.array(1)])
def test_dloss_may_be_any_number(dloss):
    logits, labels, weights = loss_arguments(np.random.default_rng(0))
    _, cache = m.softmax_cross_entropy_forward(logits, labels, weights)
    _, expected = loss_and_gradient(logits, labels, weights)
    np.testing.assert_array_equal(m.softmax_cross_entropy_backward(dloss, cache), expected, strict=True)
