"""Many arrays as one, on the strict stand-in for CuPy and, where there is a GPU, on it."""

import numpy as np
import pytest
from strict_cupy import raw_module

from minunet.backend import to_device, to_host
from minunet.fast.cuda.one_array import gather, in_one_array

pytestmark = [
    pytest.mark.skipif(raw_module.COMPILER is None, reason="g++ is not there to run the kernels on the CPU"),
    pytest.mark.usefixtures("cupy"),
]
SHAPES = [(3, 2), (1,), (2, 1, 3, 3), (5,), (1, 1), (300,)]


def test_arrays_are_gathered_in_their_order(rng, dtype):
    for count in range(1, len(SHAPES) + 1):
        arrays = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES[:count]]
        whole = gather(to_device(arrays, "gpu"))
        assert whole.dtype == dtype
        np.testing.assert_array_equal(to_host(whole), np.concatenate([x.ravel() for x in arrays]))


def test_arrays_of_any_layout_and_dtype_are_gathered(rng):
    x, y = rng.standard_normal((4, 3)), rng.standard_normal((2, 6)).astype(np.float32)
    whole = gather([to_device(x, "gpu").T, to_device(y, "gpu")[:, ::2]])
    np.testing.assert_array_equal(to_host(whole), np.concatenate([x.T.ravel(), y[:, ::2].ravel()]))


def test_a_tree_becomes_views_of_one_array(rng):
    a, b, c = (rng.standard_normal(shape) for shape in SHAPES[:3])
    tree = {"encode": [{"weight": a}, {"weight": b}], "head": {"bias": c}}
    on_gpu = to_device(tree, "gpu")
    whole = in_one_array(on_gpu)
    assert [on_gpu["encode"][1]["weight"].shape, on_gpu["head"]["bias"].shape] == [b.shape, c.shape]
    whole += 1
    np.testing.assert_array_equal(to_host(on_gpu["encode"][0]["weight"]), a + 1)
    np.testing.assert_array_equal(to_host(on_gpu["head"]["bias"]), c + 1)


def test_it_stays_the_same_array_until_a_part_is_replaced(rng):
    tree = to_device({"weight": rng.standard_normal((2, 3)), "bias": rng.standard_normal(2)}, "gpu")
    whole = in_one_array(tree)
    assert in_one_array(tree).data.ptr == whole.data.ptr
    for other in ({"bias": tree["bias"], "weight": tree["weight"]}, {"weight": tree["weight"]}, {**tree, "beta": whole}):
        assert in_one_array(other).data.ptr != whole.data.ptr
    tree["bias"] = tree["bias"] * 2
    new = in_one_array(tree)
    assert new.data.ptr != whole.data.ptr
    np.testing.assert_array_equal(to_host(new), np.concatenate([to_host(whole)[:6], 2 * to_host(whole)[6:]]))
