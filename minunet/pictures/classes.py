"""Pictures of more than two classes: each class in its colour, background black, and which pixels are wrong.

The colours are those of the outlines in NAME_overlay.png of `minunet predict`. From class 8 on they come again, half as
bright; from 15 on half way to white; then all come again.
"""

import numpy as np

from minunet.pictures.colours import HIT, UNKNOWN
from minunet.pictures.overlay import COLOURS

WRONG = HIT  # white, which no class has
IN_A_ROW = 6  # of a legend
MOST = 27  # classes in a legend


def class_names(K: int, values: str | None = None) -> list[str]:
    """Return what a legend says of K classes; `values` are those of the masks, as in `Dataset.classes`."""
    words = (values or "").split(",")
    words = words if len(words) == K else [str(k) for k in range(K)]
    return [f"class {k}" if word == str(k) else f"class {k} ({word})" for k, word in enumerate(words)]


def palette(K: int) -> np.ndarray:
    """Return the colours of K classes, from 0 to 1, float32 (K, 3): background is black."""
    colours = COLOURS / 255
    cycle = np.concatenate([colours, colours / 2, (colours + 1) / 2])
    return np.concatenate([np.zeros((1, 3)), cycle[np.arange(K - 1) % len(cycle)]]).astype(np.float32)


def in_class_colours(classes: np.ndarray, K: int, known: np.ndarray | None = None) -> np.ndarray:
    """Return classes (H, W), out of K, as an RGB image (H, W, 3); grey where they are not known."""
    from matplotlib.colors import to_rgb

    picture = palette(K)[classes]
    if known is not None:
        picture[~known] = to_rgb(UNKNOWN)
    return picture


def wrong_classes(truth: np.ndarray, proposal: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """Return an RGB image (H, W, 3): pixels of a wrong class white, right ones black, unknown ones grey."""
    from matplotlib.colors import to_rgb

    picture = np.zeros((*truth.shape, 3), np.float32)
    picture[truth != proposal] = to_rgb(WRONG)
    if known is not None:
        picture[~known] = to_rgb(UNKNOWN)
    return picture


def classes_shown(truth: np.ndarray, proposal: np.ndarray) -> set[int]:
    """Return the classes that one of the two has, for the legend."""
    return {*np.unique(truth).tolist(), *np.unique(proposal).tolist()}


def class_legend(figure, names: list[str], shown: set[int], unknown: bool = False) -> None:
    """Explain the colours of the classes that are shown at the bottom of a figure."""
    from matplotlib.patches import Patch

    colours = palette(len(names))
    entries = [(names[k], colours[k]) for k in sorted(shown)[:MOST]]
    entries += [("pixel of a wrong class", WRONG), *([("truth not known", UNKNOWN)] if unknown else [])]
    patches = [Patch(facecolor=colour, edgecolor="0.5", label=name) for name, colour in entries]
    figure.legend(handles=patches, loc="outside lower right", ncols=min(IN_A_ROW, len(patches)), frameon=False)
