"""How gradcheck measures: moves, slopes and the rounding in them, in cases where each number is known."""

from itertools import pairwise

import numpy as np
import pytest

from minunet import gradcheck
from minunet.gradcheck.directions import along
from minunet.gradcheck.moves import DirectionMove, ElementMove, norm, random_direction, root_mean_square, size_of
from minunet.gradcheck.one_element import _ladder
from minunet.gradcheck.pair import Pair
from minunet.gradcheck.precision import _is_rounded, _levels, _rounding
from minunet.gradcheck.slopes import EPS, Probe
from minunet.gradcheck.smooth import _look


def probe_of(forward, x, dy):
    pair = Pair(lambda x: (forward(x), None), lambda dy, cache: dy, (np.array(x),))
    return pair, Probe(pair, pair.y, np.array(dy), 4 * EPS)


def test_sizes_of_arrays_however_large_or_small():
    for scale in (1e-300, 1.0, 1e300):
        assert norm(scale * np.array([3.0, -4.0])) == pytest.approx(5 * scale)
        assert root_mean_square(scale * np.array([[3.0], [-4.0]])) == pytest.approx(5 * scale / 2**0.5)
        assert root_mean_square(np.array([-3.0 * scale])) == size_of(np.array(3.0 * scale)) == pytest.approx(3 * scale)
    assert norm(np.zeros(0)) == root_mean_square(np.zeros(0)) == norm(np.zeros(3)) == 0
    assert norm(np.array([1.0, -np.inf])) == np.inf and np.isnan(norm(np.array([1.0, np.nan])))
    assert size_of(np.zeros(3)) == size_of(np.zeros(0)) == size_of(np.array([1.0, np.inf])) == 1


def test_a_random_direction_moves_every_element_by_about_its_size(rng):
    x = 10.0 ** rng.integers(-3, 4, (50, 40))
    x[0] = 0
    for own_scale, sizes in ((False, size_of(x)), (True, np.where(x, x, size_of(x)))):
        moves = random_direction(rng, {"x": x}, own_scale)["x"] / sizes
        assert 0.5 <= np.abs(moves).min() < 0.51 and 1.49 < np.abs(moves).max() <= 1.5
        assert abs(np.sign(moves).mean()) < 0.1


def test_moves_say_how_far_they_went_and_are_taken_back():
    x, w = np.array([[1.0, 2.0], [3.0, 1e9]]), np.array([5.0])
    move = ElementMove("x", x, 3, 7.0)
    place = move.to(1e-8)  # lost in rounding: the next number after 1e9 is 1.2e-7 away
    assert place == (0, 0) and x[1, 1] == 1e9
    place = move.to(1e-7)
    assert x[1, 1] == 1e9 + 2**-23 and place == (2**-23, 7 * 2**-23)
    move.to(0.0)
    assert x[1, 1] == 1e9 and move.describe(1e-7) == "1.0e-07 in x[1, 1]"
    direction = {"x": np.array([[1.0, 0.0], [0.0, 0.0]]), "w": np.array([-2.0])}
    move = DirectionMove({"x": x, "w": w}, direction, {"x": np.full((2, 2), 3.0), "w": np.array([0.5])})
    assert move.to(0.25) == (0.25, pytest.approx(3 * 0.25 - 0.5 * 2 * 0.25))
    assert (x[0, 0], w[0]) == (1.25, 4.5)
    assert move.to(0.0) == (0, 0) and (x[0, 0], w[0]) == (1, 5)
    assert move.describe(1e-3) == "1.0e-03 of the size of x, w, along a random direction"


def test_the_three_slopes_of_a_cube():
    pair, probe = probe_of(lambda x: x**3, [2.0, 5.0], [10.0, 1.0])
    h = 2.0**-10
    slope = probe.slope(ElementMove("x", pair.leaves["x"], 0, 110.0), h)
    assert slope.value == pytest.approx(10 * (12 + h**2), rel=1e-9)
    assert slope.right == pytest.approx(10 * (12 + 6 * h + h**2), rel=1e-9)
    assert slope.left == pytest.approx(10 * (12 - 6 * h + h**2), rel=1e-9)
    assert slope.gap() == pytest.approx(10 * 12 * h, rel=1e-6)
    assert (slope.step, slope.expected) == (h, 110)
    assert slope.three() == (slope.value, slope.right, slope.left)
    assert slope.rounding == pytest.approx(4 * EPS * 10 * 2 * 8 / (2 * h), rel=1e-2)  # of the output that moves
    along_both = DirectionMove(pair.leaves, {"x": np.array([1.0, 2.0])})
    assert probe.slope(along_both, h).value == pytest.approx(10 * (12 + h**2) + 2 * 75 + 8 * h**2, rel=1e-9)


def test_bends_are_counted_at_each_output():
    pair, probe = probe_of(np.abs, [0.0, 3.0, 0.0], [1.0, 1.0, -5.0])
    move = DirectionMove(pair.leaves, {"x": np.array([1.0, 1.0, 2.0])})
    slope = probe.slope(move, 1e-6, count_bends=True)
    assert slope.bent == 2 and slope.bend == pytest.approx(2 * 1 + 2 * 2 * 5)  # right minus left, whatever dy's sign
    assert slope.right == pytest.approx(1 + 1 - 10) and slope.left == pytest.approx(-1 + 1 + 10)
    alone = ElementMove("x", pair.leaves["x"], 1, 0.0)
    np.testing.assert_array_equal(probe.dependent(move, 1.0), [True, True, True])
    np.testing.assert_array_equal(probe.dependent(alone, 1.0), [False, True, False])


def test_an_output_that_changes_on_one_side_only_depends_on_the_argument():
    pair, probe = probe_of(lambda x: np.maximum(-x, 0), [0.0, 1.0], [1.0, 1.0])
    np.testing.assert_array_equal(probe.dependent(ElementMove("x", pair.leaves["x"], 0, 0.0), 1.0), [True, False])

    def with_a_domain(x):
        if (x < 0).any():
            raise ValueError("below 0")
        return 3 * x

    pair, probe = probe_of(with_a_domain, [0.5, 5.0], [1.0, 1.0])
    np.testing.assert_array_equal(probe.dependent(ElementMove("x", pair.leaves["x"], 0, 0.0), 1.0), [True, False])
    assert probe.dependent(DirectionMove(pair.leaves, {"x": np.array([1.0, -5.0])}), 2.0) is None


def test_rounding_is_that_of_all_outputs_that_could_have_changed():
    pair, probe = probe_of(lambda x: np.append(1e8 + x, 2 * x), [1.0], [1.0, 1.0])
    move = ElementMove("x", pair.leaves["x"], 0, 3.0)
    blurred = probe.slope(move, 1e-12)  # too little for 1e8, whose last digit is 1.5e-8
    assert blurred.value == pytest.approx(2, rel=1e-3) and blurred.rounding < 1e-2
    both = probe.slope(move, 1e-12, dependent=probe.dependent(move, 1.0))
    assert both.rounding == pytest.approx(4 * EPS * 2e8 / 2e-12, rel=1e-3)
    assert probe.rounding_of_all == pytest.approx(2 * 4 * EPS * 1e8, rel=1e-6)


def test_where_nothing_finite_can_be_reached_there_is_no_slope():
    pair, probe = probe_of(lambda x: np.log(x), [1.0, 2.0], [1.0, 1.0])
    move = ElementMove("x", pair.leaves["x"], 0, 1.0)
    with np.errstate(all="ignore"):
        assert probe.slope(move, 1.5) is None and probe.slope(move, 0.5) is not None
    assert probe.slope(ElementMove("x", pair.leaves["x"], 0, 1.0), 1e-20) is None  # 1 + 1e-20 is 1


@pytest.mark.parametrize("noise", [1e-14, 1e-8, 1e-3])
def test_the_rounding_of_an_output_is_estimated_from_four_samples_of_it(rng, noise):
    """The median of the absolute value of a normal number is 0.67."""
    y = rng.uniform(-9, 9, 100_000)
    steps = [y * (1 + 1e-5 * i) * (1 + noise * rng.standard_normal(y.size)) for i in range(4)]
    assert _rounding(*steps) == pytest.approx(0.67 * noise, rel=0.05)
    steps[2][:3] = np.nan, np.inf, 1e300  # a few that are out of range do not count
    assert _rounding(*steps) == pytest.approx(0.67 * noise, rel=0.05)
    jumping = [np.where(np.arange(y.size) < 40_000, y * 2**i, step) for i, step in enumerate(steps)]
    assert _rounding(*jumping) == pytest.approx(0.67 * noise, rel=0.05)  # those change a lot: they lie at a kink


def test_an_output_that_does_not_change_or_is_not_there_tells_no_rounding():
    y = np.array([1.0, 2.0])
    assert _rounding(y, y, y, y) == _rounding(y, None, 2 * y, y) == 0
    assert _rounding(y, y * (1 + 1e-7), y * (1 + 2e-7), y * (1 + 3e-7)) < 1e-15


def test_numbers_of_single_precision_are_told_from_those_that_any_precision_holds(rng):
    double = rng.standard_normal(9)
    single = double.astype(np.float32).astype(np.float64)
    assert _is_rounded(single) and not _is_rounded(double) and not _is_rounded(np.append(single, 1 / 3))
    assert not _is_rounded(np.array([1.0, 0.5, -3.0, 12.0])) and not _is_rounded(np.zeros(0))
    assert _levels(single) > 20
    assert _levels(np.arange(1.0, 128) / 128) == 7 and _levels(np.array([1.0, 4.0])) == 3


def test_the_steps_of_an_element_lie_apart_and_reach_far():
    for own in (0.0, 1e-3, 1.0, 1e5):
        for size in (1e-4, 1.0, 1e4):
            for step in (1e-6, 1e-7, 1e-3):
                first = step * max(own, size)
                finer, coarser = _ladder(own, size, step, is_blurred=False)
                steps = [*reversed(finer), first, *coarser]
                assert all(coarse / fine >= 2.99 for fine, coarse in pairwise(steps))  # they rise, and none is near
                for scale in {1.0, max(own, size), own} - {0.0}:
                    assert steps[0] < 4e-8 * scale and steps[-1] > 3e-5 * scale
                coarser_first, _ = _ladder(own, size, step, is_blurred=True)
                assert coarser_first == sorted(coarser_first) and coarser_first[-1] > 3e3 * max(own, size)


def test_a_gradient_a_hairs_breadth_from_a_kink_is_right():
    """At 1 + 3e-8 a step of 1e-7 crosses the kink at 1, and one of 1e-8 does not."""
    x = 1 + 3e-8 * np.array([1.0, -1.0, 2.0, 1e6])
    report = gradcheck(lambda x: (np.maximum(x - 1, 0), x > 1), lambda dy, is_above: dy * is_above, (x,))
    assert report.ok and not report.findings, report


@pytest.mark.parametrize("step", [1e-8, 1e-7, 1e-5, 1e-3])
def test_any_first_step_will_do(step):
    x = np.array([0.0, 1.0, -2.0])
    report = gradcheck(lambda x: (np.maximum(x, 0), x > 0), lambda dy, is_above: dy * is_above, (x,), step=step)
    assert [finding.kind for finding in report.findings] == ["kink"], report


@pytest.mark.parametrize("mode", ["elements", "directions"])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_errors_and_the_resolution_are_relative(mode, scale):
    x = scale * np.random.default_rng(0).uniform(1, 2, 50)
    report = gradcheck(lambda x: (x**3, x), lambda dy, x: 3 * x**2 * dy, (x,), mode=mode)
    assert report.ok and report.rows[0].error < 1e-9
    if mode == "directions":
        said = float(report.resolution.partition("off by more than ")[2].split()[0])
        assert 1e-11 < said < 1e-8
        wrong = gradcheck(lambda x: (x**3, x), lambda dy, x: 3.1 * x**2 * dy, (x,), mode=mode)
        assert wrong.resolution == "" and wrong.rows[0].compared == 1


@pytest.mark.parametrize("mode", ["elements", "directions"])
def test_a_large_constant_that_is_added_is_no_low_precision(mode):
    x = np.random.default_rng(0).standard_normal(20)
    right = gradcheck(lambda x: (1e6 + 1e-3 * x, None), lambda dy, cache: 1e-3 * dy, (x,), mode=mode)
    assert right.ok, right
    lost = gradcheck(lambda x: (1e12 + 1e-3 * x, None), lambda dy, cache: 1e-3 * dy, (x,), mode="directions")
    assert [finding.kind for finding in lost.findings] == ["vacuous"], lost


def test_rounding_of_all_three_slopes_counts_where_they_are_extrapolated():
    """(4 a - b) / 3 is off by 4/3 of what a is, and 1/3 of what b is, at worst."""
    pair, probe = probe_of(lambda x: 1e3 + x, [1.0, 2.0], [1.0, 3.0])
    way = along(pair.leaves, {"x": np.array([1.0, 0.5])}, {"x": np.array([1.0, 3.0])})
    look, once, twice = _look(probe, way, 1e-3), probe.slope(way.move, 1e-3), probe.slope(way.move, 2e-3)
    assert look.tolerance >= (4 * once.rounding + twice.rounding) / 3 > abs(look.miss)
    assert not look.is_wrong() and look.gap == 0


@pytest.mark.parametrize("threshold", [7e-4, 3e-7])
def test_a_threshold_on_both_sides_of_the_point_is_no_wrong_gradient(threshold):
    """Hard shrinkage is 0 between two thresholds, and so is its gradient at 0, whatever larger steps say."""
    x = np.random.default_rng(0).standard_normal(30)
    x[0] = 0.0
    x /= root_mean_square(x)

    def forward(x):
        y = x * x
        y[0] += 3e-4 * np.where(np.abs(x[0]) > threshold, x[0], 0)
        return y, x

    for seed in range(4):  # below the usual tolerance, steps of 1e-3 are tried as well
        report = gradcheck(
            forward, lambda dy, x: 2 * dy * x, (x,), dy=np.ones(30), mode="directions", tolerance=1e-10, seed=seed
        )
        assert report.ok, report
