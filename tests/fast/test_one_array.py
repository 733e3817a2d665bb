"""Many arrays as one, on the CPU and on a GPU."""

import numpy as np
import pytest

from minunet.backend import array_module, to_device, to_host
from minunet.fast.one_array import concatenated, in_one_array

SHAPES = [(3, 2), (1,), (2, 1, 3, 3), (5,), (1, 1), (300,)]
DEVICES = pytest.mark.parametrize("device", ["cpu", pytest.param("gpu", marks=pytest.mark.gpu)])


@pytest.mark.parametrize("kernels", ["auto", "readable"])
@DEVICES
def test_arrays_are_concatenated_in_their_order(monkeypatch, rng, dtype, device, kernels):
    monkeypatch.setenv("MINUNET_KERNELS", kernels)
    for count in range(1, len(SHAPES) + 1):
        arrays = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES[:count]]
        whole = concatenated(to_device(arrays, device))
        assert whole.dtype == dtype and array_module(whole).__name__ == ("numpy" if device == "cpu" else "cupy")
        np.testing.assert_array_equal(to_host(whole), np.concatenate([x.ravel() for x in arrays]))


@DEVICES
def test_so_are_arrays_of_any_layout_and_dtype(rng, device):
    x, y = rng.standard_normal((4, 3)), rng.standard_normal((2, 6)).astype(np.float32)
    whole = concatenated([to_device(x, device).T, to_device(y, device)[:, ::2]])
    np.testing.assert_array_equal(to_host(whole), np.concatenate([x.T.ravel(), y[:, ::2].ravel()]))


@pytest.mark.gpu
def test_a_tree_becomes_views_of_one_array(rng):
    a, b, c = (rng.standard_normal(shape) for shape in SHAPES[:3])
    tree = {"encode": [{"weight": a}, {"weight": b}], "head": {"bias": c}}
    on_gpu = to_device(tree, "gpu")
    whole = in_one_array(on_gpu)
    assert [on_gpu["encode"][1]["weight"].shape, on_gpu["head"]["bias"].shape] == [b.shape, c.shape]
    whole += 1
    np.testing.assert_array_equal(to_host(on_gpu["encode"][0]["weight"]), a + 1)
    np.testing.assert_array_equal(to_host(on_gpu["head"]["bias"]), c + 1)


@pytest.mark.gpu
def test_it_stays_the_same_memory_until_a_part_is_replaced(rng):
    tree = to_device({"weight": rng.standard_normal((2, 3)), "bias": rng.standard_normal(2)}, "gpu")
    whole = in_one_array(tree)
    address = whole.data.ptr
    assert in_one_array(tree).data.ptr == address and in_one_array(tree).shape == (8,)
    part = {"bias": tree["bias"]}
    assert in_one_array(part).data.ptr == tree["bias"].data.ptr and in_one_array(part).shape == (2,)
    for other in ({"bias": tree["bias"], "weight": tree["weight"]}, {**tree, "beta": whole[:1]}):
        assert in_one_array(other).data.ptr != address
    tree["bias"] = tree["bias"] * 2
    new = in_one_array(tree)
    assert new.data.ptr != address
    np.testing.assert_array_equal(to_host(new), np.concatenate([to_host(whole)[:6], 2 * to_host(whole)[6:]]))
