"""The pretend GPU keeps CuPy's rules, and the library runs on it without transfers that nobody asked for."""

import sys

import numpy as np
import pytest

from minunet import array_module, conv2d_forward, flatten, gradcheck, predict, to_device
from minunet.backend import to_host
from minunet.cli.gradcheck_cases import cases
from minunet.course import pretend_gpu
from minunet.data import synthetic_dataset
from minunet.gpu import allow_tf32_if_asked
from minunet.training.train import Config, start, train_step


@pytest.fixture
def log():
    with pretend_gpu.installed() as log:
        yield log


def to_gpu(args):
    return tuple(x if isinstance(x, np.random.Generator) else to_device(x, "gpu") for x in args)


@pytest.mark.parametrize("name", cases())
def test_every_pair_stays_on_the_device_and_equals_that_on_the_host(name, log):
    forward, backward, args = cases()[name]
    y, cache = forward(*args)
    dy = np.random.default_rng(2).standard_normal(np.shape(y))
    on_host = flatten([y, backward(dy, cache)])
    y_device, cache_device = forward(*to_gpu(cases()[name][2]))
    on_device = flatten([y_device, backward(to_device(dy, "gpu"), cache_device)])
    assert log.trips == []
    assert list(on_host) == list(on_device)
    for path, x in on_host.items():
        assert isinstance(on_device[path], pretend_gpu.PretendArray), path
        np.testing.assert_allclose(to_host(on_device[path]), x, rtol=1e-10, atol=1e-10, err_msg=path)


def test_gradcheck_runs_on_the_device(log):
    forward, backward, args = cases()["conv2d"]
    assert gradcheck(forward, backward, to_gpu(args), mode="directions").ok


def test_prediction_equals_that_on_the_host(log, rng):
    params = start(Config(base_channels=2, depth=1, norm="none"), synthetic_dataset(0, 1, 1, 32, 32)).params
    image = rng.standard_normal((37, 30))
    np.testing.assert_allclose(predict(to_device(params, "gpu"), image), predict(params, image), atol=1e-6)


def test_a_training_step_never_comes_to_the_host(log):
    run = start(Config(base_channels=2, depth=1, tile=44, device="gpu"), synthetic_dataset(0, 1, 1, 32, 32))
    tile = np.ones((1, 44, 44), np.float32), np.ones((28, 28), np.uint8), None
    loss = train_step(run, tile, step=0, rate=0.1)
    assert log.trips == []
    assert float(loss) > 0 and len(log.trips) == 1


def test_kernels_are_counted_and_views_are_not(log):
    x = to_device(np.ones((4, 6)), "gpu")
    x.reshape(6, 4).T, x[1:], array_module(x).empty(3), array_module(x).asarray(x)
    assert log.kernels == 0
    x[0] += 1
    x[0] = 2.0
    x + x
    array_module(x).zeros(3)
    assert log.kernels == 4
    args = to_gpu((np.ones((1, 2, 8, 8)), np.ones((3, 2, 3, 3)), np.ones(3)))
    conv2d_forward(*args)
    assert log.kernels == 4 + 21  # taps in order, zeros, nine products and sums, bias


@pytest.mark.parametrize(
    "mixed",
    [
        lambda x: x + np.ones(3),
        lambda x: np.ones(3) * x,
        lambda x: array_module(x).where(np.ones(3) > 0, x, x),
        lambda x: array_module(x).stack([x, np.ones(3)]),
        lambda x: x.__setitem__(slice(None), np.ones(3)),
    ],
)
def test_an_array_of_the_host_is_no_operand(mixed, log):
    with pytest.raises(TypeError, match="Unsupported type"):
        mixed(to_device(np.ones(3), "gpu"))


def test_no_array_comes_to_the_host_unasked(log):
    x = to_device(np.arange(3.0), "gpu")
    with pytest.raises(TypeError, match="Implicit conversion"):
        np.asarray(x)
    assert isinstance(np.exp(x), pretend_gpu.PretendArray)  # NumPy's own functions stay there, as with CuPy
    assert isinstance(np.concatenate([x, x]), pretend_gpu.PretendArray)
    assert log.trips == []
    assert float(x[2]) == 2 and int(x[1]) == 1 and not x[0]
    assert len(log.trips) == 3
    assert log.trips[0].startswith("test_no_array_comes_to_the_host_unasked: assert float(x[2])")


def test_names_that_cupy_lacks_are_missing(log):
    x = to_device(np.ones(3), "gpu")
    with pytest.raises(AttributeError, match="no attribute 'block'"):
        array_module(x).block([x, x])


def test_device_memory_is_other_memory(log):
    x = np.zeros(3)
    x_device = to_device(x, "gpu")
    x_device += 1
    to_host(x_device)[0] = 9
    assert x.tolist() == [0, 0, 0] and to_host(x_device).tolist() == [1, 1, 1]


def test_what_was_there_before_is_there_again_even_after_an_error():
    before = sys.modules.get("cupy")
    with pytest.raises(ZeroDivisionError), pretend_gpu.installed():
        assert array_module(to_device(np.ones(1), "gpu")).__name__ == "pretend cupy"
        raise ZeroDivisionError
    assert sys.modules.get("cupy") is before
    assert not isinstance(before, pretend_gpu.PretendModule)


def test_it_has_no_tf32_and_does_not_mind(monkeypatch, log, rng):
    monkeypatch.setenv("CUPY_TF32", "1")
    x = to_device(rng.standard_normal((3, 3)), "gpu")
    allow_tf32_if_asked(x)
    np.testing.assert_array_equal(to_device(x @ x, "cpu"), to_device(x, "cpu") @ to_device(x, "cpu"))
