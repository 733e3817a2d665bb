"""Arrays as hypothesis draws them: any shape, order in memory and numbers, held against the loop twins.

The quick form draws few and always the same; `-m slow` draws a hundred times as many.
"""

import numpy as np
import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed; it is in the extra [test]")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minunet as m
from minunet.backend import flatten
from minunet.fast import layers as fast
from minunet.layers import naive

FEW = settings(max_examples=8, derandomize=True, database=None, deadline=None)
MANY = settings(FEW, max_examples=800, suppress_health_check=list(HealthCheck))
DTYPES = st.sampled_from([np.float16, np.float32, np.float64])
SIDES = st.integers(1, 5)


@st.composite
def laid_out(draw, shape, dtype):
    """Draw an array of this shape, in some order of its axes, with steps of either sign, perhaps read-only."""
    order = draw(st.permutations(range(len(shape))))
    steps = draw(st.tuples(*(st.sampled_from([1, -1, 2, -2]) for _ in shape)))
    memory = tuple(shape[axis] * abs(steps[axis]) for axis in order)
    bounds = np.dtype(dtype).itemsize * 8
    x = draw(hnp.arrays(dtype, memory, elements=st.floats(-8, 8, width=bounds)))
    x = x.transpose(np.argsort(order))[tuple(slice(None, None, step) for step in steps)]
    x.setflags(write=draw(st.booleans()))
    return x


@st.composite
def layer_cases(draw):
    """Draw the arguments of the layers, of sizes that fit."""
    dtype = draw(DTYPES)
    N, C, F, KH, KW = (draw(SIDES) for _ in range(5))
    H, W = KH + draw(SIDES) - 1, KW + draw(SIDES) - 1
    shapes = {
        "x": (N, C, H, W),
        "weight": (F, C, KH, KW),
        "bias": (F,),
        "even": (N, C, 2 * H, 2 * W),
        "up": (C, F, 2, 2),
        "skip": (N, F, H + draw(SIDES), W + draw(SIDES)),
    }
    return {name: draw(laid_out(shape, dtype)) for name, shape in shapes.items()}


def assert_like(result, twin, dtype, terms=1):
    """Compare with the twin's float64, to the digits of the dtype; the dtype must stay."""
    assert result.dtype == dtype
    tolerance = 8 * terms * np.finfo(dtype).eps * max(1, float(np.abs(twin).max(initial=0)), 64)
    np.testing.assert_allclose(result.astype(np.float64), twin, rtol=0, atol=tolerance)


def check_layers(case):
    x, weight, bias, even, up, skip = case.values()
    before = {name: array.tobytes() for name, array in case.items()}
    plain = {name: np.array(array, np.float64) for name, array in case.items()}
    dtype, terms = x.dtype, weight[0].size
    for room in (m, fast):
        y, cache = room.conv2d_forward(x, weight, bias)
        assert_like(y, naive.conv2d(plain["x"], plain["weight"], plain["bias"]), dtype, terms)
        for result, twin in zip(
            room.conv2d_backward(y, cache),
            naive.conv2d_gradients(y.astype(np.float64), plain["x"], plain["weight"]),
            strict=True,
        ):
            assert_like(result, twin, dtype, y.size)
        y, cache = room.max_pool_forward(even)
        assert_like(y, naive.max_pool(plain["even"]), dtype)
        assert_like(room.max_pool_backward(y, cache), naive.max_pool_gradient(y, plain["even"]), dtype)
        y, cache = room.up_conv_forward(x, up, bias)
        assert_like(y, naive.up_conv(plain["x"], plain["up"], plain["bias"]), dtype, terms)
        y, cache = room.crop_concat_forward(skip, x)
        assert_like(y, naive.crop_concat(plain["skip"], plain["x"]), dtype)
        y, cache = room.relu_forward(x)
        assert_like(y, naive.relu(plain["x"]), dtype)
    assert before == {name: array.tobytes() for name, array in case.items()}


@settings(FEW, max_examples=3)
@given(layer_cases())
def test_layers_take_any_array_of_floats(case):
    check_layers(case)


@pytest.mark.slow
@MANY
@given(layer_cases())
def test_layers_take_any_array_of_floats_at_length(case):
    check_layers(case)


def test_another_byte_order_is_refused():
    x, weight, bias = (np.ones(shape, ">f4") for shape in ((1, 1, 4, 4), (1, 1, 3, 3), (1,)))
    for room in (m, fast):
        with pytest.raises(m.InputError, match=r"x must have this machine's byte order, got >f4; use .astype"):
            room.conv2d_forward(x, weight, bias)


def weights_by_loops(instances, w0, sigma, class_weights):
    """Return equation 2, pixel by pixel."""
    cells = [np.argwhere(instances == label) for label in np.unique(instances[instances != 0])]
    weights = np.empty(instances.shape)
    for place in np.ndindex(instances.shape):
        distances = sorted(np.sqrt(((cell - place) ** 2).sum(axis=1)).min() for cell in cells)
        weights[place] = class_weights[1 if instances[place] else 0]
        if not instances[place] and len(cells) > 1:
            weights[place] += w0 * np.exp(-((distances[0] + distances[1]) ** 2) / (2 * sigma**2))
    return weights


def check_weights(instances, w0, sigma):
    before = instances.tobytes()
    weights = m.weight_map(instances, w0, sigma, (1.0, 2.0))
    assert weights.dtype == np.float32 and instances.tobytes() == before
    np.testing.assert_allclose(weights, weights_by_loops(instances, w0, sigma, (1.0, 2.0)), rtol=1e-6)


INSTANCES = hnp.arrays(
    st.sampled_from([np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64, ">i4"]),
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7),
    elements=st.integers(0, 4),
)


@FEW
@given(INSTANCES, st.floats(0, 1e6), st.floats(0.01, 1e9))
def test_a_weight_map_is_equation_2(instances, w0, sigma):
    check_weights(instances, w0, sigma)


@pytest.mark.slow
@MANY
@given(INSTANCES, st.floats(0, 1e6), st.floats(0.01, 1e9))
def test_a_weight_map_is_equation_2_at_length(instances, w0, sigma):
    check_weights(instances, w0, sigma)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numbers_of_numpy_leave_the_dtype_alone(dtype):
    """A float64 scalar of NumPy made float64 of float32 in three functions."""
    x = np.ones((1, 1, 20, 20), dtype)
    params = m.init_unet(np.random.default_rng(0), base_channels=1, depth=1, dtype=dtype)
    rate = np.float64(0.5)
    results = [
        m.unet_forward(params, x, rate, np.random.default_rng(0)),
        m.dropout_forward(x, rate, np.random.default_rng(0)),
        m.batch_norm_forward(x, np.ones(1, dtype), np.ones(1, dtype), np.float64(1e-5)),
    ]
    grads, moments = params, m.init_moments(params)
    m.adam_step(params, grads, moments, np.float64(0.01), np.float64(0.9), np.int64(1))
    if dtype != np.float16:
        augmentation = m.data.Augmentation(np.float64(1), True, np.float64(0.1), np.float64(0.1))
        labels, windows = np.ones((20, 20), int), ((12, 12), (4, 4))
        results.append(m.data.augmented_tile(x[0], labels, None, np.random.default_rng(0), *windows, augmentation)[0])
    flat = flatten([results, params, moments])
    arrays = {name: a for name, a in flat.items() if isinstance(a, np.ndarray) and a.dtype.kind == "f"}
    odd = {name: a.dtype for name, a in arrays.items() if a.dtype != dtype}
    assert odd == {}
