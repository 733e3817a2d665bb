"""The network runs on the readable layers alone, with one word of its source replaced, and gives the same."""

import inspect
import types

import numpy as np
import pytest

import minunet as m
from minunet import layers
from minunet.backend import map_tree
from minunet.network import unet

IMPORT = "from minunet.fast.layers import ("


@pytest.fixture
def readable_unet():
    """Return the network's module with its layers imported from minunet.layers."""
    source = inspect.getsource(unet)
    assert source.count("minunet.fast") - source.count("`minunet.fast") == source.count(IMPORT) == 1
    module = types.ModuleType("readable_unet")
    exec(source.replace(IMPORT, "from minunet.layers import ("), vars(module))
    return module


def test_all_layers_come_from_the_readable_module(readable_unet):
    pairs = {name: x for name, x in vars(readable_unet).items() if name.endswith(("_forward", "_backward"))}
    own = {name for name in pairs if name.startswith(("unet", "double_conv"))}
    assert len(pairs) - len(own) == 14
    for name in set(pairs) - own:
        assert pairs[name] is getattr(layers, name)


@pytest.mark.parametrize("norm", [None, "batch"])
@pytest.mark.parametrize("dropout_rate", [0.0, 0.4])
def test_the_readable_network_equals_the_fast_one(readable_unet, dropout_rate, norm):
    rng = np.random.default_rng(0)
    params = m.init_unet(rng, in_channels=2, num_classes=3, base_channels=6, depth=2, dtype=np.float64, norm=norm)
    params = map_tree(lambda x: x if x.any() else 0.5 * rng.standard_normal(x.shape), params)
    x = rng.standard_normal((2, 2, 60, 52))
    dlogits = rng.standard_normal((2, 3, 20, 12))

    def run(network):
        logits, cache = network.unet_forward(params, x, dropout_rate, np.random.default_rng(1))
        grads, dx = network.unet_backward(dlogits, cache, with_dx=True)
        return {"logits": logits, "dx": dx, **m.flatten(grads)}

    fast, readable = run(unet), run(readable_unet)
    assert list(fast) == list(readable)
    for name, expected in readable.items():
        np.testing.assert_allclose(fast[name], expected, rtol=0, atol=1e-10 * abs(expected).max(), err_msg=name)
