"""Every layer: a small case worked by hand; zeros, ties and odd differences."""

import numpy as np
import pytest

import minunet as m

pytestmark = pytest.mark.usefixtures("device")  # each test runs on the CPU and on CuPy


def image(rows):
    """Return a batch of one image with one channel, (1, 1, H, W)."""
    return np.array(rows, dtype=float)[None, None]


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
