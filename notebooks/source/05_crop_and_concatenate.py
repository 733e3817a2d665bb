# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 05 Crop and concatenate
#
# On the way down, the U-Net finds out what is in an image and loses track of where, because every max-pool throws away
# three of four pixels. So at every level it keeps what it had before the pool, and on the way up puts it beside what
# comes from below. This is the *skip connection*; the paper's Fig. 1 draws it as a grey arrow called "copy and crop".
#
# The layer has no weights and does no arithmetic. Yet it raises two questions that no layer before it raised: what
# are the gradients of a layer with **two inputs**, and what happens to the gradient of an array that is **used
# twice**?
#
# You need two things from the earlier notebooks. A backward pass receives `dy`, one number for each element of `y`,
# and returns the gradient of the scalar `phi = sum(dy * y)` with respect to each input of the layer. So `dx[h, w]`
# answers one question: by how much does `phi` change for each unit that `x[h, w]` is raised? And `gradcheck(forward,
# backward, args)` measures the same numbers by moving every input a little, and compares.

# %%
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

import minunet.network.unet
from minunet import course, crop_concat_backward, crop_concat_forward, gradcheck, max_pool_backward, max_pool_forward
from minunet.data import synthetic_cells
from minunet.layers import crop_concat
from minunet.network.sizes import trace
from minunet.network.unet import double_conv_backward

RED = "#B2182B"  # of gradients above zero, in all pictures of this course

# %% [markdown]
# ## Two sizes that do not fit
#
# What is kept and what comes up are not the same size. A valid 3x3 convolution takes one pixel off every side, and
# there are many of them between the two ends of a skip connection. `trace` follows the input of Fig. 1, which has 572
# pixels a side.

# %%
sizes = trace(572)
needed = [2 * size for size in [*sizes.up[1:], sizes.bottom]]  # an up-convolution doubles what is below
for level in range(4):
    print(f"level {level}: {sizes.down[level]} -> {needed[level]}, crop {sizes.crops()[level]} a side")

# %% [markdown]
# Level 0 by hand. The skip leaves at 568. The other path goes down: 568 is pooled to 284, two convolutions leave 280,
# and so on: 140, 136, 68, 64, 32, and 28 at the bottom. Then up: 28 doubles to 56, two convolutions leave 52, and so
# on: 104, 100, 200, 196, **392**. The two differ by 568 - 392 = 176 pixels, so the skip loses 176 / 2 = **88** on each
# side.

# %%
figure, all_axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
for level, axes in enumerate(all_axes):
    skip_size, size, crop = sizes.down[level], needed[level], sizes.crops()[level]
    axes.add_patch(Rectangle((0, 0), skip_size, skip_size, facecolor="#E69F00", edgecolor="black"))
    axes.add_patch(Rectangle((crop, crop), size, size, facecolor="#56B4E9", edgecolor="black"))
    axes.set(xlim=(0, skip_size), ylim=(skip_size, 0), aspect="equal", xticks=[], yticks=[])
    axes.set(title=f"level {level}", xlabel=f"W = {skip_size} -> {size}")
figure.suptitle("kept (blue) and cut off (orange), each level at its own scale")
plt.show()

# %% [markdown]
# Why the centre? The path through the bottom takes as much off the left as off the right. So what comes up shows the
# middle of the tile: its pixel (0, 0) shows the same place as pixel (88, 88) of the skip. If the crop began at the
# corner instead, each pixel would be joined with features of another place, 88 rows and 88 columns away.
#
# ## Six by six, by hand
#
# One image, one channel: a `skip` of 6x6 and an `x` of 4x4 that came up from below. In the library's letters the skip
# is (N, S, SH, SW) and `x` is (N, C, H, W). The two heights differ by 6 - 4 = 2, so `top = 2 // 2 = 1` row is cut off
# above, and one below. The same goes for the columns.

# %%
skip = np.arange(36.0).reshape(1, 1, 6, 6)  # (N, S, SH, SW)
x = 100 + np.arange(16.0).reshape(1, 1, 4, 4)  # (N, C, H, W)
y, cache = crop_concat_forward(skip, x)

figure, all_axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for axes, plane, name in zip(all_axes, (skip[0, 0], y[0, 0], y[0, 1]), ("skip", "y[0, 0]", "y[0, 1]"), strict=True):
    course.draw(axes, plane, f"{name}, {plane.shape}")
all_axes[0].add_patch(Rectangle((0.5, 0.5), 4, 4, fill=False, edgecolor="#56B4E9", linewidth=4))
plt.show()

# %% [markdown]
# The output `y` has the shape (1, 2, 4, 4): two channels. Channel 0 is the centre of the skip; its first row is 7, 8,
# 9, 10, which is row 1 of the skip without its ends. Channel 1 is `x`, unchanged. The next convolution sees both at
# every pixel: what was there, and what it is part of.
#
# As an equation in the names of the code:
#
#     top, left = (SH - H) // 2, (SW - W) // 2
#     y         = [ skip[:, :, top:top+H, left:left+W],  x ]        joined along the channels
#
# The library's function is this, and a check of the shapes. The two slices are worked out in `centre_slices`, because
# the backward pass needs the same two.

# %%
course.show_source(crop_concat_forward, crop_concat.centre_slices)

# %% [markdown]
# The cache holds two shapes and no array at all, whereas a convolution had to keep `x` and `weight`. Here the backward
# pass does not need to know what the numbers were, only where they went.
#
# **Exercise 1.** Write the forward pass. Where the two sizes differ by an odd number, `//` rounds `top` down, so the
# extra row is cut at the bottom.


# %% tags=["exercise"]
def my_crop_concat_forward(skip, x):
    """Return y, (N, S + C, H, W): the centre of skip, then x."""
    # your code: about 4 lines
    SH, SW = skip.shape[2:]
    H, W = x.shape[2:]
    top, left = (SH - H) // 2, (SW - W) // 2
    return np.concatenate([skip[:, :, top : top + H, left : left + W], x], axis=1)
    # end of your code


# %% tags=["check"]
course.check("crop_concat_forward", my_crop_concat_forward)

# %% [markdown]
# ## Backward of a crop: a frame of zeros
#
# Now the gradient. Take only channel 0, the crop, and let `dy` be sixteen small numbers. If we raise one pixel of the
# skip by 1, by how much does `phi = sum(dy * y)` change? Expect nothing for pixel (0, 0), which was cut off; `dy[0,
# 0] = 1` for pixel (1, 1), which became `y[0, 0]`; and `dy[3, 3] = -2` for pixel (4, 4).

# %%
dy_crop = np.array([[1, -2, 0, 3], [2, 1, -1, 0], [-3, 0, 2, 1], [1, -1, 1, -2]], float)
for h, w in [(0, 0), (1, 1), (4, 4), (5, 2)]:
    raised = skip[0, 0].copy()
    raised[h, w] += 1
    change = np.sum(dy_crop * raised[1:5, 1:5]) - np.sum(dy_crop * skip[0, 0, 1:5, 1:5])
    print(f"skip[{h}, {w}] + 1: phi changes by {change:g}")

# %% [markdown]
# That is the whole rule. A pixel that was kept was copied into `y`, so its gradient is a copy of `dy` at that place.
# A pixel that was cut off had no part in `y`, so its gradient is 0. The gradient of the skip is `dy` in a frame of
# zeros:
#
#     dskip = 0        and then        dskip[:, :, top:top+H, left:left+W] = dy
#
# The frame is one pixel wide here, and 88 pixels wide at level 0 of the paper's network.

# %%
dy_both = np.stack([dy_crop, np.zeros((4, 4))])[None]  # (1, 2, 4, 4): nothing comes back for x
dskip, dx = crop_concat_backward(dy_both, cache)
figure, all_axes = plt.subplots(1, 2, figsize=(6.5, 3.3), layout="constrained")
course.draw(all_axes[0], dy_crop, "dy, (4, 4)", gradient=True)
course.draw(all_axes[1], dskip[0, 0], "dskip, (6, 6)", gradient=True)
plt.show()
assert np.array_equal(dskip[0, 0, 1:5, 1:5], dy_crop)

# %% [markdown]
# Those zeros say something: along this path, nothing that happens to these pixels matters. They do not mean "unknown".
# The frame must not be left out, because a gradient must have the shape of its argument. Nor may it be filled with the
# nearest values, as one would pad an image.
#
# Notebook 04 wrote a layer as a matrix and went back with its transpose. A crop is such a matrix too. In one
# dimension, four pixels of which the middle two are kept:

# %%
picks = np.array([[0, 1, 0, 0], [0, 0, 1, 0]])  # each row picks one pixel
print("forward: ", picks @ [10, 20, 30, 40])
print("backward:", picks.T @ [5, 7])

# %% [markdown]
# Forward keeps 20 and 30; backward puts 5 and 7 into the middle and zeros around them. The rows of the matrix pick
# pixels; the columns of the pixels that nobody picked are empty, and become empty rows when the matrix is transposed.
# So the frame of zeros is no special rule.
#
# **Exercise 2.** Write the backward pass of a crop. `skip_shape` is (N, S, SH, SW), and `dy` is (N, S, H, W).


# %% tags=["exercise"]
def my_crop_backward(dy, skip_shape):
    """Return dskip, (N, S, SH, SW)."""
    # your code: about 6 lines
    SH, SW = skip_shape[2:]
    H, W = dy.shape[2:]
    top, left = (SH - H) // 2, (SW - W) // 2
    dskip = np.zeros(skip_shape)
    dskip[:, :, top : top + H, left : left + W] = dy
    return dskip
    # end of your code


# %% tags=["check"]
course.check("crop_backward", my_crop_backward)

# %% [markdown]
# ## Backward of a concatenation: cut
#
# To concatenate means to put one stack of channels after the other. Every number of `y` is a copy of exactly one
# number, of the skip or of `x`. So on the way back every number of `dy` goes to exactly one of the two: cut `dy` along
# the channels where the two were joined.
#
#     dskip = frame of zeros around dy[:, :S]
#     dx    = dy[:, S:]
#
# Two inputs, two gradients, and nothing to add up. Here is a skip of S = 1 channel and an `x` of C = 2 channels; the
# numbers 1, 2 and 3 in `dy` say which channel it is:

# %%
dy_three = np.array([1.0, 2.0, 3.0])[None, :, None, None] * np.ones((1, 3, 2, 2))  # (N, S + C, H, W)
_, cache_three = crop_concat_forward(np.zeros((1, 1, 4, 4)), np.zeros((1, 2, 2, 2)))
dskip_three, dx_three = crop_concat_backward(dy_three, cache_three)
print("dskip", dskip_three.shape, "\n", dskip_three[0, 0])
print("dx", dx_three.shape, "\n", dx_three[0])

# %% [markdown]
# The 1 went into the centre of `dskip`. The 2 and the 3 became the two channels of `dx`. Three channels went in, and
# three came out. For a layer that only copies, such a count is a quick test.
#
# **Exercise 3.** Write the whole backward pass. This check ends with a gradient check of both.


# %% tags=["exercise"]
def my_crop_concat_backward(dy, cache):
    """Return dskip, (N, S, SH, SW), and dx, (N, C, H, W)."""
    skip_shape, x_shape = cache
    # your code: about 7 lines
    S, SH, SW = skip_shape[1:]
    H, W = x_shape[2:]
    top, left = (SH - H) // 2, (SW - W) // 2
    dskip = np.zeros(skip_shape)
    dskip[:, :, top : top + H, left : left + W] = dy[:, :S]
    dx = dy[:, S:].copy()
    return dskip, dx
    # end of your code


# %% tags=["check"]
course.check("crop_concat_backward", my_crop_concat_backward)

# %% [markdown]
# Here is the library's version. It asks `centre_slices` for the same two slices as the forward pass did, so the crop
# and the frame cannot differ by one. The `.copy()` is there because a slice of `dy` shares memory with `dy`: changing
# one of them in place, later, would change the other.

# %%
course.show_source(crop_concat_backward)

# %% [markdown]
# Now the gradient check, on random numbers. The heights differ by an even number (7 and 5), the widths by an odd one
# (9 and 6). The layer is linear, so finite differences are off by rounding only: expect errors below 1e-10.

# %%
normal = np.random.default_rng(5).standard_normal
print(gradcheck(crop_concat_forward, crop_concat_backward, (normal((2, 2, 7, 9)), normal((2, 3, 5, 6)))))

# %% [markdown]
# **Question 1.** Some networks *add* the cropped skip to `x`, where the U-Net concatenates (then both must have C
# channels): `y = centre + x`. What are `dskip` and `dx` now?

# %% [markdown] tags=["answer"]
# Every number of `y` is a sum of two numbers, and raising either by 1 raises the sum by 1. So both get the whole of
# `dy`, not half of it each: `dx = dy`, and `dskip` is `dy` in its frame of zeros. Concatenation cuts the gradient in
# two; addition hands a copy to each.
#
# **Rubric, 2 points.** One for `dx = dy`, and one for `dskip`, which is `dy` in its frame of zeros. Half of `dy` for
# each: no point.

# %% [markdown]
# ## The fork: one array, two paths
#
# So far the skip was an argument of one layer. In the U-Net it is the output of two convolutions, and it takes two
# paths: into the pool, and over the skip connection. Two gradients come back for one array. What is its gradient?
#
# First with a single number. Let `s = 3` take two paths, through `2 * s**2` and through `5 * s`, and let `phi` be the
# sum. To keep the paths apart, call the number `a` on the first and `b` on the second: `phi = 2 * a**2 + 5 * b`, and
# `a` and `b` both are 3.


# %%
def two_paths(a, b):
    return 2 * a**2 + 5 * b


step = 0.001
for name, a, b in (("a alone", 3 + step, 3), ("b alone", 3, 3 + step), ("both", 3 + step, 3 + step)):
    print(f"raise {name}: slope {(two_paths(a, b) - two_paths(3, 3)) / step:.3f}")

# %% [markdown]
# The slope for `a` is 4a = 12, and the slope for `b` is 5 (the 0.002 is the error of a one-sided difference). Raising
# `s` raises both, and to first order the two changes of `phi` add up: 12 + 5 = **17**. The chain rule for a function
# of two variables says the same,
#
#     dphi/ds = dphi/da * da/ds + dphi/db * db/ds = 12 * 1 + 5 * 1
#
# and so does a direct calculation: phi = 2 s^2 + 5 s has the derivative 4 s + 5, which is 17 at s = 3.

# %%
figure, axes = plt.subplots(figsize=(7.5, 2.8), layout="constrained")
places = {"s = 3": (0, 1), "2 * a**2 = 18": (2, 2), "5 * b = 15": (2, 0), "phi = 33": (4, 1)}
for name, (across, up) in places.items():
    axes.text(across, up, name, ha="center", va="center", bbox={"boxstyle": "round", "facecolor": "0.9"}, zorder=2)
for (start, end), gradient in {(0, 1): 12, (0, 2): 5, (1, 3): 1, (2, 3): 1}.items():
    (x0, y0), (x1, y1) = list(places.values())[start], list(places.values())[end]
    axes.plot([x0, x1], [y0, y1], color="0.6", zorder=1)
    above = 0.25 if 1 in (start, end) else -0.25  # beside the line, on its outer side
    axes.text((x0 + x1) / 2, (y0 + y1) / 2 + above, f"\u2190 {gradient}", color=RED, ha="center", va="center")
axes.text(0, 0.55, "12 + 5 = 17", color=RED, ha="center")
axes.set(title="values go right (black), gradients come back (red)", xlim=(-0.6, 4.6), ylim=(-0.4, 2.5))
axes.axis("off")
plt.show()

# %% [markdown]
# The rule, for numbers and for arrays alike: **where a value is copied on the way forward, the gradients of the
# copies are added on the way back.** Nothing is averaged, and neither of the two is "the right one".
#
# We met this rule in notebook 02: a pixel of `x` is read by nine taps, so `dx` collects nine terms with `+=`. The fork
# is the same sum, of whole arrays.
#
# ## The fork on arrays
#
# Now a U of one level, small enough for pencil and paper. The skip of 6x6 takes two paths. On the path below, it is
# pooled to 3x3; a convolution whose weights are all 1 adds up windows of 2x2; an up-convolution whose weights are all
# 1 paints each sum onto a block of 2x2. That is the `x` of 4x4, and the centre of the skip goes in front of it.
#
# On the way back we keep the two paths apart for a moment. `from_skip` comes straight from `crop_concat_backward`.
# `from_pool` takes the longer path: the same layers in reverse order.


# %%
def small_u_forward(skip):
    """(N, 1, 6, 6) -> (N, 2, 4, 4)."""
    ones, zero = np.ones((1, 1, 2, 2)), np.zeros(1)
    pooled, pool = max_pool_forward(skip)  # (N, 1, 3, 3)
    below, conv = minunet.conv2d_forward(pooled, ones, zero)  # (N, 1, 2, 2)
    x, up = minunet.up_conv_forward(below, ones, zero)  # (N, 1, 4, 4)
    y, concat = crop_concat_forward(skip, x)  # (N, 2, 4, 4)
    return y, (pool, conv, up, concat)


def gradients_of_both_paths(dy, cache):
    """Return from_pool and from_skip, (N, 1, 6, 6) each."""
    pool, conv, up, concat = cache
    from_skip, dx = crop_concat_backward(dy, concat)
    dbelow, _, _ = minunet.up_conv_backward(dx, up)
    dpooled, _, _ = minunet.conv2d_backward(dbelow, conv)
    return max_pool_backward(dpooled, pool), from_skip


# %% [markdown]
# By hand. Channel 0 of `dy` is the `dy` of the crop above, so it comes back in its frame of zeros. Channel 1 holds
# ones, chosen so that its four blocks add up to 1, 2, 3 and 4. The up-convolution hands back these sums. Each pixel of
# the pooled 3x3 was in one, two or four windows, and gets the sum of theirs: 1, 1 + 2, 2 in the first row, and 1 + 2 +
# 3 + 4 = 10 in the middle. The pool hands each to the winner of its window.

# %%
ones_in_blocks = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 1, 1]])
dy_fork = np.stack([dy_crop, ones_in_blocks])[None].astype(float)  # (1, 2, 4, 4)
skip_fork = np.random.default_rng(5).permutation(36).reshape(1, 1, 6, 6).astype(float)
_, cache_fork = small_u_forward(skip_fork)
from_pool, from_skip = gradients_of_both_paths(dy_fork, cache_fork)
assert np.array_equal(from_pool.reshape(3, 2, 3, 2).sum(axis=(1, 3)), [[1, 3, 2], [4, 10, 6], [3, 7, 4]])

figure, all_axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
planes = {"from the pool": from_pool, "from the skip connection": from_skip, "their sum": from_pool + from_skip}
for axes, (name, plane) in zip(all_axes, planes.items(), strict=True):
    course.draw(axes, plane[0, 0], name, gradient=True, limit=12)
plt.show()

# %% [markdown]
# Read four pixels of the sum. Pixel (2, 3) won its window and lies in the centre: 10 - 1 = 9. Pixel (1, 2) lost its
# window: its -2 comes from the skip connection alone. Pixel (5, 0) lies in the frame, and still has a gradient, 3,
# from the pool alone: what is cut off the skip still acts through the levels below. Pixel (0, 0) was cut off and lost
# its window, and gets 0.
#
# **Exercise 4.** Write the backward pass of a fork whose two paths are a max-pool and a skip connection. `dy` is the
# gradient of the pool's output, and `dskip` is what came back over the skip connection. Call the library's
# `max_pool_backward`.


# %% tags=["exercise"]
def my_fork_backward(dy, cache, dskip):
    """Return dx, (N, F, H, W): the gradient of the array that went into the pool and into the skip connection."""
    # your code: about 2 lines
    from_pool = max_pool_backward(dy, cache)
    return from_pool + dskip
    # end of your code


# %% tags=["check"]
course.check("fork_backward", my_fork_backward)

# %% [markdown]
# ## The line in `unet_backward`
#
# Here is the library's backward pass of the whole U. Look for the fork: it is one line, in the last loop. (Dropout and
# `norm1` are for networks that have them; notebook 17 tells of both.)

# %%
course.show_source(minunet.unet_backward)

# %% [markdown]
# `dy += dskips.pop()` is our sum. What it adds was computed earlier, in the first loop, which undoes the way up
# from level 0 to the deepest level and keeps each `dskip` in a list. The last loop undoes the way down from the
# deepest level to level 0. So it needs the list from its end, and `pop` takes the last one first: the `dskip` of level
# 3 (64 pixels wide, with a frame of 4) meets the pool's gradient of level 3, and so on up.
#
# ## What goes wrong
#
# Here are five mistakes, each a small slip in the backward pass. First, two in the layer: the frame begins one column
# late, and the two halves of `dy` are swapped. The second needs S = C, or the shapes would give it away at once.


# %%
def frame_one_late(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    return np.roll(dskip, 1, axis=3), dx


def halves_swapped(dy, cache):
    return crop_concat_backward(np.roll(dy, 2, axis=1), cache)


args = np.random.default_rng(5).standard_normal((1, 2, 6, 6)), np.random.default_rng(6).standard_normal((1, 2, 4, 4))
for mistake in (frame_one_late, halves_swapped):
    print(mistake.__name__, *gradcheck(crop_concat_forward, mistake, args).findings, sep="\n  ")

# %% [markdown]
# The numbers in brackets tell a lot. With the late frame only `skip` is wrong, in
# 40<!--{gradcheck(crop_concat_forward,frame_one_late,args).findings[0].count}--> of its 72 elements: in each of two
# channels, a square of 4x4 and the same square one column further on cover 4 x 5 = 20 pixels. The report names the
# cause: "shifted by one". With the halves swapped both arguments are wrong, in
# 32<!--{gradcheck(crop_concat_forward,halves_swapped,args).findings[1].count}--> elements each: 2 channels of 4x4, the
# centre without the frame. And the analytic number of one finding is the numeric one of the other.
#
# Now the fork of the small U: first the right sum, as a forward/backward pair of its own, then three slips. It is
# linear as long as no winner changes: every output is a weighted sum of pixels. So expect no finding for the right
# sum, and an error of rounding only, near 1e-10.

# %%
joins = {
    "the sum": lambda from_pool, from_skip: from_pool + from_skip,
    "the pool's gradient is lost": lambda from_pool, from_skip: from_skip,
    "the skip's gradient is lost": lambda from_pool, from_skip: from_pool,
    "the skip's is added twice": lambda from_pool, from_skip: from_pool + 2 * from_skip,
}
skip_random = np.random.default_rng(7).standard_normal((1, 1, 6, 6))


def check_fork(join):
    def backward(dy, cache):
        return join(*gradients_of_both_paths(dy, cache))

    return gradcheck(small_u_forward, backward, (skip_random,))


for title, join in joins.items():
    report = check_fork(join)
    print(f"{title}: error {report.rows[0].error:.0e}", *report.findings, sep="\n  ")

# %% [markdown]
# Again the counts tell which path is at fault. **9<!--{check_fork(list(joins.values())[1]).findings[0].count}--> of
# 36**: there are nine windows and nine winners, so it is the path through the pool.
# **16<!--{check_fork(list(joins.values())[2]).findings[0].count}--> of 36**: a centre of 4x4, so it is the skip
# connection. The two numbers tell whether its gradient was lost or doubled. Pixel (4, 1) lost its window, so its
# gradient comes from the skip alone: analytic is 0 where that was lost, and twice the numeric one where it was added
# twice.
#
# ## The same slip in a whole U-Net
#
# In a network a wrong gradient is passed on through every layer that the backward pass reaches after the fork. Within
# the `with` block, we replace the library's `crop_concat_backward` by one that loses `dskip`, and look at the error of
# each parameter's gradient.


# %%
def dskip_lost(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    return 0 * dskip, dx


params = minunet.init_unet(np.random.default_rng(5), base_channels=2, depth=1, dtype=np.float64)
for name, array in minunet.flatten(params).items():
    if name.endswith("bias"):
        array += np.random.default_rng(len(name)).uniform(0.2, 1, array.shape)  # so that no ReLU is closed for good
tile = np.random.default_rng(5).standard_normal((1, 1, 20, 20))
with mock.patch.object(minunet.network.unet, "crop_concat_backward", dskip_lost):
    rows = gradcheck(minunet.unet_forward, minunet.unet_backward, (params, tile)).rows

figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
names = [row.argument.removeprefix("params.") for row in rows]
axes.barh(names, [row.error for row in rows], color=["#D55E00" if row.error > 1e-6 else "#0072B2" for row in rows])
axes.set(xscale="log", xlim=(1e-11, 10), xlabel="worst relative error")
axes.set(title="dskip lost: gradient errors, in the order of the forward pass")
axes.invert_yaxis()
plt.show()

# %% [markdown]
# The blue ones are right to eight digits and more; the errors of the orange ones are as large as the gradients
# themselves. All the orange ones belong to `encode`. The backward pass went through the head, the way up and the
# bottom before it reached the fork, and up to there everything was right. So the rule for a network: **go through the
# parameters in the order of the forward pass; the slip lies between the last one that is wrong and the first one that
# is right.** Here that is between `encode.0.conv2` and `bottom.conv1`, and there is the fork.
#
# Would training have shown it? Take one picture of synthetic cells, a U with one level and 8 channels, and 60 steps of
# plain gradient descent. We do it twice, with the right backward pass and with the one that loses `dskip`. What do you
# expect the second loss curve to look like? (The loss is the subject of notebook 06. Here it is enough that it gives
# one number, and `dlogits`, with which the backward pass begins.)

# %%
image, instances = synthetic_cells(np.random.default_rng(2), 76, 76)
x_cells = ((image - image.mean()) / image.std())[None, None]  # (1, 1, 76, 76) float32
border = (76 - minunet.output_size(76, depth=1)) // 2
labels = (instances > 0).astype(int)[None, border:-border, border:-border]  # (1, 60, 60)


def losses_of_60_steps(crop_backward):
    params = minunet.init_unet(np.random.default_rng(1), base_channels=8, depth=1)
    losses = []
    with mock.patch.object(minunet.network.unet, "crop_concat_backward", crop_backward):
        for _ in range(60):
            logits, cache = minunet.unet_forward(params, x_cells)
            loss, loss_cache = minunet.softmax_cross_entropy_forward(logits, labels)
            dlogits = minunet.softmax_cross_entropy_backward(np.ones((), np.float32), loss_cache)
            grads = minunet.flatten(minunet.unet_backward(dlogits, cache))
            for name, parameter in minunet.flatten(params).items():
                parameter -= 0.05 * grads[name]  # minunet.flatten gives the arrays themselves
            losses.append(float(loss))
    return losses


# %%
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
axes.plot(losses_of_60_steps(crop_concat_backward), color="#0072B2", label="right")
axes.plot(losses_of_60_steps(dskip_lost), "--", color="#D55E00", label="dskip lost")
axes.set(xlabel="step", ylabel="loss", ylim=(0, None), title="a loss curve cannot tell")
axes.legend()
plt.show()

# %% [markdown]
# The wrong one trains as well. The head, the way up and the bottom get the right gradient, and the encoder a part of
# it. That is enough to learn one picture, here even a little faster between steps 10 and 20. A network with a wrong
# backward pass does not crash and does not stand still, so nobody looks for the mistake. That is why we check
# gradients.
#
# ## What the gradient looks like
#
# Here are the same picture and network at the first step, taken back by hand from the loss to the fork. Every line
# undoes one line of `unet_forward`; `double_conv` is the library's name for two convolutions with their ReLUs.

# %%
params_cells = minunet.init_unet(np.random.default_rng(1), base_channels=8, depth=1)
logits, cache_cells = minunet.unet_forward(params_cells, x_cells)
_, loss_cache = minunet.softmax_cross_entropy_forward(logits, labels)
dlogits = minunet.softmax_cross_entropy_backward(np.ones((), np.float32), loss_cache)

decode, encode = cache_cells.decode[0], cache_cells.encode[0]
dy_head, _, _ = minunet.conv2d_backward(dlogits, cache_cells.head)
dy_concat, _ = double_conv_backward(dy_head, decode.conv)
dskip_cells, dy_up = crop_concat_backward(dy_concat, decode.concat)
dy_bottom, _, _ = minunet.up_conv_backward(dy_up, decode.up)
dy_pool, _ = double_conv_backward(dy_bottom, cache_cells.bottom)
dpool_cells = max_pool_backward(dy_pool, encode.pool)

figure, all_axes = plt.subplots(1, 3, figsize=(9, 3.5), layout="constrained")
both = {"from the pool": dpool_cells, "from the skip connection": dskip_cells, "their sum": dpool_cells + dskip_cells}
limit = np.percentile(np.abs(dskip_cells), 99)
for axes, (name, array) in zip(all_axes, both.items(), strict=True):
    course.draw(axes, array[0, 0, :28, :28], name, gradient=True, limit=limit)
figure.suptitle(f"channel 0 of {dskip_cells.shape}, its corner of 28x28")
plt.show()

# %% [markdown]
# On the left, the pool's gradient: single pixels, at most one in each 2x2 window, because only winners get any. In the
# middle, that of the skip connection: nearly every pixel has one, except in the frame of zeros, four pixels wide, as
# `trace` says for one level. (The woven pattern comes from the next layers: the up-convolution has different weights
# for each of the four pixels of a block, and the ReLUs after it open and close accordingly.) On the right, their sum:
# both in the centre, only the winners in the frame.
#
# **Question 2.** In the paper's network the skip of level 0 loses 88 pixels a side. Does the outermost pixel of the
# 572x572 input get any gradient? By which path?

# %% [markdown] tags=["answer"]
# It may. Not over the skip connection of level 0, where it was cut off, nor over those of levels 1 to 3, whose frames
# cover it too. But it may get some through the pools and the bottom: the output has 388 = 572 - 184 pixels because the
# path through the bottom sees 92 pixels beyond it on every side, and 92 is exactly how far the outermost pixel lies
# from the output. Whether it does depends on the winners of the pools and the gates of the ReLUs.
#
# **Rubric, 2 points.** One for: not over the skip connections. One for: through the pools and the bottom it may, with
# the count of 92 pixels.

# %% [markdown]
# ## In three lines
#
# A layer with two inputs has two gradients; a concatenation is undone by a cut along the channels. What was cropped
# away gets 0: the gradient of a crop is `dy` in a frame of zeros. An array that is used twice gets the sum of the two
# gradients; forget one, and the network trains all the same.
#
# ## Where to read more
#
# [crop_concat.py](../minunet/layers/crop_concat.py) and the last loop of
# [unet.py](../minunet/network/unet.py); [sizes.py](../minunet/network/sizes.py) for the sizes; Fig. 1 and section 2
# of the paper
# ([arXiv 1505.04597](https://arxiv.org/abs/1505.04597)). The sum at the fork is the multivariate chain rule of every
# calculus text; in *Deep Learning* by Goodfellow, Bengio and Courville it is section 6.5.
