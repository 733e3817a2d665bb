"""Which input sizes fit, and what comes out: Fig. 1's numbers, and a simulation of the layers."""

import functools

import pytest
from refusal import assert_refused

import minunet as m
from minunet.network import sizes


@functools.cache
def windows(n):
    """Return how many 3-pixel windows fit into n pixels, by counting them."""
    return sum(start + 3 <= n for start in range(n))


@functools.cache
def simulate(n, depth):
    """Return (down, bottom, up) as the layers make them one after the other, or None if one of them cannot."""
    down, up = [], []
    for _ in range(depth):
        n = windows(windows(n))
        if n % 2:
            return None
        down.append(n)
        n //= 2
    bottom = n = windows(windows(n))
    for _ in range(depth):
        n = windows(windows(n + n))
        up.insert(0, n)
    return (down, bottom, up) if n else None


def test_sizes_of_fig_1():
    followed = sizes.trace(572)
    assert followed.down == [568, 280, 136, 64]
    assert followed.bottom == 28
    assert followed.up == [388, 196, 100, 52]
    assert followed.crops() == [88, 40, 16, 4]
    assert m.output_size(572) == 388


@pytest.mark.parametrize("n, output", [(188, 4), (204, 20), (572, 388), (700, 516), (1020, 836)])
def test_known_sizes(n, output):
    assert m.output_size(n) == output
    assert m.smallest_input_size(output) == n


@pytest.mark.parametrize("output, n", [(1, 188), (4, 188), (5, 204), (387, 572), (388, 572), (389, 588), (512, 700)])
def test_smallest_input_size_rounds_up(output, n):
    assert m.smallest_input_size(output) == n


@pytest.mark.parametrize("depth", range(1, 6))
def test_sizes_equal_a_simulation(depth):
    valid = 0
    for n in range(-3, 640):
        expected = simulate(n, depth)
        assert sizes.fits(n, depth) == (expected is not None), n
        if expected is not None:
            valid += 1
            assert tuple(sizes.trace(n, depth)) == expected
            assert m.output_size(n, depth) == expected[-1][0] == n - sizes.border(depth)
    assert valid >= 5


@pytest.mark.parametrize("depth", range(1, 6))
def test_smallest_input_size_equals_a_search(depth):
    outputs = {n: simulate(n, depth)[-1][0] for n in range(700) if simulate(n, depth)}
    for output in range(1, 250):
        assert m.smallest_input_size(output, depth) == min(n for n in outputs if outputs[n] >= output)


@pytest.mark.parametrize("depth", range(1, 6))
def test_an_error_names_the_nearest_valid_sizes(depth):
    valid = [n for n in range(700) if simulate(n, depth)]
    for n in set(range(-3, 600)) - set(valid):
        above = min(v for v in valid if v > n)
        below = max((v for v in valid if v < n), default=None)
        nearest = f"smallest valid size is {above}" if below is None else f"nearest valid sizes are {below} and {above}"
        with pytest.raises(m.InputError, match=f"^input size {n} does not fit depth {depth}; the {nearest}$"):
            m.output_size(n, depth)


DEPTH_0 = "depth must be at least 1, got 0; the paper's network has depth 4"
REFUSED = {
    "between": (lambda: m.output_size(573), "input size 573 does not fit depth 4; the nearest valid sizes are 572 and"),
    "too small": (lambda: m.output_size(187), "input size 187 does not fit depth 4; the smallest valid size is 188"),
    "negative": (lambda: m.output_size(-1), "input size -1 does not fit depth 4; the smallest valid size is 188"),
    "axis": (
        lambda: sizes.trace(19, 1, "width"),
        "input width 19 does not fit depth 1; the nearest valid widths are 18 and 20",
    ),
    "no output": (lambda: m.smallest_input_size(0), "output size must be at least 1, got 0; ask for 1 pixel or more"),
    "output_size, depth 0": (lambda: m.output_size(572, 0), DEPTH_0),
    "fits, depth 0": (lambda: sizes.fits(572, 0), DEPTH_0),
    "trace, depth 0": (lambda: sizes.trace(572, 0), DEPTH_0),
    "smallest_input_size, depth 0": (lambda: m.smallest_input_size(388, 0), DEPTH_0),
}


@pytest.mark.parametrize("call, message", REFUSED.values(), ids=REFUSED)
def test_a_size_that_cannot_be_is_refused_with_one_that_can(call, message):
    assert_refused(call, message)
