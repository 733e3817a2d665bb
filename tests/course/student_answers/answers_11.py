"""Answers to the exercises of notebook 11."""

import numpy as np

from student_answers.common import RIGHT, SOLUTION


def v_rand_of_two_cells(counts):
    return SOLUTION["v_rand_of_table"](counts[:2, :3])


def error_by_counting(truth, proposal):
    wrong = 0
    for a, b in zip(truth.ravel().tolist(), proposal.ravel().tolist(), strict=True):
        wrong += a != b
    return wrong / truth.size


def error_of_iou(truth, proposal):
    return 1 - (truth & proposal).sum() / (truth | proposal).sum()


def error_of_rows(truth, proposal):
    return (truth != proposal).any(axis=1).mean()


def majority_by_bincount(truth):
    counts = np.bincount(truth.ravel(), minlength=2)
    return counts.min() / counts.sum()


def majority_by_the_rounded_mean(truth):
    """Right but for a tie, and a tie has no other answer."""
    return (truth != round(truth.mean())).mean()


def majority_of_the_accuracy(truth):
    return max(truth.mean(), 1 - truth.mean())


def v_rand_pair_by_pair(counts):
    """Draw two pixels, with replacement: how often are they together in both, given that they are in one?"""
    true_of, called = [], []
    for i, j in np.ndindex(counts.shape):
        for _ in range(counts[i, j]):
            true_of.append(i)
            called.append(j if j else -len(called) - 1)  # each pixel of the background is on its own
    n = len(true_of)
    pairs = [(true_of[a] == true_of[b], called[a] == called[b]) for a in range(n) for b in range(n)]
    in_both = sum(t and c for t, c in pairs)
    return 2 * in_both / (sum(t for t, _ in pairs) + sum(c for _, c in pairs))


def rand_index(counts):
    """The Rand index, which counts the pairs that are apart in both, too."""
    n = counts.sum()
    rows, columns, both = (counts.sum(1) ** 2).sum(), (counts.sum(0) ** 2).sum(), (counts**2).sum()
    return 1 - (rows + columns - 2 * both) / n**2


def v_rand_of_counts(counts):
    """Counts in place of shares: right for the sums of squares, and wrong for the background."""
    a, b = counts.sum(axis=1), counts[:, 1:].sum(axis=0)
    z = counts[:, 0].sum() / counts.sum()
    return 2 * ((counts[:, 1:] ** 2).sum() + z) / ((a**2).sum() + (b**2).sum() + 2 * z)


def v_rand_as_an_arithmetic_mean(counts):
    p = counts / counts.sum()
    alone = p[:, 0].sum() / counts.sum()
    together = (p[:, 1:] ** 2).sum() + alone
    return (together / (p.sum(1) ** 2).sum() + together / ((p[:, 1:].sum(0) ** 2).sum() + alone)) / 2


ANSWERS = [
    ("pixel_error", lambda truth, proposal: np.abs(truth - proposal).sum() / truth.size, RIGHT),
    ("pixel_error", lambda truth, proposal: (truth ^ proposal).mean(), RIGHT),
    ("pixel_error", lambda truth, proposal: (truth != proposal).sum() / 12, "the tiny case is right, but"),
    ("majority_pixel_error", lambda truth: 0.5 - abs(truth.mean() - 0.5), RIGHT),
    ("majority_pixel_error", lambda truth: truth.mean(), "the tiny case is right, but"),
    ("v_rand_of_table", lambda counts: 19 / 30, "the tiny case is right, but"),
    ("v_rand_of_table", v_rand_of_two_cells, "v_rand differs"),
    ("pixel_error", error_by_counting, RIGHT),
    ("pixel_error", error_of_iou, "error differs"),
    ("pixel_error", error_of_rows, "error differs"),
    ("pixel_error", lambda truth, proposal: (truth != proposal).mean(axis=0), "error has shape (4,)"),
    ("pixel_error", lambda truth, proposal: np.sqrt(((truth - proposal) ** 2).mean()), "error differs"),
    ("majority_pixel_error", majority_by_bincount, RIGHT),
    ("majority_pixel_error", majority_by_the_rounded_mean, RIGHT),
    ("majority_pixel_error", majority_of_the_accuracy, "error differs"),
    ("majority_pixel_error", lambda truth: 0.5, "error differs"),
    ("v_rand_of_table", v_rand_pair_by_pair, RIGHT),
    ("v_rand_of_table", rand_index, "v_rand differs"),
    ("v_rand_of_table", v_rand_of_counts, "v_rand differs"),
    ("v_rand_of_table", v_rand_as_an_arithmetic_mean, "v_rand differs"),
]
