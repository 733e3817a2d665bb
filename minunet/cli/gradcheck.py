"""`minunet gradcheck`: check the gradients of every layer and a small U-Net."""

import argparse
import time

from minunet.cli.gradcheck_cases import cases
from minunet.errors import InputError
from minunet.gradcheck.check import gradcheck

EXAMPLE = "minunet gradcheck conv2d unet"


def add_options(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    layers = (
        "conv2d, relu, max_pool, up_conv, crop_concat, dropout, batch_norm, softmax_cross_entropy, unet; default: all"
    )
    command.add_argument("layers", nargs="*", metavar="LAYER", help=layers)


def run(options) -> int:
    """Check every layer and a small U-Net; print where and why one fails."""
    known = cases()
    unknown = [name for name in options.layers if name not in known]
    if unknown:
        raise InputError(f"layer must be one of {', '.join(known)}, got {unknown[0]!r}")
    ok = True
    for name in options.layers or known:
        began = time.perf_counter()
        report = gradcheck(*known[name])
        print(f"{name}: {report}   {time.perf_counter() - began:.2f} s\n")
        ok &= report.ok
    print("all gradients are right" if ok else "at least one gradient is wrong; see the findings above")
    return 0 if ok else 1
