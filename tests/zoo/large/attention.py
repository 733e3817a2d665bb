"""Scaled dot-product attention, causal and multi-head attention, rotary position embedding."""

from functools import partial

import numpy as np

from zoo.large.layer import Layer, Wrong, changed, scaled

normal = np.random.default_rng(33).standard_normal
HEADS = 2


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_back(dp, p):
    return p * (dp - (dp * p).sum(axis=-1, keepdims=True))


def transposed(x):
    return x.swapaxes(-1, -2)


def attention_forward(q, k, v):
    p = softmax(q @ transposed(k) / np.sqrt(q.shape[-1]))
    return p @ v, (q, k, v, p)


def attention_backward(dy, cache, softmax_back=softmax_back):
    q, k, v, p = cache
    dscores = softmax_back(dy @ transposed(v), p) / np.sqrt(q.shape[-1])
    return dscores @ k, transposed(dscores) @ q, transposed(p) @ dy


def attention_with_dv_of_scores(dy, cache):
    q, k, v, _ = cache
    scores = q @ transposed(k) / np.sqrt(q.shape[-1])
    return *attention_backward(dy, cache)[:2], transposed(scores) @ dy


def summed_over_the_queries(dp, p):
    return p * (dp - (dp * p).sum(axis=-2, keepdims=True))


attention = Layer(
    "attention",
    attention_forward,
    attention_backward,
    (normal((2, 4, 3)), normal((2, 5, 3)), normal((2, 5, 2))),
    {
        "forgets the scale in dq": Wrong("q", scaled(attention_backward, np.sqrt(3), 0)),
        "forgets the scale in dk": Wrong("k", scaled(attention_backward, np.sqrt(3), 1)),
        "has the softmax's diagonal only": Wrong(
            "q", partial(attention_backward, softmax_back=lambda dp, p: dp * p * (1 - p))
        ),
        "sums the softmax over the queries": Wrong(
            "k", partial(attention_backward, softmax_back=summed_over_the_queries)
        ),
        "takes the scores for the probabilities in dv": Wrong("v", attention_with_dv_of_scores),
    },
)


def causal_forward(q, k, v):
    seen = np.tri(q.shape[1], dtype=bool)
    p = softmax(np.where(seen, q @ transposed(k) / np.sqrt(q.shape[-1]), -np.inf))
    return p @ v, (q, k, v, p)


def causal_backward(dy, cache, diagonal=0):
    """Differentiate with the probabilities computed again, as flash attention does."""
    q, k, v, _ = cache
    seen = np.tri(q.shape[1], k=diagonal, dtype=bool)
    p = softmax(np.where(seen, q @ transposed(k) / np.sqrt(q.shape[-1]), -1e30))
    return attention_backward(dy, (q, k, v, p))


causal_attention = Layer(
    "causal attention",
    causal_forward,
    causal_backward,
    tuple(normal((3, 2, 4, 3))),
    {
        "forgets the mask": Wrong("q", partial(causal_backward, diagonal=4)),
        "sees one token too far": Wrong("k", partial(causal_backward, diagonal=1)),
        "does not see the token itself": Wrong("v", partial(causal_backward, diagonal=-1)),
        "has no gradient for the last query": Wrong(
            "q", changed(causal_backward, lambda dq: dq * (np.arange(4) < 3)[:, None], 0), region=np.s_[:, 3]
        ),
    },
)


def split_heads(x):
    N, T, D = x.shape
    return x.reshape(N, T, HEADS, D // HEADS).transpose(0, 2, 1, 3)


def merge_heads(x):
    N, H, T, D = x.shape
    return x.transpose(0, 2, 1, 3).reshape(N, T, H * D)


def multi_head_forward(x, wq, wk, wv, wo):
    q, k, v = (split_heads(x @ w) for w in (wq, wk, wv))
    heads, cache = attention_forward(q, k, v)
    return merge_heads(heads) @ wo, (x, wq, wk, wv, wo, merge_heads(heads), cache)


def multi_head_backward(dy, cache, merge_heads=merge_heads, paths=(1, 1, 1)):
    x, wq, wk, wv, wo, heads, inner = cache
    dprojected = [merge_heads(d) for d in attention_backward(split_heads(dy @ wo.T), inner)]
    dx = sum(path * d @ w.T for path, d, w in zip(paths, dprojected, (wq, wk, wv), strict=True))
    dwq, dwk, dwv = (np.einsum("ntd,nte->de", x, d) for d in dprojected)
    return dx, dwq, dwk, dwv, np.einsum("ntd,nte->de", heads, dy)


def heads_merged_without_transposing(x):
    N, H, T, D = x.shape
    return x.reshape(N, T, H * D)


multi_head_args = (normal((2, 3, 4)), *(0.7 * normal((4, 4, 4))))
multi_head_attention = Layer(
    "multi-head attention",
    multi_head_forward,
    multi_head_backward,
    multi_head_args,
    {
        "drops the values' path to x": Wrong("x", partial(multi_head_backward, paths=(1, 1, 0))),
        "merges heads without transposing": Wrong(
            "wq", partial(multi_head_backward, merge_heads=heads_merged_without_transposing)
        ),
        "transposes dwo": Wrong("wo", changed(multi_head_backward, np.transpose, 4)),
    },
)


def rotary_forward(x):
    """Turn each pair of features by an angle that grows with the position."""
    T, D = x.shape[1:]
    angle = np.arange(T)[:, None] / 10.0 ** np.arange(D // 2)
    return turn(x, angle), angle


def turn(x, angle):
    a, b = x[..., 0::2], x[..., 1::2]
    y = np.empty_like(x)
    y[..., 0::2], y[..., 1::2] = a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)
    return y


def rotary_backward(dy, angle):
    return turn(dy, -angle)


def rotary_in_halves(dy, angle):
    order = np.argsort([0, 2, 1, 3])
    return turn(dy[..., order], -angle)[..., order]


moved = np.s_[:, 1:]  # the first position is not turned
rotary = Layer(
    "rotary embedding",
    rotary_forward,
    rotary_backward,
    (normal((2, 4, 4)),),
    {
        "turns forward again": Wrong("x", lambda dy, angle: turn(dy, angle), region=moved),
        "is late by one position": Wrong("x", lambda dy, angle: turn(dy, -np.roll(angle, 1, axis=0))),
        "pairs the features by halves": Wrong("x", rotary_in_halves, region=moved),
    },
)

LAYERS = (attention, causal_attention, multi_head_attention, rotary)
