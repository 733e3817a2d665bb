"""An evaluation as text that fits a terminal of 110 columns."""

import math

from minunet.data.sample import shortened
from minunet.metrics.thresholds import THRESHOLDS

HEADINGS = {  # over two lines where the name is long
    "pixel_error": ("pixel_", "error"),
    "majority_pixel_error": ("majority_", "pixel_error"),
    "pixel_error_f_score": ("pixel_error_", "f_score"),
    "v_rand": ("", "v_rand"),
    "v_info": ("", "v_info"),
    "warping_error": ("warping_", "error"),
    "iou": ("", "iou"),
    "seg": ("", "seg"),
}


def table(evaluation: dict) -> str:
    """Return the measures of each image, their mean, and the best over thresholds; `evaluation` as from `evaluate`."""
    rows = evaluation["images"]
    names = [name for name in HEADINGS if name in evaluation]
    lines = [["", *(HEADINGS[name][0] for name in names)], ["image", *(HEADINGS[name][1] for name in names)]]
    lines += [[shortened(row["name"]), *(_shown(name, row) for name in names)] for row in rows]
    lines += [["mean", *(_shown(name, evaluation) for name in names)]]
    parts = [_aligned(lines)]
    if "seg" in names:
        parts[0] += "\nseg in the row mean is over the cells of all images, as in the Cell Tracking Challenge"
    if "classes" in evaluation:
        parts[0] += "\npixel_error counts pixels of a wrong class; the other measures are of cell, of any class, "
        parts[0] += "against background"
        parts.append(_aligned(_class_lines(evaluation["classes"])))
    best = _aligned(_threshold_lines(evaluation["best_over_thresholds"]))
    best += "\nthese are of the thresholds 0, 0.1, ..., 0.9"
    if (threshold := evaluation.get("threshold", THRESHOLDS[0])) not in THRESHOLDS:
        best += f" and {threshold:g}"
    if evaluation.get("split", 1) < 1:
        best += " and of connected pieces, as in the EM challenge"
    if "classes" in evaluation:
        best += "\nhere pixel_error, too, is of cell against background"
    return "\n\n".join([*parts, best])


def _class_lines(rows: list[dict]) -> list[list[str]]:
    names = ("share", "iou", "dice", "pixel_error")
    return [["class", *names], *([str(row["class"]), *(_shown(name, row) for name in names)] for row in rows)]


def _threshold_lines(best: dict) -> list[list[str]]:
    lines = [["best over thresholds", "mean", "threshold"]]
    for name, found in best.items():
        lines.append([name, _shown("score", found), _threshold(found["threshold"])])
    return lines


def _threshold(value: float) -> str:
    return f"{value:.1f}" if value in THRESHOLDS else f"{value:g}"


def _shown(name: str, values: dict) -> str:
    """Return a number; the warping error is so small that it needs more digits."""
    value = values.get(name, math.nan)
    digits = 6 if name == "warping_error" else 4
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _aligned(lines: list[list[str]]) -> str:
    """Return the lines as columns: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = "<" + ">" * (len(widths) - 1)
    return "\n".join(
        "  ".join(f"{text:{side}{width}}" for text, side, width in zip(line, sides, widths, strict=True)).rstrip()
        for line in lines
    )
