"""The shapes of synthetic cells: irregular smooth outlines, some alone, many in clusters that touch."""

from typing import NamedTuple

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

RADIUS = (12.0, 22.0)  # pixels
SMALLEST = 60  # pixels; a cell is dropped if the image's edge or its neighbours leave less of it
HARMONICS = np.arange(2, 7)  # waves once around the outline; a single wave would only move the centre


class Outline(NamedTuple):
    """A closed curve around a centre: radius * (1 + sum of waves), then stretched along one direction."""

    y: float
    x: float
    radius: float
    stretch: float
    direction: float  # radians
    amplitudes: np.ndarray  # (5,)
    phases: np.ndarray  # (5,)


def place_cells(rng: np.random.Generator, height: int, width: int, count: int) -> list[Outline]:
    """Return up to `count` outlines at random places; neighbours touch or overlap by a little at most."""
    cells: list[Outline] = []
    for _ in range(30 * count):
        radius = rng.uniform(*RADIUS)
        y, x = rng.uniform(-0.3 * radius, (height + 0.3 * radius, width + 0.3 * radius))
        if cells and rng.random() < 0.7:  # beside another cell, so that they touch
            other = cells[rng.integers(len(cells))]
            angle = rng.uniform(0, 2 * np.pi)
            distance = 0.9 * (radius + other.radius)
            y, x = other.y + distance * np.sin(angle), other.x + distance * np.cos(angle)
        inside = -radius / 2 < y < height + radius / 2 and -radius / 2 < x < width + radius / 2
        if inside and all(np.hypot(y - c.y, x - c.x) > 0.85 * (radius + c.radius) for c in cells):
            amplitudes = rng.normal(size=HARMONICS.size) * 0.3 / HARMONICS**1.7  # smooth: few high waves
            phases = rng.uniform(0, 2 * np.pi, HARMONICS.size)
            cells.append(Outline(y, x, radius, rng.uniform(1, 1.35), rng.uniform(0, np.pi), amplitudes, phases))
        if len(cells) == count:
            break
    return cells


def relative_radius(cell: Outline, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
    """Return 0 at the cell's centre, 1 on its outline and more outside, for the pixels at ys (h, 1) and xs (1, w)."""
    dy, dx = ys - cell.y, xs - cell.x
    along = (dx * np.cos(cell.direction) + dy * np.sin(cell.direction)) / cell.stretch
    across = (dy * np.cos(cell.direction) - dx * np.sin(cell.direction)) * cell.stretch
    angle = np.arctan2(across, along)  # (h, w)
    waves = np.cos(HARMONICS * angle[..., None] + cell.phases) @ cell.amplitudes  # (h, w)
    return np.hypot(along, across) / (cell.radius * (1 + waves))


def draw_shapes(
    rng: np.random.Generator, cells: list[Outline], height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the instances (H, W), and how much of a nucleus each pixel shows (H, W), from 0 to 1.

    A pixel inside two outlines belongs to the cell in which it lies deeper, so cells never overlap.
    """
    instances = np.zeros((height, width), np.int32)
    nearest = np.ones((height, width))
    nuclei = np.zeros((height, width))
    all_ys, all_xs = np.ogrid[:height, :width]
    for number, cell in enumerate(cells, start=1):
        reach = int(2.2 * cell.radius)
        y0, x0 = max(0, int(cell.y) - reach), max(0, int(cell.x) - reach)
        window = np.s_[y0 : int(cell.y) + reach, x0 : int(cell.x) + reach]
        ys, xs = all_ys[window[0]], all_xs[:, window[1]]
        radius = relative_radius(cell, ys, xs)
        mine = radius < nearest[window]
        nearest[window][mine] = radius[mine]
        instances[window][mine] = number
        off_y, off_x = rng.normal(scale=0.12 * cell.radius, size=2)
        from_nucleus = relative_radius(cell._replace(y=cell.y + off_y, x=cell.x + off_x), ys, xs)
        nucleus = 1 / (1 + np.exp(np.minimum(50, (from_nucleus - rng.uniform(0.35, 0.5)) / 0.04)))
        nuclei[window] = np.where(mine, nucleus, nuclei[window])
    return _whole_cells(instances), nuclei


def _whole_cells(instances: np.ndarray) -> np.ndarray:
    """Keep the largest piece of every cell, drop cells below SMALLEST, and number the others without gaps."""
    whole = np.zeros_like(instances)
    number = 0
    for label, box in enumerate(scipy.ndimage.find_objects(instances), start=1):
        if box is None:
            continue
        pieces, _ = scipy.ndimage.label(instances[box] == label)
        sizes = np.bincount(pieces.ravel())[1:]
        if sizes.max() >= SMALLEST:
            number += 1
            whole[box][pieces == 1 + sizes.argmax()] = number
    return whole
