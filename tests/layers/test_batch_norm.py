"""Batch normalisation: by hand, the loop twin, gradients, PyTorch, running averages, folding, errors."""

import numpy as np
import pytest

import minunet as m
from minunet import InputError, gradcheck
from minunet.backend import to_device
from minunet.layers import (
    batch_norm_predict,
    conv2d_backward,
    conv2d_forward,
    fold_batch_norm,
    naive,
    relu_backward,
    relu_forward,
    update_running,
)

X, GAMMA, BETA = np.ones((2, 3, 4, 5)), np.ones(3), np.zeros(3)


def arguments(rng, N=2, C=3, H=4, W=5):
    """Return x with another mean and size in each channel, gamma and beta."""
    x = rng.standard_normal((N, C, H, W)) * rng.uniform(0.1, 5, (C, 1, 1)) + rng.uniform(-9, 9, (C, 1, 1))
    return x, rng.standard_normal(C), rng.standard_normal(C)


def running_of(rng, C=3):
    return rng.standard_normal(C), rng.uniform(0.1, 5, C)


def test_by_hand(device):
    x = np.array([[[[1.0, 3.0]], [[0.0, 0.0]]], [[[5.0, 7.0]], [[0.0, 8.0]]]])  # (2, 2, 1, 2)
    gamma, beta = np.array([10.0, 6.0]), np.array([0.0, 1.0])
    y, cache = m.batch_norm_forward(x, gamma, beta, epsilon=4.0)
    # channel 0: mean 4, variance (9 + 1 + 1 + 9) / 4 = 5, sqrt(5 + 4) = 3; channel 1: mean 2, 12, sqrt(12 + 4) = 4
    np.testing.assert_allclose(y[:, 0, 0], np.array([[-30, -10], [10, 30]]) / 3, rtol=1e-15)
    np.testing.assert_allclose(y[:, 1, 0], [[-2, -2], [-2, 10]], rtol=1e-15)
    dy = np.zeros_like(x)
    dy[0, 0, 0, 0], dy[1, 1, 0, 1] = 1, 2
    dx, dgamma, dbeta = m.batch_norm_backward(dy, cache)
    np.testing.assert_allclose(dgamma, [-1, 2 * 6 / 4], rtol=1e-15)
    np.testing.assert_array_equal(dbeta, [1, 2])
    # channel 0: 10 / 3 * (dy - 1/4 - x_hat * (-1) / 4) with x_hat = -1, -1/3, 1/3, 1
    np.testing.assert_allclose(dx[:, 0, 0], 10 / 3 * np.array([[1 / 2, -1 / 3], [-1 / 6, 0]]), atol=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_it_equals_its_loop_twin(seed, device):
    rng = np.random.default_rng(seed)
    args = arguments(rng, *rng.permutation([1, 2, 3, 4]))
    epsilon = 0.3
    y, cache = m.batch_norm_forward(*args, epsilon)
    dy = rng.standard_normal(y.shape)
    results = [y, *m.batch_norm_backward(dy, cache)]
    expected = [naive.batch_norm(*args, epsilon), *naive.batch_norm_gradients(dy, *args[:2], epsilon)]
    for result, loops in zip(results, expected, strict=True):
        assert (result.shape, result.dtype) == (loops.shape, loops.dtype)
        np.testing.assert_allclose(result, loops, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 2, 3, 3), (4, 1, 1, 1), (1, 3, 1, 2)])
def test_gradients_in_float64(rng, shape):
    args = arguments(rng, *shape)
    report = gradcheck(m.batch_norm_forward, m.batch_norm_backward, args, mode="elements")
    assert report.ok and not report.findings, report


def test_a_channel_of_equal_pixels_has_a_finite_gradient(rng):
    x, gamma, beta = arguments(rng)
    x[:, 1] = 5
    report = gradcheck(lambda *args: m.batch_norm_forward(*args, epsilon=0.5), m.batch_norm_backward, (x, gamma, beta))
    assert report.ok, report


def test_gradients_through_convolution_norm_and_relu(rng):
    no_bias = np.zeros(4)  # the mean takes a bias away again

    def forward(x, weight, gamma, beta):
        y, conv = conv2d_forward(x, weight, no_bias)
        y, norm = m.batch_norm_forward(y, gamma, beta)
        y, relu = relu_forward(y)
        return y, (conv, norm, relu)

    def backward(dy, caches):
        conv, norm, relu = caches
        dy, dgamma, dbeta = m.batch_norm_backward(relu_backward(dy, relu), norm)
        dx, dweight, dbias = conv2d_backward(dy, conv)
        np.testing.assert_allclose(dbias, no_bias, atol=1e-12)
        return dx, dweight, dgamma, dbeta

    args = [rng.standard_normal(shape) for shape in ((2, 3, 6, 7), (4, 3, 3, 3), (4,), (4,))]
    report = gradcheck(forward, backward, args)
    assert report.ok, report


def test_an_output_channel_has_mean_beta_and_deviation_gamma(rng, device):
    x, _, _ = arguments(rng, 3, 3, 20, 20)
    y, _ = m.batch_norm_forward(x, np.array([1.0, 2.0, 0.5]), np.array([0.0, -3.0, 7.0]))
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), [0, -3, 7], atol=1e-12)
    np.testing.assert_allclose(y.std(axis=(0, 2, 3)), [1, 2, 0.5], rtol=1e-3)


def test_a_shift_and_a_factor_of_x_change_nothing(rng, device):
    x, gamma, beta = arguments(rng)
    y, _ = m.batch_norm_forward(x, gamma, beta, epsilon=1e-12)
    again, _ = m.batch_norm_forward(7 * x - 100, gamma, beta, epsilon=1e-12)
    np.testing.assert_allclose(again, y, atol=1e-9)


def test_a_bright_image_keeps_its_contrast_in_float32(device):
    x = 1000 + np.random.default_rng(0).standard_normal((1, 1, 200, 200))
    y, _ = m.batch_norm_forward(x.astype(np.float32), np.ones(1, np.float32), np.zeros(1, np.float32))
    expected, _ = m.batch_norm_forward(x, np.ones(1), np.zeros(1))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, atol=1e-3)  # E[x**2] - E[x]**2 would be off by 5 %


@pytest.mark.slow  # to import PyTorch takes seconds
def test_it_equals_pytorch(rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; test_references.py has its frozen results")
    x, gamma, beta = arguments(rng, 3, 4, 5, 6)
    layer = torch.nn.BatchNorm2d(4, dtype=torch.float64)
    layer.weight.data, layer.bias.data = torch.tensor(gamma), torch.tensor(beta)
    tensor = torch.tensor(x, requires_grad=True)
    running = np.zeros(4), np.ones(4)
    for scale in (1, 2, 3):  # three steps of training
        torch_y = layer(scale * tensor)
        y, cache = m.batch_norm_forward(scale * x, gamma, beta)
        running = update_running(*running, cache)
    dy = rng.standard_normal(y.shape)
    torch_y.backward(torch.tensor(dy))
    dx, dgamma, dbeta = m.batch_norm_backward(dy, cache)
    compared = [
        (y, torch_y.detach()),
        (3 * dx, tensor.grad),
        (dgamma, layer.weight.grad),
        (dbeta, layer.bias.grad),
        (running[0], layer.running_mean),
        (running[1], layer.running_var),
        (batch_norm_predict(x, gamma, beta, *running), layer.eval()(torch.tensor(x)).detach()),
    ]
    for ours, theirs in compared:
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-10, atol=1e-10)


def test_running_averages_by_hand():
    x = np.array([1.0, 3.0]).reshape(1, 1, 1, 2)  # mean 2, variance 1, unbiased 2
    _, cache = m.batch_norm_forward(x, np.ones(1), np.zeros(1))
    mean, variance = update_running(np.zeros(1), np.ones(1), cache, momentum=0.25)
    np.testing.assert_allclose([mean, variance], [[0.25 * 2], [0.75 * 1 + 0.25 * 2]], rtol=1e-15)
    before = np.array([5.0]), np.array([6.0])
    for momentum, expected in ((0, ([5], [6])), (1, ([2], [2]))):  # nothing of the new, everything
        after = update_running(*before, cache, momentum)
        np.testing.assert_allclose(after, expected, rtol=1e-15)
        assert not any(np.shares_memory(new, old) for new in after for old in (*before, cache.mean, cache.variance))


def test_running_averages_come_close_to_the_statistics_of_the_data(rng):
    running = np.zeros(1), np.ones(1)
    for _ in range(300):
        batch = 3 + 2 * rng.standard_normal((2, 1, 8, 8))
        _, cache = m.batch_norm_forward(batch, np.ones(1), np.zeros(1))
        running = update_running(*running, cache, momentum=0.02)
    np.testing.assert_allclose(running, [[3], [4]], rtol=0.03)


@pytest.mark.parametrize("kernel", [(3, 3), (1, 1), (2, 5)])
def test_a_folded_convolution_equals_convolution_and_norm(rng, kernel):
    x, weight, bias = (rng.standard_normal(s) for s in ((2, 3, 8, 9), (4, 3, *kernel), (4,)))
    norm = *rng.standard_normal((2, 4)), *running_of(rng, 4)
    y, _ = conv2d_forward(x, weight, bias)
    expected = batch_norm_predict(y, *norm, epsilon=0.01)
    folded, _ = conv2d_forward(x, *fold_batch_norm(weight, bias, *norm, epsilon=0.01))
    np.testing.assert_allclose(folded, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_prediction_does_not_look_at_the_other_pixels(rng):
    x, gamma, beta = arguments(rng)
    running = running_of(rng)
    y = batch_norm_predict(x, gamma, beta, *running)
    np.testing.assert_array_equal(batch_norm_predict(x[:1, :, :1, :1], gamma, beta, *running), y[:1, :, :1, :1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept_and_arrays_are_fresh(rng, dtype):
    x, gamma, beta = (array.astype(dtype) for array in arguments(rng))
    y, cache = m.batch_norm_forward(x, gamma, beta, np.float64(1e-5))
    running = update_running(np.zeros(3, dtype), np.ones(3, dtype), cache, np.float64(0.1))
    results = [y, *m.batch_norm_backward(y.copy(), cache), *running]
    weight, bias = fold_batch_norm(np.ones((3, 2, 1, 1), dtype), beta, gamma, beta, *running, np.float64(1e-5))
    results += [weight, bias, batch_norm_predict(x, gamma, beta, *running, np.float64(1e-5))]
    assert {array.dtype for array in results} == {np.dtype(dtype)}
    for number, array in enumerate(results):
        others = [x, gamma, beta, cache.x_hat, cache.mean, cache.variance, *results[:number]]
        assert not any(np.shares_memory(array, other) for other in others)


@pytest.mark.gpu
def test_all_functions_run_on_the_device(rng, cupy):
    x, gamma, beta = arguments(rng)
    running = np.zeros(3), np.ones(3)
    weight, bias = rng.standard_normal((3, 2, 3, 3)), rng.standard_normal(3)

    def results(x, gamma, beta, running, weight, bias):
        _, cache = m.batch_norm_forward(x, gamma, beta)
        running = update_running(*running, cache)
        return [
            *running,
            batch_norm_predict(x, gamma, beta, *running),
            *fold_batch_norm(weight, bias, gamma, beta, *running),
        ]

    args = x, gamma, beta, running, weight, bias
    for ours, theirs in zip(results(*args), results(*to_device(args, "gpu")), strict=True):
        assert isinstance(theirs, cupy.ndarray)
        np.testing.assert_allclose(to_device(theirs, "cpu"), ours, rtol=1e-12)


def cache_of(x=X):
    return m.batch_norm_forward(x, GAMMA, BETA)[1]


ERRORS = {
    "axes": (
        lambda: m.batch_norm_forward(X[0], GAMMA, BETA),
        "x must have shape (N, C, H, W), got (3, 4, 5); add or remove axes with reshape",
    ),
    "dtypes": (
        lambda: m.batch_norm_forward(X, GAMMA.astype(np.float32), BETA),
        "batch norm needs arguments of one dtype, got x float64, gamma float32, beta float64; convert with .astype",
    ),
    "channels": (
        lambda: m.batch_norm_forward(X, np.ones(4), BETA),
        "batch norm with x (N, C, H, W) = (2, 3, 4, 5) needs gamma of shape (3,), got (4,); "
        "it has one number for each channel",
    ),
    "one pixel": (
        lambda: m.batch_norm_forward(X[:1, :, :1, :1], GAMMA, BETA),
        "batch norm needs at least 2 pixels a channel, N * H * W, got x (1, 3, 1, 1); a mean of one pixel is that "
        "pixel, so use larger images or a larger batch",
    ),
    "epsilon": (
        lambda: m.batch_norm_forward(X, GAMMA, BETA, 0.0),
        "epsilon must be above 0, got 0.0; 1e-5 is usual",
    ),
    "dy": (
        lambda: m.batch_norm_backward(X[:1], cache_of()),
        "dy must have the shape of the forward output, (2, 3, 4, 5), got (1, 3, 4, 5); pass one gradient per output "
        "element",
    ),
    "momentum": (
        lambda: update_running(BETA, GAMMA, cache_of(), 1.5),
        "momentum must be in 0..1, got 1.5; it is the share of the new statistics, usually 0.1",
    ),
    "running": (
        lambda: update_running(BETA, np.ones(2), cache_of()),
        "batch norm with gamma (C,) = (3,) needs running_variance of shape (3,), got (2,); it has one number for each "
        "channel",
    ),
    "prediction": (
        lambda: batch_norm_predict(X, GAMMA, BETA, np.ones((1, 3)), GAMMA),
        "batch norm with gamma (C,) = (3,) needs running_mean of shape (3,), got (1, 3); it has one number for each "
        "channel",
    ),
    "folding": (
        lambda: fold_batch_norm(np.ones((4, 3, 1, 1)), np.ones(4), GAMMA, BETA, BETA, GAMMA),
        "folding with weight (F, C, KH, KW) = (4, 3, 1, 1) needs gamma of shape (4,), got (3,); it has one number for "
        "each channel",
    ),
    "folding of another type": (
        lambda: fold_batch_norm(np.ones((3, 3, 1, 1)), np.ones(3), np.float32(GAMMA), BETA, BETA, GAMMA),
        "folding needs arguments of one dtype, got weight float64, bias float64, gamma "
        "float32, beta float64, running_mean float64, running_variance float64; convert with "
        ".astype",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_names_the_remedy(name):
    call, message = ERRORS[name]
    with pytest.raises(InputError) as error:
        call()
    assert str(error.value) == message
