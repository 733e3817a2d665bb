"""CUPY_TF32=1 lets the GPU multiply in TF32: batches of matrices, too, and with tiles that keep the network exact."""

import types

import numpy as np
import pytest
from gpu_on_cpu import device

from minunet import (
    flatten,
    init_unet,
    predict,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    to_device,
    unet_backward,
    unet_forward,
)
from minunet.backend import map_tree
from minunet.cli.bench import minunet_side, worker
from minunet.cli.bench.layer import Layer
from minunet.data import load_data
from minunet.fast.conv import conv2d_backward, conv2d_forward
from minunet.fast.cuda import conv as conv_kernels
from minunet.fast.cuda import loader
from minunet.fast.cuda.products import product
from minunet.gpu import TF32_CAPABILITY, TF32_TENSOR_OP_MATH, allow_tf32_if_asked, tf32_is_allowed
from minunet.training.config import Config
from minunet.training.run_folder import resume_run, save_run
from minunet.training.train import start

pytestmark = pytest.mark.gpu


@pytest.fixture
def math_mode(cupy):
    """Return a function that asks cuBLAS how it multiplies; afterwards it multiplies in full again."""
    if int(cupy.cuda.Device().compute_capability) < TF32_CAPABILITY:
        pytest.skip("this GPU is older than TF32")
    cublas, handle = cupy.cuda.cublas, cupy.cuda.get_cublas_handle()
    yield lambda: cublas.getMathMode(handle)
    cublas.setMathMode(handle, cublas.CUBLAS_DEFAULT_MATH)


def step(params, x, labels):
    """Return the logits and all gradients of a step."""
    logits, cache = unet_forward(params, x)
    _, loss_cache = softmax_cross_entropy_forward(logits, labels)
    grads, dx = unet_backward(softmax_cross_entropy_backward(np.asarray(1, x.dtype), loss_cache), cache, with_dx=True)
    return to_device({"logits": logits, "dx": dx, **flatten(grads)}, "cpu")


def layer(x, weight, bias, dy):
    """Return y and all gradients of the network's convolution."""
    y, cache = conv2d_forward(x, weight, bias)
    return to_device(dict(zip(("y", "dx", "dweight", "dbias"), (y, *conv2d_backward(dy, cache)), strict=True)), "cpu")


def errors_on_the_gpu(function, *args):
    """Return {name: error} of a function in float32 on the GPU: root mean squares, error over result."""
    expected = function(*args)
    args = map_tree(lambda x: x.astype(np.float32) if x.dtype.kind == "f" else x, list(args))
    args = to_device(args, "gpu")
    allow_tf32_if_asked(next(iter(flatten(args).values())))
    result = function(*args)
    return {name: np.sqrt(np.mean((result[name] - y) ** 2) / np.mean(y**2)) for name, y in expected.items()}


@pytest.mark.parametrize("convolution", ["winograd", "auto"])  # auto: on tensor cores
def test_a_layer_in_tf32(monkeypatch, math_mode, rng, convolution):
    monkeypatch.setenv("MINUNET_CONVOLUTION", convolution)
    shapes = (2, 5, 13, 18), (7, 5, 3, 3), (7,), (2, 7, 11, 16)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    assert max(errors_on_the_gpu(layer, *arrays).values()) < 1e-5 and math_mode() == 0
    monkeypatch.setenv("CUPY_TF32", "1")
    errors = errors_on_the_gpu(layer, *arrays)
    assert math_mode() == TF32_TENSOR_OP_MATH and errors.pop("dbias") < 1e-5  # a sum, no product
    assert max(errors.values()) < 2e-3  # 5e-4, or twice that if factors are cut off
    if (
        device.IS_THERE
    ):  # cuBLAS takes TF32 where rows begin at multiples of 16 bytes, and may multiply in full elsewhere
        assert min(errors.values()) > 1e-4


def test_products_ask_for_it_themselves(monkeypatch, math_mode, rng):
    """Whatever cuBLAS's mode is, which is for products that CuPy asks for."""
    a, b = rng.standard_normal((3, 8, 16)), rng.standard_normal((3, 16, 8))
    args = to_device([a.astype(np.float32), b.astype(np.float32)], "gpu")
    errors = []
    for allowed in ("0", "1"):
        monkeypatch.setenv("CUPY_TF32", allowed)
        errors.append(np.abs(to_device(product(*args), "cpu") - a @ b).max())
    assert math_mode() == 0 and errors[0] < 1e-5 and errors[1] < 2e-2
    if device.IS_THERE:  # as above
        assert errors[1] > 1e-3


def test_the_network_in_tf32(monkeypatch, math_mode, rng):
    """Winograd's small tiles err little more than the direct way, PyTorch's; large ones several times as much."""
    params = init_unet(rng, base_channels=8, depth=2, dtype=np.float64)
    args = params, rng.standard_normal((2, 1, 60, 52)), rng.integers(0, 2, (2, 20, 12))
    assert errors_on_the_gpu(step, *args)["logits"] < 1e-5
    monkeypatch.setenv("CUPY_TF32", "1")
    monkeypatch.setenv("MINUNET_CONVOLUTION", "winograd")
    with_small_tiles = errors_on_the_gpu(step, *args)
    monkeypatch.setenv("MINUNET_CONVOLUTION", "direct")
    direct = errors_on_the_gpu(step, *args)
    monkeypatch.setenv("MINUNET_CONVOLUTION", "winograd")
    for module in (loader, conv_kernels):
        monkeypatch.setattr(module, "tile_size", lambda dtype: 4)
    with_large_tiles = errors_on_the_gpu(step, *args)
    if device.IS_THERE:  # as above
        assert 1e-4 < direct["logits"] and with_large_tiles["logits"] > 3 * direct["logits"]
        assert with_small_tiles["logits"] < 2 * direct["logits"]
    assert with_small_tiles["logits"] < 2e-3


@pytest.mark.usefixtures("math_mode")
def test_the_network_on_tensor_cores(monkeypatch, rng):
    params = init_unet(rng, base_channels=4, depth=1, dtype=np.float64)
    args = params, rng.standard_normal((1, 1, 36, 28)), rng.integers(0, 2, (1, 20, 12))
    monkeypatch.setenv("CUPY_TF32", "1")
    on_tensor_cores = errors_on_the_gpu(step, *args)
    monkeypatch.setenv("MINUNET_CONVOLUTION", "direct")
    direct = errors_on_the_gpu(step, *args)
    assert on_tensor_cores["logits"] < 2e-3
    if device.IS_THERE:
        assert 1e-4 < on_tensor_cores["logits"] < 1.5 * direct["logits"]
        assert on_tensor_cores["dx"] < 2 * direct["dx"]  # a pixel may pass a ReLU in one of them only


def test_float64_stays_as_it_is(monkeypatch, math_mode, rng, small_unet):
    monkeypatch.setenv("CUPY_TF32", "1")
    x, labels = rng.standard_normal((1, 1, 44, 44)), rng.integers(0, 3, (1, 4, 4))
    args = to_device([small_unet, x, labels], "gpu")
    allow_tf32_if_asked(args[1])
    assert math_mode() == TF32_TENSOR_OP_MATH
    expected, result = step(small_unet, x, labels), step(*args)
    for name, y in expected.items():
        np.testing.assert_allclose(result[name], y, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("value", ["0", "", None])
def test_it_is_off_unless_the_environment_says_so(monkeypatch, math_mode, value):
    if value is not None:
        monkeypatch.setenv("CUPY_TF32", value)
    allow_tf32_if_asked(to_device(np.ones(3), "gpu"))
    assert math_mode() == 0


@pytest.mark.parametrize(("capability", "allowed"), [("75", False), ("80", True), ("120", True)])
def test_a_gpu_older_than_tf32_multiplies_in_full(monkeypatch, cupy, math_mode, capability, allowed):
    monkeypatch.setenv("CUPY_TF32", "1")
    older = types.SimpleNamespace(compute_capability=capability)
    monkeypatch.setattr(cupy.cuda, "Device", lambda: older)
    assert tf32_is_allowed() is allowed
    assert loader.tile_size(np.float32) == (2 if allowed else 4)
    allow_tf32_if_asked(to_device(np.ones(3), "gpu"))
    assert math_mode() == (TF32_TENSOR_OP_MATH if allowed else 0)


def test_arrays_of_the_host_leave_it_off(monkeypatch, math_mode):
    monkeypatch.setenv("CUPY_TF32", "1")
    allow_tf32_if_asked(np.ones(3))
    assert math_mode() == 0


def test_whoever_sets_up_a_run_on_the_gpu_asks_for_it(monkeypatch, math_mode, small_unet, cells_folder, cupy):
    """A fresh run, a resumed run, a prediction and a benchmark; to move an array is not to set up a run."""
    monkeypatch.setenv("MINUNET_CONVOLUTION", "winograd")  # to do as tensor cores do takes a CPU long
    monkeypatch.setenv("CUPY_TF32", "1")
    params = to_device(small_unet, "gpu")
    assert math_mode() == 0
    data = f"folder:{cells_folder}"
    config = Config(data=data, base_channels=2, depth=1, tile=36, steps=1, device="gpu")
    dataset = load_data(data)
    folder = cells_folder / "run"
    folder.mkdir()
    for set_up in (
        lambda: predict(params, np.ones((30, 30))),
        lambda: minunet_side.step_passes({"base_channels": 2, "depth": 1, "height": 36, "width": 36}, "gpu"),
        lambda: minunet_side.layer_passes(worker.arrays_of(Layer(2, 3, 6, 6)), "gpu"),
        lambda: save_run(start(config, dataset), folder),
        lambda: resume_run(folder),
    ):
        set_up()
        assert math_mode() == TF32_TENSOR_OP_MATH
        cupy.cuda.cublas.setMathMode(cupy.cuda.get_cublas_handle(), cupy.cuda.cublas.CUBLAS_DEFAULT_MATH)
