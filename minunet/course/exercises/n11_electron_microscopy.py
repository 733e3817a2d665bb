"""The exercises of notebook 11: pixel error, the majority baseline, and V_rand of a table."""

import numpy as np

from minunet.course.exercise import Exercise
from minunet.metrics import majority_pixel_error, pixel_error

rng = np.random.default_rng(11)

TRUTH = np.array([[1, 1, 0, 1], [1, 0, 0, 1], [1, 0, 1, 1]])  # a slanted membrane
PROPOSAL = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 1, 1]])
MOSTLY_BACKGROUND = np.array([[0, 0, 1, 0], [0, 1, 1, 0], [0, 0, 1, 0]])
TABLE = np.array([[1, 5, 0], [2, 1, 3]])  # rows: cells of the truth; column 0: called background


def binary(H: int, W: int, share: float) -> np.ndarray:
    return (rng.random((H, W)) < share).astype(int)


def accuracy(truth, proposal):
    return 1 - pixel_error(truth, proposal)


def wrong_pixels(truth, proposal):
    return int((truth != proposal).sum())


def mean_difference(truth, proposal):
    return float((truth - proposal).mean())


def false_membrane(truth, proposal):
    return float((truth & ~proposal).mean())


def false_cell(truth, proposal):
    return float((~truth & proposal).mean())


def majority_is_cell(truth):
    return float((truth == 0).mean())


def cell_pixels(truth):
    return int((truth == 1).sum())


def v_rand_of_table(counts):
    return _v_rand(counts, singletons=lambda z, n: z / n)


def without_singletons(counts):
    return _v_rand(counts, singletons=lambda z, n: 0.0)


def one_large_cell(counts):
    return _v_rand(counts, singletons=lambda z, n: z**2)


def without_background(counts):
    return v_rand_of_table(np.hstack([0 * counts[:, :1], counts[:, 1:]]))


def rand_precision(counts):
    S_A, S_B, S_AB = _sums(counts, lambda z, n: z / n)
    return float(S_AB / S_B)


def rand_recall(counts):
    S_A, S_B, S_AB = _sums(counts, lambda z, n: z / n)
    return float(S_AB / S_A)


def _v_rand(counts, singletons):
    S_A, S_B, S_AB = _sums(counts, singletons)
    return float(2 * S_AB / (S_A + S_B))


def _sums(counts, singletons):
    n = counts.sum()
    p = counts / n
    z = p[:, 0].sum()
    a, b = p.sum(axis=1), p[:, 1:].sum(axis=0)
    alone = singletons(z, n)
    return (a**2).sum(), (b**2).sum() + alone, (p[:, 1:] ** 2).sum() + alone


EXERCISES = [
    Exercise(
        "pixel_error",
        solution=pixel_error,
        outputs=("error",),
        args=(TRUTH, PROPOSAL),
        more=(
            (binary(7, 5, 0.7), binary(7, 5, 0.6)),
            (binary(2, 9, 0.5), binary(2, 9, 0.5)),
            (binary(1, 6, 0.4), binary(1, 6, 0.9)),
        ),
        ready_made=("pixel_error",),
        mistakes={
            "that is the share of pixels that are right; the error is the rest": accuracy,
            "that is a number of pixels; divide by how many there are": wrong_pixels,
            "a missed pixel (+1) and a false one (-1) cancel: count those that differ": mean_difference,
            "that counts cell called membrane only; membrane called cell is wrong, too": false_membrane,
            "that counts membrane called cell only; cell called membrane is wrong, too": false_cell,
        },
        hint="compare pixel by pixel, which gives True and False, and take the mean",
    ),
    Exercise(
        "majority_pixel_error",
        solution=majority_pixel_error,
        outputs=("error",),
        args=(MOSTLY_BACKGROUND,),
        more=((binary(6, 7, 0.8),), (binary(5, 3, 0.3),), (np.ones((3, 4), int),), (np.zeros((5, 1), int),)),
        ready_made=("majority_pixel_error",),
        mistakes={
            "that is right where cell is the more common class; here background is": majority_is_cell,
            "that is a number of pixels; divide by how many there are": cell_pixels,
        },
        hint="of the share of cell and the share of background, the majority gets one right and the other wrong",
    ),
    Exercise(
        "v_rand_of_table",
        solution=v_rand_of_table,
        outputs=("v_rand",),
        args=(TABLE,),
        more=(
            (np.array([[0, 4], [0, 4]]),),
            (np.array([[0, 3, 1, 0], [2, 0, 0, 6], [1, 2, 2, 1]]),),
            (np.array([[0, 9, 0], [0, 0, 7]]),),
            (rng.integers(0, 9, (5, 2)),),
            (rng.integers(0, 9, (1, 6)),),
        ),
        ready_made=("v_rand",),
        mistakes={
            "z / n is missing from S_B and S_AB: each pixel called background is a cell of its own": without_singletons,
            "background is not one cell but many of one pixel each, so z / n and not z**2": one_large_cell,
            "pixels called background count in n and in a: the truth gives them a cell": without_background,
            "that is the precision, S_AB / S_B; V_rand is 2 * S_AB / (S_A + S_B)": rand_precision,
            "that is the recall, S_AB / S_A; V_rand is 2 * S_AB / (S_A + S_B)": rand_recall,
        },
        hint="for this table n is 12, S_A is 0.5 and S_B is 1/3; print yours",
    ),
]
