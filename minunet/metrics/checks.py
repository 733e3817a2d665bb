"""What the measures take: two images of one shape, and a mask of the pixels at which the truth is known.

All of them lie on the host, or all on a GPU; a list counts as an array on the host.
"""

import numpy as np

from minunet.backend import array_module, as_array, check_same_device
from minunet.errors import InputError

LARGEST_LABEL = 2**31 - 1  # so that a pair of labels fits one int64


def binary_pair(truth, proposal, known=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truth, proposal and known as boolean arrays of one shape.

    Raises
    ------
    InputError
        If the shapes differ, no pixel is known, or truth or proposal holds values other than 0 and 1.
    """
    truth, proposal, known = _of_one_shape(truth, proposal, known)
    for name, image in (("truth", truth), ("proposal", proposal)):
        if not ((image == 0) | (image == 1)).all():
            found = ", ".join(map(str, np.unique(image)[:4]))
            raise InputError(f"{name} must hold 0 (background) and 1 (cell) only, got {found}, ...; threshold it first")
    return truth.astype(bool), proposal.astype(bool), known


def label_pair(truth, proposal, known=None) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of the known pixels, int64, (pixels,) each.

    Raises
    ------
    InputError
        If the shapes differ, no pixel is known, or the labels are not whole numbers from 0 to LARGEST_LABEL.
    """
    truth, proposal, known = _of_one_shape(truth, proposal, known)
    for name, image in (("truth", truth), ("proposal", proposal)):
        if image.dtype.kind not in "iub":
            raise InputError(
                f"{name} must hold integers, one number per cell, got {image.dtype}; convert it with .astype('int32')"
            )
        if image.min() < 0 or image.max() > LARGEST_LABEL:
            raise InputError(
                f"{name} must hold labels from 0 (background) to {LARGEST_LABEL}, got {image.min()} to {image.max()}; "
                "number the cells 1, 2, ..."
            )
    return truth[known].astype(np.int64), proposal[known].astype(np.int64)


def _of_one_shape(truth, proposal, known) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    truth, proposal = as_array(truth, "truth"), as_array(proposal, "proposal")
    xp = array_module(truth)
    check_same_device(truth=truth, proposal=proposal)
    if known is not None:
        known = as_array(known, "known")
        check_same_device(truth=truth, known=known)
    for name, image in (("truth", truth), ("proposal", proposal)):
        if not image.size:
            raise InputError(f"{name} must have pixels, got shape {image.shape}; pass a non-empty image")
    if truth.shape != proposal.shape:
        raise InputError(
            f"truth and proposal must have the same shape, got {truth.shape} and {proposal.shape}; crop or resize one"
        )
    known = xp.ones(truth.shape, bool) if known is None else known
    if known.shape != truth.shape or known.dtype != bool:
        raise InputError(
            f"known must be a boolean array of shape {truth.shape}, got {known.dtype} of shape {known.shape}; "
            "pass one truth value per pixel, or None if all are known"
        )
    if not known.any():
        raise InputError("known must be True at one pixel at least, got none; leave the image out")
    return truth, proposal, known
