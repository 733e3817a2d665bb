"""The exercises of notebook 06: softmax, weighted cross-entropy, its gradient, and the weight map."""

import numpy as np

from minunet.course.exercise import Exercise
from minunet.data.weight_maps import two_nearest, weight_map
from minunet.layers.loss import (
    SoftmaxCrossEntropyCache,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
)

rng = np.random.default_rng(6)


def p_of(logits):
    labels = np.zeros(logits[:, 0].shape, int)
    return softmax_cross_entropy_forward(logits, labels)[1].p


def p_along_the_columns(logits):
    return p_of(logits.swapaxes(1, 3)).swapaxes(1, 3)


def p_over_the_whole_image(logits):
    exp = np.exp(logits - logits.max())
    return exp / exp.sum()


def log_p(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def p_without_exp(logits):
    return logits / logits.sum(axis=1, keepdims=True)


def loss(logits, labels, weights):
    return softmax_cross_entropy_forward(logits, labels, weights)[0]


def loss_without_weights(logits, labels, weights):
    return loss(logits, labels, None)


def loss_of_all_classes(logits, labels, weights):
    return np.mean(weights[:, None] * -log_p(logits))


def loss_of_p(logits, labels, weights):
    p = np.take_along_axis(p_of(logits), labels[:, None], axis=1)[:, 0]
    return np.mean(weights * (1 - p))


def loss_as_a_sum(logits, labels, weights):
    return loss(logits, labels, weights) * labels.size


def loss_over_the_weights(logits, labels, weights):
    return loss_as_a_sum(logits, labels, weights) / weights.sum()


def loss_of_the_wrong_sign(logits, labels, weights):
    return -loss(logits, labels, weights)


dlogits = softmax_cross_entropy_backward


def dlogits_without_onehot(dloss, cache):
    p, labels, weights = cache
    return dloss * weights[:, None] / labels.size * p


def dlogits_of_the_label_alone(dloss, cache):
    onehot = cache.labels[:, None] == np.arange(cache.p.shape[1])[:, None, None]
    return dlogits(dloss, cache) * onehot


def dlogits_without_weights(dloss, cache):
    return dlogits(dloss, cache._replace(weights=None))


def dlogits_of_a_sum(dloss, cache):
    return dlogits(dloss, cache) * cache.labels.size


def dlogits_over_the_weights(dloss, cache):
    return dlogits_of_a_sum(dloss, cache) / cache.weights.sum()


def dlogits_without_dloss(dloss, cache):
    return dlogits(np.ones(()), cache)


def dlogits_of_the_wrong_sign(dloss, cache):
    return -dlogits(dloss, cache)


def map_with_w_c_of_1(instances, w0, sigma):
    return weight_map(instances, w0, sigma, class_weights=(1.0, 1.0))


def border_of(instances, w0, exponent):
    d1, d2 = two_nearest(instances, reach=1000)
    return np.where(instances > 0, 1.0, 1 + w0 * np.exp(exponent(d1, d2)))


def map_with_border_on_cells(instances, w0, sigma):
    d1, d2 = two_nearest(instances, reach=1000)
    return 1 + w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))


def map_of_squares_before_the_sum(instances, w0, sigma):
    return border_of(instances, w0, lambda d1, d2: -(d1**2 + d2**2) / (2 * sigma**2))


def map_with_sigma_not_squared(instances, w0, sigma):
    return border_of(instances, w0, lambda d1, d2: -((d1 + d2) ** 2) / (2 * sigma))


def map_of_the_nearest_cell_alone(instances, w0, sigma):
    return border_of(instances, w0, lambda d1, d2: -((2 * d1) ** 2) / (2 * sigma**2))


def instances_case(H: int, W: int, number: int) -> np.ndarray:
    """Return `number` small cells, (H, W), side by side with gaps of 1 and 2 between them."""
    instances = np.zeros((H, W), int)
    column = 1
    for label in range(1, number + 1):
        instances[1 : H - label, column : column + 2] = label
        column += 3 + label % 2
    return instances


LOGITS = np.array([[[[2.0, 1000, 0]], [[1, 999, 0]], [[0, 998, 3]]]])  # (1, 3, 1, 3)
LABELS = np.array([[[0, 2], [1, 1]]])  # (1, 2, 2)
WEIGHTS = np.array([[[1.0, 2], [4, 0]]])
QUARTERS = np.array([[2, 1, 1], [1, 2, 1], [1, 1, 2], [2, 1, 1]]).T.reshape(1, 3, 2, 2) / 4  # p, (1, 3, 2, 2)

EXERCISES = [
    Exercise(
        "softmax",
        solution=p_of,
        outputs=("p",),
        args=(LOGITS,),
        more=(
            (rng.normal(size=(2, 4, 3, 5)),),
            (1000 * rng.normal(size=(1, 2, 4, 3)),),
            (rng.normal(size=(3, 5, 2, 2)) - 1e4,),
        ),
        ready_made=("softmax", "softmax_cross_entropy_forward"),
        mistakes={
            "it divides by a sum along the columns: the classes are axis 1": p_along_the_columns,
            "it divides by the sum over the whole image: every pixel has its own sum, over axis 1": (
                p_over_the_whole_image
            ),
            "exp is missing": p_without_exp,
            "this is log p: take the exp of it": log_p,
        },
        hint="where it says nan, exp was too large for a number: subtract each pixel's largest logit first",
    ),
    Exercise(
        "weighted_cross_entropy",
        solution=loss,
        outputs=("loss",),
        args=(np.log(QUARTERS), LABELS, WEIGHTS),
        more=(
            (rng.normal(size=(2, 4, 3, 5)), rng.integers(0, 4, (2, 3, 5)), rng.random((2, 3, 5))),
            (rng.normal(size=(1, 2, 6, 1)), rng.integers(0, 2, (1, 6, 1)), 10 * rng.random((1, 6, 1))),
            (rng.normal(size=(3, 5, 2, 2)), rng.integers(0, 5, (3, 2, 2)), 1e-6 * rng.random((3, 2, 2))),
        ),
        ready_made=("softmax_cross_entropy_forward", "softmax_cross_entropy"),
        mistakes={
            "the weights are missing": loss_without_weights,
            "it is a sum: divide by the number of pixels, N * H * W": loss_as_a_sum,
            "it divides by the sum of the weights: the mean is over all pixels, whatever their weights": (
                loss_over_the_weights
            ),
            "every class is counted: take log p of the label alone": loss_of_all_classes,
            "log is missing: the surprise is -log p, not 1 - p": loss_of_p,
            "this is the logarithm to base 2: np.log is the natural one": lambda *args: loss(*args) / np.log(2),
            "the sign is wrong: log p is negative, and the surprise is -log p": loss_of_the_wrong_sign,
        },
        hint="one pixel at a time: -log of the p of its label, times its weight; then the mean",
    ),
    Exercise(
        "softmax_cross_entropy_backward",
        solution=dlogits,
        outputs=("dlogits",),
        args=(np.array(8.0), SoftmaxCrossEntropyCache(QUARTERS, LABELS, WEIGHTS)),
        more=(
            (
                np.array(0.5),
                SoftmaxCrossEntropyCache(
                    p_of(rng.normal(size=(2, 4, 3, 5))), rng.integers(0, 4, (2, 3, 5)), rng.random((2, 3, 5))
                ),
            ),
            (
                np.array(-3.0),
                SoftmaxCrossEntropyCache(
                    p_of(rng.normal(size=(1, 2, 1, 7))), rng.integers(0, 2, (1, 1, 7)), rng.random((1, 1, 7))
                ),
            ),
        ),
        ready_made=("softmax_cross_entropy_backward", "softmax_cross_entropy_gradient"),
        pair=(
            softmax_cross_entropy_forward,
            (rng.normal(size=(2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5)), rng.random((2, 4, 5))),
        ),
        mistakes={
            "the onehot is missing: it is (p - onehot), so that the label's class goes up": dlogits_without_onehot,
            "only the label's class has a gradient: raising another logit lowers p of the label too": (
                dlogits_of_the_label_alone
            ),
            "the weights are missing": dlogits_without_weights,
            "the loss is a mean: divide by the number of pixels, N * H * W": dlogits_of_a_sum,
            "it divides by the sum of the weights: the mean is over all pixels, whatever their weights": (
                dlogits_over_the_weights
            ),
            "dloss is missing: the loss may be used in something larger": dlogits_without_dloss,
            "the sign is wrong: raising the label's logit lowers the loss": dlogits_of_the_wrong_sign,
        },
        hint="build onehot as labels[:, None] == classes, (N, K, H, W), and compare one pixel with p - onehot on paper",
    ),
    Exercise(
        "border_weights",
        solution=map_with_w_c_of_1,
        outputs=("weights",),
        args=(instances_case(5, 9, 2), 10.0, 5.0),
        more=(
            (instances_case(7, 12, 3), 4.0, 2.0),
            (np.array([0, 9, 3, 40])[instances_case(8, 11, 3)], 10.0, 3.0),  # numbers with gaps, in no order
            (instances_case(6, 9, 2), 0.01, 1.5),
        ),
        ready_made=("weight_map", "two_nearest"),
        mistakes={
            "the border term is on the cells too: it belongs to the background": map_with_border_on_cells,
            "d1 and d2 are squared one by one: add them first": map_of_squares_before_the_sum,
            "sigma is not squared": map_with_sigma_not_squared,
            "the nearest cell is counted twice: d2 is the distance to another cell": map_of_the_nearest_cell_alone,
        },
        hint="stack one distance map per cell and sort them at every pixel: the first is d1, the second is d2",
        tolerance=1e-6,  # the library's map is float32
    ),
]
