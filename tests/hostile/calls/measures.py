"""Right calls of `minunet.metrics`."""

from functools import partial

import numpy as np

from hostile.arrays import in_place_of_finite, in_place_of_integers, in_place_of_mask
from hostile.judge import Call
from hostile.values import NOTHING, without_none
from hostile.variant import Variant
from minunet import metrics
from minunet.data import Sample

RNG = np.random.default_rng(5)
TRUTH, PROPOSAL = RNG.integers(0, 4, (2, 7, 5))
KNOWN = RNG.random(TRUTH.shape) < 0.7
P = RNG.uniform(0.1, 0.9, TRUTH.shape)
BINARY = {"truth": TRUTH % 2, "proposal": PROPOSAL % 2, "known": KNOWN}
LABELS = {"truth": TRUTH, "proposal": PROPOSAL, "known": KNOWN}
SAMPLES = [Sample("a", P[None], TRUTH % 2, TRUTH, KNOWN)]
OF_PIXELS = ("iou", "pixel_error", "pixel_error_f_score")
OF_LABELS = ("seg_score", "v_rand", "v_info", "rand_scores", "info_scores")


def in_place_of_known(right):
    return without_none(in_place_of_mask(right))


def pairs(names, arguments: dict, top: int) -> list[Call]:
    """Return the calls of measures that compare two images."""
    kinds = {"truth": partial(in_place_of_integers, top=top), "proposal": partial(in_place_of_integers, top=top)}
    kinds["known"] = in_place_of_known
    return [Call(f"metrics.{name}", getattr(metrics, name), arguments, kinds) for name in names]


def in_place_of_list(kind):
    """Return a kind for a list of one array."""

    def variants(right):
        lists = [Variant(v.label, [v.value], [v.means] if isinstance(v.means, np.ndarray) else v.means, v.is_extreme)
                 for v in kind(right[0])]  # fmt: skip
        return [*lists, *NOTHING, Variant("two", [right[0]] * 2), Variant("the array alone", right[0][0])]

    return variants


def others() -> list[Call]:
    labels = partial(in_place_of_integers, top=3)
    probability = {"probability": lambda right: without_none(in_place_of_finite(right))}
    lists = {"truths": [TRUTH], "probabilities": [P], "knowns": [KNOWN]}
    binary = partial(in_place_of_integers, top=1)
    return [
        Call("majority_pixel_error", metrics.majority_pixel_error, {"truth": TRUTH % 2, "known": KNOWN},
             {"truth": binary, "known": in_place_of_known}),
        Call("warping_error", metrics.warping_error, {**BINARY, "probability": P},
             {"truth": binary, "proposal": binary, "known": in_place_of_known, **probability}),
        Call("label_cells", metrics.label_cells, {"probabilities": np.stack([1 - P, P])},
             {"probabilities": in_place_of_finite}),
        Call("measure_cells", metrics.measure_cells, {"labels": TRUTH, "image": P},
             {"labels": labels, "image": lambda right: without_none(in_place_of_finite(right))}),
        Call("components", metrics.components, {"cell": TRUTH > 1}, {"cell": in_place_of_mask}),
        Call("watershed", metrics.watershed, {"height": P, "seeds": TRUTH * (P > 0.5)},
             {"height": in_place_of_finite, "seeds": labels}),
        Call("best_over_thresholds", metrics.best_over_thresholds, lists,
             {"truths": in_place_of_list(labels), "probabilities": in_place_of_list(in_place_of_finite),
              "knowns": lambda right: without_none(in_place_of_list(in_place_of_known)(right))},
             words={"truths": "truth", "probabilities": "probability", "knowns": "known"}),
        Call("evaluate", metrics.evaluate, {"samples": SAMPLES, "probabilities": [np.stack([1 - P, P])]},
             {"samples": lambda right: [*NOTHING, Variant("arrays", [P])],
              "probabilities": in_place_of_list(in_place_of_finite)}, words={"probabilities": "probability"},
             pick=without_classes),
    ]  # fmt: skip


def without_classes(evaluation):
    """Leave out the measures of each class: those of a class that is nowhere are NaN, as they should be."""
    return {name: value for name, value in evaluation.items() if name != "classes"}


CALLS = [*pairs(OF_PIXELS, BINARY, 1), *pairs(OF_LABELS, LABELS, 3), *others()]
