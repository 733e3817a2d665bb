"""Grey values of mean 0 and standard deviation 1, channel by channel.

    y = (min(max(x, low), high) - mean) / std

dataset   The four numbers are those of all training images and hold for every image, so that a bright image stays
          brighter than a dark one.
image     Each image has its own. So a network takes images of other microscopes, or of many exposures.

Hot pixels of a camera, 65535 among values near 1000, would rule the standard deviation and press all else together.
So values are clipped where they lie farther outside the range of nearly all pixels than that range is wide:

    low = q0 - (q1 - q0),  high = q1 + (q1 - q0),  q0 and q1 the 0.1 % and 99.9 % quantiles of the training images

In ordinary images no value is that far out, and nothing changes.
"""

from collections.abc import Sequence

import numpy as np

from minunet.data.sample import Sample
from minunet.errors import InputError

SCOPES = ("dataset", "image")
QUANTILES = 0.001, 0.999


def fit_normalisation(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Return the limits over all pixels of all images, and the mean and the standard deviation between them.

    Returns
    -------
    normalisation : dict
        "mean" : float32 array, (C,)
        "std" : float32 array, (C,)
        "low", "high" : float32 arrays, (C,)
    """
    return _fit([sample.image for sample in samples])


def normalisation_of(image: np.ndarray, normalisation: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the normalisation of an image (C, H, W): the given one or, if that is empty, the image's own."""
    return normalisation or _fit([image])


def _fit(images: list[np.ndarray]) -> dict[str, np.ndarray]:
    low, high = _limits(images)
    images = [_clipped(image, low, high) for image in images]
    pixels = sum(image[0].size for image in images)
    mean = sum(image.sum(axis=(1, 2), dtype=np.float64) for image in images) / pixels  # (C,)
    # Two passes: the shortcut mean(x**2) - mean(x)**2 loses all digits for bright images of low contrast.
    variance = sum(((image - mean[:, None, None]) ** 2).sum(axis=(1, 2)) for image in images) / pixels  # (C,)
    std = np.sqrt(variance)
    _check_std(std)
    return {"mean": np.float32(mean), "std": np.float32(std), "low": low, "high": high}


def normalise(image: np.ndarray, normalisation: dict[str, np.ndarray]) -> np.ndarray:
    """Return (image - mean) / std as float32, (C, H, W), for an image (C, H, W).

    Values beyond "low" and "high" are clipped first; without these two, as in older checkpoints, none is.
    """
    mean, std = normalisation["mean"], normalisation["std"]
    if image.ndim != 3 or len(image) != len(mean):
        channels = "1 channel" if len(mean) == 1 else f"{len(mean)} channels"
        raise InputError(
            f"expected an image (C, H, W) with {channels}, as in training, got shape {image.shape}; "
            "convert the image, or train on images like it"
        )
    _check_std(std)
    if "low" in normalisation:
        image = _clipped(image, normalisation["low"], normalisation["high"])
    return ((image - mean[:, None, None]) / std[:, None, None]).astype(np.float32)


def _limits(images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return (low, high) of each channel, (C,) each; infinite where nearly all pixels are equal."""
    q0, q1 = np.stack([_quantiles([image[c] for image in images]) for c in range(len(images[0]))], axis=1)  # (C,) each
    width = np.where(q1 > q0, q1 - q0, np.inf)
    return (q0 - width).astype(np.float32), (q1 + width).astype(np.float32)


def _quantiles(planes: list[np.ndarray]) -> np.ndarray:
    return np.quantile(np.concatenate([plane.ravel() for plane in planes]), QUANTILES)


def _clipped(image: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.clip(image, low[:, None, None], high[:, None, None])


def _check_std(std: np.ndarray) -> None:
    if not std.all():
        raise InputError(
            f"expected images with contrast, got a standard deviation of 0 in channel {int(std.argmin())}: "
            "all its pixels are equal; leave out that channel, or check the files"
        )
