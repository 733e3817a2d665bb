"""A folder of images and masks, as `--data folder:DIR` takes it; also for the scripts in benchmarks/."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_cells(folder: Path) -> Path:
    """Write four images of a bright square on noise, and their masks of 0 and 255, all (40, 48)."""
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for i in range(4):
        mask = np.zeros((40, 48), np.uint8)
        mask[5 + i : 25, 8 : 30 + i] = 255
        image = (0.5 * mask + 60 + 10 * rng.standard_normal(mask.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"cell{i}.png")
        Image.fromarray(mask).save(folder / "masks" / f"cell{i}.png")
    return folder
