"""Inverse, determinant, Cholesky factor, solution and eigenvalues of small matrices."""

from functools import partial

import numpy as np

from zoo.large.layer import Layer, Wrong, changed, scaled

normal = np.random.default_rng(41).standard_normal
matrices = normal((2, 3, 3)) + 2 * np.eye(3)


def transposed(x):
    return x.swapaxes(-1, -2)


def inverse_forward(a):
    return np.linalg.inv(a), np.linalg.inv(a)


def inverse_backward(dy, y):
    return -transposed(y) @ dy @ transposed(y)


inverse = Layer(
    "inverse",
    inverse_forward,
    inverse_backward,
    (matrices,),
    {
        "forgets the sign": Wrong("a", scaled(inverse_backward, -1)),
        "does not transpose": Wrong("a", lambda dy, y: -y @ dy @ y),
        "transposes dy": Wrong("a", lambda dy, y: -transposed(y) @ transposed(dy) @ transposed(y)),
    },
)


def determinant_forward(a):
    y = np.linalg.det(a)
    return y, (a, y)


def determinant_backward(dy, cache):
    a, y = cache
    return (dy * y)[:, None, None] * transposed(np.linalg.inv(a))


determinant = Layer(
    "determinant",
    determinant_forward,
    determinant_backward,
    (matrices,),
    {
        "forgets the determinant": Wrong("a", lambda dy, c: dy[:, None, None] * transposed(np.linalg.inv(c[0]))),
        "does not transpose": Wrong("a", changed(determinant_backward, transposed)),
        "takes the inverse of the first": Wrong(
            "a", lambda dy, c: (dy * c[1])[:, None, None] * np.linalg.inv(c[0][0]).T, region=[1]
        ),
    },
)


def slogdet_forward(a):
    return np.linalg.slogdet(a)[1], a


def slogdet_backward(dy, a):
    return dy[:, None, None] * transposed(np.linalg.inv(a))


slogdet = Layer(
    "log-determinant",
    slogdet_forward,
    slogdet_backward,
    (matrices,),
    {
        "does not transpose": Wrong("a", changed(slogdet_backward, transposed)),
        "is the determinant's": Wrong("a", lambda dy, a: determinant_backward(dy, (a, np.linalg.det(a)))),
        "takes the trace of the inverse": Wrong(
            "a", lambda dy, a: np.eye(3) * np.trace(slogdet_backward(dy, a), axis1=1, axis2=2)[:, None, None]
        ),
    },
)


def cholesky_forward(a):
    """Factorise the symmetric part of a."""
    y = np.linalg.cholesky((a + transposed(a)) / 2)
    return y, y


def lower(m, diagonal=0.5):
    return np.tril(m, -1) + diagonal * m * np.eye(m.shape[-1])


def cholesky_backward(dy, y, diagonal=0.5, symmetric=True):
    inverse = np.linalg.inv(y)
    da = transposed(inverse) @ lower(transposed(y) @ dy, diagonal) @ inverse
    return (da + transposed(da)) / 2 if symmetric else da


positive = normal((2, 3, 3))
positive = positive @ transposed(positive) + np.eye(3)
cholesky = Layer(
    "Cholesky factor",
    cholesky_forward,
    cholesky_backward,
    (positive,),
    {
        "does not halve the diagonal": Wrong("a", partial(cholesky_backward, diagonal=1)),
        "does not make it symmetric": Wrong("a", partial(cholesky_backward, symmetric=False)),
        "drops the diagonal": Wrong("a", partial(cholesky_backward, diagonal=0)),
    },
)


def solve_forward(a, b):
    y = np.linalg.solve(a, b)
    return y, (a, y)


def solve_backward(dy, cache):
    a, y = cache
    db = np.linalg.solve(transposed(a), dy)
    return -db @ transposed(y), db


def solve_without_transposing(dy, cache):
    return solve_backward(dy, cache)[0], np.linalg.solve(cache[0], dy)


solve = Layer(
    "solve",
    solve_forward,
    solve_backward,
    (matrices, normal((2, 3, 2))),
    {
        "does not transpose a": Wrong("b", solve_without_transposing),
        "has the sign of da wrong": Wrong("a", scaled(solve_backward, -1, 0)),
        "has da transposed": Wrong("a", changed(solve_backward, transposed, 0)),
    },
)


def eigenvalues_forward(a):
    """Return the eigenvalues of the symmetric part of a."""
    values, vectors = np.linalg.eigh((a + transposed(a)) / 2)
    return values, vectors


def eigenvalues_backward(dy, vectors):
    return (vectors * dy[:, None]) @ transposed(vectors)


eigenvalues = Layer(
    "eigenvalues",
    eigenvalues_forward,
    eigenvalues_backward,
    (normal((2, 3, 3)) + np.diag([0, 3, 6]),),
    {
        "transposes the vectors": Wrong("a", lambda dy, v: (transposed(v) * dy[:, None]) @ v),
        "takes the values in descending order": Wrong("a", lambda dy, v: eigenvalues_backward(dy[:, ::-1], v)),
        "forgets the vectors": Wrong("a", lambda dy, v: np.eye(3) * dy[:, None]),
    },
)

LAYERS = (inverse, determinant, slogdet, cholesky, solve, eigenvalues)
