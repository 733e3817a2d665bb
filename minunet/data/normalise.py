"""One way to bring grey values to mean 0 and standard deviation 1: by the training images, channel by channel.

The same two numbers then hold for every image, so that a bright image stays brighter than a dark one.
"""

from collections.abc import Sequence

import numpy as np

from minunet.data.sample import Sample
from minunet.errors import InputError


def fit_normalisation(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Return the mean and the standard deviation over all pixels of all images.

    Returns
    -------
    normalisation : dict
        "mean" : float32 array, (C,)
        "std" : float32 array, (C,)
    """
    images = [sample.image for sample in samples]  # (C, H, W) each
    pixels = sum(image[0].size for image in images)
    mean = sum(image.sum(axis=(1, 2), dtype=np.float64) for image in images) / pixels  # (C,)
    # Two passes: the shortcut mean(x**2) - mean(x)**2 loses all digits for bright images of low contrast.
    variance = sum(((image - mean[:, None, None]) ** 2).sum(axis=(1, 2)) for image in images) / pixels  # (C,)
    normalisation = {"mean": mean.astype(np.float32), "std": np.sqrt(variance).astype(np.float32)}
    _check_std(normalisation["std"])
    return normalisation


def normalise(image: np.ndarray, normalisation: dict[str, np.ndarray]) -> np.ndarray:
    """Return (image - mean) / std as float32, (C, H, W), for an image (C, H, W)."""
    mean, std = normalisation["mean"], normalisation["std"]
    if image.ndim != 3 or len(image) != len(mean):
        channels = "1 channel" if len(mean) == 1 else f"{len(mean)} channels"
        raise InputError(
            f"expected an image (C, H, W) with {channels}, as in training, got shape {image.shape}; "
            "convert the image, or train on images like it"
        )
    _check_std(std)
    return ((image - mean[:, None, None]) / std[:, None, None]).astype(np.float32)


def _check_std(std: np.ndarray) -> None:
    if not std.all():
        raise InputError(
            f"expected images with contrast, got a standard deviation of 0 in channel {int(std.argmin())}: "
            "all its pixels are equal; leave out that channel, or check the files"
        )
