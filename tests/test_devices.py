"""Host and device: an array that lies on the wrong one is named, and so is what is missing for a GPU."""

import sys
import types

import numpy as np
import pytest

import minunet as m
from minunet.backend import map_tree
from minunet.cli.gradcheck_cases import cases
from minunet.cli.main import main
from minunet.fast import conv

MIXED = {
    "conv2d": (("x", "weight", "bias"), [(0, "weight"), (1, "weight"), (2, "bias")]),
    "up_conv": (("x", "weight", "bias"), [(0, "weight"), (1, "weight"), (2, "bias")]),
    "crop_concat": (("skip", "x"), [(0, "x"), (1, "x")]),
    "softmax_cross_entropy": (("logits", "labels", "weights"), [(0, "labels"), (1, "labels"), (2, "weights")]),
    "unet": (("params", "x"), [(0, "x"), (1, "x")]),
}
MOVES = [(name, moved, named) for name, (_, moves) in MIXED.items() for moved, named in moves]


@pytest.mark.gpu
@pytest.mark.parametrize("others", ["cpu", "gpu"])
@pytest.mark.parametrize(("name", "moved", "named"), MOVES)
def test_a_forward_pass_names_the_argument_that_lies_elsewhere(name, moved, named, others):
    forward, _, args = cases()[name]
    elsewhere = "gpu" if others == "cpu" else "cpu"
    args = [m.to_device(x, elsewhere if i == moved else others) for i, x in enumerate(args)]
    first = MIXED[name][0][0]
    first_device, named_device = ("GPU", "host") if (moved == 0) == (others == "cpu") else ("host", "GPU")
    message = rf"{named} must be on the device of {first} \({first_device}\), got an array on the {named_device}; move"
    with pytest.raises(m.InputError, match=f"^{message}"):
        forward(*args)


BACKWARD = [name for name in cases() if name not in ("crop_concat", "softmax_cross_entropy")]  # no array to differ from


@pytest.mark.gpu
@pytest.mark.parametrize("there", ["cpu", "gpu"])
@pytest.mark.parametrize("name", BACKWARD)
def test_a_backward_pass_names_dy(name, there):
    forward, backward, args = cases()[name]
    y, cache = forward(*m.to_device(args, there))
    dy = m.to_device(y, "gpu" if there == "cpu" else "cpu")
    with pytest.raises(m.InputError, match=r"^dy must be on the device of cache \((host|GPU)\), got an array on the"):
        backward(dy, cache)


@pytest.mark.gpu
def test_a_dy_elsewhere_is_named_by_the_fast_convolution_too(rng):
    x, weight, bias = rng.standard_normal((1, 2, 6, 6)), rng.standard_normal((3, 2, 3, 3)), np.zeros(3)
    y, cache = conv.conv2d_forward(x, weight, bias)
    with pytest.raises(m.InputError, match="dy must be on the device of cache"):
        conv.conv2d_backward(m.to_device(y, "gpu"), cache)
    y, cache = conv.conv2d_relu_forward(x, weight, bias)
    with pytest.raises(m.InputError, match="dy must be on the device of cache"):
        conv.conv2d_relu_backward(m.to_device(y, "gpu"), cache)


@pytest.mark.gpu
def test_dloss_may_be_a_number_of_the_host_but_no_array_of_the_gpu_for_a_host_loss(cupy):
    forward, backward, args = cases()["softmax_cross_entropy"]
    _, cache = forward(*m.to_device(args, "gpu"))
    for dloss in (1, np.float64(1), np.ones(())):
        assert type(backward(dloss, cache)) is cupy.ndarray
    _, cache = forward(*args)
    with pytest.raises(m.InputError, match="dloss must be on the device of p"):
        backward(cupy.ones(()), cache)


@pytest.mark.gpu
@pytest.mark.parametrize("label", [-1, 3, 255])
def test_a_label_out_of_range_makes_the_loss_nan_on_the_gpu_unless_it_weighs_nothing(label):
    _, _, (logits, labels, weights) = cases()["softmax_cross_entropy"]
    labels[1, 2, 3] = label
    args = m.to_device((logits, labels, weights), "gpu")
    assert np.isnan(float(m.softmax_cross_entropy_forward(*args)[0]))
    weights[1, 2, 3] = 0
    args = m.to_device((logits, labels, weights), "gpu")
    assert np.isfinite(float(m.softmax_cross_entropy_forward(*args)[0]))


@pytest.mark.gpu
def test_trees_go_to_the_device_and_back(cupy, small_unet):
    there = m.to_device({"params": small_unet, "nothing": None, "number": 3}, "gpu")
    assert all(type(x) is cupy.ndarray for x in m.flatten(there["params"]).values())
    assert there["nothing"] is None and there["number"] == 3
    back = m.to_device(there["params"], "cpu")
    np.testing.assert_equal(back, small_unet)
    assert m.array_module(back["head"]["bias"]) is np and m.array_module(there["params"]["head"]["bias"]) is cupy
    map_tree(lambda x: x.fill(0), there)
    assert small_unet["head"]["weight"].any()


def test_a_device_is_cpu_or_gpu():
    with pytest.raises(m.InputError, match="device must be 'cpu' or 'gpu', got 'tpu'"):
        m.to_device(np.ones(3), "tpu")


def test_gpu_without_cupy_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(m.InputError, match=r"needs CuPy, which is not installed; install it with .*-e .*\[gpu\]"):
        m.to_device(np.ones(3), "gpu")


class CUDARuntimeError(RuntimeError):
    """CuPy's, as far as its text goes."""


@pytest.mark.parametrize(
    ("says", "driver", "cuda", "message"),
    [
        (0, 12090, 12090, r"finds none\. Install the driver .* or use 'cpu'"),
        ("cudaErrorNoDevice: no device", 12090, 12090, r"says cudaErrorNoDevice: no device\. Install the driver"),
        ("too old", 12040, 13000, r"for CUDA 12, this CuPy for CUDA 13: update the driver, or .* cupy-cuda12x\[ctk\]"),
        ("too old", 11040, 12090, "for CUDA 11, this CuPy for CUDA 12: update the driver$"),  # no wheel is that old
        ("too old", 0, 12090, "Install the driver"),
    ],
)
def test_gpu_without_a_gpu_shows_the_error_and_what_is_missing(monkeypatch, says, driver, cuda, message):
    def count():
        if says:
            raise CUDARuntimeError(says)
        return 0

    runtime = types.SimpleNamespace(
        getDeviceCount=count, driverGetVersion=lambda: driver, runtimeGetVersion=lambda: cuda
    )
    cupy = types.SimpleNamespace(cuda=types.SimpleNamespace(runtime=runtime), ndarray=type(None))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    with pytest.raises(m.InputError, match=f"needs a GPU that CuPy can use; it .*{message}"):
        m.to_device(np.ones(3), "gpu")


class Tensor:
    """As a tensor of PyTorch looks from outside."""

    dtype, shape, requires_grad = "float32", (2, 3), True

    def __dlpack__(self):
        raise NotImplementedError


def test_a_tensor_is_refused_with_how_to_make_an_array_of_it():
    message = r"x must be an array, got Tensor; numpy\.from_dlpack\(x\.detach\(\)\) .*cupy\.from_dlpack\(x\.detach"
    with pytest.raises(m.InputError, match=message):
        m.relu_forward(Tensor())


def test_a_tensor_of_pytorch_becomes_an_array_and_back_without_a_copy():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    with pytest.raises(m.InputError, match=r"numpy\.from_dlpack\(x\) makes an array of it without a copy"):
        m.relu_forward(torch.ones(2, 3))
    tensor = torch.tensor([[-1.0, 2.0]])
    y, _ = m.relu_forward(np.from_dlpack(tensor))
    np.testing.assert_array_equal(torch.from_dlpack(y), [[0, 2]])
    tensor[0, 0] = 5
    assert np.from_dlpack(tensor)[0, 0] == 5


def test_gpu_with_a_cupy_that_is_broken_says_why(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text("raise ImportError('libnvrtc.so.13: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(m.InputError, match=r"CuPy, which cannot be imported \(libnvrtc.*file\); install it with .*gpu"):
        m.to_device(np.ones(3), "gpu")


def test_train_on_a_gpu_that_is_not_there_writes_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert main(["train", "--device", "gpu", "--out", str(tmp_path / "run")]) == 2
    assert "device 'gpu' needs CuPy, which is not installed" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
