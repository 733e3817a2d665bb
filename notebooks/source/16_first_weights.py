# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 16 First weights
#
# Training starts somewhere, and where it starts is up to us. Why not at zero? If the weights are random, how large
# should they be? And what is left to improve, once their size is right? A U-Net has more than twenty layers, one after
# the other, and a small mistake in each becomes a large one at the end.
#
# What you need: the layers (notebooks 02 to 05) and the whole U (07). Three words for one layer: `weight` is
# (F, C, KH, KW), an output pixel is a sum of N = C * KH * KW products and a bias, and a ReLU sets what is negative to
# zero. The last section trains a few small networks as in notebook 08.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

from minunet import (
    adam_step,
    conv2d_backward,
    conv2d_forward,
    course,
    flatten,
    init_moments,
    init_unet,
    relu_backward,
    relu_forward,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    unet_backward,
    unet_forward,
    up_conv_forward,
)
from minunet.backend import map_tree
from minunet.data import fit_normalisation, normalise, random_tile, synthetic_cells, synthetic_dataset
from minunet.network.initialise import centre, init_conv2d, init_up_conv
from minunet.network.sizes import output_size

QUICK = "MINUNET_QUICK" in os.environ  # fewer steps, for the tests
rng = np.random.default_rng(16)

# %% [markdown]
# ## Why not zero?
#
# Take a network of two layers, with two hidden neurons and single numbers: `hidden = relu(weight * x)` for each of the
# two, and `y = head[0] * hidden[0] + head[1] * hidden[1]`. Let `x = 2`, and let `dy` be 1.
#
# If all weights are 0, then `hidden` is 0, and so `dhead = dy * hidden = 0`. And `dhidden = dy * head = 0`, so nothing
# comes back to `weight` either. Every gradient is 0, and the network stays where it is for ever.
#
# If all weights are 1, then the two neurons say the same, `hidden = (2, 2)`, and get the same gradient,
# `dweight = dy * head * x = (2, 2)`. After the step they are equal again. They remain one neuron, calculated twice.


# %%
def gradients_of_two_neurons(weight, head, x=2.0, dy=1.0):
    """Return dweight (2,) and dhead (2,)."""
    hidden = np.maximum(weight * x, 0)
    dhead = dy * hidden
    dweight = dy * head * (hidden > 0) * x
    return dweight, dhead


for name, start in {"zeros": [0.0, 0.0], "ones": [1.0, 1.0], "random": [0.3, 1.2]}.items():
    dweight, dhead = gradients_of_two_neurons(np.array(start), np.array(start[::-1]))
    print(f"{name:<7} dweight {dweight}, dhead {dhead}")

# %% [markdown]
# The same in a small U-Net. We set all weights to zero, and then to one and the same small number, and look at the
# gradients of one loss. In the first case expect a single gradient that is not zero: that of the head's bias, which
# reaches the loss without passing through a weight.

# %%
small_x = rng.normal(size=(1, 1, 44, 44))
small_labels = rng.integers(0, 2, (1, 4, 4))
random_start = init_unet(rng, base_channels=4, depth=2, dtype=np.float64)


def gradients_of(params):
    """Return the gradients of the loss, flat: {name: array}."""
    logits, cache = unet_forward(params, small_x)
    _, loss_cache = softmax_cross_entropy_forward(logits, small_labels)
    return flatten(unet_backward(softmax_cross_entropy_backward(1.0, loss_cache), cache))


zero_grads = gradients_of(map_tree(np.zeros_like, random_start))
print("not zero:", ", ".join(name for name, gradient in zero_grads.items() if gradient.any()))

# %% [markdown]
# Now the same small number in all layers but the head, against random weights everywhere. The picture shows `dweight`
# of the second convolution, its 4 output channels as rows, its 4 input channels with their 9 taps as columns. Expect
# four equal rows in the upper one.

# %%
equal_start = map_tree(lambda weight: np.full_like(weight, 0.1), random_start)
equal_start["head"] = random_start["head"]
figure, all_axes = plt.subplots(2, 1, figsize=(8, 4), layout="constrained")
for axes, (title, start) in zip(
    all_axes, {"weights of 0.1": equal_start, "random weights": random_start}.items(), strict=True
):
    dweight = gradients_of(start)["encode.0.conv2.weight"].reshape(4, 36)
    course.draw(axes, dweight, f"dweight of encode.0.conv2, {title}", gradient=True)
    axes.set(xlabel="4 input channels, 9 taps each", ylabel="F = 4")
    print(f"{title:<16} rows that differ from the first: {sum((row != dweight[0]).any() for row in dweight)}")
plt.show()

# %% [markdown]
# Rows that are equal get equal steps, and are equal after them. With such a start the network has one channel in each
# layer, however many it pays for. Random numbers make all channels different: that is all they are for.
#
# **Question 1.** `init_unet` sets all biases to zero. Why does that not do the same harm? And would it do harm to set
# only the *head's* weights to zero, and to draw all the others?

# %% [markdown] tags=["answer"]
# The channels differ by their weights already, so their biases get different gradients, and the first step makes them
# different. With a head of zeros all gradients before the head are zero in the first step, since they pass through its
# weights; but the head's own gradient is not zero, because what comes into it is not. After one step the head is no
# longer zero, and everything learns. The two logits are 0 at first, so the loss starts at exactly log(2), which some
# people like.
#
# **Rubric, 2 points.** One for the biases: the weights make the channels differ already. One for the head: it gets a
# gradient in the first step, and the layers before it from the second step on.

# %% [markdown]
# ## One neuron
#
# So the weights are random, with mean 0. How large? If they are too small, each layer makes the image fainter, and
# after twenty layers nothing arrives; if they are too large, it explodes. To say "faint" with a number we use the
# *mean square*, the mean of `y**2`, and its root, the *rms*: the typical size of a number in an array.
#
# Take one neuron with N = 4 inputs, x = (1, 2, 0, 1), and weights of standard deviation `std`. Its output is
# `y = w0 * 1 + w1 * 2 + w2 * 0 + w3 * 1`. In `y**2` there are squares, such as `(w1 * 2)**2`, and mixed terms, such as
# `2 * w0 * w1 * 2`. Over many draws of the weights a mixed term is as often positive as negative, and its mean is 0.
# The mean of `w1**2` is `std**2`. So the mean of `y**2` is
#
#     std**2 * (1 + 4 + 0 + 1) = 6 * std**2
#
# The inputs' own mean square is 6/4. In general the mean square grows by the factor N * std**2.

# %%
inputs = np.array([1.0, 2, 0, 1])
draws = rng.normal(size=(100_000, 4))


def mean_square(array):
    return float(np.mean(np.square(array)))


for std in (0.25, 0.5, 1.0):
    print(f"std {std:<4}: mean square of y {mean_square(std * draws @ inputs):.3f}, by hand {6 * std**2:.3f}")

# %% [markdown]
# A ReLU follows. Here is how `y` is distributed over all those draws, before it and after it.

# %%
figure, all_axes = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained", sharey=True)
bins = np.linspace(-8, 8, 81)
y = draws @ inputs
for axes, (title, values) in zip(all_axes, {"y": y, "relu(y)": np.maximum(y, 0)}.items(), strict=True):
    axes.hist(values, bins, color="0.6")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(title=f"{title}: mean square {mean_square(values):.2f}", xlabel=title, ylim=(0, 4000))
all_axes[0].set(ylabel="draws")
zeros = np.mean(np.maximum(y, 0) == 0)
all_axes[1].annotate(f"{zeros:.0%} are 0", (0.2, 3700))
plt.show()

# %% [markdown]
# The ReLU sets the negative half to zero, and with it goes half of the mean square, since `y` and `-y` are equally
# likely. (The bar at 0 is much higher than the picture.) So the factor for a layer with its ReLU is N * std**2 / 2,
# and to make that 1 we need
#
#     std = sqrt(2 / N)
#
# This is *He's initialisation*, and the paper's: section 3 has it in one sentence.
#
# **Exercise 1.** Return the mean of `y**2` over many draws, for any inputs x (N,), before the ReLU or after it.
# Calculate it, don't draw.


# %% tags=["exercise"]
def my_expected_mean_square(x, std, with_relu):
    """Return the mean of y**2 over weights of mean 0 and standard deviation std; after a ReLU if with_relu."""
    # your code: about 2 lines
    before = std**2 * np.sum(x**2)
    return before / 2 if with_relu else before
    # end of your code


# %% tags=["check"]
course.check("expected_mean_square", my_expected_mean_square)

# %% [markdown]
# ## What is N?
#
# For a convolution one output pixel is a sum over C channels and KH * KW taps, so N = C * KH * KW: 576 for 3x3 taps on
# 64 channels, 64 for 1x1 taps.
#
# For the up-convolution N is easy to get wrong. Its weight is (C, F, 2, 2), but each output pixel is painted by *one*
# of the four taps, so only C products are added up: N = C. The next cell tries both. No ReLU follows an
# up-convolution, so with N = C the mean square should double, and the rms grow by 1.41; with N = 4 * C it should
# shrink to 0.71.


# %%
def rms(array):
    """Return the root of the mean square."""
    return mean_square(array) ** 0.5


C, F = 256, 128
up_x = np.maximum(rng.normal(size=(1, C, 8, 8)), 0)
for name, N in (("N = C", C), ("N = 4 * C", 4 * C)):
    up_weight = rng.normal(scale=np.sqrt(2 / N), size=(C, F, 2, 2))
    up_y, _ = up_conv_forward(up_x, up_weight, np.zeros(F))
    print(f"{name:<10} rms of y / rms of x = {rms(up_y) / rms(up_x):.2f}")

# %% [markdown]
# **Exercise 2.** Return the standard deviation for a weight of the given shape: (F, C, KH, KW) for a convolution, or
# (C, F, 2, 2) for an up-convolution. (The paper does not say which N it takes there; the library takes N = C.)


# %% tags=["exercise"]
def my_he_std(shape, is_up_conv):
    """Return sqrt(2 / N), with N the number of products in the sum of one output pixel."""
    # your code: about 3 lines
    incoming = shape[0] if is_up_conv else shape[1] * shape[2] * shape[3]
    return np.sqrt(2 / incoming)
    # end of your code


# %% tags=["check"]
course.check("he_std", my_he_std)

# %% [markdown]
# The library draws the weights of the two kinds of layer like this. (`_he` draws normal numbers and multiplies them by
# the square root of 2 / N; its third argument is N.)

# %%
course.show_source(init_conv2d, init_up_conv)

# %% [markdown]
# ## Twenty layers
#
# A factor that is nearly 1 does little harm once. But it is taken to the power of the number of layers. With half of
# He's weights a layer has the factor 1/2 for the rms, and twenty layers have `(1/2)**20`, which is about one millionth.
#
# Here is a plain chain of twenty layers, each a 1x1 convolution of 64 channels and a ReLU, without a pool or a skip
# connection. The dashed lines are the prediction, `factor**layer`.

# %%
STYLE = {0.5: ("#D55E00", "s", "half of He"), 1: ("black", "o", "He"), 2: ("#0072B2", "^", "twice He")}
LAYERS, CHANNELS = 20, 64
he_weights = [rng.normal(scale=np.sqrt(2 / CHANNELS), size=(CHANNELS, CHANNELS, 1, 1)) for _ in range(LAYERS)]
chain_x = rng.normal(size=(1, CHANNELS, 24, 24))


def run_chain(factor):
    """Return the output of every layer, and all caches."""
    y, outputs, caches = chain_x, [], []
    for weight in he_weights:
        y, conv = conv2d_forward(y, factor * weight, np.zeros(CHANNELS))
        y, relu = relu_forward(y)
        outputs.append(y)
        caches.append((conv, relu))
    return outputs, caches


chains = {factor: run_chain(factor) for factor in STYLE}
layers = np.arange(1, LAYERS + 1)
figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
for factor, (colour, marker, label) in STYLE.items():
    axes.plot(layers, [rms(y) for y in chains[factor][0]], color=colour, marker=marker, label=label)
    axes.plot(layers, float(factor) ** layers * 0.71, color=colour, linestyle="--", linewidth=0.8)
axes.set(title="a chain of twenty layers", xlabel="layer", ylabel="rms of its output", yscale="log")
axes.set_xticks(layers[::2])
axes.legend()
plt.show()

# %% [markdown]
# (The prediction begins at 0.71, because the inputs have positive and negative numbers: half of their mean square goes
# with the first ReLU.) The black line wanders a little: the prediction is a mean over many draws,
# and this is one draw.
#
# ## The way back
#
# Going back, each layer multiplies `dy` by the same weights, but the sums are others. A pixel of x was read by F
# output channels, with KH * KW taps each. So one pixel of `dx` is a sum of F * KH * KW products. And the ReLU's gate
# is open for about half of the pixels. The mean square of the gradient grows by F * KH * KW * std**2 / 2.
#
# **Exercise 3.** Write that factor as a function.


# %% tags=["exercise"]
def my_gradient_growth(shape, std):
    """Return the factor for the mean square of the gradient on its way back through a ReLU and a convolution.

    The weight has this shape, (F, C, KH, KW), and this standard deviation.
    """
    # your code: about 2 lines
    F, _, KH, KW = shape
    return F * KH * KW * std**2 / 2
    # end of your code


# %% tags=["check"]
course.check("gradient_growth", my_gradient_growth)

# %% [markdown]
# With std = sqrt(2 / N) this is F / C. In the chain F = C, so forward and backward ask for the same weights, and the
# gradient keeps its size. Where a layer of a U-Net doubles the channels, F / C = 2, and where it halves them, 1/2. On
# the whole way from the first layer to the last they cancel.


# %%
def run_chain_back(caches):
    """Return the rms of dx of every layer, from the first layer to the last."""
    dy = np.random.default_rng(1).normal(size=chain_x.shape)
    sizes = []
    for conv, relu in reversed(caches):
        dy, _, _ = conv2d_backward(relu_backward(dy, relu), conv)
        sizes.append(rms(dy))
    return sizes[::-1]


# %%
figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
for factor, (colour, marker, label) in STYLE.items():
    axes.plot(layers, run_chain_back(chains[factor][1]), color=colour, marker=marker, label=label)
axes.set(title="the way back: read it from right to left", xlabel="layer", ylabel="rms of its dx", yscale="log")
axes.set_xticks(layers[::2])
axes.legend()
plt.show()

# %% [markdown]
# **Question 2.** The gradient of a *weight* is made of `dy` and of the layer's input. With half of He's weights, which
# layer of the chain gets the smallest `dweight`: the first, the last, or one between?

# %% [markdown] tags=["answer"]
# None in particular: they are all equally small. At layer l the input has shrunk by `(1/2)**(l - 1)` on its way
# forward, and `dy` by `(1/2)**(20 - l)` on its way back. The product is `(1/2)**19`, whatever l is. So the loss hardly
# depends on any of the weights. In a U-Net, with its skip connections, it is different, as the next section shows.
#
# **Rubric, 2 points.** One for the two factors, the layer's input and `dy`, and one for their product, the same in all
# layers.

# %% [markdown]
# ## The whole U: too small, right, too large
#
# Now a U-Net with depth 3 and 16 channels at level 0, on an image of synthetic cells. It is run three times: with
# He's weights, with half of them and with twice. Its cache holds what each of the 14 ReLUs put out.

# %%
cells, _ = synthetic_cells(np.random.default_rng(3), 140, 140)
cells_x = ((cells - cells.mean()) / cells.std())[None, None].astype(np.float32)
he_params = init_unet(np.random.default_rng(7), base_channels=16, depth=3)
starts = {factor: map_tree(lambda weight, k=factor: k * weight, he_params) for factor in (0.5, 1, 2)}
runs = {factor: unet_forward(start, cells_x) for factor, start in starts.items()}


def relu_outputs(cache):
    """Return the outputs of all ReLUs, in the order of the forward pass."""
    blocks = [*(level.conv for level in cache.encode), cache.bottom, *(level.conv for level in cache.decode[::-1])]
    return [relu.y for block in blocks for relu in (block.relu1, block.relu2)]


# %%
BLOCKS = ["encode.0", "encode.1", "encode.2", "bottom", "decode.2", "decode.1", "decode.0"]
figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
for factor, (logits, run_cache) in runs.items():
    colour, marker, label = STYLE[factor]
    sizes = [rms(y) for y in relu_outputs(run_cache)]
    axes.plot(sizes, color=colour, marker=marker, label=label)
    print(f"{label:<10} the largest rms is {max(sizes) / min(sizes):.3g} times the smallest; logits {rms(logits):.2g}")
axes.set(title="activations", ylabel="rms of the ReLU's output", yscale="log")
axes.set_xticks(range(0, 14, 2), BLOCKS)
axes.legend()
plt.show()

# %% [markdown]
# Half of the right size halves the rms at each layer, and the skip connections lift it again on the way up, since they
# bring activations that have fewer layers behind them. Twice the right size doubles it at each layer: the logits are
# enormous, and the softmax is certain of everything before anything is learned. With He's weights the rms changes
# little from the first ReLU to the last.
#
# ## The gradient's norm, level by level
#
# The way back has as many layers, so the gradient shrinks or grows as well. We send the same `dlogits` of length 1
# back through all three networks and look at the *norm* of each weight's gradient: the length of all its numbers taken
# as one long vector.

# %%
one_dlogits = np.random.default_rng(1).normal(size=runs[1][0].shape).astype(np.float32)
one_dlogits /= np.linalg.norm(one_dlogits)
norms = {}
for factor, (_, run_cache) in runs.items():
    grads = flatten(unet_backward(one_dlogits, run_cache))
    norms[factor] = [np.linalg.norm(grads[f"{block}.conv1.weight"]) for block in BLOCKS]
    ratio = max(norms[factor]) / min(norms[factor])
    print(f"{STYLE[factor][2]:<10} the largest norm is {ratio:.3g} times the smallest")

# %%
figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
for factor, by_block in norms.items():
    colour, marker, label = STYLE[factor]
    axes.plot(by_block, color=colour, marker=marker, label=label)
axes.set(title="gradients of the first convolution of each block", ylabel="norm of dweight", yscale="log")
axes.set_xticks(range(7), BLOCKS)
axes.legend(ncols=3, loc="center", bbox_to_anchor=(0.5, 0.68))
plt.show()

# %% [markdown]
# With He's weights the norms lie close together over the whole U. So one learning rate suits all layers, and that is
# the purpose of the whole calculation.
#
# With half of them look at the shape of the curve: the gradient at the bottom is hundreds of times smaller than that
# of `encode.0`, although `encode.0` lies *farther* from the loss. It has a short cut: over the skip connection of
# level 0 it is only two convolutions and the head away from the logits, and nearly all of its gradient comes that way.
# The deeper levels, which should find out what is a cell, learn nothing in the meantime.
#
# ## The mean that a ReLU leaves
#
# One thing is still wrong with He's weights. The output of a ReLU is never negative, so the inputs of the next layer
# have a mean that is not zero, and all of them together. The neuron multiplies this mean by the *sum* of its weights.
# By hand: four inputs (3, 3, 3, 4), and weights (1, -1, 1, 1), whose sum is 2. The output is 7, and if the last input
# were 3, it would be 6. Most of the output, 6 of 7, is the mean, and the same in every pixel; what differs from pixel
# to pixel is only 1.
#
# If a neuron's weights sum to zero, the mean has no effect. The weights (1, -1, 1, 1) minus their mean 1/2 are
# (1/2, -3/2, 1/2, 1/2), and the output is 1/2, or 0 if the last input is 3.
#
# The picture shows what it does in the network: the output of the seventh convolution of the U, at the bottom, before
# its ReLU. Each row is a channel, each column a pixel.


# %%
def before_relu(params):
    """Return what the bottom's first convolution puts out, its first 24 channels, (24, pixels)."""
    _, cache = unet_forward(params, cells_x)
    x, weight = cache.bottom.conv1
    y, _ = conv2d_forward(x, weight, params["bottom"]["conv1"]["bias"])
    return y[0, :24].reshape(24, -1)[:, :48]


centred_params = map_tree(np.copy, he_params)
centre(centred_params)
figure, all_axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for axes, (title, params) in zip(all_axes, {"He": he_params, "centred He": centred_params}.items(), strict=True):
    y = before_relu(params)
    shown = course.draw(axes, y / rms(y), f"{title}: y / rms(y)", gradient=True, limit=2.5)
    axes.set(xlabel="48 pixels", ylabel="24 channels")
    share = mean_square(y.mean(axis=1)) / mean_square(y)
    print(f"{title:<11} {share:.0%} of the mean square is the same in all pixels; {np.mean(y > 0):.0%} are positive")
figure.colorbar(shown, ax=all_axes, shrink=0.8)
plt.show()

# %% [markdown]
# On the left there are stripes: a channel is positive everywhere or negative everywhere. A ReLU in front of such a
# channel is no gate: it is open for all pixels, or closed for all. On the right the channels tell one pixel from
# another.
#
# **Exercise 4.** Centre a weight (F, C, KH, KW): subtract from each neuron's N weights their mean. That makes them a
# little smaller: of N random numbers that sum to zero only N - 1 are free. So multiply by `sqrt(N / (N - 1))`.


# %% tags=["exercise"]
def my_centred_weight(weight):
    """Return the weight (F, C, KH, KW), each neuron's sum zero, its expected mean square as before."""
    # your code: about 3 lines
    mean = weight.mean(axis=(1, 2, 3), keepdims=True)
    N = weight[0].size
    return (weight - mean) * np.sqrt(N / (N - 1))
    # end of your code


# %% tags=["check"]
course.check("centred_weight", my_centred_weight)

# %% [markdown]
# The library does this to all layers of a network, except neurons with a single input. `minunet train` starts with
# it, unless the paper's recipe is asked for: the paper has plain He weights.

# %%
course.show_source(centre)

# %% [markdown]
# ## Does it matter?
#
# Four starts, the same tiles, the same steps of Adam. Adam divides each gradient by its own usual size (notebook 08),
# so it forgives a gradient of the wrong size. Expect three of the four to differ less than the pictures above suggest.

# %%
TILE, DEPTH, STEPS = 108, 2, 10 if QUICK else 100
dataset = synthetic_dataset(seed=8, num_train=8, num_validation=1, height=160, width=160)
normalisation = fit_normalisation(dataset.train)
images = [normalise(sample.image, normalisation) for sample in dataset.train]


def draw_tile(step):
    """Return x (1, 1, 108, 108) and labels (1, 68, 68)."""
    tile_rng = np.random.default_rng([16, step])
    i = tile_rng.integers(len(images))
    sizes = (TILE, TILE), (output_size(TILE, DEPTH),) * 2
    x, labels, _ = random_tile(images[i], dataset.train[i].labels, None, tile_rng, *sizes)
    return x[None], labels[None]


def losses_from(params, rate=0.001):
    """Train params in place; return the loss of every step."""
    moments, losses = init_moments(params), []
    for step in range(STEPS):
        x, labels = draw_tile(step)
        logits, cache = unet_forward(params, x)
        loss, loss_cache = softmax_cross_entropy_forward(logits, labels)
        grads = unet_backward(softmax_cross_entropy_backward(1.0, loss_cache), cache)
        adam_step(params, grads, moments, rate, 0.9, step + 1)
        losses.append(float(loss))
    return np.array(losses)


# %%
def start_of(factor, is_centred=False):
    """Return parameters, the same draw for every start."""
    params = init_unet(np.random.default_rng(0), base_channels=16, depth=DEPTH)
    if is_centred:
        centre(params)
    return map_tree(lambda weight: (factor * weight).astype(np.float32), params)


curves = {STYLE[factor][2]: losses_from(start_of(factor)) for factor in STYLE}
curves["centred He"] = losses_from(start_of(1, is_centred=True))
for name, losses in curves.items():
    print(f"{name:<11} loss {losses[0]:9.3f} at first, {losses[-10:].mean():.3f} over the last ten steps")

# %%
figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
colours = {label: colour for colour, _, label in STYLE.values()} | {"centred He": "#009E73"}
for name, losses in curves.items():
    smooth = [losses[max(0, i - 9) : i + 1].mean() for i in range(STEPS)]
    axes.plot(smooth, color=colours[name], label=name)
axes.axhline(np.log(2), color="grey", linestyle=":", linewidth=1)
axes.text(STEPS - 1, np.log(2) * 1.03, "1/2 for both classes", ha="right", fontsize=8, color="grey")
axes.set(title="the same tiles, four starts", xlabel="step", ylabel="loss, mean of 10 steps", yscale="log")
axes.set(ylim=(0.03, 20_000))
axes.legend()
plt.show()

# %% [markdown]
# Twice He's weights start in the thousands, certain of everything and wrong about half of it, and after all these steps
# they are still far above the dotted line, where a network that says nothing would be. The three others arrive. He's
# weights set off at once. With half of He's weights the loss begins on the dotted line, and needs some steps to
# leave it.
#
# The centred weights do not win here: the images are easy, and Adam divides by the size of each gradient, a large
# common mean included. With momentum in place of Adam, and on harder images, they are ahead:
# [benchmarks/README.md](../benchmarks/README.md) has that comparison. One run of a hundred steps is no
# proof either way.
#
# **Question 3.** A second network has its input images scaled to values from 0 to 255 and not normalised. Its weights
# are He's. What happens to the activations, and to the first loss? Which change of the *first layer's* weights would
# mend it?

# %% [markdown] tags=["answer"]
# Each layer keeps the rms that it is given. So all activations are about a hundred times as large as with an image of
# mean square 1, and the logits too: the first loss is in the tens or hundreds. Dividing the first layer's weights by
# the image's rms would mend the size. It would not mend the mean: such an image is positive everywhere, so a neuron's
# output is mostly the mean grey value times the sum of its weights. Centred weights mend that, or a normalised image.
#
# **Rubric, 3 points.** One for activations and loss that are far too large, one for weights divided by the size of the
# image, one for the mean, which is still there.

# %% [markdown]
# ## In three lines
#
# Equal weights stay equal, so the start is random.
#
# With std = sqrt(2 / N), N the number of products in one output pixel's sum, activations and gradients keep one size
# through all layers; a factor of 2 per layer is a million after twenty.
#
# What a ReLU puts out has a mean, and weights that sum to zero ignore it. Notebook 17 keeps size and mean right not
# only at the start, but in every step.
#
# ## Where to read more
#
# [initialise.py](../minunet/network/initialise.py) is short. The paper has the initialisation in section 3, before
# 3.1 ([arXiv 1505.04597](https://arxiv.org/abs/1505.04597)). Glorot and Bengio, *Understanding the
# Difficulty of Training Deep Feedforward Neural Networks* (2010), look at activations and gradients as you did here.
# He, Zhang, Ren and Sun, *Delving Deep into Rectifiers* (2015), add the 2 of the ReLU.
