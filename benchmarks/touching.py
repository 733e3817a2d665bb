"""Compare two networks on cells that touch: which of them does each network merge?

    common="--data dsb2018:DIR --steps 1500 --augmentation elastic --normalisation image"
    minunet train $common --weights none --out none
    minunet train $common --weights map --out map
    python benchmarks/touching.py none/checkpoint.npz map/checkpoint.npz --data dsb2018:DIR --out touching.png

Prints SEG of both on every held-out image, each at the threshold where its mean is best, and draws the three images on
which the second gains most over the first: image, truth, and the cells that each network finds. Neighbours differ in
colour.
"""

import argparse

import numpy as np
from matplotlib.figure import Figure

from minunet.data import load_data
from minunet.files import picture_path, replace_atomically
from minunet.metrics import best_over_thresholds, components, seg_score
from minunet.network.trained import load_network
from minunet.pictures.colours import for_display
from minunet.pictures.weights import in_colours
from minunet.prediction.predict import predict_samples

ROWS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", nargs=2, metavar="CHECKPOINT")
    parser.add_argument("--data", required=True)
    parser.add_argument("--names", nargs=2, default=["without weight map", "with weight map"])
    parser.add_argument("--out", default="touching.png")
    options = parser.parse_args()
    out = picture_path(options.out)
    samples = load_data(options.data).validation
    proposals = [found_cells(path, samples) for path in options.checkpoints]
    scores = np.array(
        [[seg_score(s.instances, cells) for cells in pair] for s, *pair in zip(samples, *proposals, strict=True)]
    )  # (images, 2)
    for sample, pair in zip(samples, scores, strict=True):
        print(f"{sample.name[:8]}  {pair[0]:.4f}  {pair[1]:.4f}")
    print(f"mean      {scores[:, 0].mean():.4f}  {scores[:, 1].mean():.4f}")
    most = np.argsort(scores[:, 0] - scores[:, 1])[:ROWS]
    shown = [samples[i] for i in most], [[cells[i] for cells in proposals] for i in most], scores[most]
    figure = draw(*shown, options.names)
    replace_atomically(out, lambda temporary: figure.savefig(temporary, dpi=100))


def found_cells(path: str, samples: list) -> list[np.ndarray]:
    """Return the cells that a network finds in each image, (H, W), at the threshold where SEG is best."""
    cells = [1 - p[0] for p in predict_samples(load_network(path), samples)]
    best = best_over_thresholds([s.instances for s in samples], cells, with_seg=True)["seg"]
    print(f"{path}: SEG {best['score']:.4f} at threshold {best['threshold']}")
    return [components(p > best["threshold"]) for p in cells]


def draw(samples: list, proposals: list, scores: np.ndarray, names: list) -> Figure:
    figure = Figure(figsize=(13, 3.4 * len(samples)), layout="constrained")
    for axes, sample, pair, score in zip(figure.subplots(len(samples), 4), samples, proposals, scores, strict=True):
        axes[0].imshow(for_display(sample.image), cmap="gray")
        axes[0].set_title(f"image {sample.name[:8]}")
        axes[1].imshow(in_colours(sample.instances), interpolation="nearest")
        axes[1].set_title(f"truth: {count(sample.instances)} nuclei")
        for panel, cells, name, seg in zip(axes[2:], pair, names, score, strict=True):
            panel.imshow(in_colours(cells), interpolation="nearest")
            panel.set_title(f"{name}: {count(cells)}, SEG {seg:.2f}")
        for panel in axes:
            panel.set_xticks([])
            panel.set_yticks([])
    return figure


def count(cells: np.ndarray) -> int:
    return len(np.unique(cells[cells > 0]))


if __name__ == "__main__":
    main()
