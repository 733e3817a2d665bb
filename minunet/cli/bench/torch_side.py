"""PyTorch's side of the comparison: the same layer and training step, by its autograd.

On a GPU it computes in full float32, unless CUPY_TF32=1 allows TF32; see benchmarks/README.md.
"""

import numpy as np
import torch

from minunet.backend import flatten
from minunet.cli.bench import torch_unet
from minunet.cli.bench.minunet_side import RATE, input_shape, random_tiles
from minunet.gpu import tf32_is_allowed
from minunet.network.initialise import init_unet
from minunet.prediction.plan import default_tile, output_windows
from minunet.prediction.rotations import versions

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


def step_passes(network: dict, device: str, layout=torch.contiguous_format) -> list:
    """Return the two halves of a training step: forward with loss, and back to the gradient of every parameter."""
    params = _params(network, device, layout)
    image = np.random.default_rng(1).standard_normal(input_shape(network)).astype(np.float32)
    x = _in_layout(image, device, layout)
    kept: list[torch.Tensor] = []

    def forward():
        logits = torch_unet.forward(params, x)
        labels = torch.zeros((len(x), *logits.shape[2:]), dtype=torch.int64, device=x.device)
        kept[:] = [torch.nn.functional.cross_entropy(logits, labels)]

    return [forward, lambda: torch.autograd.grad(kept.pop(), list(params.values()))]


def training_passes(network: dict, device: str, layout=torch.contiguous_format) -> list:
    """Return the network forward, and a whole step, Adam included, with the tiles of minunet's side as one batch."""
    params = _params(network, device, layout)
    image, labels, weights = (torch.tensor(array, device=DEVICES[device]) for array in random_tiles(network))
    x = image.to(memory_format=layout)
    optimiser = torch.optim.Adam(params.values(), RATE)

    def forward():
        with torch.no_grad():
            torch_unet.forward(params, x)

    def step():
        losses = torch.nn.functional.cross_entropy(torch_unet.forward(params, x), labels, reduction="none")
        optimiser.zero_grad()
        (losses * weights).mean().backward()
        optimiser.step()

    return [forward, step]


def image_passes(network: dict, device: str, layout=torch.contiguous_format) -> list:
    """Return network and softmax for as many tiles as minunet predicts an image with, and as large ones."""
    params, sizes = _params(network, device, layout), (network["image"], network["image"])
    tile = default_tile(sizes, network["depth"])
    count = sum(1 for _ in output_windows([(version, tile) for version in versions(1, sizes)], network["depth"]))
    x = _in_layout(np.random.default_rng(1).standard_normal((1, 1, *tile)).astype(np.float32), device, layout)

    def tiles():
        with torch.no_grad():
            for _ in range(count):
                torch.softmax(torch_unet.forward(params, x), dim=1)

    return [tiles]


def _params(network: dict, device: str, layout) -> dict[str, torch.Tensor]:
    """Return the first weights that minunet's side has."""
    params = flatten(init_unet(np.random.default_rng(0), 1, 2, network["base_channels"], network["depth"]))
    return {name: _in_layout(x, device, layout).requires_grad_() for name, x in params.items()}


def _in_layout(array: np.ndarray, device: str, layout) -> torch.Tensor:
    tensor = torch.tensor(array, device=DEVICES[device])
    return tensor.to(memory_format=layout) if tensor.ndim == 4 else tensor


def wait(device: str) -> None:
    """Return when the device has done all it was given."""
    if device == "gpu":
        torch.cuda.synchronize()


def event():
    """Return an event of the GPU, which can tell the time between itself and another."""
    return torch.cuda.Event(enable_timing=True)


def milliseconds(first, last) -> float:
    """Return the time from one event to another."""
    return first.elapsed_time(last)


def peak_bytes(device: str) -> int | None:
    """Return the most memory that PyTorch's pool has taken of the GPU; None on a CPU, where the process is asked.

    CuPy tells how large its pool is, so it is the pools that are compared, and not what the arrays fill of them.
    """
    return torch.cuda.max_memory_reserved() if device == "gpu" else None
