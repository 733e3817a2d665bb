"""What loss weights do to the probabilities, and how it is undone.

Take all pixels that look the same to the network. Let q_k be the share of them that is of class k, and w_k the mean
loss weight of those. The loss over them,

    - sum_k  q_k w_k log p_k        with sum_k p_k = 1

is smallest at

    p_k = q_k w_k / sum_j q_j w_j        so   log p_k = log q_k + log w_k + constant

So the network does not learn the probability q, but its odds times the odds of the weights: log w_k is added to logit
k. Subtracted from the head's bias k, it gives q. Training needs the biases as they are; what is corrected is a copy,
the network that predicts.

Which w_k? With w_c of eq. 2 each class has one weight in an image, and w_k is exact. But the classes are balanced image
by image, one network serves all images, and the border term differs from pixel to pixel. One number for each class has
to do, and it is the mean weight of all its pixels in the training set, border term included:

- It is the only choice that is right for a network that cannot tell one pixel from another: that calls each class as
  often as there are pixels of it.
- Where cells are few, the border term hardly changes the mean, and w_k is w_c. Where nearly all background lies between
  two cells, as membranes do, it is most of the weight. Left out, the background would be found too often.
- What eq. 2 is for stays: a gap between two cells weighs more than background elsewhere, before and after.
"""

import numpy as np

from minunet.backend import Params, array_module
from minunet.data import Sample


def shift_of_logits(samples: list[Sample], weights: list[np.ndarray | None], num_classes: int) -> np.ndarray:
    """Return what the loss weights add to the logit of each class, (K,): the log of its pixels' mean weight.

    Pixels of weight 0 do not count. A class without a pixel gets 0.

    Parameters
    ----------
    samples : the training images
    weights : arrays (H, W), or None where all weights are 1
    num_classes : K
    """
    counts, totals = np.zeros((2, num_classes))
    for sample, plane in zip(samples, weights, strict=True):
        labels = sample.labels.ravel()
        w = np.ones(labels.size) if plane is None else plane.ravel().astype(np.float64)
        totals += np.bincount(labels, w, num_classes)
        counts += np.bincount(labels[w > 0], minlength=num_classes)
    return np.where(counts, np.log(totals / np.maximum(counts, 1), where=counts > 0, out=np.zeros(num_classes)), 0.0)


def corrected(params: Params, shift: np.ndarray | None) -> Params:
    """Return parameters whose head adds `shift`, (K,), no more; all other arrays are the given ones."""
    if shift is None or not shift.any():
        return params
    head = params["head"]
    bias = head["bias"]
    return {**params, "head": {**head, "bias": bias - array_module(bias).asarray(shift, dtype=bias.dtype)}}
