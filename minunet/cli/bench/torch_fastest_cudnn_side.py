"""PyTorch's side once more, on a GPU: cuDNN tries all its convolutions at the first call, and takes the fastest."""

import torch

from minunet.cli.bench.torch_side import (  # noqa: F401 - the same as there
    event,
    layer_passes,
    milliseconds,
    peak_bytes,
    step_passes,
    wait,
)

torch.backends.cudnn.benchmark = True
