"""Every error of the network says what was expected, what came, and the remedy, and is an InputError."""

import numpy as np
import pytest
from refusal import assert_refused

import minunet as m

RNG = np.random.default_rng(0)


def unet(*shape, dtype=np.float32, depth=2, **dropout):
    params = m.init_unet(np.random.default_rng(0), in_channels=3, base_channels=1, depth=depth)
    return lambda: m.unet_forward(params, np.ones(shape, dtype), **dropout)


def init(**network):
    return lambda: m.init_unet(np.random.default_rng(0), **network)


NETWORK = {
    "height": (
        unet(1, 3, 573, 572, depth=4),
        "input height 573 does not fit depth 4; the nearest valid heights are 572 and 588",
    ),
    "width": (
        unet(1, 3, 44, 47),
        "input width 47 does not fit depth 2; the nearest valid widths are 44 and 48",
    ),
    "too small": (
        unet(1, 3, 40, 44),
        "input height 40 does not fit depth 2; the smallest valid height is 44",
    ),
    "channels": (
        unet(2, 1, 44, 48),
        "the network takes C=3 channels, got x (2, 1, 44, 48) with C=1; init_unet(in_channels=...) makes one for other "
        "channels",
    ),
    "axes": (
        unet(44, 48),
        "x must have shape (N, C, H, W), got (44, 48); add or remove axes with reshape",
    ),
    "integers": (
        unet(1, 3, 44, 48, dtype=np.uint8),
        "x must hold floating-point numbers, got uint8; convert it with .astype('float32')",
    ),
    "dtypes": (
        unet(1, 3, 44, 48, dtype=np.float64),
        "conv2d needs arguments of one dtype, got x float64, weight float32, bias float32; convert with .astype",
    ),
    "dropout without generator": (
        unet(1, 3, 44, 48, dropout_rate=0.5),
        "rng must be a numpy.random.Generator, got None; pass np.random.default_rng(seed)",
    ),
    "dropout rate": (
        unet(1, 3, 44, 48, dropout_rate=1.5, rng=RNG),
        "dropout rate must be at least 0 and below 1, got 1.5; 0.5 drops every second element",
    ),
    "depth 0": (init(depth=0), "depth must be a whole number of at least 1, got 0"),
    "no classes": (init(num_classes=0), "num_classes must be a whole number of at least 1, got 0"),
    "negative channels": (init(in_channels=-1), "in_channels must be a whole number of at least 1, got -1"),
    "half a channel": (init(base_channels=2.5), "base_channels must be a whole number of at least 1, got 2.5"),
    "text": (init(depth="4"), "depth must be a whole number of at least 1, got '4'"),
    "true": (init(depth=True), "depth must be a whole number of at least 1, got True; leave it out for the paper's"),
    "a seed": (
        lambda: m.init_unet(0),
        "rng must be a numpy.random.Generator, got 0; pass np.random.default_rng(seed)",
    ),
    "no generator": (lambda: m.init_unet(None, depth=2), "rng must be a numpy.random.Generator, got None; pass"),
    "integer dtype": (
        init(dtype=np.int32),
        "dtype must be a type of floating-point numbers, got <class",
    ),
    "unknown dtype": (
        init(dtype="single precision"),
        "dtype must be a type of floating-point numbers, got 'single precision'; use numpy.float32 to train",
    ),
}


@pytest.mark.parametrize("call, message", NETWORK.values(), ids=NETWORK)
def test_the_network_says_expected_got_and_remedy(call, message):
    assert_refused(call, message)
