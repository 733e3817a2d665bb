"""Right calls of the network, its sizes, its training steps, and prediction."""

import numpy as np

from hostile.arrays import in_place_of_floats
from hostile.judge import Call
from hostile.values import (
    NOTHING,
    in_place_of_cache,
    in_place_of_count,
    in_place_of_generator,
    in_place_of_number,
    in_place_of_pair,
    in_place_of_params,
    in_place_of_tree,
    in_place_of_word,
    without_none,
)
from hostile.variant import ITSELF, REFUSE, Variant
from minunet import (
    Network,
    Normalisation,
    adam_step,
    init_moments,
    init_unet,
    init_velocity,
    load_network,
    output_size,
    predict,
    save_network,
    sgd_step,
    smallest_input_size,
    to_device,
    train,
    unet_backward,
    unet_forward,
)
from minunet.backend import map_tree
from minunet.network.sizes import border, fits, trace
from minunet.network.summary import layer_rows, summary

RNG = np.random.default_rng(1)
PARAMS = init_unet(np.random.default_rng(2), base_channels=2, depth=1, dtype=np.float64)
X = RNG.standard_normal((1, 1, 20, 22))
LOGITS, CACHE = unet_forward(PARAMS, X)
GRADS, VELOCITY, MOMENTS = unet_backward(LOGITS, CACHE), init_velocity(PARAMS), init_moments(PARAMS)
NETWORK = Network(map_tree(np.float32, PARAMS), Normalisation("image"))
IMAGE = RNG.uniform(0, 200, (1, 9, 12))
IMAGES, CLASSES = [IMAGE, IMAGE[0] + 3], [(plane[0] > 100).astype(int) for plane in (IMAGE, IMAGE)]
SIZE_WORDS = {"n": "size|height|width", "height": "size", "width": "size", "output": "size"}


def in_place_of_dtype(right):
    """Return what is no type of floating-point numbers."""
    wrong = [int, "float33", complex, "M8[D]", object, bool, [("a", float)], 4]
    return [*(Variant(repr(x), x) for x in wrong), *(v for v in NOTHING if v.value not in (None, int))]


def in_place_of_device(right):
    return in_place_of_word(right)


def in_place_of_network(right):
    broken = [Variant(v.label, Network(v.value, right.normalisation)) for v in in_place_of_params(right.params)]
    numbers = [Variant(v.label, Network(right.params, v.value)) for v in in_place_of_normalisation("image")]
    return [*broken, *without_none(numbers), *NOTHING, Variant("array", np.ones(3)), Variant("path", "run/x.npz")]


def in_place_of_normalisation(right):
    """Return broken normalisations."""
    one = np.ones(1)
    dicts = {
        "std 0": {"mean": one, "std": 0 * one},
        "std below 0": {"mean": one, "std": -one},
        "NaN": {"mean": one * np.nan, "std": one},
        "infinite std": {"mean": one, "std": one * np.inf},
        "strings": {"mean": ["a"], "std": one},
        "complex": {"mean": one * 1j, "std": one},
        "two axes": {"mean": one[None], "std": one[None]},
        "other lengths": {"mean": one, "std": np.ones(2)},
        "None": {"mean": None, "std": one},
        "no std": {"mean": one},
        "low above high": {"mean": one, "std": one, "low": one, "high": 0 * one},
        "NaN as low": {"mean": one, "std": one, "low": one * np.nan, "high": one},
        "masked": {"mean": np.ma.array(one, mask=True), "std": one},
        "another name": {"mean": one, "std": one, "top": one},
        "dates": {"mean": one.astype("M8[D]"), "std": one},
    }
    broken = [Variant(label, x) for label, x in dicts.items()]
    broken += [Variant("no such scope", Normalisation("x")), Variant("no numbers", Normalisation("dataset"))]
    return [*broken, *without_none(NOTHING)]


def in_place_of_predictable(right):
    """Return images; NaN and infinity are refused, and a very bright pixel is clipped by the normalisation."""
    return [
        v._replace(means=REFUSE) if v.is_extreme and v.label != "overflows" else v for v in in_place_of_floats(right)
    ]


def in_place_of_tile(right):
    """Return sizes of a tile, one or two; no tile is None, and the default is taken."""
    counts = [v for v in in_place_of_count(40) if not isinstance(v.value, np.ndarray) or v.value.ndim == 0]
    return without_none([*in_place_of_pair((40, 36)), *counts])


def in_place_of_option(right):
    """Return whole numbers; None means that an option is not given."""
    return without_none(in_place_of_count(right))


def in_place_of_lists(right):
    """Return what is no list of images."""
    broken = [Variant(v.label, [v.value, right[1]], [v.means, right[1]]) for v in in_place_of_floats(right[0])
              if isinstance(v.means, np.ndarray)]  # fmt: skip
    wrong = [Variant(v.label, [v.value, right[1]], v.means if v.means is REFUSE else ITSELF, v.is_extreme)
             for v in in_place_of_floats(right[0]) if not isinstance(v.means, np.ndarray)]  # fmt: skip
    return [*broken, *wrong, *NOTHING, Variant("one array", right[0]), Variant("iterator", iter(right))]


def sizes() -> list[Call]:
    """Return the calls of the functions of sizes."""
    count = {"n": in_place_of_count, "depth": in_place_of_count}
    network = {"in_channels": 1, "num_classes": 2, "base_channels": 4, "depth": 2}
    counts = dict.fromkeys(network, in_place_of_count)
    return [
        Call("output_size", output_size, {"n": 572, "depth": 4}, count, words=SIZE_WORDS),
        Call("fits", fits, {"n": 572, "depth": 4}, count, words=SIZE_WORDS),
        Call("trace", trace, {"n": 572, "depth": 4}, count, words=SIZE_WORDS),
        Call("border", border, {"depth": 4}, {"depth": in_place_of_count}),
        Call("smallest_input_size", smallest_input_size, {"output": 388, "depth": 4},
             {"output": in_place_of_count, "depth": in_place_of_count}, words=SIZE_WORDS),
        Call("layer_rows", layer_rows, {"height": 76, "width": 44, **network},
             {"height": in_place_of_count, "width": in_place_of_count, **counts}, words=SIZE_WORDS,
             pick=lambda rows: [row[2:] for row in rows]),
        Call("summary", summary, {"height": 76, "width": 44, **network},
             {"height": in_place_of_count, "width": in_place_of_count, **counts}, words=SIZE_WORDS),
        Call("init_unet", init_unet, {"rng": np.random.default_rng(0), "dtype": np.float64, **network},
             {"rng": in_place_of_generator, "dtype": in_place_of_dtype, **counts}),
    ]  # fmt: skip


def passes() -> list[Call]:
    """Return the calls of the network's passes, of the optimisers, of training and of prediction."""
    numbers = {"learning_rate": in_place_of_number, "momentum": in_place_of_number}
    step = {"learning_rate": 0.1, "momentum": 0.5}
    tree = in_place_of_tree
    settings = {"seed": 0, "num_classes": 2, "steps": 1, "progress": False, "tile": 20, "base_channels": 1, "depth": 1}
    return [
        Call("unet_forward", unet_forward, {"params": PARAMS, "x": X, "dropout_rate": 0.0},
             {"params": in_place_of_params, "x": in_place_of_floats, "dropout_rate": in_place_of_number},
             pick=lambda result: result[0], is_finite=False,
             words={"x": "height|width|channels", "params": "parameters?", "dropout_rate": "dropout rate|rng"}),
        Call("unet_forward (dropout)", unet_forward,
             {"params": PARAMS, "x": X, "dropout_rate": 0.5, "rng": np.random.default_rng(0)},
             {"rng": in_place_of_generator, "dropout_rate": in_place_of_number}, pick=lambda result: result[0],
             words={"dropout_rate": "dropout rate"}),
        Call("unet_backward", unet_backward, {"dlogits": LOGITS, "cache": CACHE},
             {"dlogits": in_place_of_floats, "cache": in_place_of_cache}, is_finite=False),
        Call("init_velocity", init_velocity, {"params": PARAMS}, {"params": tree}),
        Call("init_moments", init_moments, {"params": PARAMS}, {"params": tree}),
        Call("sgd_step", sgd_step, {"params": PARAMS, "grads": GRADS, "velocity": VELOCITY, **step},
             {"params": tree, "grads": tree, "velocity": tree, **numbers}, changes=("params", "velocity")),
        Call("adam_step", adam_step, {"params": PARAMS, "grads": GRADS, "moments": MOMENTS, **step, "step": 1},
             {"params": tree, "grads": tree, "moments": tree, **numbers, "step": in_place_of_count},
             changes=("params", "moments")),
        Call("train", train, {"images": IMAGES, "labels": CLASSES, **settings},
             {"images": in_place_of_lists, "labels": lambda right: [*NOTHING, Variant("one array", right[0])],
              **dict.fromkeys(("num_classes", "seed", "tile", "base_channels", "depth"), in_place_of_option)},
             pick=lambda network: network.params,
             words={"images": "image|train", "labels": "image|train", "tile": "size"}),
        Call("predict", predict, {"network": NETWORK, "image": IMAGE, "tile": None, "rotations": 1},
             {"network": in_place_of_network, "image": in_place_of_predictable,
              "tile": in_place_of_tile,
              "rotations": in_place_of_count},
             words={"network": "parameters?|normalisation|standard deviation", "image": "images", "tile": "size"}),
        Call("predict (normalisation)", predict, {"network": NETWORK, "image": IMAGE, "normalisation": "image"},
             {"normalisation": in_place_of_normalisation}, words={"normalisation": "standard deviation"}),
        Call("predict (out)", predict, {"network": NETWORK, "image": IMAGE, "out": np.zeros((2, 9, 12))},
             {"out": lambda right: without_none(in_place_of_floats(right))}, changes=("out",)),
        Call("to_device", to_device, {"tree": PARAMS, "device": "cpu"}, {"device": in_place_of_device}),
        Call("load_network", load_network, {"name": "cells"}, {"name": lambda right: NOTHING},
             words={"name": "cells|checkpoint"}),
        Call("save_network", save_network, {"path": "/nowhere/x.npz", "network": NETWORK},
             {"path": lambda right: NOTHING, "network": in_place_of_network},
             words={"network": "parameters?|normalisation|standard deviation", "path": "checkpoint"}),
    ]  # fmt: skip


CALLS = [*sizes(), *passes()]
