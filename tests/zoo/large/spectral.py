"""Fourier transform, power spectrum and Euclidean norm."""

from functools import partial

import numpy as np

from zoo.large.layer import Layer, Wrong, scaled

normal = np.random.default_rng(45).standard_normal


def norm_forward(x):
    y = np.sqrt((x * x).sum(axis=1, keepdims=True))
    return y, (x, y)


def norm_backward(dy, cache):
    x, y = cache
    return dy * x / y


norm = Layer(
    "Euclidean norm",
    norm_forward,
    norm_backward,
    (normal((3, 4)),),
    {
        "forgets to divide": Wrong("x", lambda dy, c: dy * c[0]),
        "divides by the square": Wrong("x", lambda dy, c: dy * c[0] / c[1] ** 2),
        "has the 2 of the square": Wrong("x", scaled(norm_backward, 2)),
    },
)


def fourier_forward(x):
    """Return the real and the imaginary part of the transform of a real signal, (2, N, n // 2 + 1)."""
    y = np.fft.rfft(x, axis=1)
    return np.stack([y.real, y.imag]), x.shape[1]


def fourier_backward(dy, n, doubled=1.0, sign=1):
    spectrum = dy[0] + sign * 1j * dy[1]
    spectrum[:, 1 : (n + 1) // 2] /= 1 + doubled
    return np.fft.irfft(spectrum, n, axis=1) * n


fourier = Layer(
    "real Fourier transform",
    fourier_forward,
    fourier_backward,
    (normal((2, 7)),),
    {
        "counts inner frequencies twice": Wrong("x", partial(fourier_backward, doubled=0)),
        "conjugates": Wrong("x", partial(fourier_backward, sign=-1)),
        "divides by the length": Wrong("x", scaled(fourier_backward, 1 / 7)),
    },
)


def power_forward(x):
    y = np.fft.fft(x, axis=1)
    return y.real**2 + y.imag**2, y


def power_backward(dy, y):
    return 2 * y.shape[1] * np.fft.ifft(dy * y, axis=1).real


power = Layer(
    "power spectrum",
    power_forward,
    power_backward,
    (normal((2, 6)),),
    {
        "forgets the 2": Wrong("x", scaled(power_backward, 1 / 2)),
        "transforms forward again": Wrong("x", lambda dy, y: 2 * np.fft.fft(dy * y, axis=1).real),
        "has the inverse's 1/n": Wrong("x", scaled(power_backward, 1 / 6)),
    },
)

LAYERS = (norm, fourier, power)
