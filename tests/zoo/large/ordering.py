"""Sorting, top-k, cumulative sum and product: layers in which the order of the elements counts."""

import numpy as np

from zoo.large.layer import Layer, Wrong

rng = np.random.default_rng(44)
spread = rng.permutation(15).reshape(3, 5) / 5 - 1.03  # no ties, no zeros


def sort_forward(x):
    order = x.argsort(axis=1)
    return np.take_along_axis(x, order, axis=1), order


def sort_backward(dy, order):
    dx = np.empty_like(dy)
    np.put_along_axis(dx, order, dy, axis=1)
    return dx


sort = Layer(
    "sort",
    sort_forward,
    sort_backward,
    (spread,),
    {
        "applies the order, not its inverse": Wrong("x", lambda dy, order: np.take_along_axis(dy, order, axis=1)),
        "does not reorder": Wrong("x", lambda dy, order: dy.copy()),
        "takes the descending order": Wrong("x", lambda dy, order: sort_backward(dy, order[:, ::-1])),
    },
)


def top_k_forward(x):
    order = (-x).argsort(axis=1)[:, :2]
    return np.take_along_axis(x, order, axis=1), (order, x.shape)


def top_k_backward(dy, cache):
    dx = np.zeros(cache[1])
    np.put_along_axis(dx, cache[0], dy, axis=1)
    return dx


top_k = Layer(
    "top-k",
    top_k_forward,
    top_k_backward,
    (spread,),
    {
        "swaps first and second": Wrong("x", lambda dy, c: top_k_backward(dy[:, ::-1], c)),
        "forgets the second": Wrong("x", lambda dy, c: top_k_backward(dy * [1, 0], c)),
        "writes to the first columns": Wrong("x", lambda dy, c: np.pad(dy, ((0, 0), (0, 3)))),
    },
)


def cumsum_forward(x):
    return x.cumsum(axis=1), None


def cumsum_backward(dy, cache):
    return dy[:, ::-1].cumsum(axis=1)[:, ::-1]


cumsum = Layer(
    "cumulative sum",
    cumsum_forward,
    cumsum_backward,
    (rng.standard_normal((2, 5)),),
    {
        "sums forward again": Wrong("x", lambda dy, cache: dy.cumsum(axis=1)),
        "leaves the element itself out": Wrong("x", lambda dy, cache: cumsum_backward(dy, cache) - dy),
        "sums over the other axis": Wrong("x", lambda dy, cache: dy[::-1].cumsum(axis=0)[::-1]),
    },
)


def cumprod_forward(x):
    return x.cumprod(axis=1), (x, x.cumprod(axis=1))


def cumprod_backward(dy, cache):
    x, y = cache
    return cumsum_backward(dy * y, None) / x


cumprod = Layer(
    "cumulative product",
    cumprod_forward,
    cumprod_backward,
    (spread,),
    {
        "takes the other factors for 1": Wrong("x", lambda dy, c: cumsum_backward(dy, None) * c[1] / c[0]),
        "does not divide by x": Wrong("x", lambda dy, c: cumsum_backward(dy * c[1], None)),
        "sums forward": Wrong("x", lambda dy, c: (dy * c[1]).cumsum(axis=1) / c[0]),
    },
)

LAYERS = (sort, top_k, cumsum, cumprod)
