"""Right calls of `minunet.data`: weight maps, normalisation, tiles, augmentation, synthetic cells."""

from functools import partial

import numpy as np

from hostile.arrays import in_place_of_finite, in_place_of_floats, in_place_of_integers, in_place_of_mask
from hostile.calls.networks import in_place_of_normalisation
from hostile.judge import Call
from hostile.values import (
    NOTHING,
    in_place_of_count,
    in_place_of_generator,
    in_place_of_number,
    in_place_of_pair,
    in_place_of_word,
    without_none,
)
from hostile.variant import Variant
from minunet.data import (
    Augmentation,
    Dataset,
    Sample,
    augmented_tile,
    check_classes,
    cut,
    elastic_deform,
    fit_normalisation,
    loss_weights,
    mirror_pad,
    normalisation_of,
    normalise,
    prefetch,
    random_tile,
    separate_touching,
    synthetic_cells,
    synthetic_dataset,
    weight_map,
)

RNG = np.random.default_rng(3)
INSTANCES = np.zeros((12, 9), np.int64)
INSTANCES[1:5, 1:4], INSTANCES[5:9, 3:8], INSTANCES[10:, :4] = 1, 2, 3
IMAGE = RNG.uniform(1, 9, (2, 12, 9))
LABELS = (INSTANCES > 0).astype(np.int64)
WEIGHTS = RNG.uniform(0.5, 2, LABELS.shape)
KNOWN = RNG.random(LABELS.shape) < 0.8
SAMPLE = Sample("a", IMAGE, LABELS, INSTANCES, KNOWN)
NORMALISATION = fit_normalisation([SAMPLE])
GENERATOR = np.random.default_rng(4)
TILE, OUTPUT = (12, 10), (8, 6)
instances = partial(in_place_of_integers, top=3)


def maybe_none(kind):
    """Return the kind without None, for an argument that may be left out."""
    return lambda right: without_none(kind(right))


def in_place_of_class_weights(right):
    wrong = [(1,), (1, 2, 3), (1, None), ("1", 2), (np.nan, 1), (1, np.inf), (-1, 1), (1 + 1j, 1), 3.0, np.ones((2, 2))]
    same = [Variant("list", list(right), right), Variant("array", np.array(right), right)]
    return [*same, *(Variant(f"{x!r}", x) for x in wrong), *without_none(NOTHING)]


def in_place_of_samples(right):
    """Return lists of broken samples."""

    def of(field, variants):
        return [
            Variant(
                f"{field} {v.label}",
                [right[0]._replace(**{field: v.value})],
                v.means if not isinstance(v.means, np.ndarray) else [right[0]._replace(**{field: v.means})],
                v.is_extreme,
            )
            for v in variants
        ]

    broken = of("image", in_place_of_finite(right[0].image))
    return [*broken, *NOTHING, Variant("one sample", right[0]), Variant("arrays", [right[0].image])]


def in_place_of_masked_samples(right):
    """Return lists of samples with broken truths."""
    variants = {
        "labels": in_place_of_integers(right[0].labels, 1),
        "instances": instances(right[0].instances),
        "known": in_place_of_mask(right[0].known),
    }
    found = []
    for field, some in variants.items():
        for v in some:
            means = [right[0]._replace(**{field: v.means})] if isinstance(v.means, np.ndarray) else v.means
            found.append(Variant(f"{field} {v.label}", [right[0]._replace(**{field: v.value})], means))
    maybe = ("instances None", "known None")
    nothing = [v for v in NOTHING if v.label != "list"]  # no sample has no weights
    return [*(v for v in found if v.label not in maybe), *nothing, Variant("arrays", [right[0].image])]


def in_place_of_augmentation(right):
    wrong = {"elastic": (-1.0, np.nan, "x", None), "gain": (np.nan, "x", None), "offset": (np.inf, "x", None)}
    broken = [Variant(f"{n}={x!r}", right._replace(**{n: x})) for n, some in wrong.items() for x in some]
    single = right._replace(gain=np.float64(right.gain), offset=np.float64(right.offset), elastic=np.float32(10))
    return [*broken, Variant("NumPy's numbers", single, right), *NOTHING]


def is_integer(x) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind in "biu"


def in_place_of_labels(right):
    """Return labels, of which those that are no whole numbers are taken from the nearest pixel as well."""
    return [v._replace(means=v.value) if v.label == "halves" else v for v in in_place_of_integers(right, 1)]


def in_place_of_pixels(right):
    """Return arrays to cut from; a tensor is sliced like a file."""
    return [v for v in in_place_of_floats(right) if v.label != "tensor with gradient"]


def maps() -> list[Call]:
    words = {"image": "images", "normalisation": "standard deviation"}
    number = {"w0": in_place_of_number, "sigma": in_place_of_number}
    return [
        Call("weight_map", weight_map, {"instances": INSTANCES, "w0": 10.0, "sigma": 2.0, "class_weights": (1.0, 2.0)},
             {"instances": instances, **number, "class_weights": in_place_of_class_weights}),
        Call("separate_touching", separate_touching, {"instances": INSTANCES}, {"instances": instances},
             words={"instances": "cells"}),
        Call("loss_weights", loss_weights, {"samples": [SAMPLE], "kind": "map"},
             {"samples": in_place_of_masked_samples, "kind": in_place_of_word},
             words={"samples": "sample|instances|known|labels", "kind": "weights"}),
        Call("normalise", normalise, {"image": IMAGE, "normalisation": NORMALISATION},
             {"image": in_place_of_floats, "normalisation": in_place_of_normalisation}, is_finite=False, words=words),
        Call("normalise (image)", normalise, {"image": IMAGE, "normalisation": "image"},
             {"image": in_place_of_floats}, words=words),
        Call("normalisation_of", normalisation_of, {"image": IMAGE, "normalisation": "image"},
             {"image": in_place_of_floats, "normalisation": in_place_of_normalisation}, words=words),
        Call("fit_normalisation", fit_normalisation, {"samples": [SAMPLE]}, {"samples": in_place_of_samples},
             words={"samples": "samples?|images?"}),
        Call("check_classes", check_classes, {"dataset": Dataset("a", [SAMPLE], [], 2)},
             {"dataset": lambda right: NOTHING}),
    ]  # fmt: skip


def tiles() -> list[Call]:
    truth = {"image": in_place_of_floats, "labels": in_place_of_labels}
    bent = {
        "image": lambda right: [v for v in in_place_of_finite(right) if not is_integer(v.value)]
    }  # rounded: no twin
    place = dict.fromkeys(("top", "left", "height", "width"), in_place_of_count)
    sides = dict.fromkeys(("top", "bottom", "left", "right"), in_place_of_count)
    arguments = {"image": IMAGE, "labels": LABELS, "weights": WEIGHTS, "rng": GENERATOR, "tile": TILE, "output": OUTPUT}
    kinds = {**truth, "weights": maybe_none(in_place_of_floats), "rng": in_place_of_generator}
    kinds |= {"tile": in_place_of_pair, "output": in_place_of_pair}
    elastic = {"image": IMAGE, "labels": LABELS, "rng": GENERATOR, "grid": 3, "std": 2.0}
    return [
        Call("elastic_deform", elastic_deform, elastic,
             {**truth, **bent, "rng": in_place_of_generator, "grid": in_place_of_count, "std": in_place_of_number}),
        Call("cut", cut, {"image": IMAGE, "top": 2, "left": 1, "height": 3, "width": 4},
             {"image": in_place_of_pixels, **place}, is_finite=False),
        Call("mirror_pad", mirror_pad, {"array": IMAGE, "top": 2, "bottom": 1, "left": 3, "right": 2},
             {"array": in_place_of_floats, **sides}, is_finite=False),
        Call("random_tile", random_tile, arguments, kinds, is_finite=False),
        Call("augmented_tile", augmented_tile, {**arguments, "augmentation": Augmentation()},
             {**kinds, "augmentation": in_place_of_augmentation}, is_finite=False),
        Call("synthetic_cells", synthetic_cells, {"rng": GENERATOR, "height": 32, "width": 40, "count": 2},
             {"rng": in_place_of_generator, "height": in_place_of_count, "width": in_place_of_count,
              "count": maybe_none(in_place_of_count)}),
        Call("synthetic_dataset", synthetic_dataset,
             {"seed": 0, "num_train": 1, "num_validation": 1, "height": 32, "width": 40},
             dict.fromkeys(("seed", "num_train", "num_validation", "height", "width"), in_place_of_count)),
        Call("prefetch", lambda **arguments: next(prefetch(**arguments))[0],
             {"draw": lambda number: number, "first": 0, "ahead": 2},
             {"first": in_place_of_count, "ahead": in_place_of_count,
              "draw": lambda right: [v for v in NOTHING if v.label != "type"]}),  # int(number) is a draw, too
    ]  # fmt: skip


CALLS = [*maps(), *tiles()]
