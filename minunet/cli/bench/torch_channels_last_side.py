"""PyTorch's side once more, with the channels last in memory: on a CPU its convolutions are often quicker so."""

import torch

from minunet.cli.bench import torch_side
from minunet.cli.bench.torch_side import (  # noqa: F401 - the same as there
    event,
    layer_passes,
    milliseconds,
    peak_bytes,
    wait,
)


def step_passes(network: dict, device: str) -> list:
    """Return the two halves of a training step, as `torch_side.step_passes` does."""
    return torch_side.step_passes(network, device, torch.channels_last)


def training_passes(network: dict, device: str) -> list:
    """Return the network forward and a whole step, as `torch_side.training_passes` does."""
    return torch_side.training_passes(network, device, torch.channels_last)


def image_passes(network: dict, device: str) -> list:
    """Return the tiles of an image, as `torch_side.image_passes` does."""
    return torch_side.image_passes(network, device, torch.channels_last)
