"""Answers to the exercises of notebook 18."""

import functools

import numpy as np
import scipy

from minunet.metrics import seg_score
from student_answers.common import RIGHT, SOLUTION


def dice_by_a_loop(p, truth):
    overlap = total = 0.0
    for a, b in zip(p.ravel().tolist(), truth.ravel().tolist(), strict=True):
        overlap += a * b
        total += a + b
    return 1 - 2 * overlap / total


def dice_with_smoothing(p, truth, smooth=1.0):
    return 1 - (2 * (p * truth).sum() + smooth) / (p.sum() + truth.sum() + smooth)


def dice_of_squares(p, truth):
    return 1 - 2 * (p * truth).sum() / ((p**2).sum() + (truth**2).sum())


def mean_dice_of_images(p, truth):
    """Loss by image, and their mean, which is another one: segmentation_models.pytorch, issue 712."""
    return np.mean([dice_by_a_loop(a, b) for a, b in zip(p, truth, strict=True)])


def iou_loss(p, truth):
    overlap = (p * truth).sum()
    return 1 - overlap / (p.sum() + truth.sum() - overlap)


def dice_of_one_where_nothing_is(p, truth):
    return 0.0 if not truth.any() else dice_by_a_loop(p, truth)


def dice_backward_pixel_by_pixel(dloss, cache):
    p, labels = cache
    overlap, total = (p[:, 1] * labels).sum(), p[:, 1].sum() + labels.sum()
    dlogits = np.zeros(p.shape)
    for n, h, w in np.ndindex(labels.shape):
        dp = -2 * (labels[n, h, w] * total - overlap) / total**2
        dlogits[n, 1, h, w] = dloss * dp * p[n, 1, h, w] * p[n, 0, h, w]
        dlogits[n, 0, h, w] = -dlogits[n, 1, h, w]
    return dlogits


def dice_backward_of_every_image(dloss, cache):
    parts = [
        SOLUTION["dice_backward"](dloss, cache._replace(p=cache.p[n : n + 1], labels=cache.labels[n : n + 1]))
        for n in range(len(cache.p))
    ]
    return np.concatenate(parts) / len(parts)


def dice_backward_as_of_the_cross_entropy(dloss, cache):
    p, labels = cache
    return dloss * (p - (labels[:, None] == np.arange(2)[:, None, None])) / labels.size


def dice_backward_in_the_other_order(dloss, cache):
    return SOLUTION["dice_backward"](dloss, cache)[:, ::-1]


def dice_backward_by_differences(dloss, cache):
    """A numerical gradient in place of the derivation."""
    logits, step = np.log(cache.p), 1e-5
    dlogits = np.zeros(logits.shape)

    def loss(z):
        e = np.exp(z)
        return dice_by_a_loop((e / e.sum(axis=1, keepdims=True))[:, 1], cache.labels)

    for i in np.ndindex(logits.shape):
        move = np.zeros(logits.shape)
        move[i] = step
        dlogits[i] = dloss * (loss(logits + move) - loss(logits - move)) / (2 * step)
    return dlogits


def calibration_by_bincount(p, truth, bins):
    p, truth = p.ravel(), truth.ravel()
    number = np.clip((p * bins).astype(int), 0, bins - 1)
    gaps = np.bincount(number, weights=p, minlength=bins) - np.bincount(number, weights=truth, minlength=bins)
    return np.abs(gaps).sum() / len(p)


def calibration_by_digitize(p, truth, bins, right=False):
    """Bins by their edges; the last one should hold 1, too, and the first one 0."""
    number = np.digitize(p, np.linspace(0, 1, bins + 1), right=right) - 1
    error = 0.0
    for b in range(bins):
        inside = number == b
        if inside.any():
            error += abs(p[inside].mean() - truth[inside].mean()) * inside.mean()
    return error


def calibration_without_the_last_bin(p, truth, bins):
    """Counted to len(edges) - 2, as in the code that many others copied: BrowseComp-Plus, pull request 18."""
    number = np.minimum((p * bins).astype(int), bins - 1)
    inside = number < bins - 1
    return calibration_by_bincount(p[inside], truth[inside], bins) * inside.mean() if inside.any() else 0.0


def calibration_against_the_middle(p, truth, bins):
    number = np.minimum((p * bins).astype(int), bins - 1)
    middles = (np.arange(bins) + 0.5) / bins
    return sum(
        abs(middles[b] - truth[number == b].mean()) * (number == b).mean() for b in range(bins) if (number == b).any()
    )


def calibration_with_empty_bins(p, truth, bins):
    number = np.minimum((p * bins).astype(int), bins - 1)
    return sum(abs(p[number == b].mean() - truth[number == b].mean()) * (number == b).mean() for b in range(bins))


def calibration_squared(p, truth, bins):
    number = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [(p[number == b].mean() - truth[number == b].mean()) ** 2 * (number == b).mean() for b in np.unique(number)]
    return np.sqrt(sum(gaps))


def seeds_by_flood(p, threshold, seed_threshold):
    """Pieces by a stack of pixels."""
    H, W = p.shape
    rows = p.tolist()
    waiting_room = {(h, w) for h in range(H) for w in range(W) if rows[h][w] > threshold}
    seeds = p > seed_threshold
    while waiting_room:
        piece, waiting = [], [waiting_room.pop()]
        while waiting:
            h, w = waiting.pop()
            piece.append((h, w))
            near = {(h + 1, w), (h - 1, w), (h, w + 1), (h, w - 1)} & waiting_room
            waiting_room -= near
            waiting += near
        if max(rows[h][w] for h, w in piece) <= seed_threshold:
            seeds[tuple(zip(*piece, strict=True))] = True
    return seeds


def seeds_of_pieces_with_corners(p, threshold, seed_threshold):
    pieces, _ = scipy.ndimage.label(p > threshold, structure=np.ones((3, 3)))
    sure = p > seed_threshold
    return sure | ((pieces > 0) & ~np.isin(pieces, pieces[sure]))


def seeds_by_scipy(p, threshold, seed_threshold):
    pieces, _ = scipy.ndimage.label(p > threshold)
    sure = p > seed_threshold
    return (sure | ((pieces > 0) & ~np.isin(pieces, pieces[sure]))).astype(int)


def seeds_as_numbers(p, threshold, seed_threshold):
    return scipy.ndimage.label(SOLUTION["seeds"](p, threshold, seed_threshold))[0]


def seeds_of_the_highest_pixel(p, threshold, seed_threshold):
    """For a piece without a sure pixel, its highest pixel alone."""
    pieces, count = scipy.ndimage.label(p > threshold)
    seeds = p > seed_threshold
    for k in range(1, count + 1):
        if not seeds[pieces == k].any():
            seeds |= (pieces == k) & (p == p[pieces == k].max())
    return seeds


def seeds_with_the_background(p, threshold, seed_threshold):
    """The background is a piece without a sure pixel, if nobody leaves it out."""
    pieces, _ = scipy.ndimage.label(p > threshold)
    sure = p > seed_threshold
    return sure | ~np.isin(pieces, pieces[sure])


def seg_by_loops(truth, proposal):
    scores = []
    for i in set(truth[truth > 0].tolist()):
        cell, score = truth == i, 0.0
        for j in set(proposal[cell].tolist()) - {0}:
            common = (cell & (proposal == j)).sum()
            if 2 * common > cell.sum():
                score = common / (cell | (proposal == j)).sum()
        scores.append(score)
    return np.mean(scores)


def seg_of_dice(truth, proposal):
    scores = [max([0, *seg_shares(truth == i, proposal)]) for i in np.unique(truth[truth > 0])]
    return np.mean(scores)


def seg_shares(cell, proposal):
    for j in np.unique(proposal[cell]):
        common = (cell & (proposal == j)).sum()
        if j and 2 * common > cell.sum():
            yield 2 * common / (cell.sum() + (proposal == j).sum())


def seg_over_the_proposed(truth, proposal):
    """A mean over the proposed cells: it looks from the wrong side."""
    return seg_by_loops(proposal, truth) if proposal.any() else 0.0


def seg_by_the_same_number(truth, proposal):
    """Compare cell 1 with cell 1, as if numbers meant anything."""
    scores = []
    for i in np.unique(truth[truth > 0]):
        common, both = ((truth == i) & (proposal == i)).sum(), ((truth == i) | (proposal == i)).sum()
        scores.append(common / both if 2 * common > (truth == i).sum() else 0)
    return np.mean(scores)


def seg_with_the_background(truth, proposal):
    scores = [max([0, *seg_iou(truth == i, proposal)]) for i in np.unique(truth)]
    return np.mean(scores)


def seg_iou(cell, proposal):
    for j in np.unique(proposal[cell]):
        if 2 * (cell & (proposal == j)).sum() > cell.sum():
            yield (cell & (proposal == j)).sum() / (cell | (proposal == j)).sum()


def seg_of_the_foreground(truth, proposal):
    return ((truth > 0) & (proposal > 0)).sum() / ((truth > 0) | (proposal > 0)).sum()


ANSWERS = [
    ("dice_loss", dice_by_a_loop, RIGHT),
    ("dice_loss", lambda p, truth: 1 - np.einsum("...,...", p, truth).sum() * 2 / np.add(p, truth).sum(), RIGHT),
    ("dice_loss", dice_with_smoothing, "nothing is added"),
    ("dice_loss", functools.partial(dice_with_smoothing, smooth=1e-7), "float32, or an epsilon?"),
    ("dice_loss", dice_of_squares, "plain sums"),
    ("dice_loss", mean_dice_of_images, "loss differs"),
    ("dice_loss", iou_loss, "that is IoU"),
    ("dice_loss", dice_of_one_where_nothing_is, "on paper first"),
    ("dice_loss", lambda p, truth: -2 * (p * truth).sum() / (p.sum() + truth.sum()), "loss differs"),
    ("dice_loss", lambda p, truth: 1 - 2 * (p * truth) / (p + truth), "loss has shape (2, 3)"),
    ("dice_loss", lambda p, truth: 3 / 14, "the tiny case is right, but"),
    ("dice_backward", dice_backward_pixel_by_pixel, RIGHT),
    ("dice_backward", dice_backward_by_differences, "digits: float32, or an epsilon?"),
    ("dice_backward", dice_backward_of_every_image, "the tiny case is right, but"),
    ("dice_backward", dice_backward_as_of_the_cross_entropy, "dlogits differs"),
    ("dice_backward", dice_backward_in_the_other_order, "the sign is wrong"),
    ("dice_backward", lambda *args: SOLUTION["dice_backward"](*args)[:, 1], "dlogits has shape (1, 2, 3)"),
    ("calibration_error", calibration_by_bincount, RIGHT),
    ("calibration_error", calibration_by_digitize, "exactly 1 belongs to the last"),
    ("calibration_error", functools.partial(calibration_by_digitize, right=True), "exactly 0 belongs to the first"),
    ("calibration_error", calibration_without_the_last_bin, "error differs"),
    ("calibration_error", calibration_against_the_middle, "not to the bin's middle"),
    ("calibration_error", calibration_with_empty_bins, "the tiny case is right, but"),
    ("calibration_error", calibration_squared, "error differs"),
    ("calibration_error", lambda p, truth, bins: abs(p.mean() - truth.mean()), "error differs"),
    ("calibration_error", lambda p, truth, bins: calibration_by_bincount(p, truth, 2), "the tiny case is right, but"),
    ("seeds", seeds_by_flood, RIGHT),
    ("seeds", seeds_by_scipy, RIGHT),
    ("seeds", seeds_of_pieces_with_corners, "seeds differs"),
    ("seeds", seeds_as_numbers, "seeds differs"),
    ("seeds", seeds_of_the_highest_pixel, "seeds differs"),
    ("seeds", seeds_with_the_background, "seeds differs"),
    ("seeds", lambda p, threshold, seed_threshold: SOLUTION["seeds"](p, 0.5, 0.75), "the tiny case is right, but"),
    ("seg", seg_by_loops, RIGHT),
    ("seg", lambda truth, proposal: seg_score(truth, proposal), RIGHT),
    ("seg", seg_of_dice, "score differs"),
    ("seg", seg_over_the_proposed, "score differs"),
    ("seg", seg_by_the_same_number, "score differs"),
    ("seg", seg_with_the_background, "score differs"),
    ("seg", seg_of_the_foreground, "score differs"),
]
