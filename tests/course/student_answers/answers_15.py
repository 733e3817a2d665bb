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


def block_pixel_by_pixel(row, start, stop, margin):
    last, block = len(row) - 1, []
    for i in range(start - margin, stop + margin):
        i = abs(i)
        block.append(row[last - abs(last - i)])
    return np.array(block)


def block_by_python_slices(row, start, stop, margin):
    """row[-2:...] counts from the end, and is empty."""
    return row[start - margin : stop + margin]


def block_cyclic(row, start, stop, margin):
    return np.take(row, range(start - margin, stop + margin), mode="wrap")


def block_clipped(row, start, stop, margin):
    return np.take(row, range(start - margin, stop + margin), mode="clip")


def block_of_the_first(row, start, stop, margin):
    return np.pad(row, margin, mode="reflect")[: stop - start + 2 * margin]


def numbers_by_union_find(count, pairs):
    parent = list(range(count))

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i

    for a, b in pairs:
        parent[max(root(a), root(b))] = min(root(a), root(b))
    roots = sorted({root(i) for i in range(count)})
    return [roots.index(root(i)) + 1 for i in range(count)]


def numbers_of_the_last_pair(count, pairs):
    """Give both the larger number of the first, and forget who else has the old one."""
    numbers = np.arange(1, count + 1)
    for a, b in pairs:
        numbers[b] = numbers[a]
    return np.unique(numbers, return_inverse=True)[1] + 1


def numbers_of_the_joined_alone(count, pairs):
    numbers = numbers_by_search(count, pairs)
    joined = {node for pair in pairs for node in pair}
    return [number if i in joined else 0 for i, number in enumerate(numbers)]


def reduced_in_a_ring(vectors):
    """Slice by slice round the ring, as the messages go."""
    n = len(vectors)
    slices = [list(part) for part in np.split(vectors, n, axis=1)]  # slices[s][rank]
    for s in range(n):
        for step in range(1, n):
            slices[s][s] = slices[s][s] + vectors[(s + step) % n, s * len(slices[s][s]) : (s + 1) * len(slices[s][s])]
    sums = np.array([slices[s][s] for s in range(n)])
    return sums, np.array([sums.reshape(-1)] * n)


def reduced_for_two(vectors):
    half = vectors.shape[1] // 2
    total = vectors.sum(axis=0)
    return np.stack([total[:half], total[half:]]), np.stack([total, total])


def reduced_twice(vectors):
    total = vectors.sum(axis=0)
    return np.tile(total, (len(vectors), 1)), np.tile(total, (len(vectors), 1))


def reduced_as_a_view(vectors):
    total = vectors.sum(axis=0)
    return total.reshape(len(vectors), -1), np.broadcast_to(total, vectors.shape)


def reduced_in_place(vectors):
    vectors[...] = vectors.sum(axis=0)
    return vectors[0].reshape(len(vectors), -1), vectors


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
    ("block_with_halo", block_pixel_by_pixel, RIGHT),
    ("block_with_halo", block_by_python_slices, "block has shape (0,), expected (8,)"),
    ("block_with_halo", block_cyclic, "block differs"),
    ("block_with_halo", block_clipped, "block differs"),
    ("block_with_halo", block_of_the_first, "the tiny case is right, but"),
    ("one_number", numbers_by_union_find, RIGHT),
    ("one_number", numbers_of_the_last_pair, "numbers differs"),
    ("one_number", numbers_of_the_joined_alone, "numbers differs"),
    ("all_reduce", reduced_in_a_ring, RIGHT),
    ("all_reduce", reduced_as_a_view, RIGHT),
    ("all_reduce", reduced_for_two, "the tiny case is right, but"),
    ("all_reduce", reduced_twice, "sums has shape (2, 4), expected (2, 2)"),
    ("all_reduce", reduced_in_place, "it changes its argument vectors"),
]
