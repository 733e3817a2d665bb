"""gradcheck beyond the bug zoo: correct layers under provocation, pairs of a student's own, and what a report says."""

import numpy as np
import pytest

from minunet import (
    InputError,
    conv2d_backward,
    conv2d_forward,
    crop_concat_backward,
    crop_concat_forward,
    flatten,
    gradcheck,
    init_unet,
    max_pool_backward,
    max_pool_forward,
    relu_backward,
    relu_forward,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    unet_backward,
    unet_forward,
    up_conv_backward,
    up_conv_forward,
)
from minunet.backend import Constant
from minunet.cli.gradcheck_cases import cases

MODES = ["elements", "directions"]
LAYERS = [name for name in cases() if name != "unet"]
CONV, UP, RELU, POOL, CONCAT, LOSS = (
    (conv2d_forward, conv2d_backward),
    (up_conv_forward, up_conv_backward),
    (relu_forward, relu_backward),
    (max_pool_forward, max_pool_backward),
    (crop_concat_forward, crop_concat_backward),
    (softmax_cross_entropy_forward, softmax_cross_entropy_backward),
)


def kinds(report):
    return [finding.kind for finding in report.findings]


def conv_args(rng, scale=1.0):
    normal = rng.standard_normal
    return scale * normal((2, 3, 6, 5)), scale * normal((4, 3, 3, 2)), scale * normal(4)


# Correct layers under provocation: no alarm.


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*LAYERS, pytest.param("unet", marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", range(5))
def test_every_layer_passes_for_any_seed(name, mode, seed):
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


@pytest.mark.parametrize("mode", MODES)
def test_zeros_in_a_relu_are_kinks_and_no_alarm(rng, mode):
    x = rng.standard_normal((2, 3, 6, 4))
    x.reshape(-1)[:10] = 0
    report = gradcheck(*RELU, (x,), mode=mode)
    assert report.ok, report
    assert kinds(report) == ["kink"]
    if mode == "elements":
        (kink,) = report.findings
        assert (kink.argument, kink.count, kink.total) == ("x", 10, x.size)
        assert report.rows[0].compared == x.size - 10


@pytest.mark.parametrize("mode", MODES)
def test_ties_in_a_pool_are_kinks_and_no_alarm(rng, mode):
    x = rng.standard_normal((2, 3, 6, 4))
    x[0] = x[0].round()  # grey values from a file: many windows have two winners
    x[1, 0, :2, :2] = 1.0
    report = gradcheck(*POOL, (x,), mode=mode)
    assert report.ok, report
    assert kinds(report) == ["kink"]
    assert 0 < report.findings[0].count < report.findings[0].total


@pytest.mark.parametrize("mode", MODES)
def test_values_closer_to_a_kink_than_any_step(rng, mode):
    x = rng.standard_normal((2, 3, 6, 4))
    x.reshape(-1)[:6] = [1e-7, -1e-7, 1e-9, -1e-9, 1e-12, -1e-12]
    report = gradcheck(*RELU, (x,), mode=mode)
    assert report.ok, report


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_unet_with_kinks_everywhere(rng, mode):
    """Without biases, an image that is black at one side leaves every ReLU there at exactly 0, and every pool tied."""
    params = init_unet(rng, base_channels=2, depth=1, dtype=np.float64)
    x = rng.standard_normal((1, 1, 20, 22))
    x[..., :10] = 0
    report = gradcheck(unet_forward, unet_backward, (params, x), mode=mode)
    assert report.ok, report


def test_wrong_gradient_is_found_beside_kinks(rng):
    x = rng.standard_normal((2, 3, 6, 4))
    x.reshape(-1)[:10] = 0
    report = gradcheck(relu_forward, lambda dy, cache: 1.01 * relu_backward(dy, cache), (x,))
    assert not report.ok
    assert sorted(kinds(report)) == ["kink", "wrong"]


# A single wrong element, and a large network.


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("factor", [1.01, -1, 0])
def test_one_wrong_element_among_ten_thousand_is_found_and_named(seed, factor):
    rng = np.random.default_rng(seed)
    x, weight, bias = rng.standard_normal((1, 25, 12, 12)), rng.standard_normal((44, 25, 3, 3)), rng.standard_normal(44)
    index = tuple(int(rng.integers(n)) for n in weight.shape)

    def backward(dy, cache):
        dx, dweight, dbias = conv2d_backward(dy, cache)
        dweight[index] *= factor
        return dx, dweight, dbias

    assert weight.size == 9900
    report = gradcheck(conv2d_forward, backward, (x, weight, bias), rng=rng)
    assert report.mode == "directions"
    (finding,) = report.findings
    assert (finding.kind, finding.argument, finding.index) == ("wrong", "weight", index), report
    assert finding.analytic == pytest.approx(factor * finding.numeric, rel=1e-4, abs=1e-4)


def passes_for(base_channels):
    rng = np.random.default_rng(0)
    params = init_unet(rng, base_channels=base_channels, depth=2, dtype=np.float64)
    for name, array in flatten(params).items():
        if name.endswith("bias"):
            array += 0.1 * rng.standard_normal(array.shape)
    report = gradcheck(unet_forward, unet_backward, (params, rng.standard_normal((1, 1, 60, 56))))
    assert report.ok and report.mode == "directions", report
    return report.forward_passes


def test_forward_passes_do_not_grow_with_the_number_of_parameters():
    assert max(passes_for(2), passes_for(16)) <= 40  # 7,000 and 460,000 parameters


# What may be passed.


def test_scalar_loss_written_by_a_student():
    def forward(prediction, target):
        return ((prediction - target) ** 2).mean(), (prediction, target)

    def backward(dloss, cache):
        prediction, target = cache
        dprediction = dloss * 2 * (prediction - target) / prediction.size
        return dprediction, -dprediction

    rng = np.random.default_rng(0)
    assert gradcheck(forward, backward, (rng.standard_normal((3, 4)), rng.standard_normal((3, 4)))).ok
    forgets_dloss = gradcheck(
        forward, lambda dloss, cache: backward(1.0, cache), (rng.standard_normal(5), rng.standard_normal(5))
    )
    assert not forgets_dloss.ok


def test_single_gradient_needs_no_tuple():
    report = gradcheck(lambda x: (np.sin(x), x), lambda dy, x: dy * np.cos(x), (np.linspace(-1, 1, 7),))
    assert report.ok and not report.findings, report


def test_list_of_gradients_is_as_good_as_a_tuple(rng):
    report = gradcheck(conv2d_forward, lambda dy, cache: list(conv2d_backward(dy, cache)), conv_args(rng))
    assert report.ok and not report.findings, report


def test_integers_and_none_pass_through(rng):
    logits, labels = rng.standard_normal((2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5))
    for args in [(logits, labels), (logits, labels, None)]:
        report = gradcheck(*LOSS, args)
        assert report.ok and [row.argument for row in report.rows] == ["logits"], report


def test_gradients_of_nested_parameters_carry_their_dotted_names():
    def forward(params, x):
        return params["scale"] * x + params["shifts"][0], (params["scale"], x)

    def backward(dy, cache):
        scale, x = cache
        return {"scale": np.array((dy * x).sum()), "shifts": [dy.sum(axis=0) * 1.5]}, dy * scale

    rng = np.random.default_rng(0)
    report = gradcheck(forward, backward, ({"scale": np.array(1.3), "shifts": [rng.random(4)]}, rng.random((3, 4))))
    assert [row.argument for row in report.rows] == ["params.scale", "params.shifts.0", "x"]
    assert [(finding.kind, finding.argument) for finding in report.findings] == [("wrong", "params.shifts.0")]


def test_constant_argument_may_do_without_a_gradient(rng):
    def forward(x, mask: Constant):
        return x * mask, mask

    x, mask = rng.standard_normal(6), rng.random(6)
    report = gradcheck(forward, lambda dy, mask: dy * mask, (x, mask))
    assert report.ok and [row.argument for row in report.rows] == ["x"], report
    report = gradcheck(lambda x, mask: (x * mask, mask), lambda dy, mask: dy * mask, (x, mask))
    assert kinds(report) == ["shape"] and report.findings[0].argument == "mask"


@pytest.mark.parametrize("dy", [1.0, np.float32(2.5)])
def test_given_dy_for_a_scalar(rng, dy):
    report = gradcheck(*LOSS, (rng.standard_normal((1, 2, 3, 4)), rng.integers(0, 2, (1, 3, 4))), dy=dy)
    assert report.ok and not report.findings, report


@pytest.mark.parametrize("mode", MODES)
def test_kinks_within_a_nudge_are_no_low_precision(rng, mode):
    """In a large network a change of 1e-7 crosses kinks; here every element has one on either side."""
    corner = rng.standard_normal(60)
    gaps = np.array([[-1.5e-7], [0.5e-7], [1.5e-7], [-0.5e-7]])

    def forward(x):
        opened = x > corner + gaps  # (4, 60)
        return x + 0.1 * ((x - corner - gaps) * opened).sum(axis=0), opened

    def backward(dy, opened):
        return dy * (1 + 0.1 * opened.sum(axis=0))

    report = gradcheck(forward, backward, (corner.copy(),), mode=mode)
    assert "precision" not in kinds(report) and report.ok, report


@pytest.mark.parametrize("pair", [RELU, POOL], ids=["relu", "max_pool"])
def test_dy_of_ones_is_no_low_precision(rng, pair):
    x = rng.standard_normal((1, 2, 6, 4))
    y, _ = pair[0](x)
    for dy in (np.ones_like(y), rng.standard_normal(y.shape).astype(np.float32)):
        report = gradcheck(*pair, (x,), dy=dy)
        assert report.ok and not report.findings, report


def test_dy_of_ones_on_a_softmax_proves_nothing():
    def forward(x):
        p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        return p, p

    def backward(dp, p):
        return p * (dp - (dp * p).sum(axis=1, keepdims=True))

    x = np.random.default_rng(0).standard_normal((3, 4))
    assert gradcheck(forward, backward, (x,)).ok
    for mode in MODES:
        assert kinds(gradcheck(forward, backward, (x,), dy=np.ones((3, 4)), mode=mode)) == ["vacuous"]


@pytest.mark.parametrize("mode", MODES)
def test_dead_relu_proves_nothing(rng, mode):
    report = gradcheck(*RELU, (-1 - rng.random((2, 3, 4)),), mode=mode)
    assert not report.ok and kinds(report) == ["vacuous"]


@pytest.mark.parametrize("mode", MODES)
def test_step_function_proves_nothing(rng, mode):
    report = gradcheck(
        lambda x: ((x > 0) * 1.0, x.shape), lambda dy, shape: np.zeros(shape), (rng.standard_normal((5, 6)),), mode=mode
    )
    assert not report.ok and kinds(report) == ["vacuous"], report


# What is refused, and what a report says.


@pytest.mark.parametrize(
    "options, message",
    [
        ({"mode": "quick"}, "mode must be one of auto, elements, directions, got 'quick'"),
        ({"directions": 0}, "directions must be at least 1, got 0"),
        ({"dy": np.ones((2, 3))}, r"dy must have the shape of the forward output, \(2, 4, 4, 4\), got \(2, 3\)"),
    ],
)
def test_bad_options(rng, options, message):
    with pytest.raises(InputError, match=message):
        gradcheck(*CONV, conv_args(rng), **options)


def test_arguments_without_floating_point_numbers():
    with pytest.raises(InputError, match="at least one floating-point array among args, got none"):
        gradcheck(lambda x: (x, None), lambda dy, cache: dy, (np.arange(3),))


def test_args_that_are_no_tuple(rng):
    with pytest.raises(InputError, match=r"args must be a tuple, such as \(x, weight, bias\), got ndarray"):
        gradcheck(*RELU, rng.standard_normal((2, 3)))


def test_forward_without_a_cache(rng):
    with pytest.raises(InputError, match=r"forward must return \(y, cache\), got ndarray"):
        gradcheck(lambda x: 2 * x, lambda dy, cache: 2 * dy, (rng.standard_normal(3),))


def test_report_reads_as_a_table(rng):
    report = gradcheck(*CONV, conv_args(rng))
    head, columns, *rows = str(report).splitlines()
    assert head.startswith("gradcheck ok   (") and head.endswith("by elements, dy from seed 0)")
    assert columns.split() == ["argument", "shape", "compared", "worst", "relative", "error"]
    assert [row.split()[0] for row in rows] == ["x", "weight", "bias"]
    assert max(row.error for row in report.rows) < 1e-7


def test_report_of_a_failure_names_kind_argument_index_and_both_numbers(rng):
    report = gradcheck(
        conv2d_forward, lambda dy, cache: (*conv2d_backward(dy, cache)[:2], -dy.sum(axis=(0, 2, 3))), conv_args(rng)
    )
    (finding,) = report.findings
    assert (finding.kind, finding.argument, finding.count, finding.total) == ("wrong", "bias", 4, 4)
    assert finding.analytic == pytest.approx(-finding.numeric)
    assert str(finding).startswith(f"wrong in bias[{finding.index[0]}]: analytic ")
    assert finding.hint == "The sign is wrong."
    assert str(report).startswith("gradcheck FAILED: wrong")
