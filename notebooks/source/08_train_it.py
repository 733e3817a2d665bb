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
# You need `unet_forward` and `unet_backward` (notebook 07), and the weighted softmax cross-entropy with its weight map
# (06). Everything runs on a laptop's processor; the long run takes about a minute.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

from minunet import (
    adam_step,
    course,
    gradcheck,
    init_unet,
    pixel_error,
    predict,
    seg_score,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    unet_backward,
    unet_forward,
)
from minunet.data import fit_normalisation, loss_weights, normalise, random_tile, synthetic_dataset
from minunet.metrics import components, majority_pixel_error
from minunet.network.sizes import output_size
from minunet.training.gradient import gradient_of
from minunet.training.optimisers import init_velocity, sgd_step
from minunet.training.train import batch_step, train_step

QUICK = "MINUNET_QUICK" in os.environ  # fewer steps, for the tests; the text has the numbers of the full run

# %% [markdown]
# ## One weight, by hand
#
# The smallest network has one weight and no bias: `y = weight * x`. Let `x = 2`, let the target be 6, and let the loss
# be `(y - 6)**2 / 2`. The right weight is 3; ours starts at 1.
#
# Forward: `y = 2`, and the loss is `(2 - 6)**2 / 2 = 8`. Backward: `dy = y - 6 = -4`, and `dweight = dy * x = -8`. The
# gradient is negative: if the weight grows, the loss falls. So the step goes *against* the gradient, by a small
# multiple of it, the *learning rate*. With 0.1 the weight becomes `1 - 0.1 * (-8) = 1.8`.
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
# The paper does not move a weight by the gradient of one step alone, but by a sum of all gradients so far, in which
# older ones count less. The sum is called the *velocity*, and `momentum` says how much of it is kept:
#
#     velocity = momentum * velocity + gradient
#     weight   = weight - learning_rate * velocity
#
# By hand with `momentum = 0.9`: if the gradient is 1 in each step, the velocity is 1, then 0.9 + 1 = 1.9, then 0.9 *
# 1.9 + 1 = 2.71, and it tends to 10 = 1 / (1 - 0.9). If the gradient is 1, -1, 1, -1 instead, the velocity is 1, then
# 0.9 - 1 = -0.1, then -0.09 + 1 = 0.91: it stays small.


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
# velocity after step 3 is `gradient_3 + 0.9 * gradient_2 + 0.81 * gradient_1`: a gradient from 22 steps ago still
# counts a tenth.
#
# Here is what it is good for. The loss below is a long valley, 100 times steeper across than along. A learning rate
# that is safe across is far too small along, so without momentum the walk crawls.


# %%
def walk(momentum, steps=60, learning_rate=0.015):
    """Return the places of a walk down the valley (along**2 + 100 * across**2) / 2, (steps + 1, 2)."""
    place, velocity, places = np.array([-10.0, 2.0]), np.zeros(2), [np.array([-10.0, 2.0])]
    for _ in range(steps):
        velocity = momentum * velocity + place * [1, 100]
        place = place - learning_rate * velocity
        places.append(place)
    return np.array(places)


# %%
along, across = np.meshgrid(np.linspace(-11, 6, 100), np.linspace(-3, 3, 100))
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", width_ratios=[1.5, 1])
left.contour(along, across, along**2 + 100 * across**2, levels=[1, 20, 80, 200, 400], colors="0.8")
for momentum, colour, marker in ((0.0, "#D55E00", "s"), (0.8, "#0072B2", "o"), (0.9, "0.6", "^")):
    places = walk(momentum)
    if momentum != 0.9:  # two walks are enough for one picture
        left.plot(*places.T, color=colour, marker=marker, markersize=3)
    right.semilogy(np.hypot(*places.T), color=colour, label=f"momentum {momentum}")
left.set(title="60 steps down a valley", xlabel="along", ylabel="across")
right.set(title="how far from the bottom", xlabel="step", ylabel="distance", ylim=(1e-3, 30))
right.legend()
plt.show()

# %% [markdown]
# The walk with a momentum of 0.8 swings across the valley at first, but after 40 steps it is a hundred times closer
# to the bottom than the walk without. More is not always better: with 0.9 it shoots past the bottom and swings for
# longer. The best value depends on how long and narrow the valley is, so it is a setting to try out. Here is the
# library's step, for all parameters of a network:

# %%
course.show_source(sgd_step)

# %% [markdown]
# **Exercise 1.** Write the step for one array. Do not change the arrays in place: return the new weight and the new
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
# on these, so they show whether it recognises cells or only remembers images.

# %%
dataset = synthetic_dataset(seed=8, num_train=12, num_validation=3, height=160, width=160)
normalisation = fit_normalisation(dataset.train)
images = [normalise(sample.image, normalisation) for sample in dataset.train]
weight_maps = loss_weights(dataset.train, "map")
validation_images = [normalise(sample.image, normalisation) for sample in dataset.validation]
print(f"an image {images[0].shape}, mean {images[0].mean():.2f}, standard deviation {images[0].std():.2f}")

fig, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
course.draw_image(axes[0], images[0][0], "image")
course.draw(axes[1], dataset.train[0].labels, "labels: 1 is cell")
shown = axes[2].imshow(weight_maps[0], cmap="gray")
axes[2].set(title="weights", xlabel="W = 160", xticks=[], yticks=[])
fig.colorbar(shown, ax=axes[2], shrink=0.7)
plt.show()

# %% [markdown]
# The images are *normalised*: the mean of the training images was subtracted, and they were divided by their standard
# deviation, since He's weights expect inputs of size 1. A thin line of background separates cells that touch, and the
# weight map makes the pixels of such lines count up to ten times as much.
#
# Most pixels are background. A network that calls each pixel background has a pixel error of 0.37<!--{majority:.2f}-->
# on the validation images, and has learned nothing. Keep this *majority error* in mind when you read errors.

# %%
majority = np.mean([majority_pixel_error(sample.labels) for sample in dataset.validation])
print(f"pixel error of calling everything background: {majority:.2f}")

# %% [markdown]
# A step sees one *tile*, a random piece of a random image, turned and flipped at random. We take tiles of 108 pixels.
# With depth 2 the output has 68, so the labels and weights are those of the tile's middle. The tile depends only on
# the number of the step: run the page again, and you get the same tiles.

# %%
TILE, DEPTH, OUTPUT = 108, 2, output_size(108, depth=2)


def draw_tile(step):
    """Return x (1, 1, 108, 108), labels (1, 68, 68) and weights (1, 68, 68)."""
    rng = np.random.default_rng([8, step])
    i = rng.integers(len(images))
    planes = images[i], dataset.train[i].labels, weight_maps[i]
    return tuple(plane[None] for plane in random_tile(*planes, rng, (TILE, TILE), (OUTPUT, OUTPUT)))


# %%
fig, axes = plt.subplots(1, 4, figsize=(8, 2.3), layout="constrained")
for step, ax in enumerate(axes):
    x, labels, weights = draw_tile(step)
    course.draw_image(ax, x[0, 0], f"step {step}")
    ax.contour(np.arange(20, 88), np.arange(20, 88), labels[0], levels=[0.5], colors="#E69F00", linewidths=1)
    ax.add_patch(plt.Rectangle((19.5, 19.5), OUTPUT, OUTPUT, fill=False, edgecolor="#56B4E9", linewidth=2))
plt.show()

# %% [markdown]
# Each picture shows `x`; the blue square is the output, and the orange lines are the cells' outlines within it. What
# lies outside the square is the *context* that valid convolutions need.
#
# ## One training step
#
# This is all of it: forward, loss, backward, step. All the earlier notebooks are in these ten lines.


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
# Why is `dloss` 1? Because it is the derivative of the loss with respect to itself. (The momentum of 0.9 is not the
# paper's 0.99, which needs far longer runs than a minute.)
#
# The library's own step is the same, with a device, dropout and another optimiser to choose. (Adam, the other one,
# divides each gradient by its own usual size, so that every weight moves by about the learning rate.) It is in three
# functions. `gradient_of` goes forward and backward with one tile, or with two together. `batch_step` takes the mean of
# the gradients of a batch of tiles, which the cores of a machine and several machines (notebook 15) may share, and lets
# the optimiser step. `train_step` calls it with a batch of a single tile, as here. (`statistics`, the running averages
# and the pairs of tiles belong to batch normalisation, of which notebook 17 tells; this network has none.)

# %%
course.show_source(gradient_of, batch_step, train_step)


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
# There is one number that you know before anything is trained. A network that says "1/2" for both classes at each
# pixel has a loss of `-log(1/2) = 0.693`, times the mean of the weights. We get such a network by setting the weights
# of the head to zero. Our loss begins higher, at 1.6<!--{one_losses[0]:.1f}-->, because random logits are not zero,
# and a confident guess that is wrong costs more than no guess. If your first loss is ten times as large as it should
# be, or a tenth of it, look for the reason before you train.

# %%
undecided, _ = fresh()
undecided["head"]["weight"][:] = 0
tile_x, tile_labels, tile_weights = draw_tile(0)
undecided_logits, _ = unet_forward(undecided, tile_x)
first_loss, _ = softmax_cross_entropy_forward(undecided_logits, tile_labels, tile_weights)
print(f"loss {first_loss:.4f}, log(2) * mean weight {np.log(2) * tile_weights.mean():.4f}")

# %% [markdown]
# ## Is the gradient right?
#
# The step chains two backward passes, that of the loss and that of the network. Check the chain as one function of the
# parameters, in float64, with fewer channels. Expect a relative error near 1e-8.


# %%
def loss_forward(params):
    logits, cache = unet_forward(params, tile_x.astype(np.float64))
    loss, loss_cache = softmax_cross_entropy_forward(logits, tile_labels, tile_weights)
    return loss, (cache, loss_cache)


def loss_backward(dloss, caches):
    cache, loss_cache = caches
    return unet_backward(softmax_cross_entropy_backward(dloss, loss_cache), cache)


small = init_unet(np.random.default_rng(0), base_channels=4, depth=DEPTH, dtype=np.float64)
print(gradcheck(loss_forward, loss_backward, (small,)))

# %% [markdown]
# **Exercise 2.** Write the training yourself: one step for each tile, with momentum. `params` is as from `init_unet`,
# and `tiles` is a list of `(x, labels, weights)`. Return the losses in an array. You may call the library's functions,
# `init_velocity(params)` and `sgd_step` among them, but not `training_step`: write its lines from memory, and look up
# only what you must.


# %% tags=["exercise"]
def my_losses_of_training(params, tiles, learning_rate, momentum):
    """Train params in place, one step per tile; return the loss of each step, (steps,)."""
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
# Before a long run, give the network the same tile in each step. It has 117,000 parameters, for a tile of only 68 *
# 68 = 4,624 output pixels. So it must be able to learn the tile by heart, and the loss must go to nearly zero. If it
# does not, there is no point in going on: something is broken, and with one tile you find it in seconds.
#
# Expect a loss below 0.01 after 150 steps, and hardly a wrong pixel.

# %%
ONE_TILE_STEPS = 8 if QUICK else 150
one_params, one_velocity = fresh()
one_losses = [training_step(one_params, one_velocity, draw_tile(0), 0.01) for _ in range(ONE_TILE_STEPS)]
one_logits, _ = unet_forward(one_params, tile_x)
print(f"loss {one_losses[0]:.3f} -> {one_losses[-1]:.4f}")
print(f"pixel error on the tile {np.mean(one_logits.argmax(axis=1) != tile_labels):.4f}")

fig, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained", width_ratios=[1.5, 1, 1])
axes[0].plot(one_losses, color="#0072B2")
axes[0].set(title="one tile, again and again", xlabel="step", ylabel="loss", yscale="log")
course.draw(axes[1], one_logits[0].argmax(axis=0), "what it says")
course.draw(axes[2], tile_labels[0], "labels")
plt.show()

# %% [markdown]
# What does it prove? That forward, loss, backward and step fit together, that the learning rate is not absurd, and
# that labels and image fit each other in shape. A wrong sign, a loss that is never passed on or parameters that never
# change would all show here.
#
# What does it not prove? We have tried it with a backward pass that forgets the skip connections at the fork, and it
# learns the tile by heart as well: a wrong gradient often still points downhill. To find that mistake you need the
# gradient check. And a network that knows one tile by heart knows little about cells, as its error on the validation
# images shows.


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
def my_pixel_error_of_logits(logits, labels):
    """Return the share of pixels whose most probable class is not their label, from 0 to 1."""
    # your code: about 2 lines
    classes = logits.argmax(axis=1)
    return np.mean(classes != labels)
    # end of your code


# %% tags=["check"]
course.check("pixel_error_of_logits", my_pixel_error_of_logits)

# %% [markdown]
# ## How large may a step be?
#
# The learning rate is the one number that you must find by trying. Here are three short runs, with the same start and
# the same tiles: one rate is too small, one right, and one too large. The loss jumps from tile to tile, since some
# tiles are harder than others; so the picture shows a mean over the last ten steps.

# %%
SHORT = 12 if QUICK else 60
RATES = {0.0002: "#D55E00", 0.02: "black", 0.2: "#0072B2"}
short_runs = {}
for rate in RATES:
    short_params, short_velocity = fresh()
    with np.errstate(all="ignore"):  # one of the three overflows, on purpose
        short_runs[rate] = [training_step(short_params, short_velocity, draw_tile(i), rate) for i in range(SHORT)]
    print(f"{rate}: " + ", ".join(f"{loss:.2g}" for loss in short_runs[rate][:10]))


# %%
def running_mean(losses, width=10):
    """Return, for each step, the mean of the last `width` losses, or of as many as there are."""
    return np.array([np.mean(losses[max(0, i + 1 - width) : i + 1]) for i in range(len(losses))])


fig, axes = plt.subplots(figsize=(7, 3.3), layout="constrained")
for rate, colour in RATES.items():
    axes.plot(running_mean(short_runs[rate]), color=colour, label=f"learning rate {rate}")
axes.set(title="the same tiles, three learning rates", xlabel="step", ylabel="loss, mean of 10 steps")
axes.set(yscale="log", ylim=(0.1, 10))
axes.legend()
plt.show()

# %% [markdown]
# With 0.0002 the loss falls, but slowly: with 0.02 it is lower after a dozen steps than with 0.0002 after forty. (Both
# rise at the end, where the tiles are harder; compare curves at the same tiles only.) With 0.2 all looks well for six
# steps. Then one step overshoots, which makes the next gradient larger, and soon the loss is NaN, "not a number": the
# activations have overflowed.
#
# NaN is the kinder way to fail, because you notice it. We have also seen runs with 0.2 that exploded, came down again
# and stayed near the loss of a constant answer: the steps had thrown the weights to a place where the ReLUs are closed
# for all pixels. No gradient passes a closed ReLU. Such a network looks stable, but it is dead.
#
# One way to find the rate: begin small, multiply by three until the loss explodes, and take a rate a few times below
# that. If you change the momentum, change the rate too: a steady gradient moves a weight `1 / (1 - momentum)` times as
# far.
#
# ## The long run
#
# Now 1000 steps, each on another tile. The rate starts at 0.02 and falls in a straight line to zero: large steps get
# far, and small ones settle. From time to time we evaluate the network on the validation images, with two measures:
# the pixel error, and *SEG*, which asks for each true cell how well one predicted cell covers it, 1 at best. Two cells
# that have grown together count as one, so SEG falls.

# %%
STEPS, MEASURED_EVERY = (30, 15) if QUICK else (1000, 50)
SNAPSHOTS = [0, 5, 15, 30] if QUICK else [0, 10, 100, 1000]


def seg(params, i):
    """Return the SEG of a validation image: the mean overlap of each true cell with its predicted one."""
    cells = components(predict(params, validation_images[i]).argmax(axis=0))
    return seg_score(dataset.validation[i].instances, cells)


# %%
params, velocity = fresh()
losses, errors, segs, snapshots = [], {}, {}, {}
for step in range(STEPS + 1):
    if step in SNAPSHOTS:
        snapshots[step] = predict(params, validation_images[2])[1]
    if step % MEASURED_EVERY == 0 or step in SNAPSHOTS:
        errors[step] = np.mean(validation_errors(params))
        segs[step] = np.mean([seg(params, i) for i in range(3)])
    if step < STEPS:
        losses.append(training_step(params, velocity, draw_tile(step), 0.02 * (1 - step / STEPS)))

# %%
for step in SNAPSHOTS:
    print(f"after {step:>4} steps: pixel error {errors[step]:.3f}, SEG {segs[step]:.2f}")

# %% [markdown]
# Look at one validation image. In the four pictures white is a probability of 1 for "cell", and black one of 0.

# %%
fig, axes = plt.subplots(2, 3, figsize=(6.3, 4.5), layout="constrained")
course.draw_image(axes[0, 0], validation_images[2][0], "validation image")
for (step, p), ax in zip(snapshots.items(), [axes[0, 1], axes[0, 2], *axes[1, :2]], strict=True):
    ax.imshow(p, cmap="gray", vmin=0, vmax=1)
    ax.set(title=f"after {step} steps", xlabel="W = 160", xticks=[], yticks=[])
course.draw(axes[1, 2], dataset.validation[2].labels, "labels")
plt.show()

# %% [markdown]
# At step 0 the random network shows a pattern of small squares: the four taps of each up-convolution have different
# random weights. After ten steps it has found that bright means cell, and this alone brings the pixel error down to
# about a tenth; but neighbours have grown together, and SEG is low. Between 10 and 100 steps it learns the lines
# between touching cells, which count so much in the weight map, and SEG more than doubles. The other 900 steps go into
# details, and reduce the pixel error by another quarter or so.
#
# Now the curves: on top the loss of each step with its running mean, below the pixel error on the validation images.

# %%
fig, axes = plt.subplots(2, 1, figsize=(8, 5.4), layout="constrained", sharex=True)
axes[0].plot(losses, color="0.7", linewidth=0.7, label="each step")
axes[0].plot(running_mean(losses, 50), color="#0072B2", label="mean of the last 50")
axes[0].set(title="training loss", ylabel="loss", yscale="log")
axes[1].plot(list(errors), list(errors.values()), color="#D55E00", marker="o", markersize=4, label="network")
axes[1].axhline(majority, color="black", linestyle="--", label="everything background")
axes[1].set(title="validation", xlabel="step", ylabel="pixel error", yscale="log")
for ax in axes:
    ax.legend()
plt.show()

# %% [markdown]
# Note three things. A single loss says little: it jumps by a factor of ten from one tile to the next. The running mean
# falls fast at first and then ever more slowly. And while the rate is high, the validation error goes up and down by
# up to a fifth from one evaluation to the next; it settles as the rate goes to zero.
#
# ## What the gradient looks like
#
# In notebook 06 we found `dlogits = weights * (p - onehot)`, divided by the number of pixels. It says how hard the
# loss pulls at each pixel. Here it is for one validation tile, before the run and after it.

# %%
look_x = validation_images[2][None, :, 20:128, 30:138]
look_labels = dataset.validation[2].labels[None, 40:108, 50:118]
look_weights = loss_weights(dataset.validation, "map")[2][None, 40:108, 50:118]
forces = []
for look_params in (fresh()[0], params):
    look_logits, _ = unet_forward(look_params, look_x)
    _, look_cache = softmax_cross_entropy_forward(look_logits, look_labels, look_weights)
    forces.append(softmax_cross_entropy_backward(1.0, look_cache)[0, 1])

limit = np.percentile(np.abs(forces[0]), 99)
fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
course.draw_image(axes[0], look_x[0, 0, 20:88, 20:88], "the tile's middle")
for ax, force, when in zip(axes[1:], forces, ("before", "after"), strict=True):
    course.draw(ax, force, f"dlogits of class 1, {when}", gradient=True, limit=limit)
plt.show()
print(f"sum of |dlogits|: {np.abs(forces[0]).sum():.3f} before, {np.abs(forces[1]).sum():.3f} after")

# %% [markdown]
# Blue pixels should become cell, since there the loss falls if the logit of class 1 grows; red ones should become
# background. Before the run all pixels pull, and most of all the lines between touching cells. Afterwards nearly all
# are white: `p` is what the label says, and there is nothing to correct. What is left lies on the outlines, and in one
# narrow gap that the network still calls cell.

# %%
fig, axes = plt.subplots(1, 3, figsize=(7.5, 2.7), layout="constrained")
course.draw_image(axes[0], validation_images[1][0], "another validation image")
course.draw(axes[1], predict(params, validation_images[1])[1], "after the run")
course.draw(axes[2], dataset.validation[1].labels, "labels")
plt.show()

# %% [markdown]
# **Question 1.** On this image the network finds all bright cells, but only half of some dark ones, or nothing. Its
# receptive field is 44 pixels wide (notebook 07), and the cells are up to 43 pixels wide. Give two reasons why dark
# cells might be hard, and for each an experiment that would tell whether it is the reason.

# %% [markdown] tags=["answer"]
# Here are two of several. (a) Dark cells are rare in 12 training images, so few steps improve them: train on more
# images, or change the grey values of the training tiles by a random factor (notebook 09), and see whether the error
# on dark cells falls. (b) The field is too small: in the middle of a dark cell, 22 pixels in each direction may hold
# no outline at all, and dim grey looks like haze. Train with depth 3, whose field is 92 pixels or more, for as many
# steps on the same images. To be sure, count the errors on dark cells separately; the mean over all pixels may hide
# them.
#
# **Rubric, 2 points.** One for each reason with an experiment that could show it wrong. A reason without an experiment:
# no point.

# %% [markdown]
# ## Reading curves
#
# The next picture is drawn, not measured: four pairs of curves as you will meet them.

# %%
t = np.linspace(0, 1, 100)
noise = np.random.default_rng(0).normal(scale=0.02, size=(2, 100))
fall = np.exp(-6 * t)
pairs = {
    "A": (0.1 + 0.9 * fall, 0.15 + 0.85 * fall),
    "B": (0.02 + 0.98 * fall, 0.3 + 0.7 * np.exp(-10 * t) + 0.35 * t),
    "C": (0.75 + 0.25 * np.exp(-1.5 * t), 0.78 + 0.22 * np.exp(-1.5 * t)),
    "D": (0.5 + 6 * noise[1], 0.55 + 6 * noise[0]),
}

# %%
fig, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained", sharey=True)
for ax, (name, (training, validation)) in zip(axes, pairs.items(), strict=True):
    ax.plot(t, training + noise[0], color="#0072B2", label="training")
    ax.plot(t, validation + noise[1], color="#D55E00", label="validation")
    ax.set(title=name, xlabel="time", xticks=[], ylim=(0, 1.2))
axes[0].set_ylabel("loss")
axes[0].legend()
plt.show()

# %% [markdown]
# **Question 2.** Which of the four is doing well, which has learned its images by heart, which has too small a
# learning rate, and which too large a one? What would you do next in each case? And which of the four does our long
# run resemble?

# %% [markdown] tags=["answer"]
# A is doing well: both curves fall and stay close. More steps would bring little; a larger network or more data might
# help.
#
# B has learned by heart: the training loss goes to zero while the validation loss rises again. Get more images, or
# vary those that you have (notebook 09); or stop where the validation curve is lowest.
#
# C hardly moves: the rate is too small, or the gradient is wrong. Multiply the rate by three, and see; if that changes
# nothing, overfit one image, and check the gradient.
#
# D jumps around one level and gets no lower: the rate is too large. Divide it by three, or let it fall towards the
# end.
#
# Ours resembles A, with some of D while the rate is high. Its two curves show different measures, though, a weighted
# loss and a pixel error; to judge "by heart or not" properly, one would plot the same measure for both.
#
# **Rubric, 2 points.** One for naming all four rightly from both curves. One for a next step that fits each, and for
# the comparison with the long run.

# %% [markdown]
# ## Adam: each weight its own step
#
# Momentum has one learning rate for all weights, while their gradients differ by factors of hundreds. A rate that is
# safe for the largest is too small for the others. **Could each weight move by about the same distance, however large
# or small its gradients are?** Adam does that (Kingma and Ba 2015), and `minunet train` uses it: it divides the mean of
# the recent gradients by their usual size.
#
#     mean   = momentum * mean + (1 - momentum) * gradient
#     square = decay * square + (1 - decay) * gradient**2
#     weight = weight - learning_rate * mean / sqrt(square)          (to be mended)
#
# Both are running means and begin at 0. Follow the first with momentum 0.9 and the gradients 4, 2, 3: it becomes 0.4,
# then 0.36 + 0.2 = 0.56, then 0.504 + 0.3 = 0.804. No mean of 4, 2 and 3 can be 0.8! The zero that it began with still
# counts.
#
# How much does it count? Write the mean out. After three steps, with m for momentum, it is
#
#     (1 - m) * (gradient_3 + m * gradient_2 + m**2 * gradient_1)
#
# The factors of the gradients are those of a mean if they sum to 1. They sum to (1 - m) * (1 + m + m²) = 1 - m³, and
# after t steps to 1 - m^t. So divide by that: 0.4 / 0.1 = 4, 0.56 / 0.19 = 2.95, 0.804 / 0.271 = 2.97. Now these are
# means of what has come so far. The square is treated likewise, with 1 - decay^t. This is the *bias correction*.

# %%
mean, square = 0.0, 0.0
for t, gradient in enumerate([4.0, 2.0, 3.0], start=1):
    mean = 0.9 * mean + 0.1 * gradient
    square = 0.999 * square + 0.001 * gradient**2
    right_mean, right_square = mean / (1 - 0.9**t), square / (1 - 0.999**t)
    print(f"step {t}: mean {mean:.3f} -> {right_mean:.3f}, square {square:.4f} -> {right_square:.3f}", end=", ")
    print(f"moves by {right_mean / np.sqrt(right_square):.3f} learning rates")

# %% [markdown]
# Multiply all three gradients by a thousand: mean and root grow a thousandfold, and the moves stay what they are. For a
# gradient that is always the same, a weight moves by exactly one learning rate in each step; if its sign keeps
# changing, the mean is near 0 while the square is not, and the weight stays.
#
# What if the correction is left out? Then both are too small in the beginning, but not equally. At a steady gradient
# the first move is 0.1 / sqrt(0.001) = 3.2 learning rates, and it gets worse before it gets better. On the left is the
# mean of a steady gradient of 1 with some noise, on the right the size of the moves.

# %%
steps = np.arange(1, 3001)
gradients = 1 + 0.5 * np.random.default_rng(0).standard_normal(60)
means = [0.0]
for gradient in gradients:
    means.append(0.9 * means[-1] + 0.1 * gradient)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.1), layout="constrained")
axes[0].plot(steps[:60], gradients, ".", color="0.7", label="gradient")
axes[0].plot(steps[:60], means[1:], color="#D55E00", label="mean, as it is")
axes[0].plot(steps[:60], means[1:] / (1 - 0.9 ** steps[:60]), color="#0072B2", label="divided by 1 - 0.9^t")
axes[0].set(title="60 steps", xlabel="step t", ylabel="running mean", ylim=(-0.4, 3.2))
axes[0].legend(loc="upper left")
axes[1].plot(steps, (1 - 0.9**steps) / np.sqrt(1 - 0.999**steps), color="#D55E00", label="without correction")
axes[1].plot(steps, np.ones(len(steps)), color="#0072B2", label="with correction")
axes[1].set(title="a steady gradient", xlabel="step t", ylabel="move, in learning rates", xscale="log", ylim=(0, 7))
axes[1].legend()
plt.show()

# %% [markdown]
# Without the correction the moves of the first thousand steps are too large, at worst more than six times: just when
# the weights are random and the gradients mean the least. The library's step has the correction in its last two lines,
# and a small `EPSILON`, so that a weight whose gradients are all 0 does not divide by 0.

# %%
course.show_source(adam_step)

# %% [markdown]
# **Exercise 4.** Write Adam's step for one array. `t` counts from 1. Don't change the arrays in place: return the new
# weight, mean and square. Add `epsilon` to the root, after the square root is taken.


# %% tags=["exercise"]
def my_adam_on_one_array(weight, gradient, mean, square, learning_rate, momentum, decay, epsilon, t):
    """Return the new weight, the new mean and the new square, without the bias correction in the last two."""
    # your code: about 5 lines
    mean = momentum * mean + (1 - momentum) * gradient
    square = decay * square + (1 - decay) * gradient**2
    corrected_mean, corrected_square = mean / (1 - momentum**t), square / (1 - decay**t)
    weight = weight - learning_rate * corrected_mean / (np.sqrt(corrected_square) + epsilon)
    return weight, mean, square
    # end of your code


# %% tags=["check"]
course.check("adam_on_one_array", my_adam_on_one_array)

# %% [markdown]
# ## In three lines
#
# A step is forward, loss, backward, and `weight -= learning_rate * velocity`, where the velocity is a running sum of
# gradients.
#
# Before the long run: check the gradient, check the first loss, overfit one tile, and try three learning rates.
#
# Judge by images that were never trained on, beside the majority error, and look at pictures: ten steps get nine of
# ten pixels right, and the other 990 go into the outlines.
#
# ## Where to read more
#
# [train.py](../minunet/training/train.py) does what this page does, and adds a warm-up of the rate, more kinds of data
# and a state from which to resume; [optimisers.py](../minunet/training/optimisers.py) is the step, with Adam's beside
# it. [benchmarks/README.md](../benchmarks/README.md) has measurements of other ways to start the weights. In a
# terminal, `minunet train` makes the same kind of run.
#
# The paper: Ronneberger, Fischer and Brox, *U-Net*, [arXiv 1505.04597](https://arxiv.org/abs/1505.04597), section 3.
# Goodfellow, Bengio and Courville, *Deep Learning*, chapter 8, on momentum and learning rates. Karpathy, *A Recipe for
# Training Neural Networks* (2019), on overfitting one batch first. Notebook 09 asks how few images are enough.
