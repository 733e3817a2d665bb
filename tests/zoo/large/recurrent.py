"""Recurrent layers: a simple one and an LSTM over time, and single cells of LSTM and GRU."""

from functools import partial

import numpy as np
from scipy.special import expit

from zoo.large.layer import Layer, Wrong, changed

normal = np.random.default_rng(37).standard_normal


def rnn_forward(x, h, weight_x, weight_h, bias):
    """Map x (T, N, D) and the first state h (N, H) to all states (T, N, H)."""
    states = [h]
    for x_now in x:
        states.append(np.tanh(x_now @ weight_x + states[-1] @ weight_h + bias))
    states = np.stack(states)
    return states[1:].copy(), (x, states, weight_x, weight_h)


def rnn_backward(dy, cache, carry=1.0, slope=lambda h: 1 - h * h, late=0):
    x, states, weight_x, weight_h = cache
    dx, dh = np.zeros_like(x), np.zeros_like(states[0])
    dweight_x, dweight_h, dbias = np.zeros_like(weight_x), np.zeros_like(weight_h), np.zeros(dh.shape[1])
    for t in reversed(range(len(x))):
        da = (dy[t] + carry * dh) * slope(states[t + 1])
        dx[t], dh = da @ weight_x.T, da @ weight_h.T
        dweight_x += x[t].T @ da
        dweight_h += states[t + late].T @ da
        dbias += da.sum(axis=0)
    return dx, dh, dweight_x, dweight_h, dbias


def rnn_of_the_last_step(dy, cache):
    x, states, weight_x, _ = cache
    dx, dh, _, dweight_h, dbias = rnn_backward(dy, cache)
    return dx, dh, x[-1].T @ (dy[-1] * (1 - states[-1] ** 2)), dweight_h, dbias


rnn_args = normal((3, 2, 4)), normal((2, 3)), 0.5 * normal((4, 3)), 0.7 * normal((3, 3)), normal(3)
rnn = Layer(
    "recurrent layer",
    rnn_forward,
    rnn_backward,
    rnn_args,
    {
        "does not carry the state's gradient": Wrong("x", partial(rnn_backward, carry=0), region=np.s_[:2]),
        "counts the last step alone": Wrong("weight_x", rnn_of_the_last_step),
        "meets the state after the step": Wrong("weight_h", partial(rnn_backward, late=1)),
        "forgets tanh": Wrong("bias", partial(rnn_backward, slope=lambda h: 1)),
        "gives the first state no gradient": Wrong("h", changed(rnn_backward, np.zeros_like, 1)),
    },
)


def lstm_step(x, h, c, weight, bias):
    i, f, o, g = np.split(np.concatenate([x, h], axis=1) @ weight + bias, 4, axis=1)
    i, f, o, g = expit(i), expit(f), expit(o), np.tanh(g)
    c_new = f * c + i * g
    return o * np.tanh(c_new), c_new, (x, h, c, weight, i, f, o, g, np.tanh(c_new))


def lstm_step_back(dh, dc, cache, through_h=1, order="ifog", forget=True):
    x, h, c, weight, i, f, o, g, t = cache
    dc = dc + through_h * dh * o * (1 - t * t)
    parts = {"i": dc * g * i * (1 - i), "f": dc * c * f * (1 - f), "o": dh * t * o * (1 - o), "g": dc * i * (1 - g * g)}
    da = np.concatenate([parts[gate] for gate in order], axis=1)
    dxh = da @ weight.T
    D = x.shape[1]
    return dxh[:, :D], dxh[:, D:], dc * f if forget else dc, np.concatenate([x, h], axis=1).T @ da, da.sum(axis=0)


def lstm_cell_forward(x, h, c, weight, bias):
    """Return the new h and c side by side, (N, 2 H)."""
    h, c, cache = lstm_step(x, h, c, weight, bias)
    return np.concatenate([h, c], axis=1), cache


def lstm_cell_backward(dy, cache, **mistake):
    return lstm_step_back(*np.split(dy, 2, axis=1), cache, **mistake)


def lstm_forget_gate_meets_the_new_state(dy, cache):
    x, h, c, weight, i, f, o, g, t = cache
    right = lstm_cell_backward(dy, cache)
    return *right[:3], lstm_cell_backward(dy, (x, h, f * c + i * g, *cache[3:]))[3], right[4]


lstm_args = normal((2, 3)), normal((2, 2)), normal((2, 2)), 0.7 * normal((5, 8)), normal(8)
lstm_cell = Layer(
    "LSTM cell",
    lstm_cell_forward,
    lstm_cell_backward,
    lstm_args,
    {
        "drops the path from h to c": Wrong("c", partial(lstm_cell_backward, through_h=0)),
        "swaps input and forget gate": Wrong("weight", partial(lstm_cell_backward, order="fiog"), region=np.s_[:, :4]),
        "meets the new c in the forget gate": Wrong(
            "weight", lstm_forget_gate_meets_the_new_state, region=np.s_[:, 2:4]
        ),
        "passes dc around the forget gate": Wrong("c", partial(lstm_cell_backward, forget=False)),
    },
)


def lstm_forward(x, weight, bias):
    """Map x (T, N, D) to all states h (T, N, H), from states of zero."""
    H = len(bias) // 4
    h, c, states, caches = np.zeros((x.shape[1], H)), np.zeros((x.shape[1], H)), [], []
    for x_now in x:
        h, c, cache = lstm_step(x_now, h, c, weight, bias)
        states.append(h)
        caches.append(cache)
    return np.stack(states), caches


def lstm_backward(dy, caches, carry_h=1, carry_c=1):
    dh, dc, dx = np.zeros_like(dy[0]), np.zeros_like(dy[0]), []
    dweight, dbias = np.zeros_like(caches[0][3]), np.zeros(caches[0][3].shape[1])
    for dy_now, cache in zip(dy[::-1], caches[::-1], strict=True):
        dx_now, dh, dc, dweight_now, dbias_now = lstm_step_back(dy_now + carry_h * dh, carry_c * dc, cache)
        dx.append(dx_now)
        dweight += dweight_now
        dbias += dbias_now
    return np.stack(dx[::-1]), dweight, dbias


lstm = Layer(
    "LSTM over time",
    lstm_forward,
    lstm_backward,
    (normal((3, 2, 2)), 0.8 * normal((4, 8)), normal(8)),
    {
        "does not carry dh": Wrong("x", partial(lstm_backward, carry_h=0), region=np.s_[:2]),
        "does not carry dc": Wrong("weight", partial(lstm_backward, carry_c=0)),
        "returns dx in the order of the loop": Wrong("x", changed(lstm_backward, lambda dx: dx[::-1], 0)),
    },
)


def gru_forward(x, h, weight, candidate):
    r, z = np.split(expit(np.concatenate([x, h], axis=1) @ weight), 2, axis=1)
    n = np.tanh(np.concatenate([x, r * h], axis=1) @ candidate)
    return (1 - z) * n + z * h, (x, h, weight, candidate, r, z, n)


def gru_backward(dy, cache, direct=1, reset=1, z_sign=1):
    x, h, weight, candidate, r, z, n = cache
    D = x.shape[1]
    dn = dy * (1 - z) * (1 - n * n)
    dxrh = dn @ candidate.T
    drh = dxrh[:, D:]
    dgates = np.concatenate([reset * drh * h * r * (1 - r), z_sign * dy * (h - n) * z * (1 - z)], axis=1)
    dxh = dgates @ weight.T
    dh = dxh[:, D:] + drh * r + direct * dy * z
    dweight, dcandidate = (np.concatenate([x, s], axis=1).T @ d for s, d in ((h, dgates), (r * h, dn)))
    return dxrh[:, :D] + dxh[:, :D], dh, dweight, dcandidate


gru_args = normal((2, 3)), normal((2, 2)), 0.7 * normal((5, 4)), 0.7 * normal((5, 2))
gru_cell = Layer(
    "GRU cell",
    gru_forward,
    gru_backward,
    gru_args,
    {
        "drops the direct path to h": Wrong("h", partial(gru_backward, direct=0)),
        "drops the reset gate": Wrong("weight", partial(gru_backward, reset=0), region=np.s_[:, :2]),
        "swaps z and 1 - z": Wrong("weight", partial(gru_backward, z_sign=-1), region=np.s_[:, 2:]),
    },
)

LAYERS = (rnn, lstm_cell, lstm, gru_cell)
