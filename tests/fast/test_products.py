"""Products of matrices by cuBLAS, of factors of any layout."""

import numpy as np
import pytest

from minunet.backend import to_device, to_host
from minunet.fast.cuda import products
from minunet.fast.cuda.products import product, sum_of_products

pytestmark = pytest.mark.gpu

LAYOUTS = {
    "rows": lambda x: x,
    "transposed": lambda x: x.swapaxes(-1, -2).copy().swapaxes(-1, -2),
    "rows_with_gaps": lambda x: np.concatenate([x, x], axis=-1)[..., : x.shape[-1]],
    "neither": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "one_for_all": lambda x: x[0],
}
SIZES = [(3, 4, 5, 6), (2, 1, 3, 4), (2, 3, 1, 4), (1, 3, 4, 1), (1, 1, 1, 1)]  # batch, rows, K, columns


def laid_out(x, layout):
    """Return x on the device in this layout, which a copy to the device would not keep."""
    view = LAYOUTS[layout](x)
    if layout == "transposed":
        return to_device(np.ascontiguousarray(view.swapaxes(-1, -2)), "gpu").swapaxes(-1, -2)
    if layout == "rows_with_gaps":
        return to_device(np.concatenate([x, x], axis=-1), "gpu")[..., : x.shape[-1]]
    if layout == "neither":
        return to_device(np.repeat(x, 2, axis=-1), "gpu")[..., ::2]
    return to_device(view, "gpu")


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("layout_of_b", LAYOUTS)
@pytest.mark.parametrize("layout_of_a", LAYOUTS)
def test_factors_of_any_layout(rng, dtype, layout_of_a, layout_of_b, size):
    batch, rows, K, columns = size
    a, b = rng.standard_normal((batch, rows, K)).astype(dtype), rng.standard_normal((batch, K, columns)).astype(dtype)
    expected = LAYOUTS[layout_of_a](a) @ LAYOUTS[layout_of_b](b)
    factors = laid_out(a, layout_of_a), laid_out(b, layout_of_b)
    result = product(*factors)
    tolerance = {"rtol": 0, "atol": 50 * np.finfo(dtype).eps}
    assert result.dtype == dtype
    np.testing.assert_allclose(to_host(result), expected, **tolerance)
    assert product(*factors, result, add=True) is result
    np.testing.assert_allclose(to_host(result), 2 * expected, **tolerance)
    product(*factors, result)
    np.testing.assert_allclose(to_host(result), expected, **tolerance)


def test_the_sum_over_a_batch(rng):
    a, b = rng.standard_normal((3, 4, 5)), rng.standard_normal((3, 5, 2))
    result = sum_of_products(*to_device((a, b), "gpu"))
    np.testing.assert_allclose(to_host(result), (a @ b).sum(axis=0), atol=1e-14)


def test_without_the_call_matmul_does_it(rng, monkeypatch):
    a, b = rng.standard_normal((3, 4, 5)), rng.standard_normal((3, 2, 5))
    monkeypatch.setattr(products, "_has_the_call", lambda xp: False)
    a_gpu, b_gpu = to_device((a, b), "gpu")
    result = product(a_gpu, b_gpu.transpose(0, 2, 1))
    product(a_gpu, b_gpu.transpose(0, 2, 1), result, add=True)
    np.testing.assert_allclose(to_host(result), 2 * a @ b.transpose(0, 2, 1), atol=1e-14)


@pytest.mark.parametrize("layout", ["rows", "transposed", "rows_with_gaps"])
def test_such_factors_are_not_copied(rng, layout):
    x = laid_out(rng.standard_normal((3, 4, 5)), layout)
    assert products._as_it_lies(x)[0] is x
