# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 09 Few images are enough
#
# The paper's network has 31 million weights. For the electron microscopy of its Fig. 2 it was trained on 30 images.
# Someone had to draw every cell of those 30 images by hand, so there will not be 30,000.
#
# **How can so many weights learn from so few images, without learning those images by heart?**

# %% [markdown]
# The answer of section 3.1 is called *data augmentation*: show the network many changed versions of the few images.
# You know that a cell which is turned, bent or a little brighter is still a cell. The network does not know it. Augmentation
# is how you tell it.
#
# This page makes such versions, by hand first and then with the library's code. At the end it trains a small network on
# **one** image of 64 x 64 pixels, with augmentation and without, and measures what it is worth.

# %% [markdown]
# What you need from earlier pages: an image is an array `(C, H, W)`, its labels an array `(H, W)` with the class of each
# pixel, and its weights `(H, W)` say how much each pixel counts in the loss (notebook 06). The output of the network is smaller
# than its input (notebook 07), so it needs a border of context around what it is to label. Notebook 08 trained a network.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

from minunet import course, elastic_deform, gradcheck, pixel_error, predict
from minunet.config import Config
from minunet.course import draw, draw_image
from minunet.data import AUGMENTATIONS, augmented_tile, cut, fit_normalisation, normalise, synthetic_dataset
from minunet.data.augment import _read_targets
from minunet.data.bend import _spline, bicubic, interpolate
from minunet.layers.loss import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from minunet.train import learning_rate, start, train_step
from minunet.unet import unet_forward

QUICK = "MINUNET_QUICK" in os.environ  # fewer training steps, for the tests of this page

# %% [markdown]
# ## Eight pictures from one
#
# The cheapest change needs no arithmetic: turn the image by quarter turns, and flip it left to right. Four turns, each flipped
# or not, make eight versions. They are the *symmetries of the square*, because a square, turned or flipped so, lies on itself again.

# %%
numbers = np.arange(1, 10).reshape(3, 3)
turned = [np.rot90(numbers, turns) for turns in range(4)]
eight = turned + [version[:, ::-1] for version in turned]
print(numbers)
print("different versions:", len({version.tobytes() for version in eight}))

# %% [markdown]
# Follow the 1 from its corner. `np.rot90` turns it counter-clockwise, from top left to bottom left, and on to the other two corners.
# The second row is the first one, each flipped from left to right.

# %%
figure, axes = plt.subplots(2, 4, figsize=(7, 3.9), layout="constrained")
for ax, version, k in zip(axes.flat, eight, range(8), strict=True):
    draw(ax, version, f"{k % 4} quarter turns" + (", flipped" if k >= 4 else ""))

# %% [markdown]
# Flip first and turn after, and you get the same eight, in another order. No ninth version exists: whatever turns and flips
# you combine, you land on one of these.

# %%
flipped_first = [np.rot90(numbers[:, ::-1], turns) for turns in range(4)]
print([[np.array_equal(a, b) for b in eight].index(True) for a in flipped_first])

# %% [markdown]
# `flipped_first` are versions 4, 7, 6 and 5 of the eight: to turn a flipped image counter-clockwise is to flip
# one that was turned clockwise.

# %% [markdown]
# ## Labels and weights go along
#
# Here is the mistake that costs the most time, because nothing stops with an error: the image is flipped, and its labels are not.
# Below, a cell of four pixels in a 4 x 4 image, its labels, and the image flipped.

# %%
cell = np.zeros((4, 4), int)
cell[1:3, 0:2] = 1
image_of_it = 10 + 80 * cell
wrong = np.mean((image_of_it[:, ::-1] > 50) != cell)
print("labels that are wrong after the flip:", wrong)

# %%
figure, axes = plt.subplots(1, 3, figsize=(7, 2.6), layout="constrained")
draw(axes[0], image_of_it, "image")
draw(axes[1], cell, "labels")
draw(axes[2], image_of_it[:, ::-1], "image, flipped;\nthe labels still say left")

# %% [markdown]
# Half of the labels are now wrong: the cell's four pixels are called background, and four of background are called a cell. The loss
# falls anyhow, slowly and not far, and one blames the learning rate. The weights have to move too. They mark the thin gaps between
# cells, and a gap that is weighed at its old place is not weighed at all.
#
# **The rule: one change, drawn once, for image, labels and weights.**

# %% [markdown]
# **Exercise 1.** Turn and flip all three. `image` is `(C, H, W)`, `labels` and `weights` are `(H, W)`, so H and W are
# the last two axes in each, and `axes=(-2, -1)` names them for all. First turn by `turns` quarter turns, then
# flip from left to right if `flip` is true.

# %% tags=["exercise"]
def my_turn_together(image, labels, weights, turns, flip):
    """Return the image (C, H, W), the labels (H, W) and the weights (H, W), turned and flipped alike."""
    # your code: about 4 lines
    three = [np.rot90(plane, turns, axes=(-2, -1)) for plane in (image, labels, weights)]
    if flip:
        three = [plane[..., ::-1] for plane in three]
    return tuple(three)
    # end of your code

# %% tags=["check"]
course.check("turn_together", my_turn_together)

# %% [markdown]
# ## Between the pixels: a row of five numbers
#
# Eight versions are not many. To turn by 10 degrees, or to bend, a pixel must go to a place *between* pixels. So we ask the
# question from the other end. For each pixel of the **new** image: where in the old image is it read?
#
# Take the row `0 10 20 30 40` and move what it shows by half a pixel. New pixel 0 is read at position 0.5, between
# 0 and 10. Halfway between, *linear interpolation* says 5. Pixel 1 is read at 1.5 and becomes 15. At 1.25 it would
# have been three quarters of 10 and one quarter of 20, which is 12.5.

# %%
row = np.array([0.0, 10, 20, 30, 40])
print(np.interp([0.5, 1.5, 2.5, 3.5], np.arange(5), row))
print(np.interp([1.25], np.arange(5), row))

# %% [markdown]
# To *push* instead, from each old pixel to its new place, leaves holes. Stretch the row to twice its length by pushing: pixel `i` goes to
# place `2 * i`, and nothing arrives at the odd places. Reading at `i / 2` has a value for every place.

# %%
pushed = np.zeros(9)
pushed[2 * np.arange(5)] = row
print("pushed:", pushed)
print("read:  ", np.interp(np.arange(9) / 2, np.arange(5), row))

# %% [markdown]
# ### Reading is a matrix
#
# Each new pixel is a sum of old pixels, each times its share. Old pixel `j` has the share `1 - distance` in what is read at a position,
# and none from a distance of 1 on. All the shares make a matrix:
#
# ```
# shares[i, j] = max(0, 1 - abs(position[i] - j))
# y[i]         = sum_j shares[i, j] * x[j]
# ```

# %%
def hats(positions, count):
    """Return the share of each of `count` pixels at each position, (positions, count)."""
    return np.maximum(0, 1 - abs(positions[:, None] - np.arange(count)))


some_positions = np.array([0.5, 1.25, 2.0, 3.5])
shares = hats(some_positions, 5)
print(shares @ row)

# %%
figure, ax = plt.subplots(figsize=(5, 3.4), layout="constrained")
draw(ax, shares, "shares: a row for each new pixel, a column for each old one")

# %% [markdown]
# Look along a row of the picture: the shares of one new pixel sum to 1. The third one is read exactly at pixel 2, and has it whole.
#
# A function that is made of hats like these is called a *linear spline*. In two dimensions the same is done along H and along W, and
# a pixel is then a sum of four.

# %% [markdown]
# ### And backward?
#
# Reading is a matrix, so its backward pass is the transposed matrix, as for the up-convolution in notebook 04: what a new
# pixel took from an old one, its gradient gives back, times the same share. Training does not need this gradient, as
# the image is not a parameter. But it takes two lines to check that we have understood reading. Expect an error near 1e-10: the function is linear, and
# finite differences of a linear function are exact but for rounding.

# %%
def read_forward(x):
    return shares @ x, shares


def read_backward(dy, cache):
    return cache.T @ dy


print(gradcheck(read_forward, read_backward, (row,)))

# %% [markdown]
# And this is how the gradient of one new pixel, the one read at 1.25, comes back to the row: three quarters to pixel 1 and a
# quarter to pixel 2.

# %%
dy = np.array([0.0, 1, 0, 0])
drow = read_backward(dy, shares)
figure, axes = plt.subplots(2, 1, figsize=(5, 2.6), layout="constrained")
draw(axes[0], dy[None], "dy: one pixel", gradient=True, limit=1)
draw(axes[1], drow[None], "drow: painted back", gradient=True, limit=1)

# %% [markdown]
# ## Which way to bend?
#
# Every pixel is read at its own place plus a *displacement*, a small vector (down, right):
#
# ```
# position[:, h, w] = (h, w) + displacement[:, h, w]
# y[h, w]           = image at position[:, h, w]
# ```
#
# Here is a drawing to bend, a grid of lines, 512 x 512 pixels as in the paper. A first idea: a random vector for every pixel,
# 10 pixels long or so.

# %%
lines = np.ones((512, 512))
lines[::32] = lines[1::32] = lines[:, ::32] = lines[:, 1::32] = 0
here = np.indices(lines.shape)  # (2, 512, 512): the place (h, w) of every pixel
rng = np.random.default_rng(0)
torn = interpolate(lines, here + 10 * rng.standard_normal(here.shape), order=1)

# %%
figure, axes = plt.subplots(1, 2, figsize=(7, 3.8), layout="constrained")
draw_image(axes[0], lines, "the grid of lines")
draw_image(axes[1], torn, "a random vector for every pixel")

# %% [markdown]
# That is not bending, it is a cloud of dust. Neighbours must move nearly alike. So the paper draws few vectors, on a coarse grid of 3 x 3
# *nodes* spread over the image, each component from a Gaussian with a standard deviation of 10 pixels. All the pixels in between
# get a blend of the nodes around them.
#
# ```
# nodes[0, g, k]    how far down, at node (g, k)
# nodes[1, g, k]    how far to the right
# ```

# %%
nodes = 10 * np.random.default_rng(9).standard_normal((2, 3, 3))
print("down:\n", nodes[0].round(1))
print("right:\n", nodes[1].round(1))

# %% [markdown]
# ### By hand, with 3 x 3 nodes and 5 x 5 pixels
#
# The nodes lie on pixels 0, 2 and 4 of each axis, so the pixel between two nodes takes the mean of the two. Along the first row,
# nodes `0 4 8` become `0 2 4 6 8`. The pixel in the middle of four nodes takes the mean of all four. The matrix of
# hats does it, once for the rows and once for the columns:
#
# ```
# field[h, w] = sum_{g, k} rows[h, g] * nodes[g, k] * columns[w, k]
# ```

# %%
small_nodes = np.array([[0.0, 4, 8], [0, 0, 0], [-4, 0, 4]])
between = hats(np.linspace(0, 2, 5), 3)  # (5, 3): pixels 0 to 4 are at 0, 0.5, 1, 1.5 and 2 in units of nodes
small_field = between @ small_nodes @ between.T
print(small_field)

# %%
figure, axes = plt.subplots(1, 2, figsize=(7, 3.3), layout="constrained")
draw(axes[0], small_nodes, "nodes: how far down", gradient=True, limit=8)
draw(axes[1], small_field, "the field between them", gradient=True, limit=8)

# %% [markdown]
# **Exercise 2.** Make the field for both components and for any sizes: `nodes` is `(2, G, K)`, the field `(2, H, W)`. The first
# node lies on the first pixel and the last node on the last pixel, so pixel `h` is at `np.linspace(0, G - 1, H)[h]`
# in units of nodes. Linear blending will do. You may call `hats`, which is defined above.

# %% tags=["exercise"]
def my_displacement_field(nodes, H, W):
    """Return the displacement of every pixel, (2, H, W), from nodes (2, G, K)."""
    # your code: about 3 lines
    rows = hats(np.linspace(0, nodes.shape[1] - 1, H), nodes.shape[1])  # (H, G)
    columns = hats(np.linspace(0, nodes.shape[2] - 1, W), nodes.shape[2])  # (W, K)
    return rows @ nodes @ columns.T
    # end of your code

# %% tags=["check"]
course.check("displacement_field", my_displacement_field)

# %% [markdown]
# ### Cubic, so that lines have no corners
#
# Linear blending is continuous, but its slope jumps at every node, and a straight line that crosses a node comes out
# with a corner. The paper blends with *cubic splines*, curves of the third degree whose slope does not jump. Below, the same five nodes
# along one axis, blended in both ways.

# %%
five_nodes = np.array([0.0, 10, -6, 4, 8])
along = np.linspace(0, 4, 201)
linear, cubic = hats(along, 5) @ five_nodes, _spline(5, along) @ five_nodes

# %%
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(along, linear, color="#E69F00", label="linear: corners at the nodes")
ax.plot(along, cubic, color="#0072B2", label="cubic: smooth")
ax.plot(five_nodes, "o", color="black", label="nodes")
ax.set(xlabel="position, in units of nodes", ylabel="displacement, in pixels")
ax.legend()

# %% [markdown]
# The library's code for the field is the product that you just wrote. `_spline` makes the matrix of shares, with SciPy's cubic
# splines in place of our hats.

# %%
course.show_source(bicubic, _spline)

# %% [markdown]
# Now the field for the nine nodes drawn above, over 512 x 512 pixels. The arrows stand at the pixels that are to be filled and
# point to where they are read.

# %%
across = np.linspace(0, 2, 512)
field = bicubic(nodes, across, across)  # (2, 512, 512)
print("at the middle node:", nodes[:, 1, 1].round(2), " in the field:", field[:, 255:257, 255:257].mean((1, 2)).round(2))

# %%
figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
some = np.s_[::32, ::32]
arrows = {"angles": "xy", "scale_units": "xy", "scale": 0.5}  # drawn at twice their length
ax.quiver(here[1][some], here[0][some], field[1][some], field[0][some], color="#56B4E9", **arrows)
at = np.meshgrid([0, 255.5, 511], [0, 255.5, 511])
ax.quiver(*at, nodes[1], nodes[0], color="#0072B2", width=0.008, **arrows)
ax.set(title="nine nodes (dark), and the field between them", xlabel="W = 512", ylabel="H = 512")
ax.set(xlim=(-60, 571), ylim=(571, -60), aspect="equal", xticks=[], yticks=[])

# %% [markdown]
# And the grid of lines, read along that field. This is the picture to remember: no line breaks, none crosses another, and yet no
# square has kept its shape.

# %%
bent = interpolate(lines, here + field, order=1)
figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
draw_image(ax, bent, "3 x 3 nodes, standard deviation 10 pixels")

# %% [markdown]
# ### How strong is 10 pixels?
#
# It depends on how far the nodes are apart. At 512 pixels it is 255 pixels from node to node, and 10 are little. On an image of 64 pixels
# the nodes are 31 apart, and then two neighbouring nodes can pass each other: the picture *folds*, and shows the same place twice.
#
# A field folds where the position runs backwards. So we count the pixels at which the step from one position to the next, down or
# to the right, is negative.

# %%
def share_folded(size, std, seed):
    vectors = std * np.random.default_rng(seed).standard_normal((2, 3, 3))
    positions = np.indices((size, size)) + bicubic(vectors, *[np.linspace(0, 2, size)] * 2)
    backwards = (np.diff(positions[0], axis=0)[:, 1:] < 0) | (np.diff(positions[1], axis=1)[1:] < 0)
    return backwards.mean()


for size in (512, 128, 64, 32):
    print(f"{size:>4} pixels: {np.mean([share_folded(size, 10, seed) for seed in range(20)]):6.1%} folded")

# %%
figure, axes = plt.subplots(1, 3, figsize=(8, 3.1), layout="constrained")
for ax, std in zip(axes, (2, 10, 20), strict=True):
    fine = lines[:64, :64].copy()
    fine[::8] = fine[:, ::8] = 0
    draw_image(ax, elastic_deform(fine, fine, np.random.default_rng(3), std=std)[0], f"64 pixels, std {std}")

# %% [markdown]
# So the number to keep is not "10 pixels" but "10 pixels over 255". When the library draws a training tile, it keeps its nodes 256
# pixels apart whatever the size of the tile, and a small tile is bent as little as the same piece of a large one would be.

# %% [markdown]
# ## Beyond the edge: a mirror
#
# A displacement near the edge points out of the image. What is there to read? Zeros would be a black frame that no microscope ever
# took, and the network would learn what to do with black frames. So the image goes on as in a mirror. The row `1 2 3 4` becomes
#
# ```
# 4 3 2 | 1 2 3 4 | 3 2 1
# ```
#
# The mirror stands *on* the edge pixel, which is not repeated. Notebook 10 is about this mirror; here it is enough to see it.

# %%
print(cut(np.arange(1, 5)[None], 0, -3, 1, 10))

# %% [markdown]
# From now on we use cells. `one` is the only training image of this page: 64 x 64 pixels, drawn by the library's simulated
# microscope. It holds two cells that are cut off by its edges, and a bit of a third. Its 4,096 pixels are all that
# the networks at the end will ever learn from.

# %%
def training_image(seed):
    return synthetic_dataset(seed, num_train=1, num_validation=0, height=64, width=64).train[0]


one = training_image(0)
print(one.image.shape, one.labels.shape, "cell pixels:", one.labels.mean().round(2))

# %%
figure, axes = plt.subplots(1, 2, figsize=(6, 3.2), layout="constrained")
draw_image(axes[0], one.image[0], "the training image")
draw_image(axes[1], one.labels, "its labels: 0 background, 1 cell")

# %% [markdown]
# One and the same field, with zeros beyond the edge and with the mirror:

# %%
wide = np.linspace(0, 2, 64)
bend = bicubic(4 * np.random.default_rng(4).standard_normal((2, 3, 3)), wide, wide)
places = np.indices((64, 64)) + bend
with_zeros = ndimage.map_coordinates(one.image[0], places, order=3, mode="constant", cval=0)
with_mirror = interpolate(one.image[0], places, order=3)

# %%
figure, axes = plt.subplots(1, 2, figsize=(6, 3.2), layout="constrained")
draw_image(axes[0], with_zeros, "zeros beyond the edge")
draw_image(axes[1], with_mirror, "mirrored")

# %% [markdown]
# ## Labels are not grey values
#
# The image is read between its pixels by blending. May labels be blended? Take a row of labels with cells number 1 and 9
# side by side, read halfway between them. The mean is 5. Cell 5 is some other cell, far away.

# %%
cells_in_a_row = np.array([1.0, 1, 9, 9])
print("blended:", np.interp([0.5, 1.5, 2.5], np.arange(4), cells_in_a_row))

# %% [markdown]
# The same happens with classes: between background 0 and mitosis 2, blending finds class 1. So a label is never blended, it is
# **read from the nearest pixel**. The cost is an outline that may be off by half a pixel. Below, three cells with
# numbers 1, 2 and 3, bent by one field.

# %%
number_of = np.zeros((64, 64), int)
number_of[8:30, 6:30], number_of[8:30, 34:58], number_of[36:58, 16:48] = 1, 2, 3
blended = interpolate(number_of.astype(float), places, order=1)
nearest = interpolate(number_of, places, order=0)
print("numbers when blended:", np.unique(blended.round(2)).size, "   from the nearest pixel:", np.unique(nearest))

# %%
figure, axes = plt.subplots(1, 2, figsize=(6.6, 3.4), layout="constrained")
for ax, bent_cells, name in zip(axes, (blended, nearest), ("blended", "nearest pixel"), strict=True):
    shown = ax.imshow(bent_cells, cmap="cividis", vmin=0, vmax=3)
    ax.set(title=name, xlabel="W = 64", ylabel="H = 64", xticks=[], yticks=[])
figure.colorbar(shown, ax=axes, label="cell number", ticks=[0, 1, 2, 3], shrink=0.8)

# %% [markdown]
# Look at the rim of cell 3 on the left: on its way down to 0 it passes through 2 and 1. Its outline is made of the other
# two cells.
#
# With classes 0 and 1 the harm is quieter. The blended 0.5 has to become a whole number for the loss, and a cast to integers rounds
# *down*: every blended pixel turns into background, and the cells shrink. Expect a few percent of the cell's area.

# %%
area = interpolate(one.labels, places, order=0).mean()
area_cast = interpolate(one.labels.astype(float), places, order=1).astype(int).mean()
print(f"cell pixels, nearest: {area:.4f}   blended and cast: {area_cast:.4f}   lost: {1 - area_cast / area:.1%}")

# %% [markdown]
# **Exercise 3.** Read labels at positions, each from its nearest pixel. `positions[0]` are positions along H, `positions[1]` along W,
# and all of them lie inside the image.

# %% tags=["exercise"]
def my_read_nearest(labels, positions):
    """Return the labels (H, W) at positions (2, h, w), as an array (h, w)."""
    # your code: about 2 lines
    rows, columns = np.rint(positions).astype(int)
    return labels[rows, columns]
    # end of your code

# %% tags=["check"]
course.check("read_nearest", my_read_nearest)

# %% [markdown]
# ### Weights
#
# A weight is a number, not a name, so it may be blended: between weights 1 and 3, 2 is a fine weight. There is one exception. Weight 0 means
# that the truth is *unknown* there, and its label is meaningless. A blend of 0 and 1 would let that label count a little. So where the
# nearest pixel is unknown, the result is unknown.

# %%
course.show_source(_read_targets)

# %% [markdown]
# `elastic_deform` is all of this in one function: nodes, field, cubic reading for the image, the nearest pixel for labels,
# the mirror. Here it is, and below it what it makes of our image. `std=4` is strong for 64 pixels, so that it can be seen.

# %%
course.show_source(elastic_deform)

# %%
figure, axes = plt.subplots(2, 4, figsize=(8, 4.3), layout="constrained")
for column, seed in zip(axes.T, range(4), strict=True):
    bent_image, bent_labels = elastic_deform(one.image, one.labels, np.random.default_rng(seed), std=4)
    draw_image(column[0], bent_image[0], f"seed {seed}")
    draw_image(column[1], bent_labels)

# %% [markdown]
# ## Lighter and darker
#
# The next slide may have less dye, the next lamp may be dimmer. The paper names "grey value variations" and gives no numbers. The
# library draws a *gain* and an *offset*, one of each for the whole tile:
#
# ```
# x = gain * image + offset
# ```
#
# The labels do not change. By hand: with gain 1.1 and offset 0.2, grey values -1, 0 and 1 become -0.9, 0.2 and 1.3.

# %%
print(1.1 * np.array([-1.0, 0, 1]) + 0.2)
print(AUGMENTATIONS["elastic"])

# %% [markdown]
# The last line shows the library's default: a field of 10 pixels, any angle, a gain of about 10 % up or down, and an
# offset of about 0.1. Grey values have been brought to mean 0 and standard deviation 1 before (see `normalise`), so 0.1 is a tenth
# of the contrast of the image.

# %% [markdown]
# ## Everything at once, and read only once
#
# To turn a tile, then to bend the result and then to shift that would read three times. Each reading blurs a little, since a blend of
# neighbours is smoother than the neighbours. Below, pure noise of standard deviation 1, read at random places. Linear
# reading leaves about 0.67 of it, cubic reading about 0.88, and three linear readings in a row leave much less.

# %%
noise = np.random.default_rng(0).standard_normal((256, 256))
shift = np.random.default_rng(1).uniform(-1, 1, (3, 2, 256, 256)) + np.indices((256, 256))
once = interpolate(noise, shift[0], order=1)
thrice = interpolate(interpolate(once, shift[1], order=1), shift[2], order=1)
print(f"linear {once.std():.2f}   cubic {interpolate(noise, shift[0], order=3).std():.2f}   three linear {thrice.std():.2f}")

# %% [markdown]
# A network trained on blurred images would be surprised by the sharp ones that it is to label later. So the library adds up all
# movements first, place, angle, flip and bend, into one position for each pixel, and reads the image once.

# %%
course.show_source(augmented_tile)

# %% [markdown]
# Our training image, drawn twelve times. The tile of the network is 104 pixels wide, and it labels the 64 in the middle; only
# these are shown. No two are equal, and each comes with labels that fit.

# %%
def grey_and_labels(sample):
    """Return the sample's image, brought to mean 0 and standard deviation 1, and its labels."""
    return normalise(sample.image, fit_normalisation([sample])), sample.labels


def all_changes(image, labels, rng):
    return augmented_tile(image, labels, None, rng, (104, 104), (64, 64), AUGMENTATIONS["elastic"])


# %%
figure, axes = plt.subplots(2, 6, figsize=(9, 3.2), layout="constrained")
for ax, seed in zip(axes.flat, range(12), strict=True):
    x, tile_labels, _ = all_changes(*grey_and_labels(one), np.random.default_rng(seed))
    ax.imshow(x[0, 20:-20, 20:-20], cmap="gray", vmin=-1.5, vmax=3)
    ax.contour(tile_labels, [0.5], colors="#E69F00", linewidths=1)
    ax.set(xticks=[], yticks=[])
figure.suptitle("one image, drawn twelve times (orange: its labels)")

# %% [markdown]
# ## Does it help? The experiment
#
# We train the same small network on the one image, in three ways, and change nothing else:
#
# 1. **as it is**: the whole image, unchanged, at every step;
# 2. **symmetries**: each step draws one of the eight versions;
# 3. **everything**: any angle, flips, bending, grey values.

# %%
def as_it_is(image, labels, rng):
    return cut(image, -20, -20, 104, 104), labels, None  # 64 pixels, and 20 of mirrored context on each side


def symmetries(image, labels, rng):
    return augmented_tile(image, labels, None, rng, (104, 104), (64, 64), AUGMENTATIONS["symmetries"])


WAYS = {"as it is": as_it_is, "symmetries": symmetries, "everything": all_changes}

# %% [markdown]
# What is needed for a fair answer? The three start from the same weights and take the same number of steps of the same size.
# They are measured on images that none has seen: four images of 128 x 128 pixels. And one run proves little, since a lucky image
# or lucky weights can do more than the thing that is studied. So all of it is done with three seeds, each with **another** training image
# and other weights. The measure is the *pixel error*, the share of pixels that are called the wrong class.

# %%
held_out = synthetic_dataset(1000, num_train=0, num_validation=4, height=128, width=128).validation
SEEDS = (0,) if QUICK else (0, 1, 2)
config = Config(base_channels=8, depth=2, tile=104, steps=60 if QUICK else 500)


def error_on(samples, run):
    guesses = [predict(run.params, s.image, normalisation=run.normalisation).argmax(axis=0) for s in samples]
    return np.mean([pixel_error(s.labels, guess) for s, guess in zip(samples, guesses, strict=True)])


# %%
figure, axes = plt.subplots(1, 3, figsize=(7, 2.7), layout="constrained")
for ax, seed in zip(axes, range(3), strict=True):
    draw_image(ax, training_image(seed).image[0], f"the training image of seed {seed}")

# %% [markdown]
# A step is the library's: forward, loss, backward, and a step of gradient descent with momentum (notebook 08).

# %%
course.show_source(train_step)

# %%
def train(seed, way):
    """Train on one image; return the run and rows (step, error on it, error on held-out images)."""
    dataset = synthetic_dataset(seed, num_train=1, num_validation=0, height=64, width=64)
    run, rows = start(config._replace(seed=seed), dataset), []
    for step in range(config.steps):
        tile = WAYS[way](*grey_and_labels(dataset.train[0]), np.random.default_rng([seed, step]))
        train_step(run, tile, step, learning_rate(config, step, step / config.steps))
        if (step + 1) % (config.steps // 10) == 0:
            rows.append((step + 1, error_on(dataset.train, run), error_on(held_out, run)))
    return run, np.array(rows)


# %% [markdown]
# Before you look: which of the three will have the smallest error **on the training image**? And on the held-out ones? Note your guess. The
# nine runs take about a minute.

# %%
runs = {(way, seed): train(seed, way) for way in WAYS for seed in SEEDS}
print(f"{'':12} on the training image      on held-out images")
for way in WAYS:
    on_train, on_held_out = (np.array([runs[way, seed][1][-1, column] for seed in SEEDS]) for column in (1, 2))
    print(f"{way:12}", *(f"{e:6.1%}" for e in on_train), "     ", *(f"{e:6.1%}" for e in on_held_out))

