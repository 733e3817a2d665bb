"""How often an image is called foreign: one of the same kind that was held out, and one of another kind.

    python benchmarks/foreign_images.py FOLDER        three minutes on two cores

FOLDER holds isbi2012/, dsb2018/ and nuclei/, and the kinds are named after them. No network is trained: the statistics
need the training images only. Three tables:

1. Each image normalised by itself. The statistics are those of four fifths of the images of a kind (the row); the
   numbers are the per cent that are called foreign of the other fifth, each fifth in turn, and of all images of another
   kind (the column). The row "mixed" is a network for all nuclei, grey and in colour.
2. The same with one normalisation for all training images, which adds brightness and contrast; the last fifth is held
   out.
3. The per cent of the images that are left when only a few images, drawn thirty times, are trained on.
"""

import sys
from pathlib import Path

import numpy as np

from minunet.data import Normalisation, Sample, fit_normalisation, read_dsb2018, read_isbi, synthetic_cells
from minunet.data.image_statistics import as_columns, differences, image_statistics

FOLDS, DRAWS = 5, 30
MIXED = ("dsb2018", "grey256", "grey", "colour")  # one network for all of them
COUNTS = (1, 2, 3, 6, 12, 25, 50)
Images = dict[str, list[np.ndarray]]  # {kind: its images, (C, H, W) each}
Rows = dict[str, list[dict[str, float]]]  # {kind: the numbers of each image}


def kinds(folder: Path) -> Images:
    """Return the images of each kind."""
    found = {name: read_dsb2018(folder / "nuclei" / name) for name in ("grey256", "grey", "colour")}
    found = {"dsb2018": read_dsb2018(folder / "dsb2018"), **found, "EM": read_isbi(folder / "isbi2012")}
    samples = {name: [*dataset.train, *dataset.validation] for name, dataset in found.items()}
    images = {name: [sample.image for sample in them] for name, them in samples.items()}
    images["synthetic"] = [synthetic_cells(np.random.default_rng([7, i]))[0][None] for i in range(24)]
    images["dsb2018 inverted"] = [image.max() - image for image in images["dsb2018"]]
    images["dsb2018 x4"] = [image.repeat(4, 1).repeat(4, 2) for image in images["dsb2018"]]
    images["grey256 as 16 bits"] = [257 * image for image in images["grey256"]]
    images["colour inverted"] = [255 - image for image in images["colour"]]
    return images


def rows_of(images: Images, normalisation: Normalisation, channels: int | None = None) -> Rows:
    """Return the numbers of all images that have so many channels, or any."""
    return {
        name: [image_statistics(image, normalisation) for image in them]
        for name, them in images.items()
        if channels in (None, len(them[0]))
    }


def is_another(images: Images, name: str, other: str) -> bool:
    """Tell whether a network for one kind can be given images of the other, and has not seen them."""
    if name == "mixed":
        return other not in MIXED
    return len(images[name][0]) == len(images[other][0])


def share(rows: list[dict[str, float]], statistics: dict) -> float:
    """Return the per cent of images that are called foreign."""
    return 100 * float(np.mean([bool(differences(row, statistics)) for row in rows]))


def line(name: str, held_out: float, others: Rows, statistics: dict, columns: list[str]) -> str:
    """Return a row of the first two tables; images with other channels are refused anyway."""
    found = {other: share(rows, statistics) for other, rows in others.items() if other != name}
    cells = [f"{found[column]:.0f}" if column in found else "-" for column in columns]
    return f"| {name} | {len(statistics['median'])} | {held_out:.1f} | " + " | ".join(cells) + " |"


def by_image(images: Images) -> None:
    """Print the first table and the third."""
    all_rows = rows_of(images, Normalisation("image"))
    for name, rows in {**all_rows, "mixed": [row for kind in MIXED for row in all_rows[kind]]}.items():
        parts = [[row for i, row in enumerate(rows) if i % FOLDS != fold] for fold in range(FOLDS)]
        held_out = np.mean([share(rows[fold::FOLDS], as_columns(parts[fold])) for fold in range(FOLDS)])
        others = {other: them for other, them in all_rows.items() if is_another(images, name, other)}
        print(line(name, held_out, others, as_columns(parts[0]), list(images)))
    print("\n| images trained on | " + " | ".join(images) + " |\n|---|" + "---|" * len(images))
    rng = np.random.default_rng(0)
    for count in COUNTS:
        cells = [f"{of_few(rows, count, rng):.0f}" if len(rows) > count + 4 else "-" for rows in all_rows.values()]
        print(f"| {count} | " + " | ".join(cells) + " |")


def of_few(rows: list[dict[str, float]], count: int, rng: np.random.Generator) -> float:
    """Return the per cent called foreign when `count` of the images are trained on."""
    drawn = [[rows[i] for i in rng.permutation(len(rows))] for _ in range(DRAWS)]
    return float(np.mean([share(order[count:], as_columns(order[:count])) for order in drawn]))


def by_data_set(images: Images) -> None:
    """Print the second table."""
    for name, them in images.items():
        first = [image for i, image in enumerate(them) if i % FOLDS]
        samples = [Sample(name, image, np.zeros(image.shape[1:], np.uint8), None) for image in first]
        rows = rows_of(images, fit_normalisation(samples), len(them[0]))
        statistics = as_columns([row for i, row in enumerate(rows[name]) if i % FOLDS])
        print(line(name, share(rows[name][::FOLDS], statistics), rows, statistics, list(images)))


def main() -> None:
    images = kinds(Path(sys.argv[1]))
    header = "| trained on | images | held out | " + " | ".join(images) + " |\n|---|" + "---|" * (len(images) + 2)
    print(header)
    by_image(images)
    print(f"\n{header}")
    by_data_set(images)


if __name__ == "__main__":
    main()
