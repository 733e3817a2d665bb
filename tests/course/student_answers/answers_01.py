"""Answers to the exercises of notebook 01."""

import numpy as np

from student_answers.common import RIGHT, SOLUTION


def moved_and_put_back(f, x, step):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += step
        right = f(x)
        x[i] -= 2 * step
        gradient[i] = (right - f(x)) / (2 * step)
        x[i] += step
    return gradient


def gradient_of_integers(f, x, step):
    return SOLUTION["numerical_gradient"](f, x, step).astype(int)


ANSWERS = [
    ("central_difference", lambda f, x, step: (f(x + step) - f(x - step)) / 2 / step, RIGHT),
    ("central_difference", lambda f, x, step: float(0.5 * (f(x + step) - f(x - step)) / step), RIGHT),
    ("central_difference", lambda f, x, step: np.array((f(x + step) - f(x - step)) / (2 * step)), RIGHT),
    ("central_difference", lambda f, x, step: [(f(x + step) - f(x - step)) / (2 * step)], "expected ()"),
    ("central_difference", lambda f, x, step: (f(x) - f(x - step)) / step, "rise over run"),
    ("central_difference", lambda f, x, step: (f(x + step) - f(x - step)) / 2 * step, "rise over run"),
    ("central_difference", lambda f, x, step: (f(x + 1) - f(x - 1)) / 2, "tiny case is right, but"),
    ("central_difference", lambda f, x, step: (f(x + step) - f(x - step)) / (2 * step + 1e-9), "float32, or an eps"),
    ("numerical_gradient", moved_and_put_back, RIGHT),
    ("numerical_gradient", lambda *args: SOLUTION["numerical_gradient"](*args).tolist(), RIGHT),
    ("numerical_gradient", lambda *args: SOLUTION["numerical_gradient"](*args).ravel(), "expected (2, 3)"),
    ("numerical_gradient", gradient_of_integers, "cut off to whole numbers"),
    ("numerical_gradient", lambda f, x, step: 0 * x, "0 everywhere"),
    ("relative_error", lambda a, b: np.abs(a - b).max() / (max(np.abs(a).max(), np.abs(b).max()) or 1), RIGHT),
    ("relative_error", lambda a, b: np.abs(a - b).max() / (max(abs(a).max(), abs(b).max()) + 1e-12), "or an epsilon"),
    ("relative_error", lambda a, b: np.abs(a - b).max() / max(a.max(), b.max()), "the tiny case is right, but"),
    ("relative_error", lambda a, b: np.abs(a - b).max() / max(np.abs(a).max(), np.abs(b).max()), "error differs"),
    ("relative_error", lambda a, b: np.abs(a - b).max(), "one number: the largest"),
    (
        "directional_slopes",
        lambda f, g, x, u, s: np.array([(f(x + s * u) - f(x - s * u)) / 2 / s, (g * u).sum()]),
        RIGHT,
    ),
    ("directional_slopes", lambda f, g, x, u, s: [(f(x + s * u) - f(x - s * u)) / 2 / s, np.vdot(g, u)], RIGHT),
    ("directional_slopes", lambda f, g, x, u, s: ((g * u).sum(),) * 2, "both are predicted"),
    ("directional_slopes", lambda f, g, x, u, s: ((f(x + s * u) - f(x - s * u)) / 2 / s,) * 2, "both are measured"),
    ("directional_slopes", lambda f, g, x, u, s: (g * u).sum(), "2 things, measured, predicted, and returns one"),
    ("scaled_square_backward", lambda dy, c: [2 * c[0] * c[1] * dy, np.einsum("hw,hw->w", c[0] ** 2, dy)], RIGHT),
    ("scaled_square_backward", lambda dy, c: (2 * c[0] * c[1] * dy, (c[0] ** 2 * dy).sum()), "dscale has shape ()"),
    ("scaled_square_backward", lambda dy, c: (2 * c[0] * c[1] * dy, (c[0] ** 2 * dy).sum(1)), "dscale has shape (3,)"),
    ("scaled_square_backward", lambda dy, c: (2 * c[0] * c[1], (c[0] ** 2).sum(0)), "dy is missing"),
]
