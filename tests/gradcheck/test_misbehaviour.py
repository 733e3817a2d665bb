"""What a pair does that it must not, or returns in another form than it should: each is told in its own words."""

import dataclasses
from collections import namedtuple

import numpy as np
import pytest
from layer_pairs import MODES

from minunet import InputError, gradcheck

x = np.random.default_rng(0).standard_normal((3, 4))
w = np.random.default_rng(1).standard_normal((3, 4))


def product(x, w):
    return x * w, (x, w)


def product_backward(dy, cache):
    x, w = cache
    return dy * w, dy * x


@dataclasses.dataclass
class Cache:
    x: np.ndarray
    inner: object = None


def found(report):
    return [(finding.kind, finding.argument, finding.hint) for finding in report.findings]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("wrap", "name"),
    [
        (lambda x: x, "cache"),
        (lambda x: {"a": [x, 3]}, "cache.a.0"),
        (lambda x: Cache(x), "cache.x"),
        (lambda x: Cache(1.0, Cache(x)), "cache.inner.x"),
        (lambda x: [None, Cache(x)], "cache.1.x"),
    ],
    ids=["array", "dict", "dataclass", "nested dataclass", "dataclass in a list"],
)
def test_a_cache_that_is_written_into_is_named(wrap, name, mode):
    array = {}

    def forward(x):
        array["of the cache"] = x.copy()
        return x * x, wrap(array["of the cache"])

    def backward(dy, cache):
        dx = 2 * dy * array["of the cache"]
        array["of the cache"][0, 0] = 7
        return dx

    report = gradcheck(forward, backward, (x,), mode=mode)
    assert found(report) == [
        ("mutated", name, "The backward pass wrote into it; work on a copy, or build a new array.")
    ]


def test_a_cache_that_is_used_up_and_arguments_that_are_taken_away():
    def pops(dy, cache):
        return 2 * dy * cache.pop()

    ((kind, argument, hint),) = found(gradcheck(lambda x: (x * x, [x]), pops, (x,)))
    assert (kind, argument) == ("mutated", "cache.0")  # what the first pass took away is seen before the second

    def once(dy, cache):
        return 2 * dy * next(cache)

    ((kind, argument, hint),) = found(gradcheck(lambda x: (x * x, iter([x])), once, (x,)))
    assert (kind, argument) == ("mutated", "cache")
    assert hint == "The second backward pass on one cache failed (StopIteration): the first has used the cache up."

    def takes(params):
        return params["w"] * params.pop("v"), None

    report = gradcheck(takes, lambda dy, cache: {"w": dy, "v": dy}, ({"w": x, "v": w},))
    assert found(report)[0][:2] == ("mutated", "params.v") and "The forward pass took it away" in found(report)[0][2]


def test_a_forward_pass_that_adds_to_an_argument():
    def adds(params):
        params["new"] = 3.0
        return 2 * params["w"], None

    ((kind, argument, hint),) = found(gradcheck(adds, lambda dy, cache: {"w": 2 * dy}, ({"w": x},)))
    assert (kind, argument) == ("mutated", "params.new") and "wrote new entries into it" in hint


def test_gradients_that_add_up_over_calls_and_gradients_that_are_nan():
    total = np.zeros_like(x)

    def adds_up(dy, x):
        total[...] += 2 * dy * x
        return total.copy()

    ((kind, argument, hint),) = found(gradcheck(lambda x: (x * x, x), adds_up, (x,)))
    assert (kind, argument) == ("nondeterministic", "x") and "added to what an earlier call left" in hint
    bad = lambda dy, cache: (dy * cache[1], np.where(cache[0] > 0, np.nan, dy * cache[0]))  # noqa: E731
    ((kind, argument, hint),) = found(gradcheck(product, bad, (x, w)))
    assert (kind, argument) == ("nonfinite", "w") and hint.startswith("Its gradient holds NaN or infinity")


def test_an_output_or_an_argument_that_is_not_finite():
    y = x.copy()
    y[0, :2] = np.nan, np.inf
    ((kind, argument, hint),) = found(gradcheck(lambda x: (np.where(np.isfinite(y), x, y), x), lambda dy, x: dy, (x,)))
    assert (kind, argument, hint) == ("nonfinite", "y", "The output holds NaN or infinity (2 of 12 elements).")
    ((kind, argument, hint),) = found(gradcheck(product, product_backward, (x, y)))
    assert (kind, argument) == ("nonfinite", "w") and hint.startswith("The argument itself holds NaN or infinity")


def test_too_many_gradients_too_few_and_those_of_another_shape():
    one_too_many = gradcheck(product, lambda dy, cache: (*product_backward(dy, cache), dy), (x, w))
    assert found(one_too_many)[0][1:] == ("w", "3 gradients came back for 2 arguments: x, w.")
    one = gradcheck(product, lambda dy, cache: product_backward(dy, cache)[:1], (x, w))
    assert found(one)[0][:2] == ("shape", "w") and "No gradient came back for it" in found(one)[0][2]
    summed = gradcheck(product, lambda dy, cache: (dy * cache[1], (dy * cache[0]).sum(0)), (x, w))
    assert found(summed)[0][:2] == ("shape", "w")
    assert "must have its shape, (3, 4), got (4,)" in found(summed)[0][2]
    words = gradcheck(product, lambda dy, cache: (dy * cache[1], "dw"), (x, w))
    assert "must have its shape, (3, 4), got str" in found(words)[0][2]


def test_a_tuple_that_is_the_only_argument_may_have_one_gradient_of_another_shape():
    report = gradcheck(lambda p: (p[0] * p[1], p), lambda dy, p: (dy * p[1], (dy * p[0]).sum(0)), ((x, w),))
    assert found(report)[0][:2] == ("shape", "p.1") and "(3, 4), got (4,)" in found(report)[0][2]


@pytest.mark.parametrize("mode", MODES)
def test_a_tuple_or_list_of_gradients_stands_for_the_lists_and_tuples_of_an_argument(mode):
    Two = namedtuple("Two", "a b")

    def forward(pair, scale):
        a, b = pair
        return scale * a * b, (a, b, scale)

    def backward_as(kind):
        def backward(dy, cache):
            a, b, scale = cache
            return kind([scale * dy * b, scale * dy * a]), (dy * a * b).sum()

        return backward

    for argument in ([x, w], (x, w), Two(x, w)):
        for kind in (list, tuple, lambda both: Two(*both)):
            report = gradcheck(forward, backward_as(kind), (argument, 1.5), mode=mode)
            assert report.ok and not report.findings and not report.not_checked, report
        swapped = gradcheck(forward, backward_as(lambda both: both[::-1]), (argument, 1.5), mode=mode)
        assert {kind for kind, _, _ in found(swapped)} == {"shape"}, swapped


def test_what_is_not_checked_is_told_for_each_kind():
    def forward(x, mask, dates, c, n):
        return x * mask * c * n, (mask, c, n)

    dates = np.array(["2015-05-18"], "datetime64[D]")
    args = x, w > 0, dates, w, np.float64(2)
    report = gradcheck(forward, lambda dy, cache: dy * cache[0] * cache[1] * cache[2], args, constant=("c", "n"))
    assert report.ok, report
    assert report.not_checked == {"mask": "booleans", "dates": "datetime64[D]", "c": "constant", "n": "constant"}


def test_lists_of_numbers_and_lists_of_rows():
    """A list of floats is an array to the forward pass; a ragged one stays as it is, and so does one of integers."""
    seen = []

    def forward(values):
        seen.append(values)
        return sum(np.sum(np.square(v)) for v in values), values

    assert gradcheck(forward, lambda dy, values: 2 * dy * values, ([1.0, 2],)).ok
    assert isinstance(seen[-1], np.ndarray) and seen[-1].dtype == np.float64
    ragged = [[1.0], [2.0, 3.0]]
    report = gradcheck(forward, lambda dy, rows: [[2 * dy * v for v in row] for row in rows], (ragged,))
    assert report.ok and isinstance(seen[-1], list), report
    with pytest.raises(InputError, match="at least one floating-point array among args"):
        gradcheck(forward, lambda dy, values: None, ([1, 2],))


def test_outputs_that_cannot_be_checked():
    ((kind, argument, hint),) = found(gradcheck(lambda x: ((x > 0), x), lambda dy, x: 0 * x, (x,)))
    assert (kind, argument) == ("precision", "y") and hint.endswith("to check, but bool.")
    with pytest.raises(InputError, match=r"arrays or numbers in y, got str for y\.1"):
        gradcheck(lambda x: ((x, "text"), x), lambda dy, x: dy[0], (x,))
    calls = []

    def grows(x):
        calls.append(1)
        return np.append(x.ravel(), np.ones(len(calls))), None

    with pytest.raises(InputError, match=r"y must keep its shape, \(13,\), as the arguments move"):
        gradcheck(grows, lambda dy, cache: dy[:12].reshape(3, 4), (x,))


@pytest.mark.parametrize("mode", MODES)
def test_dy_is_0_where_an_output_has_no_gradient(mode):
    def forward(x):
        return (x * x, np.argsort(x, axis=1), x > 0, 3), x

    def backward(dy, x):
        assert (dy[1].dtype.kind, dy[1].shape, dy[2].dtype, dy[2].shape, dy[3]) == ("i", (3, 4), bool, (3, 4), 0)
        return 2 * x * dy[0] + dy[1] + dy[2] + dy[3]

    report = gradcheck(forward, backward, (x,), mode=mode)
    assert report.ok and not report.findings, report


@pytest.mark.parametrize(
    ("dy", "message"),
    [
        ((x, np.full(3, 1j)), r"dy\.1 must hold numbers, got complex128"),
        ((x, [1.0, 2.0, "three"]), "dy must have the shape of the forward output"),
        ((x, np.ma.masked_less(np.ones(3), 2)), r"dy\.1 must be an array without a mask"),
        ((x,), "dy must have the shape of the forward output"),
    ],
)
def test_a_dy_that_does_not_fit_is_refused_by_name(dy, message):
    with pytest.raises(InputError, match=message):
        gradcheck(lambda x: ((x, x.sum(1)), x), lambda dy, x: dy[0] + dy[1][:, None], (x,), dy=dy)


def test_the_report_says_where_dy_is_from():
    def dy_from(**options):
        return gradcheck(product, product_backward, (x, w), **options).dy_from

    assert dy_from(seed=3) == "seed 3" and dy_from(dy=x) == "the caller"
    assert dy_from(rng=np.random.default_rng(0)) == "the generator given"
    given = gradcheck(product, lambda dy, cache: (2 * dy * cache[1], dy * cache[0]), (x, w), dy=x)
    np.testing.assert_array_equal(given.dy, x)
    assert str(given).endswith("dy from the caller")


def test_the_error_of_an_argument_is_relative_to_its_largest_gradient():
    def times(factor):
        return gradcheck(product, lambda dy, cache: (dy * cache[1] * factor, dy * cache[0]), (x, w)).rows[0].error

    assert times(2) == pytest.approx(0.5) and times(0.5) == pytest.approx(0.5)
    assert times(-1) == pytest.approx(2)


def test_the_worst_element_is_named_and_the_wrong_ones_are_counted():
    def backward(dy, cache):
        dx, dw = product_backward(dy, cache)
        dx[0, 1] += 1e-3
        dx[2, 2] -= 1
        dx[1, 0] += 1e-3
        return dx, dw

    (finding,) = gradcheck(product, backward, (x, w)).findings
    assert (finding.argument, finding.index, finding.count, finding.total) == ("x", (2, 2), 3, 12)
    assert finding.analytic == pytest.approx(finding.numeric - 1)
