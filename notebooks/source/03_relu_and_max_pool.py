# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 03 ReLU and max-pool
#
# A convolution adds and multiplies. The two layers of this notebook do neither: **ReLU** sets negative pixels to zero,
# **max-pool** keeps the largest of four pixels and drops the others. They have no parameters. They *decide*. What is
# the derivative of a decision, where does the gradient of a dropped pixel go, and what happens exactly where the
# decision tips over?
#
# You need three things from the earlier notebooks. Images have the axes N, C, H, W: image in the batch, channel, row,
# column. A backward pass turns `dy` into `dx`: `dy` says how much some number `phi` at the end changes for a small
# change of each pixel of `y`, and `dx` says the same for each pixel of `x`. To test it, let `phi = sum(dy * y)`, move
# one pixel of `x` a little to both sides, and compare the slope of `phi` with `dx`; `gradcheck` does this for every
# pixel.

# %%
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from minunet import (
    InputError,
    conv2d_backward,
    conv2d_forward,
    course,
    gradcheck,
    max_pool_backward,
    max_pool_forward,
    relu_backward,
    relu_forward,
)
from minunet.data.synthetic.cells import synthetic_cells
from minunet.layers.pool import CORNERS, MaxPoolCache
from minunet.layers.relu import ReluCache
from minunet.network.sizes import fits

# %% [markdown]
# ## ReLU: nine pixels by hand
#
# The rule: a positive number stays; anything else becomes 0.
#
# ```
#       2  -1   3               2   0   3
# x =  -4   1  -2         y =   0   1   0
#      -2   5  -3               0   5   0
# ```
#
# Four numbers passed, five did not. We call the place where this is decided a **gate**. There is one gate in front of
# every pixel, open where `x > 0` and closed elsewhere.

# %%
x = np.array([[2.0, -1, 3], [-4, 1, -2], [-2, 5, -3]])
y, cache = relu_forward(x)
gate = x > 0

fig, axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
course.draw(axes[0], x, "x")
course.draw(axes[1], gate, "gate: x > 0")
course.draw(axes[2], y, "y = x * gate")
plt.show()

# %% [markdown]
# Add 0.01 to the 2 at `x[0, 0]`, and `y[0, 0]` rises by 0.01 too: at an open gate the slope is 1. Add 0.01 to the -1 at
# `x[0, 1]`, and `y[0, 1]` stays 0: at a closed gate the slope is 0. Now `phi = sum(dy * y)` weighs the pixels of `y` by
# `dy`, so its slope along a pixel of `x` is `dy` times 1, or `dy` times 0.
#
# ```
#        1   2  -3                1   0  -3
# dy =   4  -1   2         dx =   0  -1   0
#       -2   3   1                0   3   0
# ```
#
# The gradient passes where the pixel passed. The -3 in the corner passes like any other number: the gate depends on
# the sign of `x`; the sign of `dy` plays no part.

# %%
dy = np.array([[1.0, 2, -3], [4, -1, 2], [-2, 3, 1]])
dx = relu_backward(dy, cache)
assert np.array_equal(dx, [[1, 0, -3], [0, -1, 0], [0, 3, 0]])

fig, axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
course.draw(axes[0], dy, "dy", gradient=True, limit=4)
course.draw(axes[1], gate, "gate: x > 0")
course.draw(axes[2], dx, "dx = dy * gate", gradient=True, limit=4)
plt.show()

# %% [markdown]
# Read the picture as a mask laid over `dy`. The forward pass cut the mask; the backward pass only applies it. So the
# forward pass must keep what is needed to find the gates again, and that is what the **cache** is for.
#
# The next cell measures all nine slopes of `phi`: it moves one pixel of `x` at a time, by 0.0001 up and down. Expect
# the nine numbers of `dx`.


# %%
def measured(forward, x, dy, step=1e-4):
    """Return the slope of sum(dy * y) along each number of x, by central differences."""
    slopes = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        nudge = np.zeros_like(x)
        nudge[index] = step
        change = forward(x + nudge)[0] - forward(x - nudge)[0]
        slopes[index] = np.sum(dy * change) / (2 * step)
    return slopes


print(measured(relu_forward, x, dy).round(6) + 0.0)  # + 0.0 makes a 0 of a rounded -0

# %% [markdown]
# ### The equation
#
# ```
# y  = x   where x > 0,  else 0
# dx = dy  where x > 0,  else 0
# ```
#
# The second line is the chain rule for one pixel, $dx = dy \cdot \partial y / \partial x$, with a derivative that is 1
# or 0.
#
# **Exercise 1.** Write the backward pass. The cache holds `y`, and not `x`: think for a moment why `y` is enough. The
# arrays may have any shape.


# %% tags=["exercise"]
def my_relu_backward(dy, cache):
    """Return dx, of the shape of dy."""
    y = cache.y
    # your code: about 1 line
    dx = dy * (y > 0)
    return dx
    # end of your code


# %% tags=["check"]
course.check("relu_backward", my_relu_backward)

# %% [markdown]
# Now the library's pair. `y > 0` holds exactly where `x > 0` does, so the gates can be read off `y`. That costs no
# memory: the next layer keeps `y` in its own cache anyway.
#
# The cell runs the gradient check first and shows the source below it. ReLU is a straight line on each side of 0, and
# a central difference on a straight line is exact but for rounding: expect an error of 1e-10 at most.

# %%
smooth_x = np.random.default_rng(3).normal(size=(2, 3, 6, 5))
print(gradcheck(relu_forward, relu_backward, (smooth_x,)))
course.show_source(ReluCache, relu_forward, relu_backward)

# %% [markdown]
# ### What the gradient looks like
#
# A 3x3 kernel that responds to the left edges of cells turns an image of cells into `edges`, and ReLU keeps its
# positive part. We send back a `dy` of pure noise. Expect noise in `dx` too, but mostly along the left edges of the
# cells, and white nearly everywhere else. Every image opens its own gates, and so decides which part of the network
# learns from it.

# %%
image, _ = synthetic_cells(np.random.default_rng(12), 128, 128)
kernel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])[None, None]
edges, _ = conv2d_forward(image[None, None].astype(float), kernel, np.array([-0.2]))
edges_y, edges_cache = relu_forward(edges)
noise_dy = np.random.default_rng(5).normal(size=edges.shape)
edges_dx = relu_backward(noise_dy, edges_cache)

fig, axes = plt.subplots(1, 4, figsize=(9, 2.7), layout="constrained")
course.draw_image(axes[0], image, "image")
course.draw_image(axes[1], edges[0, 0], "edges, before ReLU")
course.draw(axes[2], noise_dy[0, 0], "dy: noise", gradient=True)
course.draw(axes[3], edges_dx[0, 0], "dx: noise, gated", gradient=True)
plt.show()

# %% [markdown]
# ## The kink at zero
#
# At `x = 0` the line has a corner, called a **kink**. Measure the slope there from each side. The *right slope* uses
# `x` and `x + step`, the *left slope* uses `x - step` and `x`. The *central slope*, the one that we have used so far,
# uses the two outer points, and is the mean of the other two.
#
# By hand with `step = 0.1`: right (0.1 - 0) / 0.1 = 1, left (0 - 0) / 0.1 = 0, central 0.5. Expect the same three
# numbers at every step.


# %%
def relu(t):
    return np.maximum(t, 0.0)


def right_and_left(f, t, step):
    """Return the slopes of f to the right and to the left of t."""
    return (f(t + step) - f(t)) / step, (f(t) - f(t - step)) / step


for step in (1e-1, 1e-3, 1e-6):
    right, left = right_and_left(relu, 0.0, step)
    print(f"step {step:.0e}   right {right:.3f}   left {left:.3f}   central {(right + left) / 2:.3f}")

# %%
t = np.linspace(-1, 1, 201)
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
axis.plot(t, relu(t), color="#999999", linewidth=6, label="relu(t)")
axis.plot([-0.6, 0.6], [0, 0.6], "o--", color="black", label="central: slope 0.5")
axis.plot([0, 0.6], [0, 0.6], "o-", color="#D55E00", label="right: slope 1")
axis.plot([-0.6, 0], [0, 0], "o-", color="#0072B2", label="left: slope 0")
axis.set(xlabel="t", ylabel="relu(t)", title="three slopes at the kink, step 0.6")
axis.legend()
plt.show()

# %% [markdown]
# There is no derivative at 0: there are two slopes, one on each side. Any choice from 0 to 1 can be defended (it is
# called a *subgradient*), and the library chooses 0, as almost everybody does. The 0.5 is not a third choice: it is
# merely the mean of the two.
#
# On a smooth function the gap between right and left closes as the step shrinks; for `t * t` at 1 it is 2 * step. The
# next picture shows the gap for smaller and smaller steps. At 0, expect ReLU to keep a gap of 1 for ever. At 0.0001,
# *near* the kink, expect a gap as long as the step reaches across the kink, and none after that.

# %%
steps = np.logspace(-1, -7, 61)
curves = {
    "relu at 0": (relu, 0.0, "#D55E00", "-"),
    "relu at 0.0001": (relu, 1e-4, "#0072B2", "--"),
    "t * t at 1": (np.square, 1.0, "black", ":"),
}
fig, axis = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for label, (f, where, colour, style) in curves.items():
    gaps = [np.subtract(*right_and_left(f, where, step)) for step in steps]
    axis.semilogx(steps, gaps, style, color=colour, label=label, linewidth=2)
axis.set(xlabel="step", ylabel="right slope - left slope", title="a kink is a gap that does not close")
axis.invert_xaxis()
axis.legend()
plt.show()

# %% [markdown]
# ### How the checker reads it
#
# This is how `gradcheck` tells a kink from a mistake. Where its central slope disagrees with `dx`, it tries a ladder of
# steps, down to about 1e-8. If the gap closes and the slope agrees, all is well. If the gap stays open, and `dx` lies
# between the two slopes or is one of them, the verdict is `kink`, and the number is left out of the comparison.
# Otherwise it is `wrong`.
#
# Let us feed it whole numbers, three zeros among them. Expect `ok`, 17 of 20 numbers compared, and a line about the
# rest.

# %%
kinked_x = np.array([[2.0, -2, -3, -1, 4], [2, 2, 0, -2, -2], [-1, 0, 1, 0, -1], [-2, 1, 1, -2, -2]])
report = gradcheck(relu_forward, relu_backward, (kinked_x,))
print(report)
assert report.ok and report.findings[0].count == 3

# %% [markdown]
# Read what stands below the table piece by piece. `kink in x[1, 2]` is the place of the first zero. `analytic 0` is
# what the backward pass says there, and `numeric` -0.34<!--{report.findings[0].numeric:.2f}--> is the central slope,
# half of `dy[1, 2]`. `(3 of 20 elements)` says how many were left out. Always read this count. (20 of 20 would be
# `vacuous`: nothing was compared.)
#
# Note also that **at a kink the checker is half blind**: it accepts whatever lies between the two slopes. The next
# backward pass returns 17 at every zero, which is not the slope of anything; expect `wrong`. But 0.3 times `dy` would
# pass there. So check a layer at random numbers, where an exact 0 does not occur, and test the convention at 0 by
# hand, as the tiny case of exercise 1 does.


# %%
def seventeen_at_zero(dy, cache):
    dx = relu_backward(dy, cache)
    dx[kinked_x == 0] = 17
    return dx


print(gradcheck(relu_forward, seventeen_at_zero, (kinked_x,)))

# %% [markdown]
# ## Gates that never open
#
# Suppose a channel has so low a bias that its gates are closed for every pixel of every image. Then `dx` is 0
# everywhere, the convolution in front receives no gradient, its weight and bias do not change, and the gates stay
# closed. This is called a **dead ReLU**. It usually comes from a single training step that was too long.
#
# The cell takes one kernel three times, with the biases 0, -1 and -20, and sends the same kind of noise back. Expect
# about half of the gates open in the first channel, a few in the second, and none in the third, whose gradients are 0.

# %%
plain_x = np.random.default_rng(6).normal(size=(4, 1, 18, 18))
three_weight = np.repeat(np.random.default_rng(7).normal(size=(1, 1, 3, 3)) / 3, 3, axis=0)
three_bias = np.array([0.0, -1.0, -20.0])
three_conv, three_conv_cache = conv2d_forward(plain_x, three_weight, three_bias)
three_y, three_cache = relu_forward(three_conv)
three_dy = np.random.default_rng(8).normal(size=three_y.shape)
_, three_dweight, three_dbias = conv2d_backward(relu_backward(three_dy, three_cache), three_conv_cache)

for f in range(3):
    print(f"bias {three_bias[f]:>5}   open gates {(three_y[:, f] > 0).mean():5.1%}", end="   ")
    print(f"mean |dweight| {np.abs(three_dweight[f]).mean():6.3f}   dbias {three_dbias[f]:7.3f}")

# %% [markdown]
# What does the checker say when all gates are closed? Zero equals zero, but `return 0 * dy` would pass such a check as
# well. A check that a wrong function passes proves nothing. So the report says `vacuous` and counts as a failure,
# although no number disagrees.

# %%
closed_x = -1.0 - np.abs(np.random.default_rng(9).normal(size=(2, 3)))
print(gradcheck(relu_forward, relu_backward, (closed_x,)))

# %% [markdown]
# ## Max-pool: four windows by hand
#
# Cut the image into windows of 2x2 pixels that do not overlap, and keep the largest number of each. Height and width
# are halved.
#
# ```
#           1  4 |  2  0
#           3  0 |  6  1                    4  6                    1  2
# pool_x =  -----+------         pool_y =   5  7         winner =   3  0
#           0  1 |  7  3
#           2  5 | -2  4
# ```
#
# One pixel of each window is the **winner**. The corners of a window are numbered row by row (in *row-major* order): 0
# and 1 in its upper row, 2 and 3 in its lower. The 4 sits in corner 1 of its window, the 6 in corner 2, the 5 in corner
# 3, the 7 in corner 0.

# %%
pool_x = np.array([[1.0, 4, 2, 0], [3, 0, 6, 1], [0, 1, 7, 3], [2, 5, -2, 4]])[None, None]
pool_y, pool_cache = max_pool_forward(pool_x)


def outline(axes, corner):
    """Frame one pixel of each window: corner (OH, OW) says which."""
    for h, w in np.ndindex(corner.shape):
        i, j = CORNERS[corner[h, w]]
        axes.add_patch(Rectangle((2 * w + j - 0.45, 2 * h + i - 0.45), 0.9, 0.9, fill=False, color="#E69F00", lw=4))
    axes.axhline(1.5, color="#56B4E9", lw=3)
    axes.axvline(1.5, color="#56B4E9", lw=3)


# %%
fig, axes = plt.subplots(1, 3, figsize=(8, 3.2), layout="constrained", width_ratios=[2, 1, 1])
course.draw(axes[0], pool_x[0, 0], "pool_x, winners framed")
outline(axes[0], pool_cache.winner[0, 0])
course.draw(axes[1], pool_y[0, 0], "pool_y")
course.draw(axes[2], pool_cache.winner[0, 0], "winner")
plt.show()

# %% [markdown]
# Raise the winner 4 to 4.01, and `pool_y[0, 0]` rises by 0.01: slope 1. Raise the loser 3 to 3.01, and nothing
# happens: slope 0. It would have to rise by more than 1 to win, and a small step does not reach that far. So each
# number of `dy` goes undivided to the winner of its window, and the three others get 0. Nothing is computed: the
# numbers are *routed*.
#
# ```
#                                 0  1 |  0  0
#             1 -2                0  0 | -2  0
# pool_dy =   3 -4     pool_dx =  -----+------
#                                 0  0 | -4  0
#                                 0  3 |  0  0
# ```
#
# The cell also compares this with `measured`, the function from above that moves one pixel at a time.

# %%
pool_dy = np.array([[1.0, -2], [3, -4]])[None, None]
pool_dx = max_pool_backward(pool_dy, pool_cache)
assert np.array_equal(pool_dx[0, 0], [[0, 1, 0, 0], [0, 0, -2, 0], [0, 0, -4, 0], [0, 3, 0, 0]])
assert np.allclose(pool_dx, measured(max_pool_forward, pool_x, pool_dy))

fig, axes = plt.subplots(1, 3, figsize=(8, 3.2), layout="constrained", width_ratios=[1, 1, 2])
course.draw(axes[0], pool_dy[0, 0], "pool_dy", gradient=True)
course.draw(axes[1], pool_cache.winner[0, 0], "winner")
course.draw(axes[2], pool_dx[0, 0], "pool_dx", gradient=True)
outline(axes[2], pool_cache.winner[0, 0])
plt.show()

# %% [markdown]
# ### The equation
#
# ```
# y[n,c,h,w]          =  max over i,j in 0..1 of  x[n,c,2h+i,2w+j]
# dx[n,c,2h+i,2w+j]   =  dy[n,c,h,w]  where (i,j) is the winner of window (h,w),  else 0
# ```
#
# Window `(h, w)` begins at row `2h` and column `2w`, and `(i, j)` is the corner within it. NumPy takes the same corner
# of all windows in one go: `x[:, :, i::2, j::2]` begins at row `i` and column `j`, and takes every second one. That
# makes four pictures of half the height and width, and the pixels `[h, w]` of all four together are window `(h, w)`.
# In the left picture, corner 0 of each window is framed; these numbers make up the picture next to it.

# %%
print("CORNERS =", CORNERS)
fig, axes = plt.subplots(1, 5, figsize=(9, 2.6), layout="constrained", width_ratios=[2, 1, 1, 1, 1])
course.draw(axes[0], pool_x[0, 0], "pool_x")
outline(axes[0], np.zeros((2, 2), int))
for k, (i, j) in enumerate(CORNERS):
    course.draw(axes[k + 1], pool_x[0, 0, i::2, j::2], f"corner {k}\n[{i}::2, {j}::2]")
plt.show()

# %% [markdown]
# **Exercise 2.** Write the forward pass. Return `y` and `winner`; where two corners of a window are equal, the first
# one in row-major order wins. One way: `np.stack` the four corner pictures, and look for the largest along the new
# axis. `np.argmax` returns the first of equals.


# %% tags=["exercise"]
def my_max_pool_forward(x):
    """Return y and winner, both (N, C, H // 2, W // 2); winner is 0, 1, 2 or 3."""
    # your code: about 4 lines
    corners = np.stack([x[:, :, i::2, j::2] for i, j in CORNERS])
    y = corners.max(axis=0)
    winner = corners.argmax(axis=0)
    return y, winner
    # end of your code


# %% tags=["check"]
course.check("max_pool_forward", my_max_pool_forward)

# %% [markdown]
# **Exercise 3.** Write the backward pass. Think in corner pictures again: for which windows does corner `k` receive
# `dy`, and where in `dx` does that picture lie? Every pixel of `x` belongs to exactly one window, so no two numbers of
# `dy` ever meet, and `dx` needs no `+=`.


# %% tags=["exercise"]
def my_max_pool_backward(dy, cache):
    """Return dx, (N, C, H, W), where H and W are twice those of dy."""
    winner = cache.winner
    N, C, OH, OW = dy.shape
    dx = np.zeros((N, C, 2 * OH, 2 * OW))
    # your code: about 3 lines
    for k, (i, j) in enumerate(CORNERS):
        dx[:, :, i::2, j::2] = dy * (winner == k)
    return dx
    # end of your code


# %% tags=["check"]
course.check("max_pool_backward", my_max_pool_backward)

# %% [markdown]
# The library's version keeps the largest corner so far, and lets the others challenge it one after the other. A
# challenger must be *strictly* greater to win, so among equals the first one stays. The cache holds one byte per
# window, and neither `x` nor `y`.
#
# The gradient check, at random numbers: between its decisions max-pool is linear, as ReLU is. Expect an error below
# 1e-9, and all 144 numbers compared; for the losers 0 is compared with 0.

# %%
random_x = np.random.default_rng(10).normal(size=(2, 3, 6, 4))
print(gradcheck(max_pool_forward, max_pool_backward, (random_x,)))
course.show_source(MaxPoolCache, max_pool_forward, max_pool_backward)

# %% [markdown]
# ## Ties
#
# If two pixels of a window are equal, and both are the largest, this is a **tie**, and it is the kink of the max-pool.
#
# ```
# tied_x =  3  3
#           1  2
# ```
#
# Raise the first 3, and `y` rises with it: right slope 1. Lower it, and `y` stays 3, since the other 3 is still there:
# left slope 0. The same holds for the second 3. Expect 1, 0 and 0.5 for both, as for ReLU at 0; and 1, 1 and 1 when
# both move together.

# %%
tied_x = np.array([[3.0, 3], [1, 2]])[None, None]
moves = {"first 3": [[1, 0], [0, 0]], "second 3": [[0, 1], [0, 0]], "both 3s": [[1, 1], [0, 0]]}


def y_along(direction):
    """Return f(t), the pooled value of tied_x + t * direction."""
    return lambda t: max_pool_forward(tied_x + t * np.array(direction))[0].item()


for name, direction in moves.items():
    right, left = right_and_left(y_along(direction), 0.0, 1e-6)
    print(f"{name:<9}  right {right:.2f}   left {left:.2f}   central {(right + left) / 2:.2f}")

# %% [markdown]
# The third line holds the rule: the gradients of the tied pixels must *add up* to `dy`, because together they move `y`
# with slope 1. One of them may take all of it, or each may take half. The library gives all of it to the first winner
# in row-major order. For training any such rule will do; a fixed one makes NumPy, the GPU and your own code agree
# exactly.
#
# In the next image two of six windows have a tie. Expect `ok` and 20 of 24 numbers compared: the four tied pixels are
# left out. The first of them takes the whole `dy`, -0.69<!--{tie_report.findings[0].analytic:.2f}-->, and the central
# slope is half of that, -0.343<!--{tie_report.findings[0].numeric:.3f}-->. This half is the fingerprint of a kink:
# when you meet it, look for a tie or a zero before you look for a mistake.

# %%
tied_image = np.array([[1.0, 4, 2, 2, 5, 1], [3, 0, 1, 0, 2, 3], [0, 1, 7, 3, 3, 0], [2, 5, -2, 4, 1, 3]])[None, None]
tie_report = gradcheck(max_pool_forward, max_pool_backward, (tied_image,))
print(tie_report)
assert tie_report.ok and tie_report.findings[0].count == 4

# %% [markdown]
# **Question 1.** A friend caches `x` and `y` in place of the index, and compares every pixel with the largest of its
# window:
#
# ```
# dx = enlarged(dy) * (x == enlarged(y))
# ```
#
# where `enlarged` repeats every pixel in a 2x2 block.
#
# On which inputs does this differ from the library's? Will `gradcheck` notice, pixel by pixel? Find a test that does.

# %% [markdown] tags=["answer"]
# It differs at ties only: every tied pixel gets the whole `dy`, so a window with two winners passes on twice what it
# received. Pixel by pixel `gradcheck` does not notice, because ties are what it leaves out: it reports `ok` and some
# kinks. A test that notices moves both tied pixels together. There the slope of `y` is 1, as in the third line of the
# output above, while the friend's gradients of the two add up to 2.
#
# **Rubric, 2 points.** One for: they differ at ties only, and each tied pixel gets the whole `dy`. One for a test that
# moves the tied pixels together, or another one that notices.

# %% [markdown]
# ### Ties are common after ReLU, and harmless
#
# In the U-Net every max-pool follows a ReLU, and ReLU makes zeros. Four negative pixels arrive as four zeros: a tie of
# four. If the sign of a pixel is a coin toss, one window in sixteen (0.0625) is such a tie. Its first corner takes the
# whole `dy` and hands it to its ReLU, whose gate is closed, because the pixel is 0. Nothing passes.
#
# Expect about 0.06 of the windows to be tied. None of their gradients should survive, and all of the others.

# %%
coin_x = np.random.default_rng(11).normal(size=(1, 8, 64, 64))
coin_relu, coin_relu_cache = relu_forward(coin_x)
coin_y, coin_cache = max_pool_forward(coin_relu)
coin_dx = relu_backward(max_pool_backward(np.ones_like(coin_y), coin_cache), coin_relu_cache)

tied = coin_y == 0
arrived = sum(coin_dx[:, :, i::2, j::2] for i, j in CORNERS)
print(f"share of windows with four zeros: {tied.mean():.3f}")
print(f"gradients that arrive from them:  {arrived[tied].sum():.0f} of {tied.sum()}")
print(f"gradients that arrive elsewhere:  {arrived[~tied].sum():.0f} of {(~tied).sum()}")

# %% [markdown]
# **Question 2.** One could pool first and apply ReLU afterwards. Is `y` the same? Is `dx` the same? Which order is
# cheaper, and why does the U-Net use the other one all the same? (Look at Fig. 1 of the paper: where do the grey
# arrows begin?)

# %% [markdown] tags=["answer"]
# Both are the same. ReLU keeps the order of two numbers (at most it makes two of them equal, both 0), so the largest of
# the gated pixels is the gated largest. As for `dx`: where the largest is positive, it wins and its gate is open in
# either order; where it is not, a closed gate stops the gradient in either order. Pooling first is cheaper, since ReLU
# then sees a quarter of the pixels. But the grey arrow, the skip connection, begins between the ReLU and the pool: it
# needs the full-size image after ReLU, so the network has to compute that in any case.
#
# **Rubric, 2 points.** One for: both orders give the same `y` and `dx`, with the reason that ReLU keeps order. One for
# the cost, and for the skip connection, which needs the image before the pool.

# %% [markdown]
# ## What the gradient of a pool looks like
#
# After one pool a quarter of the pixels have a gradient, after two a sixteenth. The picture pools a part of the image
# once, twice and three times, and sends a `dy` of ones back to full size. Expect one dot in each window: the winners.
# Only the cache knows where they are: `y` says how bright the brightest pixel was, and not where.

# %%
fig, axes = plt.subplots(1, 4, figsize=(9, 2.9), layout="constrained")
part = image[16:80, 48:112]
course.draw_image(axes[0], part, "a part of the image")
shrunk, caches = part[None, None], []
for times in (1, 2, 3):
    shrunk, shrunk_cache = max_pool_forward(shrunk)
    caches.append(shrunk_cache)
    winners_dx = np.ones_like(shrunk)
    for level_cache in reversed(caches):
        winners_dx = max_pool_backward(winners_dx, level_cache)
    course.draw(axes[times], winners_dx[0, 0], f"dx, pooled {times}x\n1 pixel in {4**times}", gradient=True)
plt.show()

# %% [markdown]
# ## Why the U-Net pools
#
# If pooling forgets where things are, why do it? Because a 3x3 kernel is three pixels wide, and these cells are twenty
# to forty pixels wide. Halve the image, and the same three pixels span six of the original; then twelve, then
# twenty-four. The frame in each picture is one 3x3 kernel at the same place.
#
# The second reason is cost. A level down has a quarter of the pixels, so it can afford twice the channels in and twice
# the channels out for the same number of multiplications. The paper's network does exactly that. What is forgotten, the
# *where*, is brought back on the way up, by the skip connections of notebook 05.

# %%
level_x = image[None, None]
fig, axes = plt.subplots(1, 4, figsize=(9, 2.9), layout="constrained")
for level in range(4):
    course.draw_image(axes[level], level_x[0, 0], f"level {level}: 3 pixels\nspan {3 * 2**level}")
    corner = 64 / 2**level - 2
    axes[level].add_patch(Rectangle((corner, corner), 3, 3, fill=False, color="#E69F00", lw=1.5))
    level_x, _ = max_pool_forward(level_x)
plt.show()

# %% [markdown]
# ## What even sizes mean
#
# Windows of 2x2 cover an image only if its height and width are even. Some libraries silently drop an odd last row;
# that row then never gets a gradient, and the network never sees it. This library refuses, and says what to do.
#
# In the whole U the size must be even at *every* pool. Two valid 3x3 convolutions take 4 pixels off, then the pool
# halves. Start with 190: 190 - 4 = 186, half is 93, and 93 - 4 = 89 is odd. Start with 188, and all four pools fit.
# The sizes that fit lie 16 apart, since four halvings divide by 2 * 2 * 2 * 2 = 16; the 572 of the paper's Fig. 1 is
# 188 + 24 * 16. Images of other sizes are mirrored at their border until they fit: notebook 10.


# %%
def sizes_before_the_pools(n):
    sizes = [n - 4]
    while len(sizes) < 4 and sizes[-1] % 2 == 0:
        sizes.append(sizes[-1] // 2 - 4)
    return sizes


print("190:", sizes_before_the_pools(190), "   188:", sizes_before_the_pools(188))
print("sizes that fit:", [n for n in range(1, 261) if fits(n)], "...", fits(572))
try:
    max_pool_forward(np.zeros((1, 1, 5, 4)))
except InputError as error:
    print(error)

# %% [markdown]
# ## In three lines
#
# 1. ReLU's backward pass is a mask on `dy`, cut by the sign of `x`; a gate that never opens lets no gradient through.
# 2. Max-pool's backward pass routes: each `dy` goes undivided to the winner of its window, in a tie to the first one.
# 3. At a 0 and at a tie there are two slopes, and central differences give their mean; `gradcheck` leaves such numbers
#    out and counts them, so read the count.
#
# ## Where to read more
#
# The code: [relu.py](../minunet/layers/relu.py), [pool.py](../minunet/layers/pool.py), their
# loop twins in [naive.py](../minunet/layers/naive.py), the kink verdict in
# [one_element.py](../minunet/gradcheck/one_element.py), the sizes in [sizes.py](../minunet/network/sizes.py). The
# paper, [U-Net](https://arxiv.org/abs/1505.04597), section 2 and Fig. 1. Stanford's CS231n course notes on
# backpropagation call max a router of gradients, and their notes on gradient checks have a paragraph on kinks. Glorot,
# Bordes and Bengio, *Deep Sparse Rectifier Neural Networks* (2011).
#
# Next, notebook 04 goes the other way, and doubles the size.
