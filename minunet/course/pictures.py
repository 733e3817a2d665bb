"""Pictures of small arrays, with the same colours in every notebook.

Values are grey, from black to white. Gradients are blue below zero, white at zero and red above: a scale that is
centred on zero, and that colour-blind readers can tell apart.
"""

import numpy as np

VALUES, GRADIENT = "gray", "RdBu_r"
LARGEST_WITH_NUMBERS = 10  # rows or columns


def draw(axes, array: np.ndarray, title: str = "", gradient: bool = False, limit: float | None = None):
    """Draw (H, W) as squares, with its numbers in them if it is small, and H and W on its axes.

    Parameters
    ----------
    axes : matplotlib Axes
    array : array, (H, W)
    gradient : bool
        Colours for a gradient, centred on zero, in place of greys.
    limit : float, optional
        The value shown as the darkest red; give two pictures the same one to compare them. By default the largest
        magnitude.

    Returns
    -------
    image : matplotlib AxesImage, for a colour bar
    """
    array = np.asarray(array)
    if gradient:
        limit = limit or max(np.abs(array).max(), 1e-12)
        shown = axes.imshow(array, cmap=GRADIENT, vmin=-limit, vmax=limit)
    else:
        shown = axes.imshow(array, cmap=VALUES)
    H, W = array.shape
    axes.set(title=title, xlabel=f"W = {W}", ylabel=f"H = {H}", xticks=[], yticks=[])
    if max(H, W) <= LARGEST_WITH_NUMBERS:
        for h, w in np.ndindex(H, W):
            red, green, blue, _ = shown.cmap(shown.norm(array[h, w]))
            light = 0.3 * red + 0.6 * green + 0.1 * blue > 0.5
            # + 0 turns -0, which masks and rounding leave, into 0
            axes.text(w, h, f"{array[h, w] + 0:.3g}", ha="center", va="center", color="black" if light else "white")
    return shown


def draw_image(axes, image: np.ndarray, title: str = ""):
    """Draw an image (H, W) in greys, its darkest and brightest percent clipped, and its size on the axes."""
    low, high = np.percentile(image, [1, 99])
    H, W = image.shape
    axes.set(title=title, xlabel=f"W = {W}", ylabel=f"H = {H}", xticks=[], yticks=[])
    return axes.imshow(image, cmap=VALUES, vmin=low, vmax=high)
