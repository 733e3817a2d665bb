"""The bug hunt: each report says what the text of notebook 14 reads out of it, and each suspect fails its exercise."""

import pytest

import minunet
from minunet import course, gradcheck
from minunet.course import bug_hunt as suspects
from minunet.course import public_suspects as public
from minunet.course.stride_and_padding import strided_conv_forward

REPORTS = {  # forward, suspect, arguments; kind, the accused arguments, the count, and words of the hint
    "pool": (
        minunet.max_pool_forward,
        suspects.suspect_pool,
        suspects.POOL,
        "wrong",
        ["x"],
        (108, 144),
        "should be zero",
    ),
    "conv": (minunet.conv2d_forward, suspects.suspect_conv, suspects.CONV, "wrong", ["x"], (52, 60), "no simple"),
    "loss": (
        minunet.softmax_cross_entropy_forward,
        suspects.suspect_loss,
        suspects.LOSS,
        "wrong",
        ["logits"],
        (120, 120),
        "It is 3 times",
    ),
    "up_conv": (
        minunet.up_conv_forward,
        suspects.suspect_up_conv,
        suspects.UP_CONV,
        "wrong",
        ["weight"],
        (12, 24),
        "last two axes swapped",
    ),
    "crop_concat": (
        minunet.crop_concat_forward,
        suspects.suspect_crop_concat,
        suspects.CROP_CONCAT,
        "wrong",
        ["skip"],
        (144, 288),
        "shifted by one along the last axis",
    ),
    "relu": (minunet.relu_forward, suspects.suspect_relu, suspects.RELU, "mutated", ["dy"], (None, None), "copy"),
    "conv_relu_conv": (
        suspects.conv_relu_conv_forward,
        suspects.suspect_conv_relu_conv,
        suspects.CONV_RELU_CONV,
        "wrong",
        ["x", "weight1", "bias1"],
        (83, 84),
        "no simple",
    ),
    "loss_again": (
        minunet.softmax_cross_entropy_forward,
        suspects.suspect_loss_again,
        suspects.LOSS_AGAIN,
        "vacuous",
        ["logits"],
        (None, None),
        "choose other arguments",
    ),
    "softmax": (
        public.softmax_forward,
        public.suspect_softmax,
        public.SOFTMAX,
        "wrong",
        ["x"],
        (120, 120),
        "a term or a factor is missing",
    ),
    "mirror": (public.mirror_forward, public.suspect_mirror, public.MIRROR, "wrong", ["x"], (108, 180), "no simple"),
    "strided_conv": (
        strided_conv_forward,
        public.suspect_strided_conv,
        public.STRIDED,
        "wrong",
        ["x", "weight"],
        (330, 378),
        "does a loop, a sum or a slice end early",
    ),
    "standardise": (
        public.standardise_forward,
        public.suspect_standardise,
        public.STANDARDISE,
        "wrong",
        ["x"],
        (120, 120),
        "close to the right gradient",
    ),
    "largest": (public.largest_forward, public.suspect_largest, public.TIES, "kink", ["x"], (8, 144), "Left out"),
}
REPAIRS = {
    "repaired_loss_backward": suspects.suspect_loss,
    "repaired_up_conv_backward": suspects.suspect_up_conv,
    "repaired_crop_concat_backward": suspects.suspect_crop_concat,
    "repaired_relu_backward": suspects.suspect_relu,
    "repaired_conv_relu_conv_backward": suspects.suspect_conv_relu_conv,
    "repaired_softmax_backward": public.suspect_softmax,
    "repaired_mirror_backward": public.suspect_mirror,
    "repaired_strided_conv_backward": public.suspect_strided_conv,
    "repaired_standardise_backward": public.suspect_standardise,
}


@pytest.mark.parametrize("name", REPORTS)
def test_report_says_what_the_text_reads_out_of_it(name):
    forward, suspect, args, kind, accused, count, words = REPORTS[name]
    report = gradcheck(forward, suspect, args)
    assert [finding.kind for finding in report.findings] == [kind] * len(accused), report
    assert [finding.argument for finding in report.findings] == accused, report
    first = report.findings[0]
    assert (first.count, first.total) == count and words in first.hint, report


@pytest.mark.slow
def test_border_in_the_unet_lies_between_its_level_and_the_bottom():
    report = gradcheck(minunet.unet_forward, suspects.suspect_unet, suspects.UNET)
    for row in report.rows:
        assert (row.error > 0.1) == row.argument.startswith("params.encode"), report
        assert row.error > 0.1 or row.error < 1e-7, report


def test_riddle_is_right_at_other_arguments():
    assert gradcheck(minunet.softmax_cross_entropy_forward, suspects.suspect_loss_again, suspects.LOSS).ok


@pytest.mark.parametrize("name", REPAIRS)
def test_suspect_as_it_was_is_no_repair(name):
    assert not course.check(name, REPAIRS[name]).ok


def test_relu_that_writes_into_dy_is_right_and_yet_refused():
    text = str(course.check("repaired_relu_backward", suspects.suspect_relu))
    assert "tiny case: equal" in text and "changes its argument dy" in text, text


def test_gradients_given_to_each_of_several_winners_pass_the_check_and_fail_the_sum():
    """As the text says of suspect 14: a tie is a kink, so the check is silent, and the sum of dx tells."""
    y, cache = public.largest_forward(*public.TIES)
    assert gradcheck(public.largest_forward, public.suspect_largest, public.TIES).ok
    assert public.suspect_largest(y * 0 + 1, cache).sum() > y.size
    right, cache = minunet.max_pool_forward(*public.TIES)
    assert minunet.max_pool_backward(right * 0 + 1, cache).sum() == right.size
