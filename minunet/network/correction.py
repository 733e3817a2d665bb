"""A network without what its loss weights have added to its logits; `training/correction.py` says what that is."""

import numpy as np

from minunet.backend import Params, array_module


def corrected(params: Params, shift: np.ndarray | None) -> Params:
    """Return parameters whose head adds `shift`, (K,), no more; all other arrays are the given ones."""
    if shift is None or not shift.any():
        return params
    head = params["head"]
    bias = head["bias"]
    return {**params, "head": {**head, "bias": bias - array_module(bias).asarray(shift, dtype=bias.dtype)}}
