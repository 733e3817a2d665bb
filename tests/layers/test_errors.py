"""Every error of a layer says what was expected, what came, and the remedy, and is an InputError."""

import numpy as np
import pytest
from refusal import assert_refused

import minunet as m


def ones(*shape, dtype=np.float64):
    return np.ones(shape, dtype)


def conv2d(x, weight, bias):
    return lambda: m.conv2d_forward(x, weight, bias)


def up_conv(x, weight, bias):
    return lambda: m.up_conv_forward(x, weight, bias)


def loss(labels, weights=None, logits=None):
    logits = ones(2, 3, 4, 5) if logits is None else logits
    return lambda: m.softmax_cross_entropy_forward(logits, labels, weights)


X, WEIGHT, BIAS, UP_WEIGHT = ones(2, 3, 6, 8), ones(5, 3, 3, 3), ones(5), ones(3, 5, 2, 2)
LABELS = np.zeros((2, 4, 5), int)
RNG = np.random.default_rng(0)

LAYERS = {
    "conv2d list": (
        conv2d([[1.0]], WEIGHT, BIAS),
        "x must be an array, got list; convert it with np.asarray",
    ),
    "conv2d integers": (
        conv2d(ones(2, 3, 6, 8, dtype=np.uint8), WEIGHT, BIAS),
        "x must hold floating-point numbers, got uint8; convert it with .astype('float32')",
    ),
    "conv2d axes of x": (
        conv2d(ones(6, 8), WEIGHT, BIAS),
        "x must have shape (N, C, H, W), got (6, 8); add or remove axes with reshape",
    ),
    "conv2d axes of weight": (
        conv2d(X, ones(3, 3), BIAS),
        "weight must have shape (F, C, KH, KW), got (3, 3); add or remove axes with reshape",
    ),
    "conv2d dtypes": (
        conv2d(X, WEIGHT.astype(np.float32), BIAS),
        "conv2d needs arguments of one dtype, got x float64, weight float32, bias float64; convert with .astype",
    ),
    "conv2d without bias": (
        conv2d(X, WEIGHT, None),
        "bias must be an array, got NoneType; convert it with np.asarray",
    ),
    "conv2d channels": (
        conv2d(ones(2, 4, 6, 8), WEIGHT, BIAS),
        "conv2d with weight (F, C, KH, KW) = (5, 3, 3, 3) needs x with C=3 channels, got C=4; x is (N, C, H, W)",
    ),
    "conv2d bias": (
        conv2d(X, WEIGHT, ones(3)),
        "conv2d with weight (5, 3, 3, 3) needs bias (F,) = (5,), got (3,)",
    ),
    "conv2d column of bias": (
        conv2d(X, WEIGHT, ones(5, 1)),
        "conv2d with weight (5, 3, 3, 3) needs bias (F,) = (5,), got (5, 1)",
    ),
    "conv2d height": (
        conv2d(ones(2, 3, 2, 8), WEIGHT, BIAS),
        "conv2d needs H >= KH >= 1, got H=2, KH=3; use a larger image or a smaller kernel",
    ),
    "conv2d width": (
        conv2d(X, ones(5, 3, 3, 9), BIAS),
        "conv2d needs W >= KW >= 1, got W=8, KW=9; use a larger image or a smaller kernel",
    ),
    "conv2d empty kernel": (
        conv2d(X, ones(5, 3, 0, 3), BIAS),
        "conv2d needs H >= KH >= 1, got H=6, KH=0",
    ),
    "relu list": (
        lambda: m.relu_forward([1.0]),
        "x must be an array, got list; convert it with np.asarray",
    ),
    "relu integers": (
        lambda: m.relu_forward(np.arange(3, dtype=np.int64)),
        "x must hold floating-point numbers, got int64; convert it with .astype('float32')",
    ),
    "max-pool both odd": (
        lambda: m.max_pool_forward(ones(1, 1, 45, 61)),
        "max-pool needs even H and W, got H=45, W=61; crop or mirror-pad to H=46, W=62",
    ),
    "max-pool odd height": (
        lambda: m.max_pool_forward(ones(1, 1, 45, 60)),
        "max-pool needs even H and W, got H=45, W=60; crop or mirror-pad to H=46, W=60",
    ),
    "max-pool odd width": (
        lambda: m.max_pool_forward(ones(1, 1, 60, 45)),
        "max-pool needs even H and W, got H=60, W=45; crop or mirror-pad to H=60, W=46",
    ),
    "max-pool empty": (
        lambda: m.max_pool_forward(ones(1, 1, 0, 4)),
        "max-pool needs even H and W, got H=0, W=4; crop or mirror-pad to H=2, W=4",
    ),
    "max-pool axes": (
        lambda: m.max_pool_forward(ones(1, 4, 4)),
        "x must have shape (N, C, H, W), got (1, 4, 4); add or remove axes with reshape",
    ),
    "up-conv axes": (
        up_conv(ones(3, 6, 8), UP_WEIGHT, BIAS),
        "x must have shape (N, C, H, W), got (3, 6, 8); add or remove axes with reshape",
    ),
    "up-conv axes of weight": (
        up_conv(X, ones(3, 5), BIAS),
        "weight must have shape (C, F, 2, 2), got (3, 5); add or remove axes with reshape",
    ),
    "up-conv dtypes": (
        up_conv(X, UP_WEIGHT, BIAS.astype(np.float32)),
        "up-conv needs arguments of one dtype, got x float64, weight float64, bias float32; convert with .astype",
    ),
    "up-conv kernel": (
        up_conv(X, ones(3, 5, 3, 2), BIAS),
        "up-conv needs a 2x2 kernel, weight (C, F, 2, 2), got (3, 5, 3, 2); its stride is 2",
    ),
    "up-conv channels": (
        up_conv(X, ones(5, 3, 2, 2), BIAS),
        "up-conv with weight (C, F, 2, 2) = (5, 3, 2, 2) needs x with C=5 channels, got C=3; x is (N, C, H, W)",
    ),
    "up-conv bias": (
        up_conv(X, UP_WEIGHT, ones(3)),
        "up-conv with weight (3, 5, 2, 2) needs bias (F,) = (5,), got (3,)",
    ),
    "crop-concat axes": (
        lambda: m.crop_concat_forward(ones(6, 8), X),
        "skip must have shape (N, S, SH, SW), got (6, 8); add or remove axes with reshape",
    ),
    "crop-concat dtypes": (
        lambda: m.crop_concat_forward(X, X.astype(np.float32)),
        "crop-concat needs arguments of one dtype, got skip float64, x float32; convert with .astype",
    ),
    "crop-concat batch": (
        lambda: m.crop_concat_forward(ones(1, 3, 6, 8), X),
        "crop-concat needs one batch size, got skip (1, 3, 6, 8) and x (2, 3, 6, 8); both are (N, ...)",
    ),
    "crop-concat height": (
        lambda: m.crop_concat_forward(ones(2, 3, 5, 9), X),
        "crop-concat needs a skip at least as large as x, got skip (2, 3, 5, 9) and x (2, 3, 6, 8); "
        "the arguments are (skip, x), in this order",
    ),
    "crop-concat width": (
        lambda: m.crop_concat_forward(ones(2, 3, 7, 7), X),
        "crop-concat needs a skip at least as large as x, got skip (2, 3, 7, 7) and x (2, 3, 6, 8); "
        "the arguments are (skip, x), in this order",
    ),
    "dropout rate 1": (
        lambda: m.dropout_forward(X, 1.0, RNG),
        "dropout rate must be at least 0 and below 1, got 1.0; 0.5 drops every second element",
    ),
    "dropout negative rate": (
        lambda: m.dropout_forward(X, -0.1, RNG),
        "dropout rate must be at least 0 and below 1, got -0.1; 0.5 drops every second element",
    ),
    "dropout without generator": (
        lambda: m.dropout_forward(X, 0.5, None),
        "rng must be a numpy.random.Generator, got None; pass np.random.default_rng(seed)",
    ),
    "dropout seed": (
        lambda: m.dropout_forward(X, 0.5, 3),
        "rng must be a numpy.random.Generator, got 3; pass np.random.default_rng(seed)",
    ),
    "dropout integers": (
        lambda: m.dropout_forward(np.arange(3, dtype=np.int64), 0.5, RNG),
        "x must hold floating-point numbers, got int64; convert it with .astype('float32')",
    ),
    "loss axes": (
        loss(LABELS, logits=ones(3, 4, 5)),
        "logits must have shape (N, K, H, W), got (3, 4, 5); add or remove axes with reshape",
    ),
    "loss floating labels": (
        loss(LABELS.astype(float)),
        "labels must be an array of integers, got float64; convert it with .astype('int64')",
    ),
    "loss list of labels": (
        loss([[[0]]]),
        "labels must be an array, got list; convert it with np.asarray",
    ),
    "loss size of labels": (
        loss(np.zeros((2, 6, 7), int)),
        "labels must have shape (N, H, W) = (2, 4, 5), got (2, 6, 7); crop them to the centre that the network's "
        "output covers",
    ),
    "loss size of weights": (
        loss(LABELS, ones(4, 5)),
        "weights must have shape (N, H, W) = (2, 4, 5), got (4, 5); crop them to the centre that the network's output "
        "covers",
    ),
    "loss list of weights": (
        loss(LABELS, [[[1.0]]]),
        "weights must be an array, got list; convert it with np.asarray",
    ),
    "loss label too large": (
        loss(LABELS + 3),
        "labels must be in 0..2 for 3 classes, got 3; relabel them, or give these pixels weight 0",
    ),
    "loss negative label": (
        loss(LABELS - 1, ones(2, 4, 5)),
        "labels must be in 0..2 for 3 classes, got -1; relabel them, or give these pixels weight 0",
    ),
}


@pytest.mark.parametrize("call, message", LAYERS.values(), ids=LAYERS)
def test_a_forward_pass_says_expected_got_and_remedy(call, message):
    assert_refused(call, message)


def test_an_input_error_is_a_value_error():
    assert issubclass(m.InputError, ValueError)


def test_a_skip_as_large_as_x_and_a_kernel_as_large_as_the_image_are_no_errors():
    assert m.crop_concat_forward(X, X)[0].shape == (2, 6, 6, 8)
    assert m.conv2d_forward(X, ones(5, 3, 6, 8), BIAS)[0].shape == (2, 5, 1, 1)
