"""Products of arrays: outer, linear layer, batched matrix product, bilinear form."""

import numpy as np

from zoo.large.layer import Layer, Wrong, changed, scaled

normal = np.random.default_rng(48).standard_normal


def outer_forward(a, b):
    return a[:, :, None] * b[:, None, :], (a, b)


def outer_backward(dy, cache):
    a, b = cache
    return (dy @ b[:, :, None])[:, :, 0], (a[:, None, :] @ dy)[:, 0]


outer = Layer(
    "outer product",
    outer_forward,
    outer_backward,
    (normal((2, 3)), normal((2, 4))),
    {
        "sums dy without b": Wrong("a", lambda dy, c: (dy.sum(axis=2), outer_backward(dy, c)[1])),
        "takes b of the other item": Wrong("a", lambda dy, c: outer_backward(dy, (c[0], c[1][::-1]))),
        "averages db": Wrong("b", scaled(outer_backward, 1 / 3, 1)),
    },
)


def linear_forward(x, weight, bias):
    return x @ weight.T + bias, (x, weight)


def linear_backward(dy, cache):
    x, weight = cache
    return dy @ weight, np.einsum("ntf,ntc->fc", dy, x), dy.sum(axis=(0, 1))


linear = Layer(
    "linear layer",
    linear_forward,
    linear_backward,
    (normal((2, 4, 3)), normal((3, 3)), normal(3)),
    {
        "does not transpose in dx": Wrong("x", lambda dy, c: (dy @ c[1].T, *linear_backward(dy, c)[1:])),
        "has dweight transposed": Wrong("weight", changed(linear_backward, np.transpose, 1)),
        "averages dweight over the batch": Wrong("weight", scaled(linear_backward, 1 / 2, 1)),
        "forgets the second axis of dbias": Wrong(
            "bias", lambda dy, c: (*linear_backward(dy, c)[:2], dy[:, 0].sum(axis=0))
        ),
    },
)


def matmul_forward(a, b):
    return a @ b, (a, b)


def matmul_backward(dy, cache):
    a, b = cache
    return dy @ b.T, np.einsum("nij,nik->jk", a, dy)


matmul = Layer(
    "matrix product of a batch",
    matmul_forward,
    matmul_backward,
    (normal((3, 2, 4)), normal((4, 3))),
    {
        "does not reduce db": Wrong("b", lambda dy, c: (dy @ c[1].T, c[0].swapaxes(1, 2) @ dy), "shape"),
        "takes the first of the batch": Wrong("b", lambda dy, c: (dy @ c[1].T, c[0][0].T @ dy[0])),
        "sums the factors first": Wrong("b", lambda dy, c: (dy @ c[1].T, c[0].sum(axis=0).T @ dy.sum(axis=0))),
    },
)


def bilinear_forward(x, weight, z):
    return np.einsum("ni,kij,nj->nk", x, weight, z), (x, weight, z)


def bilinear_backward(dy, cache, dz="nk,kij,ni->nj"):
    x, weight, z = cache
    dweight = np.einsum("nk,ni,nj->kij", dy, x, z)
    return np.einsum("nk,kij,nj->ni", dy, weight, z), dweight, np.einsum(dz, dy, weight, x)


bilinear = Layer(
    "bilinear form",
    bilinear_forward,
    bilinear_backward,
    (normal((2, 3)), normal((4, 3, 3)), normal((2, 3))),
    {
        "swaps i and j in dz": Wrong("z", lambda dy, c: bilinear_backward(dy, c, dz="nk,kji,ni->nj")),
        "swaps i and j in dweight": Wrong("weight", changed(bilinear_backward, lambda d: d.swapaxes(1, 2), 1)),
        "normalises dx": Wrong("x", changed(bilinear_backward, lambda dx: dx / np.abs(dx).max(), 0)),
    },
)

LAYERS = (outer, linear, matmul, bilinear)
