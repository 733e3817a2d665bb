"""The loss weight of every pixel of every training image, worked out once per run.

    none    1 everywhere
    map     the weight map of eq. 2: class balance and border term
    border  eq. 2 with w_c = 1: the border term alone
    light   as border, but w0 = 2 in place of 10: touching cells come apart, and outlines stay where they are
    auto    AUTO where the data tell one cell from another, else none

Where the truth is not known (`Sample.known` is False), the weight is always 0.
"""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy  # scipy.ndimage is loaded at its first use

from minunet.backend import as_array
from minunet.data.npz import read_npz
from minunet.data.sample import Sample, check_samples
from minunet.data.weight_maps import as_instances, balanced_weights, weight_map
from minunet.errors import InputError
from minunet.files import replace_atomically

KINDS = ("auto", "map", "border", "light", "none")
AUTO = "light"
LIGHT = 2.0  # w0


def loss_weights(samples: list[Sample], kind: str = "auto", cache: Path | None = None) -> list[np.ndarray | None]:
    """Return the weights of each sample, (H, W) float32, or None where all are 1.

    Parameters
    ----------
    samples : list of Sample
        If a sample has no instances, its cells are the connected components of class 1.
    kind : one of KINDS
    cache : path of an .npz file, optional
        Weight maps are read from it. If one is missing, it is written again.

    Raises
    ------
    InputError
        If the kind is unknown.
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(f"weights must be one of {', '.join(KINDS)}, got {kind!r}; auto suits most data")
    samples = [_checked(sample) for sample in check_samples(samples)]
    stored = _read(cache)
    maps: dict[str, Any] = {}
    weights = []
    for sample in samples:
        its_kind = kind
        if kind == "auto":
            its_kind = "none" if sample.instances is None else AUTO
        if its_kind == "none":
            weights.append(None if sample.known is None else sample.known.astype(np.float32))
            continue
        cells = sample.instances if sample.instances is not None else scipy.ndimage.label(sample.labels)[0]
        key = _key(sample, cells, its_kind)
        maps[key] = stored[key] if _fits(stored.get(key), cells) else _map(cells, sample.known, its_kind)
        weights.append(maps[key])
    if cache is not None and any(stored.get(key) is not plane for key, plane in maps.items()):
        replace_atomically(cache, lambda path: np.savez_compressed(path, **maps))
    return weights


def _checked(sample: Sample) -> Sample:
    """Return the sample with arrays in it; raise InputError unless what is known of it fits together."""
    labels = as_array(sample.labels, "labels", "iub")
    if labels.ndim != 2 or not labels.size:
        raise InputError(f"labels must be (H, W) with pixels, got shape {labels.shape}; pass one sample per image")
    truth = sample.instances
    instances = None if truth is None else as_instances(truth)
    known = None if sample.known is None else as_array(sample.known, "known", "b")
    for name, plane in (("instances", instances), ("known", known)):
        if plane is not None and plane.shape != labels.shape:
            raise InputError(
                f"{name} must have the shape of the labels, {labels.shape}, got {plane.shape}; give one a pixel"
            )
    return sample._replace(labels=labels, instances=instances, known=known)


def _map(cells: np.ndarray, known: np.ndarray | None, kind: str) -> np.ndarray:
    """Return the weight map, (H, W); the classes are balanced over the known pixels, and all others weigh 0."""
    known_cells = cells if known is None else cells[known]
    class_weights = balanced_weights(known_cells != 0) if kind == "map" else (1.0, 1.0)
    weights = weight_map(cells, class_weights=class_weights, **({"w0": LIGHT} if kind == "light" else {}))
    return weights if known is None else weights * known


def _key(sample: Sample, cells: np.ndarray, kind: str) -> str:
    """Return the name of a map in the cache; it changes with the kind, and if the sample's truth is edited."""
    checksum = zlib.crc32(np.ascontiguousarray(cells).data)
    if sample.known is not None:
        checksum = zlib.crc32(np.ascontiguousarray(sample.known).data, checksum)
    return f"{sample.name}-{kind}-{checksum:08x}"


def _read(cache: Path | None) -> dict[str, np.ndarray]:
    """Return the maps in the cache; none if the file is missing or damaged, so that they are made again."""
    if cache is None or not cache.exists():
        return {}
    try:
        return read_npz(cache)
    except InputError:
        return {}


def _fits(weights: np.ndarray | None, cells: np.ndarray) -> bool:
    """Tell whether this is a weight map for these cells, and not what a damaged file holds."""
    if weights is None or weights.dtype != np.float32 or weights.shape != cells.shape:
        return False
    return bool((weights >= 0).all() and (weights < np.inf).all())
