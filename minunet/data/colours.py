"""Colour images for a network that takes grey ones."""

import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])  # of red, green, blue: ITU-R BT.601, as in most libraries


def as_grey(image: np.ndarray) -> np.ndarray:
    """Return red, green and blue, (3, H, W), as one channel of what the eye calls brightness, (1, H, W) float32."""
    return np.tensordot(LUMA.astype(np.float32), image.astype(np.float32), axes=1)[None]


def for_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Return an image (C, H, W) as a network of `channels` takes it: a colour image as grey, any other as it is."""
    return as_grey(image) if channels == 1 and len(image) == 3 else image
