"""The folders of the Cell Tracking Challenge: sequences of frames, of which only some have truth, often in part.

    01/t000.tif ...                   the frames of sequence 01; 02, 03, ... likewise
    01_GT/SEG/man_seg000.tif ...      gold truth: exact outlines, of some cells in some frames
    01_ST/SEG/man_seg000.tif ...      silver truth: outlines by computer, of most cells in most frames
    01_GT/TRA/man_track000.tif ...    markers: a spot in every cell, without its outline

A frame with neither gold nor silver truth is skipped. Where both exist, gold comes first: see `ctc_truth.py`. A marker
without an outline shows a cell whose extent is unknown, so the pixels around it count as not known. In a frame without
markers, every pixel without a label is background. Near the border of a frame nothing may be annotated: see
`ctc_field.py`.
"""

import re
from pathlib import Path

import numpy as np

from minunet.data.readers.ctc_field import field_of_interest_of, in_the_field
from minunet.data.readers.ctc_truth import gold_over_silver, known_pixels, largest_diagonal
from minunet.data.readers.hold_out import split
from minunet.data.readers.image_files import read_labels, read_pages
from minunet.data.readers.shared import as_int32, existing_folder, separated
from minunet.data.sample import Dataset, Sample
from minunet.errors import InputError

LAYOUT = "sequences 01/t000.tif, ... and their truth 01_GT/SEG/man_seg000.tif, ..."


def read_ctc(
    directory: str | Path, hold_out: str | float | None = None, field_of_interest: int | None = None
) -> Dataset:
    """Return the annotated frames of all sequences of a data set, or of one: `DIR` or `DIR/01`.

    Cells that touch are separated by a line of background. `known` is False where the truth is not known, and None
    if all of it is known. So is the band at the border that lies outside the field of interest: `field_of_interest` is
    its width in pixels, by default the challenge's for the data set of this name, see `ctc_field.py`. The last fifth of
    the annotated frames is held out, and at least one frame, or what `hold_out` says (see `hold_out.py`): neighbouring
    frames look alike, so the held-out ones lie together.

    Raises
    ------
    InputError
        If there is no sequence, or none with truth; if a file of truth has no frame, or not the size of its frame; if
        the frames are three-dimensional.
    """
    sequences = _sequences(existing_folder(directory, LAYOUT))
    band = field_of_interest_of(sequences[0].parent) if field_of_interest is None else field_of_interest
    samples = [in_the_field(sample, band) for sequence in sequences for sample in _annotated(sequence)]
    if not samples:
        names = " or ".join(f"{sequences[0].name}_{kind}/SEG/man_seg000.tif" for kind in ("GT", "ST"))
        raise InputError(
            f"{sequences[0].parent}: expected truth in {names}, found none for any sequence; "
            "take the challenge's training data, since its test data have none"
        )
    note = ""
    if band:
        note = f"a band of {band} px at the border is outside the field of interest: not learnt, not measured"
    elif field_of_interest is None:
        note = "no band at the border is left out; field_of_interest says how wide one is in which nothing is annotated"
    return split("ctc", samples, 5, hold_out, note=note)


def _sequences(directory: Path) -> list[Path]:
    """Return the folders of frames, sorted."""
    if _numbered(directory, "t"):
        return [directory.resolve()]  # so that "." has a name and a parent
    sequences = sorted(child for child in directory.iterdir() if child.name.isdigit() and _numbered(child, "t"))
    if not sequences:
        raise InputError(f"{directory}: expected {LAYOUT}, found no folder 01 with t000.tif; check the path")
    return sequences


def _annotated(sequence: Path) -> list[Sample]:
    """Return the frames of a sequence that have truth."""
    gold_folder = sequence.with_name(f"{sequence.name}_GT")
    silver_folder = sequence.with_name(f"{sequence.name}_ST")
    gold = _numbered(gold_folder / "SEG", "man_seg")
    silver = _numbered(silver_folder / "SEG", "man_seg")
    markers = _numbered(gold_folder / "TRA", "man_track")
    frames = _numbered(sequence, "t")
    images, truths = {}, {}
    for number in sorted(gold.keys() | silver.keys()):
        if number not in frames:
            path = gold.get(number, silver.get(number))
            raise InputError(f"{path}: expected its frame in {sequence}, found none of number {number}; add it")
        images[number] = _frame(frames[number])  # (1, H, W)
        outlines = [_labels(files[number], images[number]) for files in (gold, silver) if number in files]
        truths[number] = outlines[0] if len(outlines) == 1 else gold_over_silver(*outlines)
    reach = largest_diagonal(truths.values())
    samples = []
    for number, truth in truths.items():
        spots = _labels(markers[number], images[number]) if number in markers else None
        known = None if spots is None else known_pixels(truth, spots, reach)
        cells = separated(truth, f"truth of {frames[number]}")
        labels = (cells > 0).astype(np.uint8)
        samples.append(Sample(f"{sequence.name}-{frames[number].stem}", images[number], labels, cells, known, truth))
    return samples


def _numbered(folder: Path, stem: str) -> dict[int, Path]:
    """Return the TIFF files called `stem` and a number, by that number; empty if there is no such folder."""
    if not folder.is_dir():
        return {}
    named = [(re.fullmatch(rf"{stem}(\d+)\.tiff?", path.name, re.IGNORECASE), path) for path in folder.iterdir()]
    return {int(match[1]): path for match, path in named if match}


def _frame(path: Path) -> np.ndarray:
    pages = read_pages(path)
    if len(pages) > 1:
        raise InputError(
            f"{path}: expected a frame of one page, got {len(pages)}, a three-dimensional sequence; "
            "take a two-dimensional one (its name in the challenge has 2D or 2DH in it)"
        )
    return pages[0][1]


def _labels(path: Path, image: np.ndarray) -> np.ndarray:
    """Return the truth in a file, int32, (H, W)."""
    labels = as_int32(read_labels(path))
    if labels.shape != image.shape[1:]:
        sizes = " and ".join(f"{H}x{W}" for H, W in (image.shape[1:], labels.shape))
        raise InputError(f"{path}: expected truth of the size of its frame, got {sizes}; take both from one data set")
    return labels
