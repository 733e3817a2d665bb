"""What several pictures share: an image's grey values, and the colours of right and wrong pixels."""

import numpy as np

HIT, ALARM, MISS = "#FFFFFF", "#D55E00", "#0072B2"  # white, vermilion, blue: told apart by colour-blind eyes too
UNKNOWN = "#808080"


def for_display(image: np.ndarray) -> np.ndarray:
    """Turn an image (C, H, W) into (H, W) or (H, W, 3), from 0 to 1; its darkest and brightest percent are clipped."""
    low, high = np.percentile(image, [1, 99])
    image = np.clip((image - low) / max(high - low, 1e-9), 0, 1)
    return image.transpose(1, 2, 0) if len(image) == 3 else image[0]


def right_and_wrong(truth: np.ndarray, proposal: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """Return an RGB image, (H, W, 3): right pixels black and white, wrong ones in colour, unknown ones grey."""
    from matplotlib.colors import to_rgb

    overlay = np.zeros((*truth.shape, 3))
    overlay[truth & proposal] = to_rgb(HIT)
    overlay[truth & ~proposal] = to_rgb(MISS)
    overlay[~truth & proposal] = to_rgb(ALARM)
    if known is not None:
        overlay[~known] = to_rgb(UNKNOWN)
    return overlay


def legend(figure, unknown: bool = False) -> None:
    """Explain the colours at the bottom of a figure; with `unknown`, also the grey of pixels without truth."""
    from matplotlib.patches import Patch

    names = {"cell, found": HIT, "background, found": "black", "cell, missed": MISS, "background, called cell": ALARM}
    if unknown:
        names["truth not known"] = UNKNOWN
    patches = [Patch(facecolor=colour, edgecolor="0.5", label=name) for name, colour in names.items()]
    figure.legend(handles=patches, loc="outside lower right", ncols=len(names), frameon=False)
