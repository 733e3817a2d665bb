# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 19 The same in PyTorch, and a tiny autograd
#
# You have written every backward pass by hand. Nobody does that at work: in PyTorch, JAX or TensorFlow you write the
# forward pass, and the gradients appear. **Where do they come from, are they the same numbers, and what do they cost?**
#
# To find out, this page builds such a machine, in fewer than a hundred lines of NumPy. It then computes the gradients
# of one U-Net in three ways, and compares them number by number: `unet_backward`, the tiny machine, and PyTorch. In the
# end it measures what each costs, in milliseconds and in megabytes.
#
# From earlier pages: the chain rule, and `gradcheck` (01); the layers of the U-Net (02 to 07); that gradients add up
# where a value goes two ways (05).

# %%
import inspect
import re
import time
import tracemalloc

import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

from minunet import (
    course,
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
from minunet.backend import map_tree
from minunet.course import tiny_autograd, tiny_unet
from minunet.course.tiny_autograd import Tensor, gradients
from minunet.fast.cpu.memory import give_back
from minunet.network.sizes import output_size

COLOURS = {"by hand": "#0072B2", "tiny autograd": "#D55E00", "PyTorch": "#009E73"}

# %% [markdown]
# PyTorch is not needed for the rest of the course, and not for most of this page. Cells that use it are functions
# marked `@with_torch`. Where it is missing they say so, you read what they would do, and the figures have two bars in
# place of three. `python -m pip install torch` brings it; the download is large.

# %%
try:
    import torch

    print("PyTorch is here")
except ImportError:
    torch = None
    print("no PyTorch here: python -m pip install torch")


def with_torch(cell):
    """Run a cell, written as a function, where PyTorch is installed."""
    return cell() if torch else print("no PyTorch here: the cell shows what it would do")


# %% [markdown]
# ## A calculation remembers itself
#
# Take `f = (x * y + x)**2` with x = 3 and y = 4, and write it in small steps, one operation each:
#
# | value | made of | is | slopes |
# |---|---|---|---|
# | 0 | x | 3 | |
# | 1 | y | 4 | |
# | 2 | value 0 * value 1 | 12 | 4 along value 0, 3 along value 1 |
# | 3 | value 2 + value 0 | 15 | 1 along each |
# | 4 | value 3 * value 3 | 225 | 15 along value 3, and 15 again |
#
# A *slope* is the derivative of one step alone: the product `x * y` grows by y = 4 for each unit of x. Each step knows
# its slopes from school. Nobody has to know the derivative of the whole.
#
# Now walk back. The last value's gradient is 1. Value 3 went into it twice, with the slope 15 each: 15 + 15 = **30**.
# Value 2 gets 1 * 30 = **30**. Value 1, which is y, gets 3 * 30 = **90**. And x went two ways: into the product, 4 *
# 30 = 120, and into the sum, 1 * 30. Together **150**.
#
# By school calculus: df/dx = 2 * 15 * (y + 1) = 150, and df/dy = 2 * 15 * x = 90.

# %%
steps = ("x = 3", "y = 4", "x * y = 12", "+ x = 15", "squared = 225")
places = ((0, 1), (0, 0), (1.3, 0.5), (2.6, 0.75), (3.9, 0.75))
arrows = ((0, 2, "4"), (1, 2, "3"), (2, 3, "1"), (0, 3, "1"), (3, 4, "15 + 15"))
figure, ax = plt.subplots(figsize=(8.5, 2.9), layout="constrained")
ax.set(xlim=(-0.5, 4.5), ylim=(-0.3, 1.3), title="grey: slopes, forward; orange: gradients, back")
ax.axis("off")
style = {"boxstyle": "round", "facecolor": "white", "edgecolor": "black"}
boxes = [ax.text(*place, step, ha="center", va="center", bbox=style) for place, step in zip(places, steps, strict=True)]
figure.canvas.draw()  # so that the boxes know their sizes
for i, j, slope in arrows:
    ends = {"patchA": boxes[i].get_bbox_patch(), "patchB": boxes[j].get_bbox_patch(), "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", places[j], places[i], arrowprops={"arrowstyle": "-|>", "color": "0.5", **ends})
    ax.text(*np.add(places[i], places[j]) / 2, slope, ha="center", va="center", backgroundcolor="white", color="0.3")
for (w, h), gradient in zip(places, (150, 90, 30, 30, 1), strict=True):
    ax.text(w, h - 0.14, f"gradient {gradient}", ha="center", va="top", color="#D55E00")
plt.show()

# %% [markdown]
# As an equation: with `slope[i, j]` for the slope of value i along value j,
#
#     grads[last] = 1        grads[j] = sum over all i that use j:  slope[i, j] * grads[i]
#
# Going from the last value to the first, each `grads[i]` is complete when its turn comes, since everything that uses
# value i comes after it. That is *reverse mode*: one walk gives the gradient for every value, however many there are.
#
# **Exercise 1.** Write the walk. `steps[i]` lists a pair `(j, slope)` for each operand of value i; for x and y it is
# empty.


# %% tags=["exercise"]
def my_walk_back(steps):
    """Return the gradient of the last value for each value, an array of len(steps) numbers."""
    # your code: about 6 lines
    grads = np.zeros(len(steps))
    grads[-1] = 1
    for i in reversed(range(len(steps))):
        for j, slope in steps[i]:
            grads[j] += slope * grads[i]
    return grads
    # end of your code


# %% tags=["check"]
course.check("walk_back", my_walk_back)

# %% [markdown]
# ## From numbers to arrays
#
# For arrays a slope would be a huge matrix. But you know the way out since notebook 01: a layer never builds that
# matrix. It has a backward pass that takes `dy` and returns the gradient of each input. So the machine remembers, for
# every array that it computes, three things: the array, the arrays it was made of, and a small backward pass.
#
# That is the whole class. Each method computes forward, and stores its backward pass as a function that will be
# called later, if ever. There is one trick: each tensor gets a number as it is made, so that we can sort by age.

# %%
course.show_source(tiny_autograd.Tensor)

# %% [markdown]
# Our example with arrays of one element. Expect 150 and 90, and the history from the newest value to the oldest. (225
# comes twice, since the sum of one element is a step of its own.)

# %%
x, y = Tensor([3.0]), Tensor([4.0])
a = x * y + x
f = (a * a).sum()
print("gradients", *gradients(f, [x, y]))
print("history  ", *(made.data.item() for made in tiny_autograd.history(f)))

# %% [markdown]
# ## Broadcasting, backward
#
# NumPy stretches arrays: with `x` of shape (2, 3) and a bias of shape (3,), `x + bias` uses each element of the bias in
# two rows. What is used many times gets the sum of all gradients: with dy = (1, 2, 0) in the first row and (3, -1, 2)
# in the second, dbias = (4, 1, 2). So the backward pass of a stretch is a *sum*, over the axes that were stretched.

# %%
dy_small = np.array([[1.0, 2, 0], [3, -1, 2]])
figure, axes = plt.subplots(1, 2, figsize=(6.5, 2.3), layout="constrained")
course.draw(axes[0], dy_small, "dy, (2, 3)", gradient=True, limit=4)
course.draw(axes[1], tiny_autograd.sum_to_shape(dy_small, (3,))[None], "dbias, (3,)", gradient=True, limit=4)
plt.show()

# %% [markdown]
# There are two kinds of stretched axes. One is missing at the front: (3,) became (2, 3). The other is there and has
# length 1: (3, 1, 1) became (3, 40, 40), as a bias of a convolution does.
#
# **Exercise 2.** Write the backward pass for both: sum the gradient so that it gets the shape of what was stretched.


# %% tags=["exercise"]
def my_sum_to_shape(gradient, shape):
    """Return the gradient, summed to this shape; the gradient has as many axes as shape, or more."""
    # your code: about 3 lines
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1)
    return gradient.sum(axis=stretched, keepdims=True)
    # end of your code


# %% tags=["check"]
course.check("sum_to_shape", my_sum_to_shape)

# %% [markdown]
# ## Einsum, backward
#
# Nearly all the work of a U-Net is multiply and add, and `einsum` writes each kind with letters: `"ij,jk->ik"` is a
# matrix product, `"fc,nchw->nfhw"` a 1x1 convolution. Its backward pass needs no new idea. Raise one element of `a`:
# every `y` that it went into grows, by the element of `b` that it was multiplied with. So `da` is again a sum of
# products, now of `dy` and `b`, and the letters say which: those of `da` are those of `a`.
#
#     y  = einsum("fc,nchw->nfhw", a, b)
#     da = einsum("nfhw,nchw->fc", dy, b)
#     db = einsum("nfhw,fc->nchw", dy, a)
#
# Two by two, by hand: a = (1 2, 3 4), b = (1 0, 2 1) and dy = (1 0, 0 2). `a[0, 1]` = 2 went into the two elements of
# the first row of y, with b[1, 0] = 2 and b[1, 1] = 1. Their dy is 1 and 0, so da[0, 1] = 1 * 2 + 0 * 1 = **2**.

# %%
a, b, dy = np.array([[1.0, 2], [3, 4]]), np.array([[1.0, 0], [2, 1]]), np.array([[1.0, 0], [0, 2]])
da, db = tiny_autograd.einsum("ij,jk->ik", Tensor(a), Tensor(b)).backward(dy)
figure, axes = plt.subplots(1, 5, figsize=(9.5, 2.2), layout="constrained")
for ax, (name, plane) in zip(axes, {"a": a, "b": b, "dy": dy, "da": da, "db": db}.items(), strict=True):
    course.draw(ax, plane, name, gradient=name.startswith("d"))
plt.show()

# %% [markdown]
# **Exercise 3.** Write it for any letters. Every letter of an operand is also in the other one or in the result, so
# that nothing is summed that only one of them has. `subscripts.replace("->", ",").split(",")` takes the letters apart.


# %% tags=["exercise"]
def my_einsum_backward(subscripts, dy, a, b):
    """Return da and db for y = np.einsum(subscripts, a, b)."""
    # your code: about 4 lines
    of_a, of_b, of_y = subscripts.replace("->", ",").split(",")
    da = np.einsum(f"{of_y},{of_b}->{of_a}", dy, b)
    db = np.einsum(f"{of_y},{of_a}->{of_b}", dy, a)
    return da, db
    # end of your code


# %% tags=["check"]
course.check("einsum_backward", my_einsum_backward)

# %% [markdown]
# ## The larger of two
#
# ReLU is the larger of 0 and x, and a max-pool is the larger of four, in two rounds. So one operation serves both:
# `maximum(a, b)`. Its `dy` goes to the larger one. Where the two are equal, somebody has to decide; this library gives
# the whole gradient to the first (notebook 03), and so does the tiny machine.
#
# **Exercise 4.** Write the backward pass for `a` and `b` of the same shape. At a tie `a` takes it all.


# %% tags=["exercise"]
def my_maximum_backward(dy, a, b):
    """Return da and db, in the shapes of a and b."""
    # your code: about 2 lines
    b_wins = b > a
    return dy * ~b_wins, dy * b_wins
    # end of your code


# %% tags=["check"]
course.check("maximum_backward", my_maximum_backward)

# %% [markdown]
# ## The machine
#
# That was all the calculus there is: plus, times, exp, log, maximum, einsum, and a few ways to cut and paste. The rest
# is your exercise 1, with arrays in place of numbers. Whoever builds a network from these operations never sees a
# backward pass again.

# %%
course.show_source(tiny_autograd.history, tiny_autograd.gradients)

# %%
source = re.sub(r'""".*?"""', "", inspect.getsource(tiny_autograd), flags=re.DOTALL)
print("lines of code:", sum(bool(line.strip()) for line in source.splitlines()))

# %% [markdown]
# A machine that makes gradients must be checked like any other. `gradcheck` takes a pair, so we wrap a calculation up
# as one. Expect an error near 1e-10.


# %%
def forward(x, bias):
    tensors = Tensor(x), Tensor(bias)
    y = tiny_autograd.exp(tensors[0] * tensors[0] + tensors[1])
    return y.data, (y, tensors)


def backward(dy, cache):
    y, tensors = cache
    return tuple(gradients((y * dy).sum(), tensors))


rng = np.random.default_rng(19)
print(gradcheck(forward, backward, (rng.normal(size=(2, 3)), rng.normal(size=3))))

# %% [markdown]
# ## A U-Net without a backward pass
#
# Now the layers of the U-Net, forward only. A 3x3 convolution is nine shifted views of the image, each multiplied by
# the matrix of its tap, and added up. An up-convolution is one einsum and a reshape. A crop is a slice.

# %%
course.show_source(tiny_unet.conv2d, tiny_unet.relu, tiny_unet.max_pool, tiny_unet.up_conv, tiny_unet.crop_concat)

# %%
course.show_source(tiny_unet.double_conv, tiny_unet.unet, tiny_unet.cross_entropy)

# %% [markdown]
# Compare that with `minunet/network/unet.py`, where the backward pass is as long as the forward pass. The fork of the
# skip connection, of which notebook 05 made so much, is not even mentioned here: `x` is put on a list, used twice, and
# the machine adds up.
#
# ## Number by number
#
# One U-Net with random weights, two random images, random labels and random pixel weights, in float64. First the way
# that you know.

# %%
params = init_unet(rng, base_channels=4, depth=2, dtype=np.float64)
x = rng.standard_normal((2, 1, 60, 60))
OUTPUT = output_size(60, depth=2)
labels, weights = rng.integers(0, 2, (2, OUTPUT, OUTPUT)), rng.random((2, OUTPUT, OUTPUT))


def by_hand(params, x, labels, weights):
    """Return the loss and {name: gradient}, by the library's backward passes."""
    logits, cache = unet_forward(params, x)
    loss, loss_cache = softmax_cross_entropy_forward(logits, labels, weights)
    return loss, flatten(unet_backward(softmax_cross_entropy_backward(1.0, loss_cache), cache))


loss_by_hand, grads_by_hand = by_hand(params, x, labels, weights)
print(f"loss {loss_by_hand:.15f}, {len(grads_by_hand)} arrays, {sum(g.size for g in grads_by_hand.values()):,} numbers")

# %% [markdown]
# And the tiny machine. Both loss and gradients should agree to about 15 digits: the same sums, added up in another
# order.


# %%
def by_tiny_autograd(params, x, labels, weights):
    """Return the loss and {name: gradient}; no backward pass of any layer is called."""
    tensors = map_tree(Tensor, params)
    loss = tiny_unet.cross_entropy(tiny_unet.unet(tensors, Tensor(x)), labels, weights)
    named = flatten(tensors)
    return loss.data, dict(zip(named, gradients(loss, list(named.values())), strict=True))


def differences(found, expected):
    """Return, for each parameter, the largest difference as a share of the largest gradient."""
    return {name: np.abs(found[name] - g).max() / np.abs(g).max() for name, g in expected.items()}


loss_by_tiny, grads_by_tiny = by_tiny_autograd(params, x, labels, weights)
of_tiny = differences(grads_by_tiny, grads_by_hand)
print(f"loss {loss_by_tiny:.15f}")
print(f"largest difference {max(of_tiny.values()):.1e}, in {max(of_tiny, key=of_tiny.get)}")
assert max(of_tiny.values()) < 1e-12

# %% [markdown]
# ## The same in PyTorch
#
# In PyTorch a network is a class, a `Module`. Its parts are layers, which hold their own weights, and `forward` says
# how they are used. Here it is, with the same names as minunet's parameters, so that weights can be handed over by
# name. (Where PyTorch is missing, `Module` is an empty class, and nothing is ever made of it.)

# %%
Module = torch.nn.Module if torch else object


class DoubleConv(Module):
    def __init__(self, C, F, up=False):
        super().__init__()
        if up:
            self.up = torch.nn.ConvTranspose2d(C, F, 2, stride=2)
        self.conv1 = torch.nn.Conv2d(C, F, 3)
        self.conv2 = torch.nn.Conv2d(F, F, 3)

    def forward(self, x):
        return torch.relu(self.conv2(torch.relu(self.conv1(x))))


class TorchUnet(Module):
    def __init__(self, base_channels, depth):
        super().__init__()
        widths = [base_channels * 2**level for level in range(depth + 1)]
        above = [1, *widths[:-1]]
        self.encode = torch.nn.ModuleList(DoubleConv(C, F) for C, F in zip(above[:-1], widths[:-1], strict=True))
        self.bottom = DoubleConv(widths[-2], widths[-1])
        self.decode = torch.nn.ModuleList(DoubleConv(2 * F, F, up=True) for F in widths[:-1])
        self.head = torch.nn.Conv2d(base_channels, 2, 1)

    def forward(self, x):
        skips = []
        for level in self.encode:
            skips.append(level(x))
            x = torch.nn.functional.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for level in reversed(self.decode):
            x, skip = level.up(x), skips.pop()
            cut = (skip.shape[2] - x.shape[2]) // 2
            x = level(torch.cat([skip[:, :, cut : skip.shape[2] - cut, cut : skip.shape[3] - cut], x], dim=1))
        return self.head(x)


# %% [markdown]
# PyTorch's `cross_entropy` knows class weights but no weight for each pixel, so we ask it for the surprise of each
# pixel (`reduction="none"`), and do the rest ourselves. `loss.backward()` then leaves a gradient on every parameter, as
# `.grad`.


# %%
def torch_network(params, base_channels=4, depth=2):
    """Return the network with these weights."""
    network = TorchUnet(base_channels, depth).to(torch.from_numpy(params["head"]["bias"]).dtype)
    network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in flatten(params).items()})
    return network


def torch_loss(network, x, labels, weights):
    surprise = torch.nn.functional.cross_entropy(network(x), labels, reduction="none")
    return (surprise * weights).mean()


def by_torch(params, x, labels, weights):
    """Return the loss and {name: gradient}, by PyTorch."""
    network = torch_network(params)
    loss = torch_loss(network, *map(torch.from_numpy, (x, labels, weights)))
    loss.backward()
    return loss.item(), {name: p.grad.numpy() for name, p in network.named_parameters()}


ways = {"by hand": by_hand, "tiny autograd": by_tiny_autograd} | ({"PyTorch": by_torch} if torch else {})


@with_torch
def compare_with_torch():
    torch.set_num_threads(1)  # small arrays: a second thread costs more than it gives
    loss, grads = by_torch(params, x, labels, weights)
    of_torch = differences(grads, grads_by_hand)
    print(f"loss {loss:.15f}")
    print(f"largest difference {max(of_torch.values()):.1e}, in {max(of_torch, key=of_torch.get)}")
    assert grads.keys() == grads_by_hand.keys() and max(of_torch.values()) < 1e-12


# %% [markdown]
# Look at a few of them: the first row of the first kernel of the network, the farthest from the loss. These gradients
# have come through every layer.

# %%
for name, way in ways.items():
    kernel = way(params, x, labels, weights)[1]["encode.0.conv1.weight"][0, 0]
    print(f"{name:<14}", *(f"{number:.15f}" for number in kernel[0]))

# %% [markdown]
# And all arrays, in float64 and in float32, in which one trains. Each dot is one parameter, from the first layer on the
# left to the last on the right. Expect two bands: float64 rounds in the 16th digit, float32 in the 7th.

# %%
single = [map_tree(lambda array: array.astype(np.float32), params), x.astype(np.float32), labels]
single.append(weights.astype(np.float32))
figure, ax = plt.subplots(figsize=(8.5, 3.4), layout="constrained")
for name, way in ways.items():
    for args, marker in (((params, x, labels, weights), "o"), (single, "x")):
        if name != "by hand" or marker == "x":
            off = list(differences(way(*args)[1], grads_by_hand).values())
            kind = "float64" if marker == "o" else "float32"
            ax.semilogy(np.maximum(off, 1e-17), marker, color=COLOURS[name], label=f"{name}, {kind}")
ax.set(xlabel="parameter, first layer to last", ylabel="difference from by hand, float64", ylim=(1e-17, 1e-3))
ax.legend(ncols=3, fontsize="small")
plt.show()

# %% [markdown]
# So the gradients are the same, and where they differ, it is rounding: float32 by hand differs from float64 by hand as
# much as PyTorch does. This is how minunet was tested all along (`tests/network/test_torch.py`).
#
# **Question 1.** Two implementations agree in all gradients, to 15 digits. Does that prove them right? What could both
# of them have wrong, and which check of this course would find it?

# %% [markdown] tags=["answer"]
# It proves that they compute the same thing. If both use the same wrong formula, or if one was written by looking at
# the other, they agree and are wrong. Finite differences (notebook 01) know nothing of formulas: they compare the
# backward pass with the forward pass. What they cannot see is a wrong *forward* pass, such as a loss that divides by
# the wrong count; a second implementation finds that. So you want both. And on a tie or at a kink each may choose
# differently, and none is wrong.
#
# **Rubric, 2 points.** One for: they may share a mistake. One for what finds it: finite differences for the backward
# pass, a second implementation for the forward pass.

# %% [markdown]
# ## Ten steps of training
#
# The optimiser is the same in both, too: PyTorch's `SGD` with momentum is `sgd_step` of notebook 08. Ten steps on the
# same tile; expect the same losses to nine digits.

# %%
trained, losses = map_tree(np.copy, params), []
velocity = init_velocity(trained)
for _ in range(10):
    logits, cache = unet_forward(trained, x)
    loss, loss_cache = softmax_cross_entropy_forward(logits, labels, weights)
    losses.append(loss)
    grads = unet_backward(softmax_cross_entropy_backward(1.0, loss_cache), cache)
    sgd_step(trained, grads, velocity, learning_rate=0.01, momentum=0.9)
print("by hand", *(f"{loss:.9f}" for loss in losses[::3]))


@with_torch
def train_in_torch():
    network, torch_losses = torch_network(params), []
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    for _ in range(10):
        optimiser.zero_grad()
        loss = torch_loss(network, *map(torch.from_numpy, (x, labels, weights)))
        loss.backward()
        optimiser.step()
        torch_losses.append(loss.item())
    print("PyTorch", *(f"{loss:.9f}" for loss in torch_losses[::3]))
    assert np.allclose(losses, torch_losses, rtol=1e-10)


# %% [markdown]
# Note `zero_grad()`. PyTorch *adds* each new gradient to `.grad`, for the same reason as exercise 1 does. Forget the
# call, and you train on the sum of all gradients so far, without an error.
#
# ## What it costs: time
#
# One loss and all its gradients, for a U-Net with 8 channels at the top and a tile of 108 pixels, in float32, on one
# core. The best of a few runs counts. "by hand" uses the library's fast layers (notebook 12).

# %%
params_8 = init_unet(np.random.default_rng(0), base_channels=8, depth=2)
x_8 = np.random.default_rng(1).standard_normal((1, 1, 108, 108)).astype(np.float32)
side = output_size(108, depth=2)
labels_8, weights_8 = np.random.default_rng(2).integers(0, 2, (1, side, side)), np.ones((1, side, side), np.float32)
args_8 = params_8, x_8, labels_8, weights_8


def torch_step(network):
    """Return a function that does one step's work, with a network that is there already."""
    tensors = [torch.from_numpy(array) for array in args_8[1:]]
    return lambda: torch.autograd.grad(torch_loss(network, *tensors), list(network.parameters()))


work = {"by hand": lambda: by_hand(*args_8), "tiny autograd": lambda: by_tiny_autograd(*args_8)}
if torch:
    work["PyTorch"] = torch_step(torch_network(params_8, 8))


def milliseconds(function, times=7):
    """Return the shortest time of a few runs."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return 1000 * min(seconds)


with threadpool_limits(1):
    milliseconds_of = {name: milliseconds(function) for name, function in work.items()}
    forward_alone = milliseconds(lambda: unet_forward(params_8, x_8))
numbers = sum(array.size for array in flatten(params_8).values())
print(f"by finite differences: {2 * numbers:,} forward passes, {2 * numbers * forward_alone / 1000 / 60:.0f} minutes")

# %% [markdown]
# ## What it costs: memory
#
# The backward pass needs values of the forward pass, so they must be kept in between. How many bytes are that? By hand
# they are the caches. In the tiny machine it is every tensor of the history. PyTorch reports every
# tensor that it saves. We count each array once, views with what they look at, and leave out the parameters.


# %%
def bytes_kept(arrays):
    """Return the bytes of the arrays that own the data of these, without the parameters'."""
    owners = {}
    for array in arrays:
        while isinstance(array.base, np.ndarray):
            array = array.base
        owners[id(array)] = array
    of_parameters = {id(array) for array in flatten(params_8).values()}
    return sum(array.nbytes for key, array in owners.items() if key not in of_parameters)


logits, cache = unet_forward(params_8, x_8)
_, loss_cache = softmax_cross_entropy_forward(logits, labels_8, weights_8)
caches = [array for array in flatten([cache, loss_cache]).values() if isinstance(array, np.ndarray)]
loss = tiny_unet.cross_entropy(tiny_unet.unet(map_tree(Tensor, params_8), Tensor(x_8)), labels_8, weights_8)
made = tiny_autograd.history(loss)[::-1]  # oldest first
megabytes_of = {"by hand": bytes_kept(caches) / 1e6, "tiny autograd": bytes_kept([t.data for t in made]) / 1e6}
print(f"the tiny machine made {len(made)} tensors")


@with_torch
def count_what_torch_saves():
    network, saved = torch_network(params_8, 8), {}
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}

    def note(tensor):
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        kept = torch_loss(network, *map(torch.from_numpy, args_8[1:]))
    megabytes_of["PyTorch"] = sum(size for place, size in saved.items() if place not in own) / 1e6
    assert kept.requires_grad


# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.7), layout="constrained")
for ax, values, title in zip(
    axes, (milliseconds_of, megabytes_of), ("milliseconds a step", "megabytes kept for the backward pass"), strict=True
):
    bars = ax.barh(list(values), list(values.values()), color=[COLOURS[name] for name in values])
    ax.bar_label(bars, fmt="%.1f", padding=3)
    ax.set(title=title, xlim=(0, 1.2 * max(values.values())))
    ax.invert_yaxis()
plt.show()

# %% [markdown]
# The tiny machine takes a few times as long, and keeps more than ten times as much. It keeps *everything*, needed or
# not: for each convolution nine products and nine partial sums, none of which the backward pass reads. It also writes
# an array of zeros for the gradient of each shifted view.
#
# By hand a convolution keeps its input and nothing else, and a ReLU keeps its output, which is the next layer's input
# anyway. PyTorch is about as frugal. Its unit is not the product but the layer, with a backward pass that somebody
# wrote by hand, in C++, and tuned. **A framework does not replace hand-written backward passes. It strings them
# together.**
#
# How the tiny machine's memory fills up, tensor by tensor, and how high it is at most, the backward pass included, by
# Python's own `tracemalloc`:


# %%
def peak(function):
    """Return the most memory that a function has at once, in megabytes."""
    give_back()  # the library keeps memory that an array has left; what lies idle would not be counted
    tracemalloc.start()
    function()
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return highest / 1e6


grown = [bytes_kept([t.data for t in made[:i]]) / 1e6 for i in range(0, len(made), 5)]
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(range(0, len(made), 5), grown, color=COLOURS["tiny autograd"], label="tiny autograd, forward")
ax.axhline(megabytes_of["by hand"], color=COLOURS["by hand"], linestyle="--", label="by hand, at the end of forward")
ax.set(xlabel="tensors made", ylabel="megabytes kept")
ax.legend()
plt.show()
print(f"at most, both ways: by hand {peak(work['by hand']):.1f} MB, tiny autograd {peak(work['tiny autograd']):.1f} MB")

# %% [markdown]
# What if even that is too much? Keep only some values, such as the input of each level, and compute the others again
# when the backward pass needs them. That is *checkpointing*: a second forward pass, and far fewer megabytes. Every
# framework has it.
#
# **Question 2.** A function has one input and a million outputs. What does reverse mode cost for all derivatives, and
# what would be better? Why is that not our case?

# %% [markdown] tags=["answer"]
# Reverse mode gives the gradient of *one* number, so it would need a walk for each output, a million. *Forward mode*
# carries along, with every value, its derivative for one input: a single pass for one input, whatever the number of
# outputs, and nothing has to be kept. Training is the other extreme. There is one output, the loss, and there are
# millions of inputs, the parameters. Forward mode would need a pass for each of them, and reverse mode needs one.
#
# **Rubric, 2 points.** One for a walk for each of the million outputs, and forward mode as the better way. One for:
# training has one output and millions of inputs.

# %% [markdown]
# ## So why by hand?
#
# Not because it is faster. You wrote backward passes to know what they do. Now you can read a framework's error
# message, tell a tie from a bug, see why memory runs out in the forward pass, and write the one operation that your
# framework lacks. When you do, its `autograd.Function` asks for a forward and a backward: the pair that you know. And
# `gradcheck` takes it.
#
# ## In three lines
#
# - Autograd remembers every operation, and walks back from the last to the first; where a value was used twice,
#   gradients add up.
# - By hand, by a hundred lines of NumPy and by PyTorch, the gradients of a U-Net are the same numbers, up to rounding.
# - Small operations are easy to differentiate and costly to remember; so frameworks have large ones, with backward
#   passes written by hand.
#
# ## Where to read more
#
# [tiny_autograd.py](../minunet/course/tiny_autograd.py), [tiny_unet.py](../minunet/course/tiny_unet.py)
# and, beside them, [unet.py](../minunet/network/unet.py). Karpathy's *micrograd* does the same for single numbers.
# Baydin et al., "Automatic differentiation in machine learning: a survey" (2018). PyTorch's own notes on "Autograd
# mechanics" and "Extending PyTorch"; Chen et al., "Training deep nets with sublinear memory cost" (2016), on
# checkpointing.
