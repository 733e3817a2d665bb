"""An optimiser's step by one kernel equals the readable one, and nothing waits for the GPU."""

import numpy as np
import pytest
from gpu_on_cpu.device import no_trips

from minunet import flatten, init_unet, to_device
from minunet.backend import map_tree
from minunet.fast.cuda import optimisers as kernels
from minunet.fast.one_array import in_one_array
from minunet.training.optimiser_step import take_step
from minunet.training.optimisers import OPTIMISERS

pytestmark = pytest.mark.gpu


def assert_equal(result, expected, rtol):
    result, expected = flatten(to_device(result, "cpu")), flatten(expected)
    assert list(result) == list(expected)
    for name, x in expected.items():
        assert result[name].dtype == x.dtype
        np.testing.assert_allclose(result[name], x, rtol=rtol, atol=rtol, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("norm", [None, "batch"])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_steps_equal_those_on_the_cpu(monkeypatch, rng, name, norm, dtype):
    monkeypatch.delenv("MINUNET_KERNELS", raising=False)
    params = init_unet(rng, base_channels=2, depth=1, dtype=dtype, norm=norm)
    state = OPTIMISERS[name].init(params)
    params_gpu, state_gpu = to_device([map_tree(np.copy, params), map_tree(np.copy, state)], "gpu")
    launched = count_calls(monkeypatch, f"{name}_step")
    for step in (1, 2, 3):
        grads = map_tree(lambda x: rng.standard_normal(x.shape).astype(dtype), params)
        grads_gpu = to_device(flatten(grads), "gpu")
        take_step(name, params, grads, state, 0.1, 0.9, step)
        with no_trips(copies=4):  # tables of addresses and sizes
            take_step(name, params_gpu, dict(reversed(grads_gpu.items())), state_gpu, 0.1, 0.9, step)
        if step == 1:
            whole = in_one_array(params_gpu).data.ptr
        if step == 2:  # what folds a normalisation replaces the parameters
            params_gpu["bottom"]["conv1"]["weight"] = params_gpu["bottom"]["conv1"]["weight"] * 1
    assert launched == [1, 1, 1] and in_one_array(params_gpu).data.ptr != whole
    assert_equal([params_gpu, state_gpu], [params, state], 1e-6 if dtype == np.float32 else 1e-14)


def count_calls(monkeypatch, name):
    """Return a list that gets a 1 at each call of a function of `kernels`."""
    calls, function = [], getattr(kernels, name)

    def counted(*args):
        calls.append(1)
        function(*args)

    monkeypatch.setattr(kernels, name, counted)
    return calls


@pytest.mark.parametrize("name", OPTIMISERS)
def test_without_kernels_the_readable_step_is_taken(monkeypatch, rng, name):
    monkeypatch.setenv("MINUNET_KERNELS", "readable")
    params = to_device({"weight": rng.standard_normal(3)}, "gpu")
    before = params["weight"].copy()
    weight, launched = params["weight"], count_calls(monkeypatch, f"{name}_step")
    take_step(name, params, {"weight": weight + 1}, OPTIMISERS[name].init(params), 0.1, 0.9, 1)
    assert launched == [] and params["weight"] is weight and bool((weight != before).all())
