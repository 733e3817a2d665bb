"""The exercises of notebook 01: measured slopes, and a first backward pass."""

import numpy as np

from minunet.course.exercise import Exercise

rng = np.random.default_rng(1)


def small_whole_numbers(*shape: int) -> np.ndarray:
    return rng.integers(-3, 4, shape).astype(float)


def cube(x):
    return x**3


def tiny_square(x):
    return 1e-9 * x**2


def energy(x) -> float:
    """Return a number that depends on each element of x: the sum of squares and of products of neighbours in a row."""
    return float((x * x).sum() + (x[..., :-1] * x[..., 1:]).sum())


def energy_gradient(x):
    gradient = 2 * x
    gradient[..., :-1] += x[..., 1:]
    gradient[..., 1:] += x[..., :-1]
    return gradient


def waves(x) -> float:
    return float(np.sin(x).sum() * np.cos(x).mean())


def central_difference(f, x, step):
    """Return the slope of f at x, from one point on either side."""
    return (f(x + step) - f(x - step)) / (2 * step)


def forward_difference(f, x, step):
    return (f(x + step) - f(x)) / step


def difference_over_one_step(f, x, step):
    return (f(x + step) - f(x - step)) / step


def numerical_gradient(f, x, step, difference=central_difference):
    """Return the slope of the number f(x) along each element of x; the shape of x."""
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        unit = np.zeros(x.shape)
        unit[index] = 1
        gradient[index] = difference(lambda t, unit=unit: f(x + t * unit), 0.0, step)
    return gradient


def gradient_one_sided(f, x, step):
    return numerical_gradient(f, x, step, forward_difference)


def gradient_leaving_x_moved(f, x, step):
    x, gradient = x.copy(), np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        x[index] += step
        right = f(x)
        x[index] -= 2 * step
        gradient[index] = (right - f(x)) / (2 * step)
    return gradient


def gradient_moving_all(f, x, step):
    return np.full(x.shape, central_difference(f, x, step))


def relative_error(a, b) -> float:
    """Return the largest difference of two arrays, as a share of the largest number in either; 0 if all are 0."""
    largest = max(np.abs(a).max(), np.abs(b).max())
    return float(np.abs(a - b).max() / largest) if largest > 0 else 0.0


def error_by_element(a, b):
    return (np.abs(a - b) / np.maximum(np.abs(a), np.abs(b))).max()


def error_with_signs(a, b):
    return (a - b).max() / max(np.abs(a).max(), np.abs(b).max())


def error_of_the_mean(a, b):
    return np.abs(a - b).mean() / max(np.abs(a).max(), np.abs(b).max())


def directional_slopes(f, gradient, x, u, step):
    """Return the slope of f along u as measured, and as the gradient predicts it."""
    return central_difference(lambda t: f(x + t * u), 0.0, step), (gradient * u).sum()


def slopes_one_sided(f, gradient, x, u, step):
    return forward_difference(lambda t: f(x + t * u), 0.0, step), (gradient * u).sum()


def slopes_swapped(f, gradient, x, u, step):
    return directional_slopes(f, gradient, x, u, step)[::-1]


def slopes_both_measured(f, gradient, x, u, step):
    return (directional_slopes(f, gradient, x, u, step)[0],) * 2


def slopes_both_predicted(f, gradient, x, u, step):
    return (directional_slopes(f, gradient, x, u, step)[1],) * 2


def slopes_along_a_unit_vector(f, gradient, x, u, step):
    unit = u / np.sqrt((u * u).sum())
    return directional_slopes(f, gradient, x, unit, step)


def slopes_without_u(f, gradient, x, u, step):
    return directional_slopes(f, gradient, x, u, step)[0], gradient.sum()


def scaled_square_forward(x, scale):
    """y[h, w] = scale[w] * x[h, w]**2, with x (H, W) and scale (W,)."""
    return scale * x**2, (x, scale)


def scaled_square_backward(dy, cache):
    x, scale = cache
    return 2 * scale * x * dy, (x**2 * dy).sum(axis=0)


def scaled_square_without_two(dy, cache):
    dx, dscale = scaled_square_backward(dy, cache)
    return dx / 2, dscale


def scaled_square_without_dy(dy, cache):
    return scaled_square_backward(np.ones_like(dy), cache)


def scaled_square_with_a_mean(dy, cache):
    dx, dscale = scaled_square_backward(dy, cache)
    return dx, dscale / len(dx)


def scaled_square_not_summed(dy, cache):
    x, _ = cache
    return scaled_square_backward(dy, cache)[0], x**2 * dy


def scaled_square_without_scale(dy, cache):
    x, _ = cache
    return 2 * x * dy, scaled_square_backward(dy, cache)[1]


TINY, U = small_whole_numbers(2, 3), small_whole_numbers(2, 3)
LARGER = rng.normal(size=(2, 3, 4))

EXERCISES = [
    Exercise(
        "central_difference",
        solution=central_difference,
        outputs=("slope",),
        args=(cube, 2.0, 1.0),
        more=((cube, -1.0, 0.5), (np.sin, 0.7, 1e-3), (np.exp, -2.5, 0.3), (tiny_square, 3.0, 1e-2)),
        mistakes={
            "this is the forward difference: step to the left as well as to the right": forward_difference,
            "the two points lie 2 * step apart, so that is what to divide by": difference_over_one_step,
        },
        hint="rise over run: the rise from x - step to x + step, over the distance between them",
    ),
    Exercise(
        "numerical_gradient",
        solution=numerical_gradient,
        outputs=("gradient",),
        args=(energy, TINY, 1.0),
        more=((waves, LARGER, 1e-4), (energy, rng.normal(size=5), 1e-2), (waves, rng.normal(size=(3, 1)), 1e-3)),
        mistakes={
            "this is the forward difference: move each element to both sides": gradient_one_sided,
            "an element stays moved while the next is measured: put it back, or move a copy": gradient_leaving_x_moved,
            "all elements are moved at once: move one, and leave the others alone": gradient_moving_all,
        },
        hint="for one index: f with that element raised by step, minus f with it lowered by step, over 2 * step",
    ),
    Exercise(
        "relative_error",
        solution=relative_error,
        outputs=("error",),
        args=(np.array([[4.0, -2.0], [1.0, 3.0]]), np.array([[5.0, -2.0], [2.0, 3.0]])),
        more=(
            (LARGER, LARGER + 1e-5),
            (1e-6 * LARGER[0], 1.1e-6 * LARGER[0]),
            (np.array([-9.0, 1]), np.array([-7.0, 1])),
            (-np.ones((2, 2)), np.zeros((2, 2))),
            (np.zeros(3), np.zeros(3)),
        ),
        mistakes={
            "not element by element: take the largest difference over the largest number of all": error_by_element,
            "a difference below zero is a difference too: np.abs": error_with_signs,
            "a mean hides one wrong element among many: take the largest difference": error_of_the_mean,
        },
        hint="one number: the largest np.abs(a - b), divided by the largest magnitude in a and b",
    ),
    Exercise(
        "directional_slopes",
        solution=directional_slopes,
        outputs=("measured", "predicted"),
        args=(energy, energy_gradient(TINY) + 1, TINY, U, 1.0),  # a wrong gradient, so that the two slopes differ
        more=(
            (waves, LARGER[::-1].copy(), LARGER, np.cos(LARGER), 1e-4),
            (waves, rng.normal(size=7), rng.normal(size=7), rng.normal(size=7), 0.5),
        ),
        mistakes={
            "this is the forward difference: step against u as well as along it": slopes_one_sided,
            "the two are swapped: measured first, then predicted": slopes_swapped,
            "both are measured: predict the second by the gradient that you were given": slopes_both_measured,
            "both are predicted: measure the first with f": slopes_both_predicted,
            "u is made a unit vector here: take it as it is": slopes_along_a_unit_vector,
            "each slope counts as far as u moves its element: sum gradient * u": slopes_without_u,
        },
        hint="measured: a central difference between x + step * u and x - step * u; predicted: the sum of gradient * u",
    ),
    Exercise(
        "scaled_square_backward",
        solution=scaled_square_backward,
        outputs=("dx", "dscale"),
        args=(small_whole_numbers(3, 2), scaled_square_forward(small_whole_numbers(3, 2), np.array([2.0, -1.0]))[1]),
        more=(
            (small_whole_numbers(4, 3), scaled_square_forward(small_whole_numbers(4, 3), np.arange(1.0, 4.0))[1]),
            (rng.normal(size=(5, 5)), (rng.normal(size=(5, 5)), rng.normal(size=5))),
            (rng.normal(size=(1, 6)), (rng.normal(size=(1, 6)), rng.normal(size=6))),
        ),
        pair=(scaled_square_forward, (rng.normal(size=(4, 3)), rng.normal(size=3))),
        mistakes={
            "the slope of x**2 is 2 * x": scaled_square_without_two,
            "dy is missing: each slope is multiplied by the gradient that arrives": scaled_square_without_dy,
            "dscale is a mean: each row's use of scale[w] adds its share, so it is a sum": scaled_square_with_a_mean,
            "dscale has a row for each use of scale[w]: sum over the rows": scaled_square_not_summed,
            "y is scale times x**2, so the slope along x is scale times larger too": scaled_square_without_scale,
        },
        hint="dx: the slope of y along x, times dy; dscale: scale[w] is used in every row, so sum over the rows",
    ),
]
