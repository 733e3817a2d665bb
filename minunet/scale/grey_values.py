"""The normalisation of an image that is too large for memory by its own numbers."""

import numpy as np

from minunet.data.normalisation import Normalisation, normalisation_of

ENOUGH = 2**24  # pixels: what their quantiles, mean and standard deviation are, more pixels hardly change


def numbers_of(image) -> Normalisation:
    """Return the normalisation of a Dask array (C, H, W) by its own numbers; it is read once, now.

    The numbers are those of the whole image up to ENOUGH pixels, and of every n-th row and column beyond that.
    """
    _, H, W = image.shape
    step = int(np.ceil(np.sqrt(H * W / ENOUGH)))
    return normalisation_of(np.asarray(image[:, ::step, ::step].compute()), "image")
