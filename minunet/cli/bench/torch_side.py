"""PyTorch's side of the comparison: the same layer and training step, by its autograd.

On a GPU it computes in full float32, unless CUPY_TF32=1 allows TF32; see benchmarks/README.md.
"""

import numpy as np
import torch

from minunet.backend import flatten, tf32_is_allowed
from minunet.cli.bench import torch_unet
from minunet.network.unet import init_unet

DEVICES = {"cpu": "cpu", "gpu": "cuda"}
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32_is_allowed()


def layer_passes(arrays: dict, device: str) -> list:
    """Return the forward and the backward pass of a convolution; `arrays` as from `worker.arrays_of`."""
    tensors = {name: torch.tensor(array, device=DEVICES[device]) for name, array in arrays.items()}
    dy = tensors.pop("dy")
    x, weight, bias = (tensors[name].requires_grad_() for name in ("x", "weight", "bias"))
    y = torch.nn.functional.conv2d(x, weight, bias)

    def forward():
        with torch.no_grad():
            torch.nn.functional.conv2d(x, weight, bias)

    return [forward, lambda: torch.autograd.grad(y, [x, weight, bias], dy, retain_graph=True)]


def step_passes(network: dict, device: str) -> list:
    """Return the two halves of a training step: forward with loss, and back to the gradient of every parameter."""
    params = flatten(init_unet(np.random.default_rng(0), 1, 2, network["base_channels"], network["depth"]))
    params = {name: torch.tensor(x, device=DEVICES[device], requires_grad=True) for name, x in params.items()}
    image = np.random.default_rng(1).standard_normal((1, 1, network["height"], network["width"])).astype(np.float32)
    x = torch.tensor(image, device=DEVICES[device])
    kept: list[torch.Tensor] = []

    def forward():
        logits = torch_unet.forward(params, x)
        labels = torch.zeros((1, *logits.shape[2:]), dtype=torch.int64, device=x.device)
        kept[:] = [torch.nn.functional.cross_entropy(logits, labels)]

    return [forward, lambda: torch.autograd.grad(kept.pop(), list(params.values()))]


def wait(device: str) -> None:
    """Return when the device has done all it was given."""
    if device == "gpu":
        torch.cuda.synchronize()


def peak_bytes(device: str) -> int | None:
    """Return the most memory that tensors on the GPU have taken; None on a CPU, where the process is asked."""
    return torch.cuda.max_memory_allocated() if device == "gpu" else None
