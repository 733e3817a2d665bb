"""Each hint is given for its own mistake, and says what to look at next."""

import numpy as np
import pytest

from minunet import gradcheck
from minunet.gradcheck.hints import explain

numeric = np.random.default_rng(0).standard_normal((3, 4, 5))
matrix = np.random.default_rng(1).standard_normal((4, 5))


def some(gradient, at, value=0.0):
    changed = gradient.copy()
    for place in at if isinstance(at, list) else [at]:
        changed[place] = value
    return changed


tall = np.random.default_rng(2).standard_normal((12, 4))
across = matrix[::-1] * [[1], [1], [-1], [-1]]  # as long as `matrix`, and at right angles to it
half_zero = np.where(matrix > 0, matrix, 0)
CASES = {
    "zero everywhere": (0 * matrix, matrix, "zero everywhere"),
    "another argument's": (matrix, 0 * matrix, "does not depend on this argument"),
    "reversed mask": (np.where(matrix > 0, 0, matrix), half_zero, "the other way round"),
    "not reached": (np.where(matrix > 0, matrix, 0), matrix, "wrong elements are all zero"),
    "two not reached": (some(matrix, [(0, 2), (1, 3)]), matrix, "The wrong elements are all zero"),
    "twice, and let through": (2 * matrix, half_zero, "There is no simple rule in it"),
    "a tiny factor": (matrix * np.pi / 1000, matrix, "It is 0.00314159 times"),
    "a negative sixth": (matrix / -6, matrix, "It is -0.166667 (-1/6) times"),
    "a negative factor": (matrix / -np.pi, matrix, "It is -0.31831 times"),
    "let through": (np.where(matrix > 0, matrix, 0.7 * matrix), half_zero, "it should be zero"),
    "one element": (some(matrix, (1, 2), 9.0), matrix, "Only this one of 20 elements"),
    "sign": (-matrix, matrix, "The sign is wrong"),
    "sign in places": (np.where(matrix > 0.5, -matrix, matrix), matrix, "Where it is wrong, it has the wrong sign"),
    "a sixth": (matrix / 6, matrix, "0.166667 (1/6) times"),
    "a root": (matrix * 3**0.5, matrix, "1.73205 (the square root of 3) times"),
    "nearly": (matrix * 0.9987, matrix, "is a constant rounded"),
    "flipped": (numeric[..., ::-1, ::-1], numeric, "flipped in its last two axes"),
    "transposed": (matrix[:, :4].T, matrix[:, :4], "last two axes swapped"),
    "shuffled": (matrix.T.reshape(4, 5), matrix, "right numbers in the wrong places"),
    "shifted": (np.roll(matrix, 1, -1), matrix, "shifted by one along the last axis"),
    "shifted back": (np.roll(matrix, -1, -1), matrix, "shifted by minus one along the last axis"),
    "first axes": (numeric[:, :3].swapaxes(0, 1), numeric[:, :3], "first two axes swapped"),
    "averaged": (matrix.mean(0) + 0 * matrix, matrix, "Along axis 0 every element is the mean"),
    "summed": (matrix.sum(1, keepdims=True) + 0 * matrix, matrix, "Along axis 1 every element is the sum"),
    "a mean left out": (matrix - matrix.mean(0), matrix, "the same for all elements along axis 0"),
    "a factor by row": (matrix * np.arange(2.0, 6)[:, None], matrix, "changes along axis 0 alone"),
    "a factor in places": (np.where(matrix > 0.5, 3 * matrix, matrix), matrix, "Where it is wrong, it is 3 times"),
    "a factor by two axes": (numeric * np.arange(2.0, 14).reshape(3, 4, 1), numeric, "along axes 0 and 1 alone"),
    "the last row": (some(matrix, 3, 0.3), matrix, "Along axis 0, of length 4, it is wrong only at index 3: "),
    "two rows": (some(matrix, [1, 2], 0.3), matrix, "only at indices 1 and 2: "),
    "three rows": (some(matrix, [0, 1, 3], 0.3), matrix, "only at indices 0, 1 and 3: "),
    "rows in a row": (some(tall, slice(2, 9), 0.3), tall, "of length 12, it is wrong only at indices 2 to 8: "),
    "many rows": (some(tall, [0, 3, 4, 7], 0.3), tall, "only at 4 indices, such as 0, 3 and 4: "),
    "close": (matrix + 0.1 * matrix**2, matrix, "it is close to the right gradient"),
    "less close": (matrix + across, matrix, ", though it resembles the right gradient"),
    "unlike": (numeric[0], matrix, "it does not resemble the right gradient"),
}


@pytest.mark.parametrize("name", CASES)
def test_hint_fits_the_mistake(name):
    analytic, right, words = CASES[name]
    hint = explain(analytic, right, ~np.isclose(analytic, right))
    assert words in hint and hint.endswith((".", "?")), hint
    for scale in (1e-9, 1e9):
        assert explain(scale * analytic, scale * right, ~np.isclose(analytic, right)) == hint


def test_only_the_border():
    right = numeric.copy()
    analytic = right + np.pad(np.zeros((3, 2, 3)), ((0, 0), (1, 1), (1, 1)), constant_values=1.0) * numeric[::-1]
    assert "Only the border is wrong" in explain(analytic, right, ~np.isclose(analytic, right))


@pytest.mark.parametrize("words", ["negative", "positive"])
def test_branch_that_is_wrong_is_named(words):
    branch = matrix < 0 if words == "negative" else matrix > 0
    analytic = np.where(branch, matrix**3, 1)
    right = np.where(branch, matrix, 1)
    hint = explain(analytic, right, ~np.isclose(analytic, right), matrix)
    assert f"where the argument is {words}" in hint
    assert "the argument is" not in explain(analytic, right, ~np.isclose(analytic, right), np.abs(matrix) - 0.5)
    two, one = np.array([-1.0, -2, 3, 4]), np.array([-1.0, 2, 3, 4])
    assert "where the argument is negative" in explain(np.where(two < 0, two**3 + 5, two), two, two < 0, two)
    assert "the argument is" not in explain(np.where(one < 0, 5, one), one, one < 0, one)
    assert "the argument is" not in explain(matrix**3, matrix, np.ones(matrix.shape, bool), np.abs(matrix))


DY = {
    "dy itself": (lambda dy, x: dy, "It is dy itself"),
    "squared": (lambda dy, x: dy * dy * np.cos(x), "It grows with the square of dy"),
    "unused": (lambda dy, x: np.cos(x), "It is the same whatever dy is"),
    "cut off": (lambda dy, x: np.clip(dy, -0.5, 0.5) * np.cos(x), "It is not proportional to dy"),
    "another name": (lambda upstream, x: np.cos(x), "It is the same whatever upstream is: is upstream used"),
    "proportional": (lambda dy, x: 2 * dy * np.cos(x), "It is 2 times the numeric gradient"),
}


@pytest.mark.parametrize("name", DY)
def test_what_a_gradient_makes_of_dy_is_told(name):
    backward, words = DY[name]
    (finding,) = gradcheck(lambda x: (np.sin(x), x), backward, (matrix,)).findings
    assert finding.hint.startswith(words)


def test_in_a_large_argument_the_factor_and_the_other_wrong_ones_are_told():
    x, w = np.random.default_rng(3).standard_normal((2, 30, 40))

    def check(factor_x, factor_w):
        def backward(dy, cache):
            x, w = cache
            return factor_x * dy * w**2, factor_w * 2 * dy * x * w

        report = gradcheck(lambda x, w: (x * w**2, (x, w)), backward, (x, w), mode="directions")
        return {finding.argument: finding.hint for finding in report.findings}

    small = "Found by halving a random direction; check this argument on a small case"
    assert check(-1, 1)["x"].startswith(f"The sign is wrong. {small}")
    assert check(1, 0)["w"].startswith(f"As a whole it is zero. {small}")
    assert check(1, 1.5)["w"].startswith(f"As a whole it is about 1.5 times the numeric gradient. {small}")
    assert check(np.where(x > 1, 3, 1), 1)["x"].startswith(small)
    both = check(-20, 3)
    assert both["x"].startswith("As a whole it is about -20 times")
    assert both["w"] == "It is wrong along a random direction too: mend x first, and check again."
