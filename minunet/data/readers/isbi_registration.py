"""Registration: find how far labels lie from what they outline in the image, and move the image to match.

Labels drawn in one program and rasterised by another may lie a fraction of a pixel beside the image, all in the same
direction. The eye does not see it. A network that is shown each tile in eight orientations cannot learn it, because
the offset points another way in each of them.

Over all pixels p, the correlation of the labels with the image moved by d

    c(d) = corr(image(p - d), labels(p))

is largest where the two match. It is computed for whole pixels; a parabola through its largest value and the two
neighbours finds the fraction.
"""

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

REACH = 2  # pixels: the farthest step that is tried
LEAST_CORRELATION = 0.1  # below it, image and labels have too little in common to be matched
LEAST_OFFSET = 0.25  # pixels: interpolation would blur the image, which a smaller offset is not worth


def label_offset(images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return how far images have to be moved, down and to the right, to lie where their labels do.

    Parameters
    ----------
    images : array, (N, H, W)
    labels : array, (N, H, W)
        Binary. The cells may be darker or brighter than what is around them.

    Returns
    -------
    dy, dx : float
        In pixels; the same for all images. Both are 0 if the offset is below LEAST_OFFSET, or if no offset within REACH
        stands out.
    """
    N, H, W = images.shape
    steps = range(-REACH, REACH + 1)
    if min(H, W) <= 2 * REACH:
        return 0.0, 0.0
    inner = labels[:, REACH : H - REACH, REACH : W - REACH]
    c = np.zeros((len(steps), len(steps)))
    for row, down in enumerate(steps):
        for column, right in enumerate(steps):
            shifted = images[:, REACH - down : H - REACH - down, REACH - right : W - REACH - right]
            c[row, column] = abs(np.mean([_correlation(*pair) for pair in zip(shifted, inner, strict=True)]))
    i, j = (int(index) for index in np.unravel_index(c.argmax(), c.shape))
    is_at_the_rim = i in (0, 2 * REACH) or j in (0, 2 * REACH)  # the true offset may be larger
    if is_at_the_rim or c[i, j] < LEAST_CORRELATION:
        return 0.0, 0.0
    dy = float(steps[i] + _top_of_parabola(*c[i - 1 : i + 2, j]))
    dx = float(steps[j] + _top_of_parabola(*c[i, j - 1 : j + 2]))
    return (dy, dx) if np.hypot(dy, dx) >= LEAST_OFFSET else (0.0, 0.0)


def moved(image: np.ndarray, offset: tuple[float, float]) -> np.ndarray:
    """Return the image, float (H, W), moved by `offset`: read by cubic splines, mirrored at its edges."""
    return image if offset == (0, 0) else scipy.ndimage.shift(image, offset, order=3, mode="mirror")


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Return the correlation coefficient of two images; 0 if one of them has the same value everywhere."""
    x, y = x - x.mean(dtype=float), y - y.mean(dtype=float)
    norm = np.linalg.norm(x) * np.linalg.norm(y)
    return float(np.vdot(x, y) / norm) if norm else 0.0


def _top_of_parabola(left: float, middle: float, right: float) -> float:
    """Return where the parabola through (-1, left), (0, middle) and (1, right) is highest, from -0.5 to 0.5."""
    return (left - right) / (2 * (left - 2 * middle + right))
