"""The same seed gives the same bits: with any number of threads, of tiles drawn ahead, in any process.

What a GPU gives may differ in the last digits: its sums are taken in an order that the hardware chooses.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import minunet as m
from minunet import layers as readable
from minunet.backend import flatten
from minunet.data import AUGMENTATIONS, augmented_tile, prefetch

ROOT = Path(__file__).parents[2]
COUNTS = (1, 2, 4)
RNG = np.random.default_rng(0)
X, SKIP = (RNG.standard_normal(shape, np.float32) for shape in ((2, 16, 64, 62), (2, 16, 90, 88)))
UP, LOGITS = (RNG.standard_normal(shape, np.float32) for shape in ((16, 8, 2, 2), (2, 3, 64, 62)))
LABELS = RNG.integers(0, 3, (2, 64, 62))


def bits(tree) -> str:
    """Return a checksum of all arrays in a tree."""
    checksum = hashlib.sha256()
    for name, x in flatten(tree).items():
        if isinstance(x, (np.ndarray, np.generic)):
            checksum.update(f"{name} {x.dtype} {x.shape}".encode() + np.ascontiguousarray(x).tobytes())
    return checksum.hexdigest()


def with_each_count(work) -> set[str]:
    """Return the different checksums of work(), with each number of threads of BLAS and of minunet."""
    found = set()
    for count in COUNTS:
        with threadpool_limits(count, "blas"):
            found.add(bits(work()))
    return found


def both_ways(pair: str, *arguments, room=m):
    """Return y and the gradients of a layer, with y as the upstream gradient."""
    y, cache = getattr(room, f"{pair}_forward")(*arguments)
    return y, getattr(room, f"{pair}_backward")(y if y.ndim else 1.0, cache)


LAYERS = {
    "relu": ("relu", X),
    "max_pool": ("max_pool", X),
    "crop_concat": ("crop_concat", SKIP, X),
    "dropout": ("dropout", X, 0.5),
    "softmax_cross_entropy": ("softmax_cross_entropy", LOGITS, LABELS),
    "batch_norm": ("batch_norm", X, np.ones(16, np.float32), np.zeros(16, np.float32)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("room", ["readable", "fast"])
def test_a_layer(name, room):
    pair, *arguments = LAYERS[name]
    rooms = {"readable": readable, "fast": m.fast.layers}
    if name == "batch_norm" and room == "fast":
        room = "readable"  # there is no faster one

    def work():
        rng = [np.random.default_rng(0)] if name == "dropout" else []
        return both_ways(pair, *arguments, *rng, room=rooms[room])

    assert len(with_each_count(work)) == 1


@pytest.mark.parametrize("kind", ["conv2d many pixels", "conv2d many channels", "conv2d_relu", "up_conv"])
def test_a_product_of_matrices(kind):
    """The network's convolutions let BLAS use one thread at a time; the readable ones, as many as it likes."""
    pair, C, side, kernel = {
        "conv2d many pixels": ("conv2d", 16, 100, 3),
        "conv2d many channels": ("conv2d", 128, 20, 3),
        "conv2d_relu": ("conv2d_relu", 64, 30, 3),
        "up_conv": ("up_conv", 32, 40, 2),
    }[kind]
    x, weight = (RNG.standard_normal(shape, np.float32) for shape in ((1, C, side, side), (C, C, kernel, kernel)))
    assert len(with_each_count(lambda: both_ways(pair, x, weight, weight[:, 0, 0, 0].copy(), room=m.fast.layers))) == 1


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_tiles_drawn_ahead(augmentation, ahead):
    image, labels = RNG.standard_normal((1, 60, 50)), RNG.integers(0, 2, (60, 50))

    def draw(number):
        rng = np.random.default_rng([7, number])
        return augmented_tile(image, labels, None, rng, (44, 44), (4, 4), AUGMENTATIONS[augmentation])

    with contextlib.closing(prefetch(draw, 0, ahead)) as drawn:
        assert [bits(next(drawn)[0]) for _ in range(6)] == [bits(draw(number)) for number in range(6)]


def test_weight_maps_and_measures():
    instances = RNG.integers(0, 5, (40, 30))
    work = lambda: (m.weight_map(instances), m.v_rand(instances, instances.T.reshape(40, 30)))  # noqa: E731
    assert len(with_each_count(lambda: [np.asarray(x) for x in work()])) == 1


TRAINING = """
import sys
import numpy as np
from hostile.test_same_bits import bits
import minunet as m
m.fast.cpu.parallel.cores = lambda: 4  # on a machine of fewer cores there would be fewer threads
rng = np.random.default_rng(0)
image = rng.standard_normal((1, 60, 60))
network = m.train([image], [(image[0] > 0).astype(int)], steps=3, seed=5, progress=False, base_channels=4, depth=2,
                  tile=60, augmentation="elastic", dropout_rate=0.2)
print(bits([network.params, m.predict(network, image), m.predict(network, image, tile=60)]))
"""


def trained_in_a_process(**environment: str) -> str:
    variables = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", **environment}
    done = subprocess.run([sys.executable, "-c", TRAINING], env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_two_processes_train_and_predict_the_same_bits():
    """Python's hashes, which order sets, differ from process to process."""
    assert len({trained_in_a_process(PYTHONHASHSEED=seed) for seed in ("0", "1", "random")}) == 1


@pytest.mark.slow
def test_training_with_any_number_of_threads():
    counts = [trained_in_a_process(OPENBLAS_NUM_THREADS=str(count)) for count in COUNTS]
    assert len(set(counts)) == 1
