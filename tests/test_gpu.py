"""The same lines on CuPy: every pair gives on the GPU what it gives on the CPU, and a run trains there.

python -m pytest -m gpu
"""

import numpy as np
import pytest

from minunet import flatten, gradcheck, init_unet, predict, to_device
from minunet.backend import array_module, map_tree, to_host
from minunet.cli import main
from minunet.gradchecking.cases import cases

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def cupy():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("CuPy finds no GPU")
    return cupy


def to_gpu(args):
    """Move the arrays of a tuple of arguments; generators and numbers stay."""
    return tuple(
        argument if isinstance(argument, np.random.Generator) else to_device(argument, "gpu") for argument in args
    )


def assert_equal_on_both(on_cpu, on_gpu):
    on_cpu, on_gpu = flatten(on_cpu), flatten(on_gpu)
    assert list(on_cpu) == list(on_gpu)
    for name, x in on_cpu.items():
        assert array_module(on_gpu[name]).__name__ == "cupy", f"{name} has left the GPU"
        np.testing.assert_allclose(to_host(on_gpu[name]), x, rtol=1e-10, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("name", cases())
def test_forward_and_backward_equal_those_on_the_cpu(name):
    forward, backward, args = cases()[name]
    y, cache = forward(*args)
    args_gpu = to_gpu(cases()[name][2])
    y_gpu, cache_gpu = forward(*args_gpu)
    assert_equal_on_both(y, y_gpu)
    dy = np.random.default_rng(2).standard_normal(np.shape(y))
    assert_equal_on_both(backward(dy, cache), backward(to_device(dy, "gpu"), cache_gpu))


@pytest.mark.parametrize("mode", ["elements", "directions"])
@pytest.mark.parametrize("name", [name for name in cases() if name != "unet"])
def test_gradcheck_runs_on_the_gpu(name, mode):
    forward, backward, args = cases()[name]
    report = gradcheck(forward, backward, to_gpu(args), mode=mode)
    assert report.ok, report


@pytest.mark.parametrize("rotations", [1, 7, 8])
def test_prediction_equals_that_on_the_cpu(rng, rotations):
    params = init_unet(rng, base_channels=4, depth=2)
    image = rng.standard_normal((70, 90))
    on_gpu = predict(map_tree(lambda x: to_device(x, "gpu"), params), image, 76, rotations)
    np.testing.assert_allclose(on_gpu, predict(params, image, 76, rotations), atol=1e-5)


def test_train_on_the_gpu(tmp_path, cells_folder):
    small = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--steps", "10"]
    out = ["--device", "gpu", "--out", str(tmp_path / "run")]
    assert main(["train", "--data", f"folder:{cells_folder}", *small, *out]) == 0
    assert (tmp_path / "run" / "metrics.json").exists()
