# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 07 The whole U
#
# You have met the layers one by one. This page puts them together into the network of the paper's Fig. 1 and asks three
# questions of the whole. Which image sizes fit, and what comes out? In which order does the gradient walk back? And
# which pixels does one output pixel look at?
#
# You need this from the earlier notebooks: a *valid* 3x3 convolution takes 2 pixels off an axis (02); a ReLU is a gate
# and a 2x2 max-pool hands its gradient to the winner (03); an up-convolution doubles an axis (04);
# crop-and-concatenate has two inputs and so two gradients (05). Each layer is a pair: `y, cache = ..._forward(...)`
# and, with the cache and the gradient `dy`, `..._backward(dy, cache)`.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown

from minunet import (
    conv2d_backward,
    course,
    crop_concat_backward,
    flatten,
    gradcheck,
    init_unet,
    max_pool_backward,
    relu_backward,
    unet_backward,
    unet_forward,
    up_conv_backward,
)
from minunet.course.exercises import n07_the_whole_u as mini
from minunet.errors import InputError
from minunet.layers.conv import conv2d_forward
from minunet.network.sizes import output_size, trace
from minunet.network.summary import layer_rows, summary
from minunet.network.unet import double_conv_backward, double_conv_forward

# %% [markdown]
# ## Sizes, by hand
#
# Take the paper's image of 572x572 pixels and follow one axis, on paper. Each of two convolutions takes off 2 pixels,
# which leaves 568. The pool halves that: 284. This was *level 0*; the next level does the same with 284, and after
# four levels the image is 32 pixels wide. The *bottom* of the U has two convolutions and no pool, and leaves 28.
#
# Now up. An up-convolution doubles 28 to 56, and two convolutions leave 52. Doubled that is 104, which leaves 100;
# then 200 and 196; then 392 and 388. The last layer, the *head*, is a convolution of 1x1 and takes off nothing. So 572
# goes in and 388 comes out.

# %%
path = [572]
for _ in range(4):
    path += [path[-1] - 4, (path[-1] - 4) // 2]
path += [path[-1] - 4]
for _ in range(4):
    path += [2 * path[-1], 2 * path[-1] - 4]
print("down:  ", *path[:9], "\nbottom:", path[9], "\nup:    ", *path[10:])

# %% [markdown]
# The library does the same arithmetic before anything runs.

# %%
course.show_source(trace)

# %% [markdown]
# The skip connection of level 0 carries 568 pixels across the U, but what comes up from below has only 392 there. So
# 568 - 392 = 176 pixels have to go, 88 on each side. Deeper levels lose less. Work out level 3 before you read the
# output: 64 come in, and 56 are needed.

# %%
sizes = trace(572, depth=4)
print(sizes)
for level, crop in enumerate(sizes.crops()):
    print(f"level {level}: {sizes.down[level]} - 2 * {crop} = {sizes.down[level] - 2 * crop}")

# %% [markdown]
# **Exercise 1.** Write the walk through the U as a function for any depth: given the size `n` of the input, return the
# size of the output. You may assume that `n` fits.


# %% tags=["exercise"]
def my_output_size(n, depth):
    """Return the size of the output for an input of size n, such as 388 for n = 572 and depth = 4."""
    # your code: about 6 lines
    for _ in range(depth):
        n = (n - 4) // 2
    n = n - 4
    for _ in range(depth):
        n = 2 * n - 4
    return n
    # end of your code


# %% tags=["check"]
course.check("output_size", my_output_size)

# %% [markdown]
# ## Which sizes fit?
#
# A pool wants an even number of rows and columns. So 573 does not fit: 573 - 4 = 569 is odd. But it is not enough to
# be even at first, because what is left must be even at *each* of the four pools. The sizes that fit lie 16 = 2**4
# pixels apart: one pixel more at the bottom is 16 more at the top.
#
# The difference between input and output is the same for all of them. It is called the *border*: 572 - 388 = 184 for
# depth 4. Expect the smallest input to be 188, of which 4 output pixels are left, and an error for 573 that names its
# neighbours.

# %%
for size in (188, 204, 220, 572):
    print(f"{size} -> {output_size(size, depth=4)}")
try:
    output_size(573, depth=4)
except InputError as error:
    print(error)

# %% [markdown]
# **Exercise 2.** The other way round: you want at least `output` pixels. What is the smallest input that fits?
#
# Read the U from its end. Before its last two convolutions there were `output + 4` pixels; these came from an
# up-convolution, so below it there was half as much. If half is not a whole number, round *up*, since too many output
# pixels do no harm and too few do. In Python, `-(-a // 2)` is a half of `a`, rounded up.


# %% tags=["exercise"]
def my_smallest_input_size(output, depth):
    """Return the smallest size that fits and leaves at least that many output pixels, such as 572 for 388."""
    # your code: about 7 lines
    n = output
    for _ in range(depth):
        n = -(-(n + 4) // 2)
    n = n + 4
    for _ in range(depth):
        n = 2 * n + 4
    return n
    # end of your code


# %% tags=["check"]
course.check("smallest_input_size", my_smallest_input_size)

# %% [markdown]
# ## The picture
#
# The channels grow as the size shrinks: 64 at level 0, doubled at each level down, 1024 at the bottom, and halved
# again on the way up. There are 23 convolutional layers. The next cells draw each layer's output as a box: its height
# is the size, its width grows with the channels.


# %%
def draw_box(axes, x, row, level, colour):
    """Draw a layer's output at place x: as high as the image is large, the channels above it, the size below."""
    height, width, y = row.height / 572, 0.08 + row.out_channels / 1900, -0.8 * level
    axes.add_patch(plt.Rectangle((x, y - height / 2), width, height, facecolor=colour, edgecolor="black"))
    axes.text(x + width / 2, y + height / 2 + 0.03, row.out_channels, ha="center", fontsize=7)
    axes.text(x + width / 2, y - height / 2 - 0.1, row.height, ha="center", fontsize=7, color="#0072B2")


# %%
rows = layer_rows(572, 572)
levels = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0, 0]
colours = {"conv 3x3": "#56B4E9", "up-conv 2x2": "#009E73", "conv 1x1": "#E69F00"}
fig, axes = plt.subplots(figsize=(9, 5), layout="constrained")
for x, (row, level) in enumerate(zip(rows, levels, strict=True)):
    draw_box(axes, x, row, level, colours[row.kind])
for level in range(4):  # the skip connections
    ends = (18.9 - 3 * level, -0.8 * level), (2 * level + 1.4, -0.8 * level)
    axes.annotate("", *ends, arrowprops={"arrowstyle": "->", "color": "grey"})
    middle = (ends[0][0] + ends[1][0]) / 2
    axes.text(middle, -0.8 * level + 0.05, f"crop {sizes.crops()[level]} a side", ha="center", fontsize=7)
axes.set(xlim=(-0.5, 23.5), ylim=(-3.5, 0.7), yticks=[-0.8 * level for level in range(5)], yticklabels=range(5))
axes.set(title="the U of Fig. 1: channels above, size below", ylabel="level", xlabel="layers, in the forward order")
plt.show()

# %% [markdown]
# Blue is a 3x3 convolution with its ReLU, green an up-convolution, orange the head, and grey arrows are the skip
# connections. (The pools and the concatenations have no weights, and no box.) The network trades size for channels:
# where the image is large there are few channels, and at the bottom 28x28 pixels carry 1024 numbers each. Those
# numbers say *what* is there; the skip connections bring back *where* exactly.
#
# Here is the same as a table, with what each layer costs. One FLOP is one multiplication or one addition.

# %%
print(summary(572, 572))

# %% [markdown]
# **Question 1.** Look at the last two columns of the table. Which layers hold the parameters, and which ones take the
# time? Compare `encode.0.conv2` with `bottom.conv2`, and say why the two columns disagree.

# %% [markdown] tags=["answer"]
# The parameters sit at the bottom: `bottom.conv2` has 9.4 million of the 31 million, and `encode.0.conv2` 37 thousand,
# 256 times fewer, since a weight has an entry for every pair of channels. A weight is used once at each pixel, though,
# and there are 568 * 568 pixels at level 0 against 28 * 28 at the bottom, 412 times more. So the two take about the
# same time: 24 GFLOP at level 0 and 15 at the bottom.
#
# **Rubric, 2 points.** One for where the parameters and where the time is. One for the reason: a weight has an entry
# for each pair of channels, and is used once at each pixel.

# %% [markdown]
# ## Why valid convolutions?
#
# Most networks pad each image with a frame of zeros, so that a convolution keeps the size. The U-Net does not, and
# here is the reason in nine pixels. Take an image in which every pixel is 1, and a kernel that averages: nine taps of
# 1/9. The right answer is 1 everywhere. With padding the corner sees four ones and five invented zeros, and says 4/9;
# the middle of an edge says 6/9.

# %%
ones, average = np.ones((1, 1, 3, 3)), np.full((1, 1, 3, 3), 1 / 9)
padded = np.pad(ones, ((0, 0), (0, 0), (1, 1), (1, 1)))
y_padded, _ = conv2d_forward(padded, average, np.zeros(1))
y_valid, _ = conv2d_forward(ones, average, np.zeros(1))
print("padded", y_padded[0, 0].round(2), "valid", y_valid[0, 0].round(2), sep="\n")

# %% [markdown]
# One convolution spoils a frame of one pixel. The next one reads spoilt pixels and spoils two, and at level 3 one
# pixel stands for 8 rows and columns of the image. By the end of the U the invented zeros have crept far into the
# picture. A valid convolution answers only where it has seen real pixels.
#
# There is a second gain. Each output pixel is the same function of the image around it, wherever it lies. So an image
# too large for memory can be cut into tiles, and the tiles' outputs fit together without a seam.
#
# The next cell compares the logits of a tile with the same part of the whole image's. (This network is small: 2 levels
# above the bottom, 8 channels at level 0.) Expect differences of a few millionths, the rounding of float32 in a dozen
# layers. A second tile begins one row lower. Expect it to differ by as much as the logits themselves: its pools pair
# other rows than those of the whole image do. Tiles must lie at multiples of 2**depth, here 4. Notebook 10 builds on
# this.

# %%
rng = np.random.default_rng(7)
params = init_unet(rng, base_channels=8, depth=2)
noise = rng.normal(size=(1, 1, 76, 76)).astype(np.float32)
whole, _ = unet_forward(params, noise)
for top in (8, 9):
    tile, _ = unet_forward(params, noise[:, :, top : top + 60, 12:72])
    difference = np.abs(tile - whole[:, :, top : top + 20, 12:32]).max()
    print(f"tile {tile.shape} from row {top}: largest difference {difference:.0e}")

# %% [markdown]
# ## Forward, left to right
#
# Here is the forward pass as the library has it. Read it with the picture beside you: the first loop goes down the
# left arm and keeps each level's output in `skips`; the second climbs the right arm and takes them out again, deepest
# first. Each layer's cache is kept for the way back. (`conv2d_relu_forward` is `conv2d_forward` and `relu_forward` in
# one: the ReLU is done while a piece of y is still in the processor's fast memory. Notebook 12 shows how.) Two parts
# are for later, and do nothing here: dropout, as its rate is 0, and batch normalisation, as these `params` have no
# `norm1`. Notebook 17 tells of both.

# %%
course.show_source(unet_forward, double_conv_forward)

# %% [markdown]
# ## Backward, right to left
#
# The backward pass has to answer one question for each parameter: by how much does the loss grow if it grows? It
# starts at the logits with `dlogits`, and undoes the forward pass one layer after another. Each layer needs only the
# gradient of its own output, and its own cache. (`_conv_grads` takes a convolution's three gradients apart: `dx` goes
# on as the next `dy`, and the two others are kept for the parameters. For the very first convolution, `dx` would be
# the gradient of the image; it is computed only on request.)

# %%
course.show_source(unet_backward, double_conv_backward)

# %% [markdown]
# The two functions are one text, read in two directions. To see that, pick the lines that call a layer from each
# source, reverse those of the backward pass, and put them side by side.


# %%
def calls(function, ending):
    """Return the lines of the function's source that call a layer's forward or backward."""
    lines = [line.split("#")[0].strip() for line in inspect.getsource(function).splitlines()]
    return [line for line in lines if ending in line and " = " in line and not line.startswith("def")]


forward, backward = calls(unet_forward, "_forward("), calls(unet_backward, "_backward(")[::-1]
table = [f"| `{left}` | `{right}` |" for left, right in zip(forward, backward, strict=True)]
Markdown("\n".join(["| forward: read down | backward: read up |", "|---|---|", *table]))

# %% [markdown]
# Each row is a pair: the right side takes the gradient of what the left side returns. Follow `dy` from the last row up
# to the first. Two lines of `unet_backward` are missing here, and they belong together: `dskips.append(dskip)` and
# `dy += dskips.pop()`. They are the counterpart of `skips.append(skip)`.
#
# ## The fork
#
# `skip` is used twice: it goes to the pool, and across the U to the concatenation. A value that is used twice affects
# the loss by two paths, and its gradient is the *sum* over both.
#
# Worked by hand with single numbers: `skip = 3` wins its pool; the bottom doubles it to 6; the head takes 4 times the
# skip and 5 times what came up: 4 * 3 + 5 * 6 = 42. Now let the gradient of the logit be 1. Backward: the head gives
# `dskip = 4` to the skip connection and 5 to what came up; the bottom makes that 10, and the pool hands 10 to the
# winner. At the fork: 10 + 4 = 14.


# %%
def one_pixel(skip):
    return 4 * skip + 5 * (2 * max(skip, 0.0))


print(f"logit {one_pixel(3.0):.1f}, slope {(one_pixel(3.1) - one_pixel(2.9)) / 0.2:.1f}")

# %% [markdown]
# If you forget one of the two, there is no error: all shapes are right, and the loss may even go down. A gradient
# check finds it at once.
#
# Here is a U with all its parts on one screen: one level and the bottom, one convolution each, and no biases. Its
# arguments are the image and four weights; `_no_bias` makes the zeros that stand for a bias.

# %%
course.show_source(mini.MiniUCache, mini.mini_u_forward)

# %% [markdown]
# **Exercise 3.** Write its backward pass. You have the library's layers:
#
#     dx, dweight, dbias = conv2d_backward(dy, cache)
#     dx, dweight, dbias = up_conv_backward(dy, cache)
#     dskip, dx = crop_concat_backward(dy, cache)
#     dx = max_pool_backward(dy, cache)
#     dx = relu_backward(dy, cache)
#
# Read `mini_u_forward` from its last line to its first. The biases are zeros and not arguments, so their gradients go
# into `_`. Take care where exactly the fork is: is `skip` what goes into the ReLU, or what comes out?


# %% tags=["exercise"]
def my_mini_u_backward(dlogits, cache):
    """Return dx, ddown, dbottom, dup, dhead, the gradients of mini_u_forward's arguments."""
    # your code: about 9 lines
    dy, dhead, _ = conv2d_backward(dlogits, cache.head)
    dskip, dy = crop_concat_backward(dy, cache.concat)
    dy, dup, _ = up_conv_backward(dy, cache.up)
    dy = relu_backward(dy, cache.relu2)
    dy, dbottom, _ = conv2d_backward(dy, cache.bottom)
    dy = max_pool_backward(dy, cache.pool)
    dy = relu_backward(dy + dskip, cache.relu1)
    dx, ddown, _ = conv2d_backward(dy, cache.down)
    return dx, ddown, dbottom, dup, dhead
    # end of your code


# %% tags=["check"]
course.check("mini_u_backward", my_mini_u_backward)

# %% [markdown]
# ## The gradient check of a whole U-Net
#
# A small U-Net with 4 channels at level 0 and 2 levels above the bottom has
# 7,402<!--{sum(map(np.size,flatten(small).values())):,}--> parameters. Moving each one by a small step, up and down,
# would take 14,804 forward passes. Notebook 01 had a better way: move *all* at once along a random direction `u`, and
# compare the slope of the loss with the sum of `gradient * u`. Three directions need a few dozen forward passes,
# however large the network is.
#
# In float64, expect a worst relative error of 1e-8 or less.

# %%
small = init_unet(rng, base_channels=4, depth=2, dtype=np.float64)
print(f"{sum(map(np.size, flatten(small).values())):,} parameters")
image = rng.normal(size=(1, 1, 44, 48))
print(gradcheck(unet_forward, unet_backward, (small, image)))

# %% [markdown]
# Would it notice a small fault? The next backward pass is right but for one number of 7,402, which it makes 1 % too
# large. A wrong element changes the slope along a random direction only a little, here by one or two parts in ten
# thousand. That is why the check needs float64, whose own errors are far smaller. When a direction fails, the check
# halves it again and again until it finds the element.


# %%
def slightly_wrong_backward(dlogits, cache):
    grads = unet_backward(dlogits, cache)
    grads["encode"][1]["conv2"]["weight"][3, 5, 1, 2] *= 1.01
    return grads


print(gradcheck(unet_forward, slightly_wrong_backward, (small, image)))

# %% [markdown]
# ## What one output pixel sees
#
# The *receptive field* of an output pixel is the part of the input that it depends on. It can be worked out by walking
# back through the sizes, as you did in exercise 2, but now with the first and the last pixel that is needed: two
# convolutions need 4 more at the end; pixel `h` of an up-convolution's output was painted by pixel `h // 2`; pixel `h`
# after a pool was chosen from `2 * h` and `2 * h + 1`.
#
# By hand for one level, from output pixel 0: pixels 0 to 4 before the convolutions, 0 to 2 below the up-convolution, 0
# to 6 before the bottom's convolutions, 0 to 13 before the pool, 0 to 17 in the image. That makes 18 pixels.


# %%
def seen_by(h, depth):
    """Return the first and the last row of the input that row h of the output depends on."""
    first, last = h, h
    for _ in range(depth):
        first, last = first // 2, (last + 4) // 2
    last = last + 4
    for _ in range(depth):
        first, last = 2 * first, 2 * last + 1 + 4
    return first, last


for depth in (1, 2, 3, 4):
    first, last = seen_by(0, depth)
    print(f"depth {depth}: rows {first} to {last}, that is {last - first + 1}")

# %% [markdown]
# That was arithmetic. Now measure it. `unet_backward` can also return the gradient of the *input*, `dx`, and this
# gradient is an answer to the same question: where the output pixel does not depend on pixel [h, w] of the image,
# `dx[h, w]` is zero, or what rounding leaves of it.
#
# So let `dlogits` be zero but for a single 1, at output pixel (10, 10), and walk back. Expect the gradient in rows 8
# to 51, which are 44, and in the same columns.

# %%
field_x = rng.normal(size=(1, 1, 60, 60)).astype(np.float32)
logits, cache = unet_forward(params, field_x)
dlogits = np.zeros_like(logits)
dlogits[0, 1, 10, 10] = 1
_, dx = unet_backward(dlogits, cache, with_dx=True)
is_seen = np.abs(dx[0, 0]) > 1e-7 * np.abs(dx).max()  # and more than what rounding leaves of a zero
seen_rows, seen_columns = np.nonzero(is_seen)
print(f"computed: rows {seen_by(10, depth=2)}")
print(f"measured: rows ({seen_rows.min()}, {seen_rows.max()}), columns ({seen_columns.min()}, {seen_columns.max()})")

fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
course.draw(axes[0], dlogits[0, 1], "dlogits: one pixel", gradient=True)
course.draw(axes[1], dx[0, 0], "dx", gradient=True)
axes[2].imshow(is_seen, cmap="gray_r")
axes[2].set(title="where dx is not 0", xlabel="W = 60", xticks=[], yticks=[])
for ax in axes[1:]:
    ax.add_patch(plt.Rectangle((7.5, 7.5), 44, 44, fill=False, edgecolor="#E69F00", linewidth=2))

# %% [markdown]
# The orange square is the computed field, and `dx` fills all of it except a few pixels in one corner. Only one path
# leads to a corner of the field, and a closed ReLU or a lost pool can block it. Many paths lead to the pixels in the
# middle, over the skip connection and through all the taps of the kernels. So the pixels of the field do not count
# alike, as the picture of `dx` shows.
#
# With random weights a single `dx` is ragged. Averaged over 64 networks, its magnitude shows the shape.


# %%
def mean_dx(networks=64):
    """Return the mean of |dx| over networks with other random weights, (H, W)."""
    total = np.zeros((60, 60))
    for _ in range(networks):
        _, cache = unet_forward(init_unet(rng, base_channels=8, depth=2), field_x)
        total += np.abs(unet_backward(dlogits, cache, with_dx=True)[1][0, 0])
    return total / networks


mean_size = mean_dx()
middle = mean_size[20:40, 20:40].sum() / mean_size.sum()
print(f"the middle 20x20 pixels, {20 * 20 / 44**2:.0%} of the field, hold {middle:.0%} of the gradient")

fig, axes = plt.subplots(1, 2, figsize=(8, 3.3), layout="constrained")
course.draw(axes[0], mean_size, "mean |dx| over 64 networks", gradient=True)
axes[1].plot(mean_size[30], color="#0072B2")
axes[1].set(title="its row 30", xlabel="column of the input, W = 60", ylabel="mean |dx|", yscale="log")
plt.show()

# %% [markdown]
# (On the right, the gradient outside the field is exactly zero, and a logarithmic axis has no place for zero.) At the
# border of the field the gradient is about a hundred times smaller than in its middle. The full network's field is 188
# pixels wide (for some pixels 204, depending on where they lie in the grid of the pools). In practice this means: it
# can see more than 90 pixels far, but mostly looks at what is near.
#
# **Question 2.** You make the network deeper, from depth 4 to depth 5, and give it the same image of 572 pixels.
# Without running anything, say what happens to the border and the output, to the number of parameters and to the time.
# (In a terminal, `minunet summary --input 572 --depth=5` shows whether you were right.)

# %% [markdown] tags=["answer"]
# The border grows from 184 to 376, so 196 pixels are left. The new bottom has 2048 channels, and with it the
# parameters grow fourfold, to 124 million. The time *falls*, from 301 to 220 GFLOP, because the right arm of the U
# works on smaller images; but per output pixel it grows threefold. And the receptive field doubles: the deeper network
# sees farther, and pays with a wider border.
#
# **Rubric, 3 points.** One for the border and the output, one for the parameters, one for the time with its reason. A
# wrong number with a right reason keeps its point.

# %% [markdown]
# ## The first weights
#
# All these networks began with random weights of a certain size, which `init_unet` has chosen. How large they must be,
# so that neither the activations nor the gradients fade or explode on their way through the U, is the subject of
# [notebook 16](16_first_weights.ipynb).
#
# ## In three lines
#
# Valid convolutions cost a border, the same for each size that fits, and make every output pixel the same function of
# the image around it; `dx` of one output pixel shows how far that goes.
#
# The backward pass is the forward pass read from its last line to its first, with one sum at each fork.
#
# An output pixel sees far, and looks mostly at what is near.
#
# ## Where to read more
#
# The code of this page: [unet.py](../minunet/network/unet.py), [sizes.py](../minunet/network/sizes.py)
# and [summary.py](../minunet/network/summary.py). The gradient check along directions:
# [directions.py](../minunet/gradcheck/directions.py).
#
# The paper: Ronneberger, Fischer and Brox, *U-Net*, [arXiv 1505.04597](https://arxiv.org/abs/1505.04597), section 2.
# Luo, Li, Urtasun and Zemel, *Understanding the Effective Receptive Field* (2016), measure fields as you did here.
# Notebook 08 trains a U-Net.
