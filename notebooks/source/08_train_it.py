# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 08 Train it
#
# The gradient says in which direction each parameter should move. This page takes the step, a thousand times, and
# watches a small U-Net learn to outline cells. How large may a step be? What does momentum do? How do you notice early
# that something is wrong, and how do you read the curves?
#
# What you need: `unet_forward` and `unet_backward` (notebook 07), and the weighted softmax cross-entropy with its
# weight map (06). Everything runs on the processor of a laptop; the long run takes about a minute.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

from minunet import (
    course,
    gradcheck,
    init_unet,
    pixel_error,
    predict,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    unet_backward,
    unet_forward,
)
from minunet.data import fit_normalisation, loss_weights, normalise, random_tile, synthetic_dataset
from minunet.metrics import majority_pixel_error
from minunet.optim import init_velocity, sgd_step
from minunet.shapes import output_size
from minunet.train import train_step

QUICK = "MINUNET_QUICK" in os.environ  # fewer steps, for the tests; the text has the numbers of the full run

# %% [markdown]
# ## One weight, by hand
#
# The smallest network has one weight and no bias: `y = weight * x`. Let `x = 2`, let the target be 6, and let the loss
# be `(y - 6)**2 / 2`. The right weight is 3; ours starts at 1.
#
# Forward: `y = 2`, and the loss is `(2 - 6)**2 / 2 = 8`. Backward: `dy = y - 6 = -4`, and `dweight = dy * x = -8`. The
# gradient is negative: if the weight grows, the loss falls. So the step goes *against* the gradient, by a small share
# of it, the *learning rate*. With 0.1 the weight becomes `1 - 0.1 * (-8) = 1.8`.
#
# And again: `y = 3.6`, the loss is `2.4**2 / 2 = 2.88`, `dy = -2.4`, `dweight = -4.8`, and the weight becomes 2.28.

# %%
weight = 1.0
for step in range(5):
    y = weight * 2
    dy = y - 6
    dweight = dy * 2
    print(f"step {step}: weight {weight:.3f}, loss {(y - 6) ** 2 / 2:.3f}, dweight {dweight:.3f}")
    weight = weight - 0.1 * dweight

# %% [markdown]
# ## Momentum is a running sum
#
# The paper moves a weight not by the gradient of this step alone, but by a sum of all gradients so far, in which older
# ones count less. The sum is called the *velocity*, and `momentum` says how much of it is kept:
#
#     velocity = momentum * velocity + gradient
#     weight   = weight - learning_rate * velocity
#
# By hand with `momentum = 0.9`: if the gradient is 1 in each step, the velocity is 1, then 0.9 + 1 = 1.9, then 0.9 *
# 1.9 + 1 = 2.71, and it goes on to 10 = 1 / (1 - 0.9). If the gradient is 1, -1, 1, -1 instead, the velocity is 1,
# then 0.9 - 1 = -0.1, then -0.09 + 1 = 0.91: it stays small.


# %%
def velocities(gradients, momentum=0.9):
    """Return the velocity after each step."""
    velocity, history = 0.0, []
    for gradient in gradients:
        velocity = momentum * velocity + gradient
        history.append(velocity)
    return np.array(history)


steady, shaking = np.ones(60), np.array([1.0, -1.0] * 30)
print("steady ", velocities(steady)[[0, 1, 2, 59]].round(2))
print("shaking", velocities(shaking)[[0, 1, 2, 59]].round(2))

# %% [markdown]
# So momentum strengthens what all steps agree on, up to tenfold, and dampens what changes its sign. Written out, the
# velocity after step 3 is `gradient_3 + 0.9 * gradient_2 + 0.81 * gradient_1`: a gradient of 22 steps ago still counts
# a tenth.
#
# Here is what it is good for. The loss below is a long valley, 25 times steeper across than along. A learning rate
# that is safe across is too small along, and without momentum the walk crawls.


# %%
def walk(momentum, steps=40, learning_rate=0.03):
    """Return the places of a walk down the valley (along**2 + 25 * across**2) / 2, (steps + 1, 2)."""
    place, velocity, places = np.array([-10.0, 2.0]), np.zeros(2), [np.array([-10.0, 2.0])]
    for _ in range(steps):
        velocity = momentum * velocity + place * [1, 25]
        place = place - learning_rate * velocity
        places.append(place)
    return np.array(places)


# %%
along, across = np.meshgrid(np.linspace(-11, 6, 100), np.linspace(-3, 3, 100))
fig, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
axes.contour(along, across, along**2 + 25 * across**2, levels=[1, 5, 20, 50, 100, 200], colors="0.8")
for momentum, colour, marker in ((0.0, "#D55E00", "s"), (0.9, "#0072B2", "o")):
    places = walk(momentum)
    distance = np.hypot(*places[-1])
    label = f"momentum {momentum}: after 40 steps {distance:.1f} from the bottom"
    axes.plot(*places.T, color=colour, marker=marker, markersize=3, label=label)
axes.set(title="40 steps down a valley", xlabel="along", ylabel="across")
axes.legend()
plt.show()

# %% [markdown]
# The walk with momentum swings across the valley and shoots past the bottom before it comes back, but it gets along
# faster. The library's step is this, for all parameters of a network:

# %%
course.show_source(sgd_step)

# %% [markdown]
# **Exercise 1.** Write the step for one array. Don't change the arrays in place: return the new weight and the new
# velocity.


# %% tags=["exercise"]
def my_momentum_step(weight, gradient, velocity, learning_rate, momentum):
    """Return the new weight and the new velocity."""
    # your code: about 3 lines
    velocity = momentum * velocity + gradient
    weight = weight - learning_rate * velocity
    return weight, velocity
    # end of your code


# %% tags=["check"]
course.check("momentum_step", my_momentum_step)

# %% [markdown]
# ## The data
#
# The cells are synthetic: irregular outlines, some dark and some bright, many of them touching, seen through a
# microscope that blurs and adds noise. There are 12 images to train on and 3 to *validate*: the network never trains
# on these, so they tell whether it has understood cells or only remembers images.

# %%
dataset = synthetic_dataset(seed=8, num_train=12, num_validation=3, height=160, width=160)
normalisation = fit_normalisation(dataset.train)
images = [normalise(sample.image, normalisation) for sample in dataset.train]
weight_maps = loss_weights(dataset.train)
validation_images = [normalise(sample.image, normalisation) for sample in dataset.validation]
print(f"an image {images[0].shape}, mean {images[0].mean():.2f}, standard deviation {images[0].std():.2f}")

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
course.draw_image(axes[0], images[0][0], "image")
course.draw(axes[1], dataset.train[0].labels, "labels: 1 is cell")
shown = axes[2].imshow(weight_maps[0], cmap="gray")
axes[2].set(title="weights", xlabel="W = 160", xticks=[], yticks=[])
fig.colorbar(shown, ax=axes[2])
plt.show()

# %% [markdown]
# The images are *normalised*: the mean of the training images was subtracted, and they were divided by their standard
# deviation, since He's weights expect inputs of size 1. A thin line of background separates cells that touch, and the
# weight map makes the pixels of such lines count up to ten times as much.
#
# Most pixels are background. A network that calls each pixel background has a pixel error of 0.37 on the validation
# images, and has learnt nothing. Keep this *majority error* in mind when you read errors.

# %%
majority = np.mean([majority_pixel_error(sample.labels) for sample in dataset.validation])
print(f"pixel error of calling everything background: {majority:.2f}")

# %% [markdown]
# A step sees one *tile*, a random piece of a random image, turned and flipped at random. We take tiles of 108 pixels.
# With depth 2 the output has 68, so the labels and weights are those of the tile's middle. Each step's tile depends on
# the step's number only: run the page again, and you get the same tiles.

# %%
TILE, DEPTH, OUTPUT = 108, 2, output_size(108, depth=2)


def draw_tile(step):
    """Return x (1, 1, 108, 108), labels (1, 68, 68) and weights (1, 68, 68)."""
    rng = np.random.default_rng([8, step])
    i = rng.integers(len(images))
    planes = images[i], dataset.train[i].labels, weight_maps[i]
    return tuple(plane[None] for plane in random_tile(*planes, rng, (TILE, TILE), (OUTPUT, OUTPUT)))


# %%
fig, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
for step, ax in enumerate(axes):
    x, labels, weights = draw_tile(step)
    course.draw_image(ax, x[0, 0], f"step {step}")
    ax.contour(np.arange(20, 88), np.arange(20, 88), labels[0], levels=[0.5], colors="#E69F00", linewidths=1)
    ax.add_patch(plt.Rectangle((19.5, 19.5), OUTPUT, OUTPUT, fill=False, edgecolor="#56B4E9", linewidth=2))
plt.show()

# %% [markdown]
# Each picture shows `x`; the blue square is the output, and the orange lines are the cells' outlines within it. What
# lies outside the square is there to be looked at, as the *context* that valid convolutions need.

# %% [markdown]
# ## One training step
#
# This is the whole of it: forward, loss, backward, step. All the earlier notebooks are in these ten lines.


# %%
def training_step(params, velocity, tile, learning_rate, momentum=0.9):
    """Change params and velocity in place by one step; return the loss before it."""
    x, labels, weights = tile
    logits, cache = unet_forward(params, x)
    loss, loss_cache = softmax_cross_entropy_forward(logits, labels, weights)
    dloss = 1.0
    dlogits = softmax_cross_entropy_backward(dloss, loss_cache)
    grads = unet_backward(dlogits, cache)
    sgd_step(params, grads, velocity, learning_rate, momentum)
    return float(loss)


# %% [markdown]
# Why is `dloss` 1? Because the question is by how much the *loss* changes, and if the loss grows by one, the loss
# grows by one. (The momentum of 0.9 is not the paper's 0.99, which wants far longer runs than a minute.)
#
# The library's own step is the same, with a device to choose and dropout on top.

# %%
course.show_source(train_step)


# %%
def fresh():
    """Return the same random parameters each time, and velocities of zero."""
    params = init_unet(np.random.default_rng(0), base_channels=16, depth=DEPTH)
    return params, init_velocity(params)


some_params, some_velocity = fresh()
for _ in range(5):
    print(f"loss {training_step(some_params, some_velocity, draw_tile(0), learning_rate=0.01):.3f}")

# %% [markdown]
# ## Is the first loss plausible?
#
# Before anything is trained you can know one number. A network that says "1/2" for both classes at each pixel has a
# loss of `-log(1/2) = 0.693`, times the mean of the weights. We get such a network by setting the weights of the head
# to zero. If your first loss is far from this, look for the reason: ours begins at 1.8, somewhat above, because random
# logits are not zero, and a confident guess that is wrong costs more than no guess.

# %%
undecided, _ = fresh()
undecided["head"]["weight"][:] = 0
x, labels, weights = draw_tile(0)
logits, _ = unet_forward(undecided, x)
loss, _ = softmax_cross_entropy_forward(logits, labels, weights)
print(f"loss {loss:.4f}, log(2) * mean weight {np.log(2) * weights.mean():.4f}")

# %% [markdown]
# ## Is the gradient right?
#
# The step joins two backward passes, that of the loss and that of the network. Check the pair as one function of the
# parameters, in float64, with fewer channels. Expect a relative error near 1e-8, as in notebook 07.


# %%
def loss_forward(params):
    logits, cache = unet_forward(params, x.astype(np.float64))
    loss, loss_cache = softmax_cross_entropy_forward(logits, labels, weights)
    return loss, (cache, loss_cache)


def loss_backward(dloss, caches):
    cache, loss_cache = caches
    return unet_backward(softmax_cross_entropy_backward(dloss, loss_cache), cache)


small = init_unet(np.random.default_rng(0), base_channels=4, depth=DEPTH, dtype=np.float64)
print(gradcheck(loss_forward, loss_backward, (small,)))

# %% [markdown]
# **Exercise 2.** Write the training yourself: one step for each tile, with momentum. `params` is as from `init_unet`,
# and `tiles` is a list of `(x, labels, weights)`. Return the losses in an array. You may call the library's functions,
# `init_velocity(params)` and `sgd_step` among them, but not `training_step`: write its lines out from memory, and look
# up only what you must.


# %% tags=["exercise"]
def my_losses_of_training(params, tiles, learning_rate, momentum):
    """Train params in place, one step a tile; return the loss of each step, (steps,)."""
    # your code: about 10 lines
    velocity = init_velocity(params)
    losses = []
    for x, labels, weights in tiles:
        logits, cache = unet_forward(params, x)
        loss, loss_cache = softmax_cross_entropy_forward(logits, labels, weights)
        dlogits = softmax_cross_entropy_backward(1.0, loss_cache)
        grads = unet_backward(dlogits, cache)
        sgd_step(params, grads, velocity, learning_rate, momentum)
        losses.append(loss)
    return np.array(losses)
    # end of your code


# %% tags=["check"]
course.check("losses_of_training", my_losses_of_training)

# %% [markdown]
# ## First overfit one image
#
# Before a long run, give the network one and the same tile in each step. It has 117,000 parameters, and the tile 68 *
# 68 = 4,624 pixels to answer for. So it must be able to learn the tile by heart, and the loss must go to nearly zero.
# If it does not, there is no point in going on: something is broken, and with one tile you find it in seconds.
#
# Expect a loss below 0.01 after 150 steps, and hardly a wrong pixel.

# %%
ONE_TILE_STEPS = 15 if QUICK else 150
one_params, one_velocity = fresh()
one_losses = [training_step(one_params, one_velocity, draw_tile(0), 0.01) for _ in range(ONE_TILE_STEPS)]
one_logits, _ = unet_forward(one_params, x)
print(f"loss {one_losses[0]:.3f} -> {one_losses[-1]:.4f}")
print(f"pixel error on the tile {np.mean(one_logits.argmax(axis=1) != labels):.4f}")

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained", width_ratios=[1.5, 1, 1])
axes[0].plot(one_losses, color="#0072B2")
axes[0].set(title="one tile, again and again", xlabel="step", ylabel="loss", yscale="log")
course.draw(axes[1], one_logits[0].argmax(axis=0), "what it says")
course.draw(axes[2], labels[0], "labels")
plt.show()

# %% [markdown]
# What does it prove? That forward, loss, backward and step fit together, that the learning rate is not absurd, and
# that labels and image belong to each other in shape. A wrong sign, a loss that is never passed on or parameters that
# never change would all show here.
#
# What does it not prove? We have tried it with a backward pass that forgets the skip connections at the fork, and it
# learns the tile by heart as well: a wrong gradient often still points downhill. For that there is the gradient check.
# And a network that knows one tile by heart knows little about cells, as its errors on the validation images show.


# %%
def validation_errors(params):
    """Return the pixel error on each validation image."""
    predictions = [predict(params, image).argmax(axis=0) for image in validation_images]
    return [pixel_error(s.labels, p) for s, p in zip(dataset.validation, predictions, strict=True)]


print(f"pixel error on the validation images {np.mean(validation_errors(one_params)):.3f}")

# %% [markdown]
# **Exercise 3.** `pixel_error` is the share of pixels whose class is wrong. Write it for logits (N, K, H, W) and
# labels (N, H, W). The softmax is not needed: the largest logit has the largest probability.


# %% tags=["exercise"]
def my_pixel_error(logits, labels):
    """Return the share of pixels whose most probable class is not their label, from 0 to 1."""
    # your code: about 2 lines
    classes = logits.argmax(axis=1)
    return np.mean(classes != labels)
    # end of your code


# %% tags=["check"]
course.check("pixel_error", my_pixel_error)

# %% [markdown]
# ## How large may a step be?
#
# The learning rate is the one number that you must find by trying. Three short runs, with the same start and the same
# tiles: one rate is too small, one right, and one too large. The losses of single tiles jump, since some tiles are
# harder than others; so the picture shows a mean over ten steps.

# %%
SHORT = 12 if QUICK else 60
RATES = {0.0002: "#D55E00", 0.02: "black", 0.2: "#0072B2"}
short_runs = {}
for rate in RATES:
    short_params, short_velocity = fresh()
    short_runs[rate] = [training_step(short_params, short_velocity, draw_tile(step), rate) for step in range(SHORT)]


# %%
def running_mean(losses, width=10):
    """Return the mean of the last `width` losses at each step from `width` on."""
    return np.convolve(losses, np.ones(width) / width, mode="valid")


fig, axes = plt.subplots(figsize=(7, 3.3), layout="constrained")
for rate, colour in RATES.items():
    axes.plot(range(10, SHORT + 1), running_mean(short_runs[rate]), color=colour, label=f"learning rate {rate}")
axes.set(title="the same tiles, three learning rates", xlabel="step", ylabel="loss, mean of 10 steps", yscale="log")
axes.legend()
plt.show()
for rate, losses in short_runs.items():
    print(f"{rate}: " + ", ".join(f"{loss:.3g}" for loss in losses[:9]))

# %% [markdown]
# With 0.0002 the loss falls, and takes its time. With 0.02 it is lower after ten steps than the small rate gets in
# sixty. With 0.2 the first steps overshoot so far that the loss explodes, to tens of thousands within seven steps.
# Then it comes down and stays near 0.7 or 0.8 for ever: the ReLUs have been thrown into a place where they are closed
# for all pixels, no gradient passes, and the network gives the same answer everywhere. It looks calm, and it is dead.
#
# A way to find the rate: begin small, multiply by three, and stop before it explodes. Take a rate a few times below
# that. If you change the momentum, change the rate too: a steady gradient moves a weight `1 / (1 - momentum)` times as
# far.
