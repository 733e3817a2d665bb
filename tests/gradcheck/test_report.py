"""What a report says."""

import pytest
from layer_pairs import CONV, conv_args

from minunet import conv2d_backward, conv2d_forward, gradcheck
from minunet.gradcheck.report import Finding


def test_report_reads_as_a_table(rng):
    report = gradcheck(*CONV, conv_args(rng))
    head, columns, *rows = str(report).splitlines()
    assert head.startswith("gradcheck ok   (") and head.endswith(" forward passes, by elements)")
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
    assert str(report).splitlines()[-1] == f"  dy from {report.dy_from}"


def test_a_long_finding_has_its_hint_below_it_and_its_words_stay(rng):
    def bent(dy, cache):
        return tuple(gradient + 0.1 * gradient**2 for gradient in conv2d_backward(dy, cache))

    report = gradcheck(conv2d_forward, bent, conv_args(rng))
    lines = str(report).splitlines()
    assert max(map(len, map(str, report.findings))) > 100 >= max(map(len, lines))
    assert " ".join(str(report).split()).endswith(" ".join([*map(str, report.findings), "dy from", report.dy_from]))
    first = lines.index(next(line for line in lines if line.startswith("  wrong in x")))
    assert lines[first + 1].startswith("      " + report.findings[0].hint[:40])


def test_numbers_have_six_digits_and_zero_has_no_sign():
    assert "analytic 0, numeric 1.23457 " in str(Finding("wrong", "x", "Why?", (0,), -0.0, 1.23456789, 1, 2))


def test_the_same_dy_comes_again_for_the_seed_in_the_report(rng):
    args = conv_args(rng)
    report = gradcheck(conv2d_forward, lambda dy, cache: conv2d_backward(2 * dy, cache), args)
    word, seed = report.dy_from.split()
    assert word == "seed" and (gradcheck(*CONV, args, seed=int(seed)).dy == report.dy).all()
