"""Time minunet.gradcheck beside torch.autograd.gradcheck on the same two functions, on one thread each.

python benchmarks/gradcheck_speed.py

by elements     minunet moves every element; PyTorch's slow mode compares whole Jacobians
by directions   minunet takes three random directions; PyTorch's fast mode takes one

A convolution of x (2, 3, 16, 16) with four 3x3 kernels, and a small U-Net (depth 1, 2 base channels, x (1, 1, 20, 18))
with its parameters, in float64. The two take turns; medians of five rounds, by elements of three.
"""

import functools
import statistics
import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from minunet import conv2d_backward, conv2d_forward, flatten, gradcheck, unet_backward, unet_forward
from minunet.cli.gradcheck_cases import cases

ROUNDS = {"elements": 3, "directions": 5}


def functions(torch, torch_unet) -> dict[str, tuple]:
    """Return {name: (forward, backward, args, the same in PyTorch, its tensors)}."""
    normal = np.random.default_rng(0).standard_normal
    conv_args = normal((2, 3, 16, 16)), normal((4, 3, 3, 3)), normal(4)
    _, _, unet_args = cases()["unet"]
    params, x = unet_args
    names = list(flatten(params))

    def unet(x, *tensors):
        return torch_unet.forward(dict(zip(names, tensors, strict=True)), x)

    def tensors(arrays):
        return [torch.tensor(array, requires_grad=True) for array in arrays]

    with_dx = functools.partial(unet_backward, with_dx=True)
    return {
        "conv2d": (conv2d_forward, conv2d_backward, conv_args, torch.nn.functional.conv2d, tensors(conv_args)),
        "small U-Net": (unet_forward, with_dx, unet_args, unet, tensors([x, *flatten(params).values()])),
    }


def seconds(check) -> float:
    began = time.perf_counter()
    ok = check()
    assert ok, "the check failed, so its time says nothing"
    return time.perf_counter() - began


def main() -> None:
    try:
        import torch

        from minunet.cli.bench import torch_unet
    except ImportError:
        sys.exit("this compares with PyTorch, which is not installed")
    torch.set_num_threads(1)
    print(f"{'':<14}{'':<12} {'minunet':>10} {'torch':>10} {'ratio':>7}")
    for name, (forward, backward, args, torch_function, tensors) in functions(torch, torch_unet).items():
        for mode, rounds in ROUNDS.items():
            ours = functools.partial(gradcheck, forward, backward, args, mode=mode)
            theirs = functools.partial(
                torch.autograd.gradcheck, torch_function, tensors, fast_mode=mode == "directions"
            )
            with threadpool_limits(1):
                times = [(seconds(lambda: ours().ok), seconds(theirs)) for _ in range(rounds)]  # noqa: B023
            minunet_time, torch_time = (statistics.median(side) for side in zip(*times, strict=True))
            ratio = f"{minunet_time / torch_time:7.2f}"
            print(f"{name:<14}{mode:<12} {minunet_time:>8.3f} s {torch_time:>8.3f} s {ratio}", flush=True)


if __name__ == "__main__":
    main()
