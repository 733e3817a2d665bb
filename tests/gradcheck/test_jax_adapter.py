"""JAX functions as pairs: right ones pass, wrong ones fail for the right reason."""

from functools import partial

import numpy as np
import pytest

from minunet import check_second_order, gradcheck

jax = pytest.importorskip("jax", reason="the adapter for JAX needs JAX")
jnp = jax.numpy
jax_function = pytest.importorskip("minunet.gradcheck.adapters.jax_function")
jax_pair = jax_function.jax_pair


def found(report):
    return [(finding.kind, finding.argument) for finding in report.findings]


def log1pexp(slope):
    """Return log(1 + exp(x)), with a rule of its own for its derivative: `slope` of x."""

    @jax.custom_vjp
    def log1pexp(x):
        return jnp.logaddexp(0.0, x)

    log1pexp.defvjp(lambda x: (log1pexp(x), x), lambda x, dy: (dy * slope(x),))
    return log1pexp


def clip_gradient(limit):
    """Return x, with a gradient that is clipped, so it is not that of x where it is large."""

    @jax.custom_vjp
    def clip_gradient(x):
        return x

    clip_gradient.defvjp(lambda x: (x, None), lambda _, dy: (jnp.clip(dy, -limit, limit),))
    return clip_gradient


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def power(x, exponent):
    return x**exponent


power.defvjp(lambda x, exponent: (x**exponent, x), lambda exponent, x, dy: (dy * exponent * x ** (exponent - 1),))


@jax.custom_vjp
def affine(params, x):
    return x @ params["w"] + params["b"], jnp.sum(x)


def affine_backward(cache, dy):
    params, x = cache
    dy, dsum = dy
    return {"w": x.T @ dy, "b": dy.mean(0)}, dy @ params["w"].T + dsum  # mean, where it must be a sum


affine.defvjp(lambda params, x: (affine(params, x), (params, x)), affine_backward)


def test_right_functions(rng):
    x, labels = rng.standard_normal((2, 3)), np.array([2, 0])
    for function, args in (
        (log1pexp(jax.nn.sigmoid), (x,)),
        (jax.jit(log1pexp(jax.nn.sigmoid)), (x,)),
        (clip_gradient(100.0), (x,)),
        (power, (x, 3)),
        (lambda x, labels: -jax.nn.log_softmax(x)[jnp.arange(2), labels].mean(), (x, labels)),
        (lambda x: {"sin": jnp.sin(x), "sums": [x.sum(0)]}, (x,)),
    ):
        report = gradcheck(*jax_pair(function, args))
        assert report.ok and not report.findings, report


def test_wrong_functions(rng):
    x = rng.standard_normal((2, 3))
    report = gradcheck(*jax_pair(log1pexp(lambda x: 1 - jax.nn.sigmoid(x)), (x,)))
    assert found(report) == [("wrong", "x")], report
    report = gradcheck(*jax_pair(clip_gradient(0.1), (x,)))
    assert found(report) == [("wrong", "x")], report
    params = {"w": rng.standard_normal((3, 4)), "b": rng.standard_normal(4)}
    report = gradcheck(*jax_pair(affine, (params, x)))
    assert found(report) == [("wrong", "params.b")] and "0.5 times" in str(report), report


def test_everything_runs_in_float64_and_the_setting_is_put_back(rng):
    before = jnp.ones(2).dtype
    report = gradcheck(*jax_pair(jnp.tanh, (jnp.asarray(rng.standard_normal((2, 3))),)))
    assert report.ok and report.rows[0].error < 1e-7, report
    assert jnp.ones(2).dtype == before


def test_second_order(rng):
    x = rng.standard_normal((2, 3))
    right, wrong = log1pexp(jax.nn.sigmoid), log1pexp(lambda x: jax.lax.stop_gradient(jax.nn.sigmoid(x)))
    report = check_second_order(*jax_function.jax_second_order(right, (x,)))
    assert report.ok and not report.findings, report
    report = check_second_order(*jax_function.jax_second_order(wrong, (x,)))
    assert found(report) == [("wrong", "x")], report
