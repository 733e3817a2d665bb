# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 17 Normalise
#
# Notebook 16 chose the first weights so that the activations keep one size. But from the first step on the weights
# change, and nobody holds the size any more. *Batch normalisation* (Ioffe and Szegedy, 2015) makes it right in every
# step: each channel is brought to mean 0 and variance 1, and then gets a scale and a shift that are learned. The paper
# of the U-Net does not have it; most U-Nets since then do. minunet's has it on request: `init_unet(norm="batch")` and
# `minunet train --norm batch`.
#
# Four questions. What is its gradient, since mean and variance depend on x, too? What does it do at prediction, when
# there is no batch? What does it cost? And does a network learn faster with it? At the end there is *dropout*, the
# other layer that does one thing in training and another at prediction.
#
# What you need: gradient checks (01), convolution and ReLU (02, 03), the whole U (07), and the rms from notebook 16.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

from minunet import (
    batch_norm_backward,
    batch_norm_forward,
    conv2d_forward,
    course,
    dropout_backward,
    dropout_forward,
    flatten,
    gradcheck,
    init_unet,
    init_velocity,
    sgd_step,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    unet_backward,
    unet_forward,
)
from minunet.data import fit_normalisation, normalise, random_tile, synthetic_dataset
from minunet.layers import batch_norm_predict, conv_norm_relu, fold_batch_norm, update_running
from minunet.layers.conv_norm_relu import conv2d_norm_relu_backward, conv2d_norm_relu_forward
from minunet.network.running_averages import (
    MOMENTUM,
    first_running,
    fold_double_conv,
    fold_unet,
    statistics,
    update_running_averages,
)
from minunet.network.sizes import output_size

QUICK = "MINUNET_QUICK" in os.environ  # fewer steps, for the tests
rng = np.random.default_rng(17)

# %% [markdown]
# ## Four pixels, by hand
#
# A channel has the four pixels 1, 3, 5, 7. Their mean is 4. Their distances from it are -3, -1, 1, 3, and the mean of
# the squares, the *variance*, is (9 + 1 + 1 + 9) / 4 = 5. Under the square root a small number `epsilon` is added, so
# that a channel of equal pixels is not divided by zero. Here we take a large one, 4, because then the root is a whole
# number: sqrt(5 + 4) = 3. So
#
#     x_hat = -1, -1/3, 1/3, 1
#
# and with gamma = 3 and beta = 10 the output is `y = gamma * x_hat + beta` = 7, 9, 11, 13.

# %%
x_4 = np.array([1.0, 3, 5, 7]).reshape(1, 1, 1, 4)  # N, C, H, W
y_4, cache_4 = batch_norm_forward(x_4, gamma=np.array([3.0]), beta=np.array([10.0]), epsilon=4.0)
print("mean", cache_4.mean, "variance", cache_4.variance)
print("x_hat", cache_4.x_hat.ravel().round(3), " y", y_4.ravel())

# %% [markdown]
# Add 100 to every pixel, or make them all ten times as large: `x_hat` stays the same, but for epsilon. The layer takes
# away brightness and contrast of each channel, and puts its own in their place, gamma and beta.

# %%
tiny = 1e-9  # epsilon
for name, x in {"x": x_4, "x + 100": x_4 + 100, "10 * x": 10 * x_4}.items():
    y, _ = batch_norm_forward(x, np.ones(1), np.zeros(1), tiny)
    print(f"{name:<8} -> {y.ravel().round(3)}")

# %% [markdown]
# ## Which pixels belong together?
#
# A channel is one feature, looked for at every place in every image. So its mean is over all images of the batch and
# all their pixels: over the axes N, H and W, M = N * H * W numbers. Here are two images with two channels each, before
# and after, the first image above the orange line. Each picture of y has mean 0. A single image need not.

# %%
x_pair = rng.normal(size=(2, 2, 4, 4)) * np.array([1.0, 5]).reshape(2, 1, 1) + np.array([3.0, -10]).reshape(2, 1, 1)
x_pair[1, 0] += 3  # the second image is brighter in channel 0
x_pair = x_pair.round()
y_pair, _ = batch_norm_forward(x_pair, np.ones(2), np.zeros(2))
figure, all_axes = plt.subplots(1, 4, figsize=(9, 4.4), layout="constrained")
for c in (0, 1):
    course.draw(all_axes[c], x_pair[:, c].reshape(8, 4), f"x: channel {c}")
    course.draw(all_axes[2 + c], y_pair[:, c].reshape(8, 4).round(1), f"y: channel {c}")
for axes in all_axes:
    axes.axhline(3.5, color="#E69F00", linewidth=3)
    axes.set(ylabel="image 1        image 0", xlabel="W = 4")
plt.show()
print(
    "mean of y:", y_pair.mean(axis=(0, 2, 3)).round(12) + 0, " of image 0 alone:", y_pair[0].mean(axis=(1, 2)).round(2)
)

# %% [markdown]
# The equations, with a mean over the M pixels of channel c:
#
#     mean     = mean of x                                      (C,)
#     variance = mean of (x - mean)**2                          (C,)
#     x_hat    = (x - mean) / sqrt(variance + epsilon)          (N, C, H, W)
#     y        = gamma * x_hat + beta
#
# **Exercise 1.** Write the forward pass; return y alone.


# %% tags=["exercise"]
def my_batch_norm(x, gamma, beta, epsilon):
    """Return y (N, C, H, W) for x (N, C, H, W), gamma (C,) and beta (C,)."""
    # your code: about 4 lines
    mean = x.mean(axis=(0, 2, 3), keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=(0, 2, 3), keepdims=True)
    x_hat = (x - mean) / np.sqrt(variance + epsilon)
    return gamma[:, None, None] * x_hat + beta[:, None, None]
    # end of your code


# %% tags=["check"]
course.check("batch_norm", my_batch_norm)

# %% [markdown]
# The library's own. It has the same lines, and keeps in the cache what comes back in the backward pass.

# %%
course.show_source(batch_norm_forward)

# %% [markdown]
# ## Backward: three ways
#
# `beta` was added to every pixel, so `dbeta` is the sum of dy. `gamma` multiplied x_hat, so `dgamma` is the sum of
# `dy * x_hat`. That is as for any bias and any weight.
#
# `x` is harder. If one pixel of x grows, then three things happen. Its own y grows. The *mean* grows, and with it all
# pixels of y shrink. And the *variance* changes, so that all pixels of y move towards 0 or away from it. We go step by
# step, with `std = sqrt(variance + epsilon)` and `dx_hat = gamma * dy`.
#
# *Its own way*: `dx_hat / std`.
#
# *By the mean*: the mean is subtracted from all, so its gradient is `-sum(dx_hat) / std`. A pixel has the share 1/M in
# the mean. So the pixel gets `-mean(dx_hat) / std`.
#
# *By the variance*: raise pixel i by a little h. The variance, a mean of M squares, grows by `2 * (x - mean) * h / M`,
# and std by half of that over std, which is `x_hat * h / M`. All of x_hat is divided by std, so `x_hat[j]` falls by
# `x_hat[j] / std` for each unit of std. Together the pixel gets `-x_hat * mean(dx_hat * x_hat) / std`.
#
# The sum of the three, with gamma in front and dbeta and dgamma put in:
#
#     dx = gamma / std * (dy - dbeta / M - x_hat * dgamma / M)

# %% [markdown]
# For the four pixels, let dy be 1 for the first and 0 for the others. Then dbeta = 1, dgamma = x_hat[0] = -1, M = 4,
# and gamma / std = 3 / 3 = 1:
#
#     dx = (1, 0, 0, 0) - 1/4 + x_hat / 4 = (1/2, -1/3, -1/6, 0)
#
# Only one pixel of y counts, and three of x have a gradient. The library says the same.

# %%
dy_4 = np.array([1.0, 0, 0, 0]).reshape(1, 1, 1, 4)
dx_4, dgamma_4, dbeta_4 = batch_norm_backward(dy_4, cache_4)
print("dx", dx_4.ravel().round(4) + 0, " dgamma", dgamma_4, " dbeta", dbeta_4)

x_hat_4 = cache_4.x_hat[0, 0]
panels = {"x_hat": x_hat_4, "dy": dy_4[0, 0], "by the mean": np.full((1, 4), -1 / 4)}
panels |= {"by the variance": x_hat_4 / 4, "dx, the sum of the last three": dx_4[0, 0]}
figure, all_axes = plt.subplots(2, 3, figsize=(9, 2.6), layout="constrained")
all_axes[1, 2].axis("off")
for axes, (title, panel) in zip(all_axes.flat, panels.items(), strict=False):
    course.draw(axes, panel.round(3), title, gradient=title != "x_hat", limit=1)
plt.show()

# %% [markdown]
# Add up dx: 1/2 - 1/3 - 1/6 = 0. That must be so. A constant added to x changes nothing in y, so the gradient has no
# part that asks for one. And if x moves away from its mean by a common factor, y does not change either: the sum of
# `dx * x_hat` is 0 as well, but for epsilon. Without the two terms, the gradient would ask for what cannot help.

# %%
x_big = rng.normal(size=(2, 1, 8, 8)) * 4 + 30
y_big, cache_big = batch_norm_forward(x_big, np.ones(1), np.zeros(1), tiny)
dx_big, _, _ = batch_norm_backward(y_big**2, cache_big)
print(f"sum of |dx| {np.abs(dx_big).sum():.3f}, of dx {abs(dx_big.sum()):.0e}", end=", ")
print(f"of dx * x_hat {abs((dx_big * cache_big.x_hat).sum()):.0e}")

# %% [markdown]
# **Exercise 2.** Write the backward pass. The cache also holds the mean, which you do not need.


# %% tags=["exercise"]
def my_batch_norm_backward(dy, cache):
    """Return dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    x_hat, gamma, _, variance, epsilon = cache
    # your code: about 6 lines
    M = dy.size // len(gamma)
    dbeta = dy.sum(axis=(0, 2, 3))
    dgamma = (dy * x_hat).sum(axis=(0, 2, 3))
    dx = dy - (dbeta / M)[:, None, None] - x_hat * (dgamma / M)[:, None, None]
    factor = gamma / np.sqrt(variance + epsilon)
    return factor[:, None, None] * dx, dgamma, dbeta
    # end of your code


# %% tags=["check"]
course.check("batch_norm_backward", my_batch_norm_backward)

# %% [markdown]
# ## Does a gradient check notice?
#
# The usual mistake is to take mean and variance for constants. All shapes are right then, and the loss may even fall.
# Expect the first check to pass, and the second to say where it is wrong.

# %%
args = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=3), rng.normal(size=3)
print(gradcheck(batch_norm_forward, batch_norm_backward, args))


# %%
def with_constant_statistics(dy, cache):
    """What somebody writes who forgets that mean and variance depend on x."""
    _, dgamma, dbeta = batch_norm_backward(dy, cache)
    factor = cache.gamma / np.sqrt(cache.variance + cache.epsilon)
    return factor[:, None, None] * dy, dgamma, dbeta


print(gradcheck(batch_norm_forward, with_constant_statistics, args))

# %% [markdown]
# ## In a network
#
# The layer goes between a convolution and its ReLU. So the ReLU cuts a channel with mean beta and deviation gamma, and
# at the start, with beta = 0 and gamma = 1, it is a gate that is open for about half of the pixels.

# %%
course.show_source(
    conv2d_norm_relu_forward,
    conv2d_norm_relu_backward,
    conv_norm_relu.norm_relu_forward,
    conv_norm_relu.norm_relu_backward,
)

# %% [markdown]
# **Question 1.** The convolution has no bias here: zeros stand in its place. Why would a bias be of no use, and what
# would its gradient be?

# %% [markdown] tags=["answer"]
# A bias adds one number to all pixels of a channel. The mean grows by the same number and takes it away again, so y
# does not change, and the gradient of the bias is 0: it is the sum of the dx of the normalisation over a channel. What
# the bias was for, beta does.
#
# **Rubric, 2 points.** One for "the mean takes it away", one for the gradient of 0.

# %% [markdown]
# Notebook 16 ran a U-Net with half of He's weights and with twice, and saw the activations fade or explode. The same
# once more, with and without batch normalisation: the rms of what each of the ten ReLUs of a small U-Net puts out.

# %%
STYLE = {0.5: ("#D55E00", "s", "half of He"), 1: ("black", "o", "He"), 2: ("#0072B2", "^", "twice He")}
noise = rng.normal(size=(1, 1, 60, 60)).astype(np.float32)


def small_unet(norm, factor=1):
    """Return the parameters of a small U-Net, its weights times factor; norm is None or "batch"."""
    params = init_unet(np.random.default_rng(7), base_channels=16, depth=2, norm=norm)
    for name, array in flatten(params).items():
        if name.endswith("weight"):
            array *= factor
    return params


def rms_of_relus(params):
    """Return the rms of each ReLU's output, in the forward order."""
    _, cache = unet_forward(params, noise)
    blocks = [*(level.conv for level in cache.encode), cache.bottom, *(level.conv for level in cache.decode[::-1])]
    return [np.sqrt(np.mean(relu.y**2)) for block in blocks for relu in (block.relu1, block.relu2)]


# %%
figure, all_axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
titles = {None: "plain", "batch": "with batch normalisation"}
for axes, (norm, title) in zip(all_axes, titles.items(), strict=True):
    for factor, (colour, marker, label) in STYLE.items():
        rms = rms_of_relus(small_unet(norm, factor))
        axes.plot(range(1, 11), rms, color=colour, marker=marker, label=label)
    axes.set(title=title, xlabel="ReLU", yscale="log")
all_axes[0].set(ylabel="rms of its output")
all_axes[0].legend()
plt.show()

# %% [markdown]
# On the right the three lines lie on each other: the size of the weights does not count any more. That has a
# consequence for the way back. If the weights are twice as large and the loss is the same, then the slope of the loss
# along the weights is *half* as large. Multiply by two and divide by two: weights that have grown get smaller
# gradients. Expect 2, 1 and 1/2 times the norm.


# %%
def norm_of_dweight(factor):
    """Return the norm of the gradient of a convolution before a batch normalisation, its weight times factor."""
    weight = factor * small_unet(norm=None)["bottom"]["conv1"]["weight"].astype(np.float64)
    x = np.random.default_rng(1).normal(size=(1, weight.shape[1], 12, 12))
    y, cache = conv2d_norm_relu_forward(x, weight, np.ones(len(weight)), np.zeros(len(weight)))
    dy = np.random.default_rng(2).normal(size=y.shape)
    _, dweight, _, _ = conv2d_norm_relu_backward(dy, cache)
    return np.linalg.norm(dweight), abs((dweight * weight).sum())


base, _ = norm_of_dweight(1)
for factor in (0.5, 1, 2):
    norm, along = norm_of_dweight(factor)
    print(f"weight * {factor}: norm of dweight {norm / base:.3f} of He's, sum of dweight * weight {along:.0e}")

# %% [markdown]
# This is one reason why a network with batch normalisation tolerates large steps. A step that is too long makes the
# weights larger (dweight is at right angles to the weight, as the last column says, so the sum of squares can only
# grow); larger weights get smaller gradients; so the next step turns the weights by less. The layer brakes by itself.
#
# ## Prediction: no batch
#
# In training an image's y depends on which other images are in the batch, and on which part of it was cut out as a
# tile. A prediction must not depend on that. Look at what happens if it does: one image alone, and the same image in a
# batch with a brighter one.

# %%
gamma_1, beta_1 = np.ones(1), np.zeros(1)
image = rng.normal(size=(1, 1, 6, 6))
bright = image + 5
alone, _ = batch_norm_forward(image, gamma_1, beta_1)
together, _ = batch_norm_forward(np.concatenate([image, bright]), gamma_1, beta_1)
figure, all_axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
for axes, (title, y) in zip(all_axes, {"alone": alone, "beside a bright image": together}.items(), strict=True):
    course.draw(axes, y[0, 0].round(1), f"y, {title}", gradient=True, limit=2)
plt.show()

# %% [markdown]
# So prediction takes *constants* for mean and variance. They are collected during training: after each step the
# running averages move a little towards the statistics of this batch.
#
#     running_mean     = (1 - momentum) * running_mean     + momentum * mean
#     running_variance = (1 - momentum) * running_variance + momentum * variance * M / (M - 1)
#
# Two traps. `momentum` is the share of the *new* here, 0.1 as a rule; in an optimiser it is the share of the old. And
# M / (M - 1): the M pixels lie nearer to their own mean than to the true one, so their variance comes out too small,
# by (M - 1) / M on average. By hand for the two pixels 1 and 3: mean 2, variance 1. If the true variance is asked for,
# the best guess is 2.
#
# **Exercise 3.** Write the two lines.


# %% tags=["exercise"]
def my_running_averages(running_mean, running_variance, mean, variance, M, momentum):
    """Return the new running_mean (C,) and running_variance (C,); M pixels were in the batch's channel."""
    # your code: about 3 lines
    running_mean = (1 - momentum) * running_mean + momentum * mean
    running_variance = (1 - momentum) * running_variance + momentum * variance * M / (M - 1)
    return running_mean, running_variance
    # end of your code


# %% tags=["check"]
course.check("running_averages", my_running_averages)

# %% [markdown]
# How fast do they get near the truth, and how near? The batches below are drawn from numbers with mean 3 and
# variance 4. The averages begin at mean 0 and variance 1, as PyTorch's do. The dashed line takes all the new in step 1,
# half of it in step 2, a third in step 3, and so on down to 1/20: up to there it is the plain mean of all batches so
# far, and the 0 of the start is forgotten at once. This is what `minunet train` does.

# %%
momenta = {
    "momentum 0.5": (lambda step: 0.5, "#D55E00", "-"),
    "momentum 0.1": (lambda step: 0.1, "black", "-"),
    "momentum 0.01": (lambda step: 0.01, "#0072B2", "-"),
    f"1 / step, at least {MOMENTUM}": (lambda step: max(MOMENTUM, 1 / step), "#009E73", "--"),
}
figure, axes = plt.subplots(figsize=(7.5, 3), layout="constrained")
for label, (momentum, colour, line) in momenta.items():
    running, means = (np.zeros(1), np.ones(1)), []
    for step in range(1, 121):
        batch = 3 + 2 * np.random.default_rng([17, step]).normal(size=(1, 1, 4, 4))
        _, cache = batch_norm_forward(batch, gamma_1, beta_1)
        running = update_running(*running, cache, momentum(step))
        means.append(running[0][0])
    axes.plot(range(1, 121), means, color=colour, linestyle=line, label=label)
axes.axhline(3, color="grey", linestyle=":")
axes.set(title="a running mean; the true one is 3", xlabel="step", ylabel="running mean")
axes.legend()
plt.show()

# %% [markdown]
# With a large momentum the average is there at once and stays noisy; with a small one it is smooth and late. In
# training the target moves as well, since the weights before the layer change. We shall see below that this noise can
# cost something.
#
# ## Folding: it costs nothing
#
# With constants for mean and variance the layer is only a factor and a shift for each channel. A convolution stands
# before it, and that has a weight and a bias for each output channel. So both can be one convolution:
#
#     gamma * (weight * x + bias - mean) / std + beta
#         = (weight * gamma / std) * x  +  (bias - mean) * gamma / std + beta
#
# By hand: weight 2, bias 1, mean 4, std 3, gamma 6, beta 5. The factor is 6 / 3 = 2, the new weight 4, and the new
# bias (1 - 4) * 2 + 5 = -1. For x = 3: convolution 7, normalised (7 - 4) / 3 = 1, y = 11; and 4 * 3 - 1 = 11.
#
# **Exercise 4.** Write it for a convolution (F, C, KH, KW).


# %% tags=["exercise"]
def my_fold_batch_norm(weight, bias, gamma, beta, mean, variance, epsilon):
    """Return weight (F, C, KH, KW) and bias (F,) of one convolution that does the work of both."""
    # your code: about 3 lines
    factor = gamma / np.sqrt(variance + epsilon)
    weight = weight * factor[:, None, None, None]
    return weight, (bias - mean) * factor + beta
    # end of your code


# %% tags=["check"]
course.check("fold_batch_norm", my_fold_batch_norm)

# %% [markdown]
# The two ways give the same numbers, but for rounding.

# %%
x = rng.normal(size=(1, 3, 10, 10))
weight, bias = rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4)
norm = rng.normal(size=4), rng.normal(size=4), rng.normal(size=4), rng.uniform(0.5, 2, 4)  # gamma, beta, mean, variance
in_two = batch_norm_predict(conv2d_forward(x, weight, bias)[0], *norm)
in_one, _ = conv2d_forward(x, *fold_batch_norm(weight, bias, *norm))
print(f"largest difference {np.abs(in_one - in_two).max():.0e}, of numbers near {np.abs(in_two).max():.0f}")

# %% [markdown]
# A whole network is folded level by level, and each level has two convolutions to fold.

# %%
course.show_source(fold_double_conv)

# %% [markdown]
# What comes out is a plain U-Net, with the parameters that `init_unet` makes without `norm`. `unet_forward` and
# `predict` run it and know nothing of the normalisation. Since its pixels do not look at a batch any more, tiles fit
# together without a seam, as in notebook 10.
#
# Try it: one step of the running averages, then fold. After step 1 they are the statistics of that batch. So the folded
# network should give the logits of the training pass for it, but for M / (M - 1) in the variances: at the bottom M is
# only 100 and 64, and the difference a few hundredths.

# %%
params = small_unet("batch")
logits, cache = unet_forward(params, noise)
running = first_running(params)  # mean 0 and variance 1 for each normalisation
update_running_averages(running, flatten(statistics(cache)), step=1)
folded = fold_unet(params, running)
folded_logits, _ = unet_forward(folded, noise)

print("bottom, in training:", *flatten(params["bottom"]))
print("bottom, folded:     ", *flatten(folded["bottom"]))
assert {k: v.shape for k, v in flatten(folded).items()} == {k: v.shape for k, v in flatten(small_unet(None)).items()}
print(f"largest difference of the logits {np.abs(folded_logits - logits).max():.3f}", end=", ")
print(f"of numbers up to {np.abs(logits).max():.2f}")

# %% [markdown]
# **Question 2.** Somebody predicts with the statistics of each tile, because "it is closer to the training". What does
# one see in a large image that was cut into tiles, some of which are nearly empty?

# %% [markdown] tags=["answer"]
# Each tile has other means and variances, so the same cell gets another probability in one tile than in the next, and
# there are seams. An empty tile is worst: its small variance is noise, and divided by it the noise becomes as strong
# as cells are elsewhere. The network finds structure where there is none.
#
# **Rubric, 2 points.** One for seams, or for a cell whose probability depends on its tile. One for the empty tile,
# whose noise is enlarged.

# %% [markdown]
# ## Does it learn faster?
#
# A small U-Net on synthetic cells, with the momentum of notebook 08, without and with batch normalisation, from the
# same He weights and with the same tiles, four in a step: at three learning rates, each ten times the one before.

# %%
TILE, DEPTH, BATCH, STEPS = 76, 2, 4, 8 if QUICK else 60
dataset = synthetic_dataset(seed=8, num_train=8, num_validation=1, height=160, width=160)
normalisation = fit_normalisation(dataset.train)
images = [normalise(sample.image, normalisation) for sample in dataset.train]


def draw_tile(number):
    """Return x (1, 76, 76) and labels (36, 36)."""
    tile_rng = np.random.default_rng([17, number])
    i = tile_rng.integers(len(images))
    sizes = (TILE, TILE), (output_size(TILE, DEPTH),) * 2
    x, labels, _ = random_tile(images[i], dataset.train[i].labels, None, tile_rng, *sizes)
    return x, labels


def draw_batch(step):
    """Return x (4, 1, 76, 76) and labels (4, 36, 36)."""
    tiles = [draw_tile(number) for number in range(BATCH * step, BATCH * (step + 1))]
    return tuple(np.stack(arrays) for arrays in zip(*tiles, strict=True))


def losses_of(params, rate):
    """Train params in place; return the loss of every step, or NaN from where it has overflowed."""
    velocity, losses = init_velocity(params), np.full(STEPS, np.nan)
    for step in range(STEPS):
        x, labels = draw_batch(step)
        logits, cache = unet_forward(params, x)
        if not np.isfinite(logits).all():
            break
        loss, loss_cache = softmax_cross_entropy_forward(logits, labels)
        grads = unet_backward(softmax_cross_entropy_backward(1.0, loss_cache), cache)
        sgd_step(params, grads, velocity, rate, 0.9)
        losses[step] = loss
    return losses


# %%
RATES = {0.01: "#D55E00", 0.1: "black", 1.0: "#0072B2"}
curves = {}
for rate in RATES:
    for kind, norm in (("plain", None), ("batch norm", "batch")):
        params = init_unet(np.random.default_rng(0), base_channels=16, depth=DEPTH, norm=norm)
        with np.errstate(all="ignore"):  # some of them overflow
            curves[kind, rate] = losses_of(params, rate)
for (kind, rate), losses in curves.items():
    last = losses[-10:].mean()
    print(
        f"{kind:<10} rate {rate:<4}: {'it overflows' if np.isnan(last) else f'{last:.3f}, mean of the last ten losses'}"
    )

# %%
figure, all_axes = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained", sharey=True)
for axes, kind in zip(all_axes, ("plain", "batch norm"), strict=True):
    for rate, colour in RATES.items():
        losses = curves[kind, rate]
        smooth = [losses[max(0, i - 4) : i + 1].mean() for i in range(STEPS)]
        axes.plot(smooth, color=colour, label=f"rate {rate}")
    axes.set(title=kind, xlabel="step", yscale="log", ylim=(0.03, 3))
    axes.axhline(np.log(2), color="grey", linestyle=":", linewidth=1)
all_axes[0].set(ylabel="loss, mean of 5 steps")
all_axes[1].legend()
plt.show()

# %% [markdown]
# The plain network learns at the smallest rate. At ten times that rate it stays long near the dotted line, where a
# network is that says 1/2 for both classes. Whether it gets away within these steps is a matter of chance: another
# machine rounds otherwise, and the run ends elsewhere. At a hundred times the rate it overflows. With batch
# normalisation all three rates train, and the one in the middle is best: this is what the layer is known for.
#
# Does it learn *faster*, though? Not these cells. Here the plain network at its own rate is ahead of every run on the
# right. A tile with many bright cells differs from an empty one by its mean, and the mean is what the layer takes away;
# with few tiles in a batch, that is part of the answer. Batch normalisation helps where the optimisation is hard. Where
# it is easy, its noise costs something.
#
# ## On the EM stack
#
# The same question for real images and a longer run: 16 channels, depth 3, tiles of 220 pixels, Adam as `minunet
# train` has it. The stack may not be passed on with this course, so these numbers are not worked out on this page. They
# are those of
#
#     python benchmarks/batch_norm.py --data isbi:DIR --steps 600 --seed 0
#
# and of the same with the seeds 1 and 2, on two cores of an Intel Xeon, 2026-11-29, from
# [benchmarks/results](../benchmarks/results/batch_norm_em.csv): the pixel error on the five slices held out, a mean of
# three seeds. Calling every pixel a cell gives 0.199.

# %%
LOOKS = [38, 75, 150, 300, 600]  # steps
EM = {
    "He": [0.1864, 0.1654, 0.1443, 0.1166, 0.0949],
    "centred He": [0.2042, 0.1596, 0.1437, 0.1088, 0.0908],
    "batch norm": [0.2415, 0.1234, 0.1147, 0.1143, 0.1058],
    "batch norm, averaged": [0.1815, 0.1165, 0.0996, 0.1139, 0.0995],
}
figure, axes = plt.subplots(figsize=(7.5, 3.3), layout="constrained")
for (name, errors), colour in zip(EM.items(), ("black", "#009E73", "#D55E00", "#0072B2"), strict=True):
    axes.plot(LOOKS, errors, color=colour, marker="o", label=name)
    print(f"{name:<22}", "  ".join(f"{error:.3f}" for error in errors))
axes.set(title="EM slices held out", xlabel="step", ylabel="pixel error", xscale="log", xticks=LOOKS, xticklabels=LOOKS)
axes.minorticks_off()
axes.legend()
plt.show()

# %% [markdown]
# "Batch norm" predicts with running averages of momentum 0.1, made of about the last ten tiles, which were seen by
# weights that have changed since. "Averaged" is the same network with statistics averaged over 40 tiles, which its
# *present* weights have seen: forward passes, and no training. It lowers the error at all five moments, though
# hardly at step 300.
#
# Both are makeshifts: the network learns with the statistics of each tile, and predicts with others. The less a tile's
# own statistics differ from those of all tiles, the smaller the harm. So `minunet train` sends two tiles, most often of
# two images, through the network together. Where images differ much, as stained tissue does, that matters more than
# anything else that was tried ([benchmarks](../benchmarks/README.md)).
#
# After 75 steps the network with batch normalisation makes about as few errors as the plain ones after 300, and after
# 150 steps, averaged, nearly as few as they do after 600: at first it learns about four times as fast, at 1.1 times the
# time for a step. Then it stands still, and at the end the plain networks are a little ahead. So the layer is worth
# most in a run that is short for its task. This is for one tile in a step, and for one learning rate, which was chosen
# for plain networks. Why does it help here at first, and not with the synthetic cells? A likely reason: membranes are
# everywhere in an EM slice, so that the mean of a tile says little about its labels.
#
# ## Dropout
#
# The other layer with two faces. In training dropout sets each element to 0 with probability `rate`, so that no
# channel can rely on one other alone. What is kept is multiplied by 1 / (1 - rate), so that the expected value of y is
# x: with rate = 1/2 an element 3 becomes 0 or 6, and 3 on average. At prediction the layer is left out. (The paper has
# it at the end of the contracting path; batch normalisation has made it less common.)

# %%
x_ones = np.ones((1, 1, 6, 6))
y_ones, dropout_cache = dropout_forward(x_ones, 0.25, np.random.default_rng(3))
dx_ones = dropout_backward(np.ones_like(x_ones), dropout_cache)
figure, all_axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
course.draw(all_axes[0], y_ones[0, 0], "y, for x of ones and rate 1/4")
course.draw(all_axes[1], dx_ones[0, 0], "dx, for dy of ones", gradient=True)
plt.show()
many, _ = dropout_forward(np.ones(100_000), 0.25, np.random.default_rng(3))
print(f"kept elements are 1 / (1 - 1/4) = {y_ones.max():.3f}; the mean of very many is {many.mean():.3f}")

# %% [markdown]
# With the mask drawn, dropout is a multiplication by constants, 0 or 1 / (1 - rate). So the gradient is multiplied by
# the same constants. What was dropped had no effect on the loss, and gets no gradient. The mask is kept in the cache:
# a new one would be a gradient of another function.
#
# **Exercise 5.** Write its backward pass.


# %% tags=["exercise"]
def my_dropout_backward(dy, cache):
    """Return dx, in the shape of dy."""
    keep, rate = cache
    # your code: about 1 line
    return dy * keep / (1 - rate)
    # end of your code


# %% tags=["check"]
course.check("dropout_backward", my_dropout_backward)

# %% [markdown]
# **Question 3.** Dropout keeps the mean of what passes. Does it keep the mean square? What happens if a batch
# normalisation comes next, in training and at prediction?

# %% [markdown] tags=["answer"]
# No. An element x becomes x / (1 - rate) with probability 1 - rate, so its mean square is x**2 / (1 - rate): twice as
# large at rate 1/2. In training the batch normalisation sees this larger variance and its running average collects it.
# At prediction dropout is left out, the true variance is smaller than the running average, and y comes out too small.
# So one puts dropout after the last normalisation, or does without one of the two.
#
# **Rubric, 3 points.** One for the mean square that grows by 1 / (1 - rate), one for a running average that has
# collected it, one for a y that is too small at prediction.

# %% [markdown]
# ## In three lines
#
# Batch normalisation brings every channel to mean 0 and variance 1, then to beta and gamma; mean and variance depend
# on x, and so the gradient has two terms that take away its parts along a constant and along x_hat.
#
# At prediction running averages stand in for the batch, and the layer folds into the convolution before it.
#
# A layer that differs between training and prediction can be wrong in two ways, so test both.
#
# ## Where to read more
#
# [batch_norm.py](../minunet/layers/batch_norm.py) and [dropout.py](../minunet/layers/dropout.py); the network,
# [unet.py](../minunet/network/unet.py), and what folds it,
# [running_averages.py](../minunet/network/running_averages.py); the run on the EM stack,
# [batch_norm.py](../benchmarks/batch_norm.py). Ioffe and Szegedy, *Batch Normalization: Accelerating Deep Network
# Training by Reducing Internal Covariate Shift* ([arXiv 1502.03167](https://arxiv.org/abs/1502.03167)). Santurkar,
# Tsipras, Ilyas and Madry, *How Does Batch Normalization Help Optimization?* (2018), doubt the reason that its title
# gives. Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, *Dropout* (2014).
