"""Correct layers under provocation: any seed, any scale, any dtype, any memory layout; no alarm."""

import numpy as np
import pytest
from layer_pairs import CONV, LOSS, MODES, POOL, RELU, UP, conv_args, kinds

from minunet import gradcheck
from minunet.cli.gradcheck_cases import cases

LAYERS = [name for name in cases() if name != "unet"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("seed", range(5))
def test_every_layer_passes_for_any_seed(name, mode, seed):
    check_layer(name, mode, seed)


@pytest.mark.slow
@pytest.mark.parametrize("mode, seeds", [("elements", [0, 1]), ("directions", range(5))])
def test_unet_passes_for_any_seed(mode, seeds):
    for seed in seeds:
        check_layer("unet", mode, seed)


def check_layer(name, mode, seed):
    report = gradcheck(*cases(seed + 1)[name], mode=mode, rng=np.random.default_rng(seed))
    assert report.ok, report
    assert set(kinds(report)) <= {"kink"}, report


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1e4, 1e8])
@pytest.mark.parametrize("pair", [CONV, UP], ids=["conv2d", "up_conv"])
def test_huge_and_tiny_arguments(rng, pair, scale, mode):
    x, weight, bias = conv_args(rng, scale)
    args = (x, weight, bias) if pair is CONV else (x, rng.standard_normal((3, 4, 2, 2)) * scale, bias)
    report = gradcheck(*pair, args, mode=mode)
    assert report.ok and not report.findings, report


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scales", [(1e6, 1e-6, 1), (1e-6, 1, 1e6), (1, 1e-8, 1e-8)])
def test_arguments_of_very_different_scales(rng, scales, mode):
    args = tuple(scale * array for scale, array in zip(scales, conv_args(rng), strict=True))
    report = gradcheck(*CONV, args, mode=mode)
    assert report.ok and not report.findings, report


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e3, 1e8])
def test_relu_and_pool_at_any_scale(rng, scale, mode):
    for pair in (RELU, POOL):
        report = gradcheck(*pair, (scale * rng.standard_normal((2, 3, 6, 4)),), mode=mode)
        assert report.ok and not report.findings, report


@pytest.mark.parametrize("mode", MODES)
def test_one_argument_holds_huge_and_tiny_numbers(rng, mode):
    x, weight, bias = conv_args(rng)
    x *= 10.0 ** rng.integers(-4, 5, x.shape)
    report = gradcheck(*CONV, (x, weight, bias), mode=mode)
    assert report.ok and not report.findings, report


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1, 30, 300, 1e-6])
def test_loss_with_confident_and_with_undecided_logits(rng, scale, mode):
    logits, labels = scale * rng.standard_normal((2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5))
    report = gradcheck(*LOSS, (logits, labels, rng.random((2, 4, 5))), mode=mode)
    assert report.ok and not report.findings, report


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("mode", MODES)
def test_arguments_of_low_precision_are_checked_in_float64(rng, dtype, mode):
    report = gradcheck(*CONV, tuple(array.astype(dtype) for array in conv_args(rng)), mode=mode)
    assert report.ok and not report.findings, report
    assert report.rows[0].error < 1e-8


def test_read_only_strided_and_fortran_arguments_stay_as_they_are(rng):
    x, weight, bias = conv_args(rng)
    wide = rng.standard_normal((2, 3, 12, 5))
    args = [wide[:, :, ::2], np.asfortranarray(weight), bias[::-1]]
    for array in args:
        array.flags.writeable = False
    copies = [array.copy() for array in args]
    report = gradcheck(*CONV, tuple(args))
    assert report.ok and not report.findings, report
    for array, copy in zip(args, copies, strict=True):
        np.testing.assert_array_equal(array, copy)
