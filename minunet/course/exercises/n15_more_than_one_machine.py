"""The exercises of notebook 15: a block with its halo, one number for a cell, and the all-reduce."""

import numpy as np

from minunet.course.exercise import Exercise

rng = np.random.default_rng(15)


def block_with_halo(row, start, stop, margin):
    padded = np.pad(row, margin, mode="reflect")
    return padded[start : stop + 2 * margin]


def halo_with_repeated_edge(row, start, stop, margin):
    return np.pad(row, margin, mode="symmetric")[start : stop + 2 * margin]


def halo_of_zeros(row, start, stop, margin):
    return np.pad(row, margin)[start : stop + 2 * margin]


def halo_of_its_own_mirror(row, start, stop, margin):
    return np.pad(row[start:stop], margin, mode="reflect")


def halo_inside_only(row, start, stop, margin):
    return row[max(0, start - margin) : stop + margin]


def one_number(count, pairs):
    numbers = np.arange(count)
    for _ in range(count):
        for a, b in pairs:
            numbers[a] = numbers[b] = min(numbers[a], numbers[b])
    return np.unique(numbers, return_inverse=True)[1] + 1


def numbers_after_one_pass(count, pairs):
    numbers = np.arange(count)
    for a, b in pairs:
        numbers[a] = numbers[b] = min(numbers[a], numbers[b])
    return np.unique(numbers, return_inverse=True)[1] + 1


def numbers_with_gaps(count, pairs):
    numbers = np.arange(count)
    for _ in range(count):
        for a, b in pairs:
            numbers[a] = numbers[b] = min(numbers[a], numbers[b])
    return numbers + 1


def numbers_from_0(count, pairs):
    return one_number(count, pairs) - 1


def all_reduce(vectors):
    n = len(vectors)
    slices = vectors.reshape(n, n, -1)
    sums = slices.sum(axis=0)
    return sums, np.tile(sums.ravel(), (n, 1))


def slices_of_one_rank_added_up(vectors):
    n = len(vectors)
    sums = vectors.reshape(n, n, -1).sum(axis=1)
    return sums, np.tile(sums.ravel(), (n, 1))


def means_in_place_of_sums(vectors):
    sums, totals = all_reduce(vectors)
    return sums / len(vectors), totals / len(vectors)


def every_rank_keeps_its_own_slice(vectors):
    sums, _ = all_reduce(vectors)
    return sums, np.tile(sums, (1, len(vectors)))


EXERCISES = [
    Exercise(
        "block_with_halo",
        solution=block_with_halo,
        outputs=("block",),
        args=(np.arange(1.0, 9.0), 0, 4, 2),
        more=((rng.random(20), 5, 10, 3), (rng.random(20), 15, 20, 4), (rng.random(7), 0, 7, 5)),
        mistakes={
            "the mirror stands on the edge pixel and does not repeat it: after 2 1 comes 2": halo_with_repeated_edge,
            "outside the image there are zeros: take the mirror": halo_of_zeros,
            "the block mirrors itself: inside the image, the halo is made of the neighbours' pixels": (
                halo_of_its_own_mirror
            ),
            "at the image's edge the halo is missing": halo_inside_only,
        },
        hint="mirror the whole row by the margin first; in that longer row, the block begins margin pixels earlier",
    ),
    Exercise(
        "one_number",
        solution=one_number,
        outputs=("numbers",),
        args=(5, [(2, 3), (1, 2)]),
        more=(
            (5, [(0, 3), (3, 4)]),
            (12, [tuple(pair) for pair in rng.integers(0, 12, (9, 2)).tolist()]),
            (4, [(2, 3), (1, 2), (0, 1)]),
            (3, []),
            (8, [(7, 6), (5, 7), (1, 0), (6, 0)]),
        ),
        mistakes={
            "one pass is not enough: a number found late has to reach those that came early": numbers_after_one_pass,
            "numbers are left out: count the cells 1, 2, 3 without gaps": numbers_with_gaps,
            "0 is the background: count the cells from 1": numbers_from_0,
        },
        hint="begin with a number for each; for each pair give both the smaller one; repeat until nothing can change",
    ),
    Exercise(
        "all_reduce",
        solution=all_reduce,
        outputs=("sums", "totals"),
        args=(np.array([[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]]),),
        more=(
            (rng.integers(1, 9, (3, 6)).astype(float),),
            (rng.integers(1, 9, (4, 4)).astype(float),),
            (rng.normal(size=(5, 15)),),
        ),
        mistakes={
            "slices of one rank are added to each other: add the slices that have the same place": (
                slices_of_one_rank_added_up
            ),
            "these are means: the sum was asked for": means_in_place_of_sums,
            "in the second half each rank should get the slices of all, one after the other": (
                every_rank_keeps_its_own_slice
            ),
        },
        hint="vectors.reshape(n, n, -1)[r, s] is slice s of rank r; rank s adds up the slices s of all",
    ),
]
