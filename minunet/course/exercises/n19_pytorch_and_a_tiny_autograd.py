"""The exercises of notebook 19: the walk back, and the way back of a broadcast, of einsum and of a maximum."""

import numpy as np

from minunet.course import tiny_autograd as tiny
from minunet.course.exercise import Exercise

rng = np.random.default_rng(19)


def walk_back(steps):
    """Return the gradient of the last value for each value; steps[i] lists (j, slope) for each operand j of value i."""
    grads = np.zeros(len(steps))
    grads[-1] = 1
    for i in reversed(range(len(steps))):
        for j, slope in steps[i]:
            grads[j] += slope * grads[i]
    return grads


def walk_that_replaces(steps):
    grads = np.zeros(len(steps))
    grads[-1] = 1
    for i in reversed(range(len(steps))):
        for j, slope in steps[i]:
            grads[j] = slope * grads[i]
    return grads


def walk_forwards(steps):
    grads = np.zeros(len(steps))
    grads[-1] = 1
    for i in range(len(steps)):
        for j, slope in steps[i]:
            grads[j] += slope * grads[i]
    return grads


def walk_of_slopes(steps):
    grads = np.zeros(len(steps))
    grads[-1] = 1
    for operands in steps:
        for j, slope in operands:
            grads[j] += slope
    return grads


def sum_to_shape(gradient, shape):
    return tiny.sum_to_shape(gradient, shape)


def sum_of_leading_axes_alone(gradient, shape):
    return gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))


def sum_of_stretched_axes_alone(gradient, shape):
    axes = tuple(i for i in range(-len(shape), 0) if shape[i] == 1)
    return gradient.sum(axis=axes, keepdims=True)


def mean_to_shape(gradient, shape):
    total = sum_to_shape(gradient, shape)
    return total * total.size / gradient.size


def sum_that_drops_axes(gradient, shape):
    return np.squeeze(sum_to_shape(gradient, shape))


def einsum_backward(subscripts, dy, a, b):
    da, db = tiny.einsum(subscripts, tiny.Tensor(a), tiny.Tensor(b)).backward(dy)
    return da, db


def einsum_gradients_in_the_wrong_order(subscripts, dy, a, b):
    return einsum_backward(subscripts, dy, a, b)[::-1]


def einsum_without_dy(subscripts, dy, a, b):
    return einsum_backward(subscripts, np.ones_like(dy), a, b)


def maximum_backward(dy, a, b):
    da, db = tiny.maximum(tiny.Tensor(a), tiny.Tensor(b)).backward(dy)
    return da, db


def maximum_with_both_at_a_tie(dy, a, b):
    return dy * (a >= b), dy * (b >= a)


def maximum_with_b_at_a_tie(dy, a, b):
    return dy * (a > b), dy * (b >= a)


def maximum_with_neither_at_a_tie(dy, a, b):
    return dy * (a > b), dy * (b > a)


def maximum_without_dy(dy, a, b):
    return 1.0 * (a >= b), 1.0 * (b > a)


def random_steps(number):
    """Return the steps of a calculation of so many values, each made of up to three earlier ones."""
    operands = [rng.integers(0, max(i, 1), min(i, 3)) for i in range(number)]
    return tuple(tuple((int(j), float(rng.normal())) for j in own) for own in operands)


def whole(*shape):
    return rng.integers(-3, 4, shape).astype(float)


# x = 3, y = 4, x * y = 12, x * y + x = 15, and that squared
SQUARE = ((), (), ((0, 4.0), (1, 3.0)), ((2, 1.0), (0, 1.0)), ((3, 15.0), (3, 15.0)))

EXERCISES = [
    Exercise(
        "walk_back",
        solution=walk_back,
        outputs=("grads",),
        args=(SQUARE,),
        more=((random_steps(6),), (random_steps(12),)),
        mistakes={
            "a value that is used twice gets the sum of both gradients: add it, replace nothing": walk_that_replaces,
            "walk from the last value to the first: a gradient must be complete before it is passed on": walk_forwards,
            "a slope counts as much as the gradient of the value that it leads to: multiply by it": walk_of_slopes,
        },
        hint="grads[-1] is 1; then for each value, from the last: grads[j] grows by slope * grads[i]",
    ),
    Exercise(
        "sum_to_shape",
        solution=sum_to_shape,
        outputs=("summed",),
        args=(whole(2, 2, 3), (2, 1)),
        more=(
            (rng.normal(size=(4, 3)), (3,)),
            (rng.normal(size=(2, 3, 4, 5)), (3, 1, 1)),
            (rng.normal(size=(2, 3)), (2, 3)),
            (rng.normal(size=(2, 3)), ()),
        ),
        may_return_views=True,  # where nothing is to be summed
        mistakes={
            "axes of length 1 were stretched, too: sum over them": sum_of_leading_axes_alone,
            "the axes that shape does not have, at the front, must go: sum over them": sum_of_stretched_axes_alone,
            "each use adds its gradient: a sum, and not a mean": mean_to_shape,
            "an axis of length 1 must stay: keepdims=True": sum_that_drops_axes,
        },
        hint="two sums: over the axes at the front that shape lacks, then over those where shape has 1, with keepdims",
    ),
    Exercise(
        "einsum_backward",
        solution=einsum_backward,
        outputs=("da", "db"),
        args=("ij,jk->ik", whole(2, 2), whole(2, 2), whole(2, 2)),
        more=(
            ("fc,nchw->nfhw", rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(3, 2)), rng.normal(size=(2, 2, 4, 5))),
            ("i,i->i", rng.normal(size=4), rng.normal(size=4), rng.normal(size=4)),
        ),
        mistakes={
            "the gradients are those of a and b, in this order": einsum_gradients_in_the_wrong_order,
            "dy is missing: it takes the place of the other operand's partner": einsum_without_dy,
        },
        hint="da is an einsum of dy and b, whose result has the letters of a; db is one of dy and a",
    ),
    Exercise(
        "maximum_backward",
        solution=maximum_backward,
        outputs=("da", "db"),
        args=(
            np.array([[1.0, 2, 3], [4, 5, 6]]),
            np.array([[1.0, 0, 2], [3, 1, 1]]),
            np.array([[0.0, 1, 2], [5, 1, 0]]),
        ),
        more=(
            (rng.normal(size=(3, 4)), whole(3, 4), whole(3, 4)),
            (rng.normal(size=(2, 2, 5)), rng.normal(size=(2, 2, 5)), rng.normal(size=(2, 2, 5))),
        ),
        mistakes={
            "at a tie both get dy, which is twice too much: give it to a alone": maximum_with_both_at_a_tie,
            "at a tie it is a that takes dy": maximum_with_b_at_a_tie,
            "at a tie nobody gets dy: give it to a": maximum_with_neither_at_a_tie,
            "that is the mask; multiply it by dy": maximum_without_dy,
        },
        hint="dy goes to the larger of the two: multiply it by a >= b for a, and by the opposite for b",
    ),
]
