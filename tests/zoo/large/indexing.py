"""Layers that pick elements, and that add up what lands in one place."""

import numpy as np

from zoo.large.layer import Layer, Wrong, scaled

normal = np.random.default_rng(40).standard_normal


def embedding_forward(table, tokens):
    return table[tokens], (tokens, table.shape)


def embedding_backward(dy, cache):
    tokens, shape = cache
    dtable = np.zeros(shape)
    np.add.at(dtable, tokens, dy)
    return dtable


def embedding_overwritten(dy, cache):
    tokens, shape = cache
    dtable = np.zeros(shape)
    dtable[tokens] += dy
    return dtable


def embedding_averaged(dy, cache):
    count = np.bincount(cache[0].ravel(), minlength=cache[1][0])
    return embedding_backward(dy, cache) / np.maximum(count, 1)[:, None]


def embedding_of_the_first_sentence(dy, cache):
    return embedding_backward(dy[:1], (cache[0][:1], cache[1]))


tokens = np.array([[0, 3, 3], [4, 1, 3]])
embedding = Layer(
    "embedding",
    embedding_forward,
    embedding_backward,
    (normal((5, 2)), tokens),
    {
        "keeps the last of repeated tokens": Wrong("table", embedding_overwritten, region=[3]),
        "averages over repeated tokens": Wrong("table", embedding_averaged, region=[3]),
        "sees the first sentence alone": Wrong("table", embedding_of_the_first_sentence, region=[1, 3, 4]),
        "divides by the batch": Wrong("table", scaled(embedding_backward, 1 / 2)),
    },
)


def gather_forward(x, index):
    return np.take_along_axis(x, index, axis=1), (index, x.shape)


def gather_backward(dy, cache):
    index, shape = cache
    dx = np.zeros(shape)
    np.add.at(dx, (np.arange(shape[0])[:, None], index), dy)
    return dx


def gather_overwritten(dy, cache):
    dx = np.zeros(cache[1])
    np.put_along_axis(dx, cache[0], dy, axis=1)
    return dx


index = np.array([[1, 1, 3, 0], [2, 0, 3, 1]])
gather = Layer(
    "gather",
    gather_forward,
    gather_backward,
    (normal((2, 5)), index),
    {
        "overwrites what is picked twice": Wrong("x", gather_overwritten, region=([0], [1])),
        "gathers dy": Wrong("x", lambda dy, c: np.pad(np.take_along_axis(dy, c[0], axis=1), ((0, 0), (0, 1)))),
        "takes the first row's index for all": Wrong(
            "x", lambda dy, c: gather_backward(dy, (c[0][:1].repeat(2, 0), c[1])), region=[1]
        ),
    },
)


def scatter_add_forward(base, x, index):
    y = base.copy()
    np.add.at(y, index, x)
    return y, index


def scatter_add_backward(dy, index):
    return dy.copy(), dy[index]


def scatter_add_as_assignment(dy, index):
    dbase = dy.copy()
    dbase[index] = 0
    return dbase, dy[index]


scatter_add = Layer(
    "scatter-add",
    scatter_add_forward,
    scatter_add_backward,
    (normal((4, 2)), normal((5, 2)), np.array([2, 0, 2, 3, 0])),
    {
        "stops dbase as an assignment would": Wrong("base", scatter_add_as_assignment, region=[0, 2, 3]),
        "halves what lands twice": Wrong(
            "x", lambda dy, i: (dy.copy(), dy[i] / np.bincount(i)[i][:, None]), region=[0, 1, 2, 4]
        ),
        "forgets the index": Wrong("x", lambda dy, i: (dy.copy(), dy[np.arange(5) % 4])),
    },
)


def segment_mean_forward(x, segment):
    count = np.bincount(segment)[:, None]
    total = np.zeros((len(count), x.shape[1]))
    np.add.at(total, segment, x)
    return total / count, (segment, count)


def segment_mean_backward(dy, cache):
    segment, count = cache
    return (dy / count)[segment]


segment_mean = Layer(
    "mean by segment",
    segment_mean_forward,
    segment_mean_backward,
    (normal((6, 2)), np.array([0, 1, 1, 2, 1, 0])),
    {
        "does not divide": Wrong("x", lambda dy, c: dy[c[0]], region=[0, 1, 2, 4, 5]),
        "divides by all elements": Wrong("x", lambda dy, c: dy[c[0]] / 6),
        "divides by the neighbour's count": Wrong("x", lambda dy, c: (dy / np.roll(c[1], 1))[c[0]]),
    },
)


def where_forward(mask, a, b):
    return np.where(mask, a, b), mask


def where_backward(dy, mask):
    return dy * mask, dy * ~mask


where = Layer(
    "where",
    where_forward,
    where_backward,
    (normal((3, 4)) > 0, normal((3, 4)), normal((3, 4))),
    {
        "forgets to invert the mask": Wrong("b", lambda dy, mask: (dy * mask, dy * mask)),
        "gives dy to both": Wrong("a", lambda dy, mask: (dy.copy(), dy * ~mask)),
        "swaps the two": Wrong("a", lambda dy, mask: (dy * ~mask, dy * mask), "shape"),
    },
)

LAYERS = (embedding, gather, scatter_add, segment_mean, where)
