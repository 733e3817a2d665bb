"""Each hint is given for its own mistake, and says what to look at next."""

import numpy as np
import pytest

from minunet import gradcheck
from minunet.gradcheck.hints import explain

numeric = np.random.default_rng(0).standard_normal((3, 4, 5))
matrix = np.random.default_rng(1).standard_normal((4, 5))


def some(gradient, at, value=0.0):
    changed = gradient.copy()
    changed[at] = value
    return changed


half_zero = np.where(matrix > 0, matrix, 0)
CASES = {
    "zero everywhere": (0 * matrix, matrix, "zero everywhere"),
    "another argument's": (matrix, 0 * matrix, "does not depend on this argument"),
    "reversed mask": (np.where(matrix > 0, 0, matrix), half_zero, "the other way round"),
    "not reached": (np.where(matrix > 0, matrix, 0), matrix, "wrong elements are all zero"),
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
    "summed": (matrix.sum(1, keepdims=True) + 0 * matrix, matrix, "Along axis 1 every element is the sum"),
    "a mean left out": (matrix - matrix.mean(0), matrix, "the same for all elements along axis 0"),
    "a factor by row": (matrix * np.arange(2.0, 6)[:, None], matrix, "changes along axis 0 alone"),
    "the last row": (some(matrix, 3, 0.3), matrix, "Of the 4 places along axis 0, only 3 is wrong"),
    "close": (matrix + 0.1 * matrix**2, matrix, "it is close to the right gradient"),
    "unlike": (numeric[0], matrix, "it does not resemble the right gradient"),
}


@pytest.mark.parametrize("name", CASES)
def test_hint_fits_the_mistake(name):
    analytic, right, words = CASES[name]
    hint = explain(analytic, right, ~np.isclose(analytic, right))
    assert words in hint and hint.endswith((".", "?")), hint


def test_only_the_border():
    right = numeric.copy()
    analytic = right + np.pad(np.zeros((3, 2, 3)), ((0, 0), (1, 1), (1, 1)), constant_values=1.0) * numeric[::-1]
    assert "Only the border is wrong" in explain(analytic, right, ~np.isclose(analytic, right))


def test_branch_that_is_wrong_is_named():
    analytic = np.where(matrix < 0, matrix**3, 1)
    right = np.where(matrix < 0, matrix, 1)
    hint = explain(analytic, right, ~np.isclose(analytic, right), matrix)
    assert "where the argument is negative" in hint


def test_gradient_that_is_dy_itself():
    (finding,) = gradcheck(lambda x: (np.sin(x), x), lambda dy, x: dy, (matrix,)).findings
    assert finding.hint.startswith("It is dy itself")
