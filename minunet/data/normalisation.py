"""Grey values of mean 0 and standard deviation 1, channel by channel.

    y = (min(max(x, low), high) - mean) / std

dataset   The four numbers are those of all training images and hold for every image, so that a bright image stays
          brighter than a dark one.
image     Each image has its own four numbers. So a network can take images of other microscopes and other exposures.

A camera has hot pixels, such as 65535 among values near 1000. A few of them would multiply the standard deviation and
press all other values together. So values are clipped where they lie farther outside the range of nearly all pixels
than that range is wide:

    low = q0 - (q1 - q0),  high = q1 + (q1 - q0),  q0 and q1 the 0.1 % and 99.9 % quantiles of the training images

In ordinary images no value is that far out, and nothing changes.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minunet.backend import as_array, check_finite, to_host
from minunet.data.sample import Sample, check_samples
from minunet.errors import InputError

SCOPES = ("dataset", "image")
QUANTILES = 0.001, 0.999


class Normalisation(NamedTuple):
    """How the grey values of an image are normalised.

    ``Normalisation("image")`` normalises each image by its own numbers, which are worked out when an image comes.
    """

    scope: str  # "dataset": the numbers below hold for every image; "image": there are none below
    mean: np.ndarray | None = None  # (C,) float32
    std: np.ndarray | None = None  # (C,) float32
    low: np.ndarray | None = None  # (C,) float32; None, as in older checkpoints: no value is clipped
    high: np.ndarray | None = None  # (C,) float32


def fit_normalisation(samples: Sequence[Sample]) -> Normalisation:
    """Return the limits over all pixels of all images, and the mean and the standard deviation between them."""
    samples = check_samples(samples)
    if not samples:
        raise InputError("samples must hold at least one image, got none; pass a list of Sample")
    return _fit([sample.image for sample in samples])


def normalise(image: np.ndarray, normalisation: "Normalisation | dict | str") -> np.ndarray:
    """Return (image - mean) / std as float32, (C, H, W), for an image (C, H, W).

    Values beyond `low` and `high` are clipped first. `normalisation` as for `as_normalisation`.
    """
    image = as_array(image, "image")
    _, mean, std, low, high = normalisation_of(image, normalisation)
    assert mean is not None and std is not None  # only the scope "image" has none, and its own have been worked out
    if image.ndim != 3 or len(image) != len(mean):
        channels = "1 channel" if len(mean) == 1 else f"{len(mean)} channels"
        raise InputError(
            f"expected an image (C, H, W) with {channels}, as in training, got shape {image.shape}; "
            "convert the image, or train on images like it"
        )
    if low is not None and high is not None:
        image = _clipped(image, low, high)
    with np.errstate(over="ignore"):  # whoever uses an image looks for infinity
        y = image - mean[:, None, None]
        y /= std[:, None, None]  # in place, for memory that is new takes longer than the arithmetic
        return y.astype(np.float32, copy=False)


def normalisation_of(image: np.ndarray, normalisation: "Normalisation | dict | str") -> Normalisation:
    """Return the numbers that hold for an image (C, H, W): the given ones or, where each has its own, the image's."""
    normalisation = as_normalisation(normalisation)
    return _fit([image]) if normalisation.scope == "image" else normalisation


def as_normalisation(value: "Normalisation | dict | str") -> Normalisation:
    """Return a Normalisation, with its numbers on the host.

    Parameters
    ----------
    value : Normalisation, or "image", or a dict
        "image": each image by its own numbers. A dict has "mean" and "std" and may have "low" and "high", an array (C,)
        each.

    Raises
    ------
    InputError
        If the value is anything else, or its numbers do not fit together.
    """
    if isinstance(value, str) and value == "image":
        return Normalisation("image")
    if isinstance(value, Normalisation) and value.scope == "image":
        if any(numbers is not None for numbers in value[1:]):
            raise InputError(
                'Normalisation("image") must hold no numbers, got some; Normalisation("dataset", ...) does'
            )
        return value
    if isinstance(value, Normalisation) and value.scope == "dataset":
        numbers = {name: x for name, x in value._asdict().items() if name != "scope" and x is not None}
    elif isinstance(value, dict):
        numbers = value
    else:
        raise InputError(
            'normalisation must be a Normalisation, "image" for each image by its own numbers, or a dict of mean and '
            f"std, got {value!r}; take network.normalisation, or make one with minunet.data.fit_normalisation"
        )
    if set(numbers) not in ({"mean", "std"}, {"mean", "std", "low", "high"}):
        raise InputError(
            f"normalisation must have mean and std and may have low and high, got {sorted(numbers)}; for each image by "
            'its own numbers write "image"'
        )
    numbers = {name: np.atleast_1d(to_host(as_array(x, f"normalisation: {name}"))) for name, x in numbers.items()}
    _check_numbers(numbers)
    return Normalisation("dataset", **numbers)


def _check_numbers(numbers: dict[str, np.ndarray]) -> None:
    """Raise InputError unless all have one number for each channel, and the standard deviations are above 0."""
    shapes = {name: array.shape for name, array in numbers.items()}
    if numbers["mean"].ndim != 1 or len(set(shapes.values())) > 1:
        raise InputError(f"normalisation must have one number for each channel, got shapes {shapes}")
    for name, array in numbers.items():
        if array.dtype.kind not in "iuf":
            raise InputError(f"normalisation must hold numbers, got {name} {array.dtype}; take floats")
    if "low" in numbers and not (numbers["low"] < numbers["high"]).all():
        raise InputError(
            f"normalisation must have low below high, got {numbers['low']} and {numbers['high']}; leave both out "
            "to clip no value"
        )
    if not (np.isfinite(numbers["mean"]).all() and np.isfinite(numbers["std"]).all() and (numbers["std"] > 0).all()):
        raise InputError(
            f"normalisation must have finite means and a std above 0, got mean {numbers['mean']} and std "
            f"{numbers['std']}; make one with minunet.data.fit_normalisation"
        )


def _checked(image: np.ndarray) -> np.ndarray:
    """Return an image as an array; raise InputError unless it is (C, H, W), and its grey values have a mean."""
    image = as_array(image, "image")
    if image.ndim != 3 or 0 in image.shape:
        raise InputError(f"image must have shape (C, H, W) with pixels, got {image.shape}; image[None] adds a channel")
    check_finite(image, "image")
    return image.astype(np.float32) if image.dtype == np.float16 else image  # a float16 ends at 65504


def _fit(images: list[np.ndarray]) -> Normalisation:
    images = [_checked(image) for image in images]
    shapes = [image.shape for image in images]
    if len({shape[0] for shape in shapes}) > 1:
        raise InputError(f"images must have the same channels, got shapes {shapes}; take one kind")
    images = [image.astype(np.uint8) if image.dtype == bool else image for image in images]  # quantiles need numbers
    low, high = _limits(images)
    images = [_clipped(image, low, high) for image in images]
    pixels = sum(image[0].size for image in images)
    mean = sum(image.sum(axis=(1, 2), dtype=np.float64) for image in images) / pixels  # (C,)
    # Two passes: the shortcut mean(x**2) - mean(x)**2 loses all digits for bright images of low contrast.
    variance = sum(_squared_distances(image, mean) for image in images) / pixels  # (C,)
    std = np.sqrt(variance)
    _check_std(std)
    return Normalisation("dataset", np.float32(mean), np.float32(std), low, high)


def _squared_distances(image: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the sum over each channel of the squared distances from the mean, (C,); float64, a channel at a time."""
    sums = []
    for channel, its_mean in zip(image, mean, strict=True):
        distance = np.subtract(channel, its_mean, dtype=np.float64)  # (H, W)
        distance *= distance
        sums.append(distance.sum())
    return np.array(sums)


def _limits(images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return (low, high) of each channel, (C,) each; infinite where nearly all pixels are equal."""
    q0, q1 = np.transpose([_quantiles([image[c] for image in images]) for c in range(len(images[0]))])  # (C,) each
    width = np.where(q1 > q0, q1 - q0, np.inf)
    return (q0 - width).astype(np.float32), (q1 + width).astype(np.float32)


def _quantiles(planes: list[np.ndarray]) -> list[float]:
    """Return what numpy.quantile does, in a quarter of the time: NumPy is quick where a single place is to be right."""
    values = np.concatenate([plane.ravel() for plane in planes])
    if values.dtype.itemsize < 4:
        values = values.astype(np.float32)  # it is quick for these, too, and each number stays what it is
    return [_quantile(values, q) for q in QUANTILES]


def _quantile(values: np.ndarray, q: float) -> float:
    """Return a quantile, and leave the values in another order."""
    place = q * (values.size - 1)
    below, above = math.floor(place), math.ceil(place)
    values.partition(above)
    lower, upper = float(values[: below + 1].max()), float(values[above])
    return lower + (upper - lower) * (place - below)


def _clipped(image: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.clip(image, low[:, None, None], high[:, None, None])


def _check_std(std: np.ndarray) -> None:
    if not std.all():
        raise InputError(
            f"expected images with contrast, got a standard deviation of 0 in channel {int(std.argmin())}: "
            "all its pixels are equal; leave out that channel, or check the files"
        )
