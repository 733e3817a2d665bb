"""The loss weight of every pixel of every training image, worked out once a run.

    none    1 everywhere
    map     the weight map of eq. 2: class balance and border term
    border  eq. 2 with w_c = 1: the border term alone
    auto    map where the data tell cell from cell, else none

Where the truth cannot be known (`Sample.known` is False), the weight is 0 in each.
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np
import scipy  # it imports scipy.ndimage at its first use

from minunet.data.sample import Sample
from minunet.data.weight_maps import balanced_weights, weight_map
from minunet.errors import InputError
from minunet.files import replace_atomically

KINDS = ("auto", "map", "border", "none")


def loss_weights(samples: list[Sample], kind: str = "auto", cache: Path | None = None) -> list[np.ndarray | None]:
    """Return the weights of each sample, (H, W) float32, or None where all are 1.

    Parameters
    ----------
    samples : list of Sample
        Where instances are not known, the connected components of class 1 are taken for cells.
    kind : one of KINDS
    cache : path of an .npz file, optional
        Weight maps are read from it, and written to it if it lacks one.

    Raises
    ------
    InputError
        If the kind is unknown.
    """
    if kind not in KINDS:
        raise InputError(f"weights must be one of {', '.join(KINDS)}, got {kind!r}; auto suits most data")
    stored = _read(cache)
    maps, weights = {}, []
    for sample in samples:
        if kind == "none" or (kind == "auto" and sample.instances is None):
            weights.append(None if sample.known is None else sample.known.astype(np.float32))
            continue
        cells = sample.instances if sample.instances is not None else scipy.ndimage.label(sample.labels)[0]
        key = _key(sample, cells, kind)
        maps[key] = stored[key] if key in stored else _map(cells, sample.known, kind)
        weights.append(maps[key])
    if cache is not None and maps.keys() - stored.keys():
        replace_atomically(cache, lambda path: np.savez_compressed(path, **maps))
    return weights


def _map(cells: np.ndarray, known: np.ndarray | None, kind: str) -> np.ndarray:
    """Return the weight map, (H, W); the classes are balanced over the pixels that are known, and the others are 0."""
    judged = cells if known is None else cells[known]
    class_weights = (1.0, 1.0) if kind == "border" else balanced_weights(judged != 0)
    weights = weight_map(cells, class_weights=class_weights)
    return weights if known is None else weights * known


def _key(sample: Sample, cells: np.ndarray, kind: str) -> str:
    """Return a name for the entry in the cache that another kind, or another truth of that name, does not have."""
    checksum = zlib.crc32(np.ascontiguousarray(cells))
    if sample.known is not None:
        checksum = zlib.crc32(np.ascontiguousarray(sample.known), checksum)
    return f"{sample.name}-{'border' if kind == 'border' else 'map'}-{checksum:08x}"


def _read(cache: Path | None) -> dict[str, np.ndarray]:
    """Return the maps of a cache; none if there is no such file, or it is damaged: they are made again then."""
    if cache is None or not cache.exists():
        return {}
    try:
        with np.load(cache) as archive:
            return dict(archive)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        return {}
