"""The exercises of notebook 08: momentum, training, and the pixel error."""

import numpy as np

from minunet.course import adam
from minunet.course.exercise import Exercise
from minunet.layers.loss import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from minunet.network.initialise import init_unet
from minunet.network.unet import unet_backward, unet_forward
from minunet.training.optimisers import init_velocity, sgd_step

rng = np.random.default_rng(8)


def momentum_step(weight, gradient, velocity, learning_rate, momentum):
    """Return the new weight and the new velocity."""
    velocity = momentum * velocity + gradient
    return weight - learning_rate * velocity, velocity


def uphill(weight, gradient, velocity, learning_rate, momentum):
    return momentum_step(weight, gradient, velocity, -learning_rate, momentum)


def old_velocity(weight, gradient, velocity, learning_rate, momentum):
    return weight - learning_rate * velocity, momentum * velocity + gradient


def gradient_alone(weight, gradient, velocity, learning_rate, momentum):
    return weight - learning_rate * gradient, momentum * velocity + gradient


def averaged_velocity(weight, gradient, velocity, learning_rate, momentum):
    return momentum_step(weight, (1 - momentum) * gradient, velocity, learning_rate, momentum)


def rate_in_the_velocity(weight, gradient, velocity, learning_rate, momentum):
    velocity = momentum * velocity + learning_rate * gradient
    return weight - velocity, velocity


def losses_of_training(params, tiles, learning_rate, momentum):
    """Train `params` in place, one step per tile; return the loss of each step, (steps,)."""
    return _train(params, tiles, learning_rate, momentum)


def never_updated(params, tiles, learning_rate, momentum):
    return _train(params, tiles, 0.0, momentum)


def trained_uphill(params, tiles, learning_rate, momentum):
    return _train(params, tiles, -learning_rate, momentum)


def without_weights(params, tiles, learning_rate, momentum):
    return _train(params, [(x, labels, None) for x, labels, _ in tiles], learning_rate, momentum)


def always_at_rest(params, tiles, learning_rate, momentum):
    return _train(params, tiles, learning_rate, 0.0)


def _train(params, tiles, learning_rate, momentum):
    velocity = init_velocity(params)
    losses = []
    for x, labels, weights in tiles:
        logits, cache = unet_forward(params, x)
        loss, loss_cache = softmax_cross_entropy_forward(logits, labels, weights)
        grads = unet_backward(softmax_cross_entropy_backward(1.0, loss_cache), cache)
        sgd_step(params, grads, velocity, learning_rate, momentum)
        losses.append(loss)
    return np.array(losses)


def training_case(size: int, steps: int, depth: int = 1) -> tuple:
    """Return (params, tiles, learning_rate, momentum) for a small network in float64."""
    params = init_unet(rng, base_channels=2, depth=depth, dtype=np.float64)
    tiles = []
    for _ in range(steps):
        x = rng.normal(size=(1, 1, size, size))
        labels = rng.integers(0, 2, unet_forward(params, x)[0][:, 0].shape)
        tiles.append((x, labels, rng.uniform(0.5, 2, labels.shape)))
    return params, tiles, 0.1, 0.5


def pixel_error(logits, labels):
    """Return the share of pixels whose most probable class is not their label."""
    return np.mean(logits.argmax(axis=1) != labels)


def pixels_case(N: int, K: int, H: int, W: int) -> tuple:
    """Return (logits, labels)."""
    return rng.normal(size=(N, K, H, W)), rng.integers(0, K, (N, H, W))


def error_of_class_1(logits, labels):
    return np.mean((logits[:, 1] > logits[:, 0]) != labels)


EXERCISES = [
    Exercise(
        "momentum_step",
        solution=momentum_step,
        outputs=("weight", "velocity"),
        args=(
            np.array([[1.0, 2, 3], [4, 5, 6]]),
            np.array([[2.0, 0, -2], [4, -4, 0]]),
            np.array([[8.0, 8, 8], [-4, -4, 0]]),
            0.25,
            0.5,
        ),
        more=(
            (rng.normal(size=5), rng.normal(size=5), np.zeros(5), 0.1, 0.9),
            (rng.normal(size=(2, 3, 3, 3)), rng.normal(size=(2, 3, 3, 3)), rng.normal(size=(2, 3, 3, 3)), 0.01, 0.99),
        ),
        mistakes={
            "it goes uphill: the step is subtracted from the weight": uphill,
            "the weight moved with the old velocity: work out the new one first": old_velocity,
            "the weight moved by the gradient alone: it is the velocity that moves it": gradient_alone,
            "the velocity is a sum here, not a mean: the gradient counts in full": averaged_velocity,
            "the learning rate went into the velocity: in minunet it multiplies the velocity, when the weight moves": (
                rate_in_the_velocity
            ),
        },
        hint="two lines: first velocity = momentum * velocity + gradient, then the weight",
    ),
    Exercise(
        "losses_of_training",
        solution=losses_of_training,
        outputs=("losses",),
        args=training_case(20, 4),
        more=(training_case(22, 3), training_case(48, 2, depth=2)),
        changes=("params",),
        ready_made=("train",),
        mistakes={
            "the parameters never change: is there a call of sgd_step in the loop?": never_updated,
            "it goes uphill: has dlogits or the learning rate lost a sign?": trained_uphill,
            "the weights of the pixels are missing in the loss": without_weights,
            "the velocity begins at zero in each step: make it once, before the loop": always_at_rest,
        },
        hint="in each step: forward, loss, dlogits from dloss = 1, backward, sgd_step; keep the loss of each",
    ),
    Exercise(
        "pixel_error_of_logits",
        solution=pixel_error,
        outputs=("error",),
        args=(
            np.array([[[[2.0, -1, 3], [0, 1, -2]], [[1, 0, 5], [-1, 2, -3]]]]),
            np.array([[[0, 1, 0], [0, 1, 0]]]),
        ),
        more=(pixels_case(2, 3, 5, 3), pixels_case(3, 2, 2, 2), pixels_case(1, 5, 4, 7)),
        mistakes={
            "this is the share of pixels that are right; the error is the share that is wrong": (
                lambda logits, labels: 1 - pixel_error(logits, labels)
            ),
            "there are as many classes as logits has channels, and not always two": error_of_class_1,
            "the wrong pixels are counted: divide by the number of pixels": (
                lambda logits, labels: pixel_error(logits, labels) * labels.size
            ),
            "class 1 needs the larger logit of the two, not a logit above zero": (
                lambda logits, labels: np.mean((logits[:, 1] > 0) != labels)
            ),
        },
        hint="logits are (N, K, H, W): the class of a pixel is where its K logits are largest, argmax along axis 1",
    ),
    *adam.EXERCISES,
]
