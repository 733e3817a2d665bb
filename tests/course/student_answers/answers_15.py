"""Answers to the exercises of notebook 15."""

import numpy as np

from student_answers.common import RIGHT


def numbers_by_search(count, pairs):
    neighbours = {i: {i} for i in range(count)}
    for a, b in pairs:
        neighbours[a].add(b)
        neighbours[b].add(a)
    numbers = [0] * count
    for start in range(count):
        if not numbers[start]:
            new, waiting = max(numbers) + 1, [start]
            while waiting:
                node = waiting.pop()
                if not numbers[node]:
                    numbers[node] = new
                    waiting += neighbours[node]
    return numbers


def numbers_that_empty_the_list(count, pairs):
    numbers = numbers_by_search(count, pairs)
    pairs.clear()
    return numbers


def sums_by_a_loop(vectors):
    n, own = len(vectors), vectors.shape[1] // len(vectors)
    sums = np.array([sum(row[r * own : (r + 1) * own] for row in vectors) for r in range(n)])
    return [sums, [sums.ravel().tolist()] * n]


ANSWERS = [
    ("block_with_halo", lambda row, start, stop, margin: np.pad(row, margin, mode="reflect")[start:stop], "block has"),
    (
        "block_with_halo",
        lambda row, start, stop, m: [
            row[abs(i) if i < len(row) else 2 * len(row) - 2 - i] for i in range(start - m, stop + m)
        ],
        RIGHT,
    ),
    ("one_number", numbers_by_search, RIGHT),
    ("one_number", numbers_that_empty_the_list, "it changes its argument pairs"),
    ("all_reduce", sums_by_a_loop, RIGHT),
    ("all_reduce", lambda vectors: vectors.sum(axis=0), "it should return 2 things"),
]
