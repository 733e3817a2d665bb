# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 09 Few images are enough
#
# The paper's network has 31 million weights, and for electron microscopy it was trained on 30 images. Someone had
# to draw every cell of those 30 by hand, so there will not be 30,000. **How can so many weights learn from so few
# images, without learning them by heart?**
#
# The answer of section 3.1 is *data augmentation*: show the network many changed versions of the few images. You
# know that a cell which is turned, bent or a little brighter is still a cell. The network does not know it, and
# augmentation is how you tell it.
#
# This page makes such versions, by hand first and then with the library. At the end it trains a small network on
# **one** image of 64 x 64 pixels, with augmentation and without, and measures what it is worth.
#
# You need this from earlier pages: an image is an array `(C, H, W)`, its labels an array `(H, W)` with the class of
# each pixel, and its weights `(H, W)` say how much each pixel counts in the loss (notebook 06). The network's output
# is smaller than its input (notebook 07). Notebook 08 trained a network.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

from minunet import course, elastic_deform, gradcheck, pixel_error, predict, unet_forward
from minunet.data import AUGMENTATIONS, augmented_tile, cut, fit_normalisation, normalise, synthetic_dataset
from minunet.data.elastic import bicubic, interpolate, spline_matrix
from minunet.layers.loss import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from minunet.training.config import Config
from minunet.training.train import learning_rate, start, train_step

QUICK = "MINUNET_QUICK" in os.environ  # fewer training steps, for the tests of this page

# %% [markdown]
# ## Eight pictures from one
#
# The cheapest change needs no arithmetic: turn the image by quarter turns, and flip it left to right. Four turns, each
# flipped or not, make eight versions. They are the *symmetries of the square*: a square that is turned or flipped in
# this way covers itself again.
#
# Follow the 1 from its corner. `np.rot90` turns it counter-clockwise: top left, bottom left, bottom right, top
# right. The second row of the picture is the first one with each array flipped.

# %%
numbers = np.arange(1, 10).reshape(3, 3)
turned = [np.rot90(numbers, turns) for turns in range(4)]
eight = turned + [version[:, ::-1] for version in turned]
print("different versions:", len({version.tobytes() for version in eight}))

figure, axes = plt.subplots(2, 4, figsize=(7, 3.9), layout="constrained")
for ax, version, k in zip(axes.flat, eight, range(8), strict=True):
    course.draw(ax, version, f"{k % 4} turns" + (", flipped" if k >= 4 else ""))
plt.show()

# %% [markdown]
# There is no ninth: if you flip first and turn afterwards, you get one of these eight again.
#
# ## Labels and weights go along
#
# Here is the mistake that costs the most time, because nothing stops with an error: the image is flipped, but its
# labels are not. Below is a cell of four pixels, its labels, and the image flipped. Count before you look: how many of
# the 16 labels are wrong after the flip?

# %%
cell = np.zeros((4, 4), int)
cell[1:3, 0:2] = 1
picture = 10 + 80 * cell
print("share of wrong labels:", np.mean((picture[:, ::-1] > 50) != cell))

figure, axes = plt.subplots(1, 3, figsize=(7, 2.6), layout="constrained")
course.draw(axes[0], picture, "image")
course.draw(axes[1], cell, "labels")
course.draw(axes[2], picture[:, ::-1], "image, flipped")
plt.show()

# %% [markdown]
# Eight of sixteen: the cell's four pixels are called background, and four of background are called cell. The loss
# still falls, slowly and not far, and you blame the learning rate. The weights have to move as well. They mark the
# thin gaps between cells, and a weight at the old place of a gap misses it. **The rule: draw a change once, and apply
# it to image, labels and weights.**
#
# **Exercise 1.** Turn and flip all three. H and W are the last two axes of each, so `axes=(-2, -1)` names them for
# all. First turn by `turns` quarter turns, then flip from left to right if `flip` is true.


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
# Eight versions are few. To turn by 10 degrees, or to bend, a pixel must go to a place *between* pixels. So we start
# at the other end: for each pixel of the **new** image, where in the old one do we read it? Then every new pixel gets
# a value, and there are no holes.
#
# Take the row `0 10 20 30 40`. At position 0.5, halfway between 0 and 10, *linear interpolation* reads 5. At 1.25
# it reads three quarters of 10 and one quarter of 20, which is 12.5. At 2 it reads 20, and at 3.5 it reads 35.
#
# In general, old pixel `j` has a share in what is read at a position: `1 - distance`, and none at a distance of 1 or
# more. Plotted over the position, a share looks like a pointed hat. All the shares together make a matrix:
#
# ```
# shares[i, j] = max(0, 1 - abs(position[i] - j))
# y[i]         = sum_j shares[i, j] * x[j]
# ```


# %%
def hats(positions, count):
    """Return the share of each of `count` pixels at each position, (positions, count)."""
    return np.maximum(0, 1 - abs(positions[:, None] - np.arange(count)))


row = np.array([0.0, 10, 20, 30, 40])
shares = hats(np.array([0.5, 1.25, 2.0, 3.5]), 5)
print(shares @ row)

figure, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
course.draw(ax, shares, "shares: 4 new pixels of 5 old ones")
plt.show()

# %% [markdown]
# Each row of the picture is a new pixel, and its shares sum to 1. In two dimensions the same is done along H and
# along W, so a new pixel is a sum of four old ones.
#
# And backward? Reading is a product with a matrix, so its backward pass is a product with the transposed matrix, as
# for the up-convolution in notebook 04: what a new pixel took from an old one, its gradient gives back, times the same
# share. Training does not need this gradient, since the image is not a parameter. But it tests whether we have
# understood how reading works. Expect an error near 1e-11: the function is linear, and the finite differences of a
# linear function are exact but for rounding.


# %%
def read_forward(x):
    return shares @ x, shares


def read_backward(dy, cache):
    return cache.T @ dy


print(gradcheck(read_forward, read_backward, (row,)))

# %% [markdown]
# One pixel of `dy`, the one that was read at 1.25, is painted back to the row: three quarters of it to pixel 1, one
# quarter to pixel 2.

# %%
dy = np.array([0.0, 1, 0, 0])
drow = read_backward(dy, shares)
figure, axes = plt.subplots(2, 1, figsize=(5, 2.7), layout="constrained")
course.draw(axes[0], dy[None], "dy: one pixel", gradient=True, limit=1)
course.draw(axes[1], drow[None], "drow: painted back", gradient=True, limit=1)
plt.show()

# %% [markdown]
# ## How to bend an image
#
# Every pixel is read at its own place plus a *displacement*, a vector (down, right):
#
# ```
# position[:, h, w] = (h, w) + displacement[:, h, w]
# y[h, w]           = image at position[:, h, w]
# ```
#
# A first idea is a random vector for every pixel, about 10 pixels long. We try it on a grid of lines, 512 x 512
# pixels as in the paper, of which a corner is shown.

# %%
lines = np.ones((512, 512))
lines[::32] = lines[1::32] = lines[:, ::32] = lines[:, 1::32] = 0
here = np.indices(lines.shape)  # (2, 512, 512): the place (h, w) of every pixel
everywhere = 10 * np.random.default_rng(0).standard_normal(here.shape)
torn = interpolate(lines, here + everywhere, order=0)

figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.4), layout="constrained")
course.draw_image(axes[0], lines[:192, :192], "a grid of lines")
course.draw_image(axes[1], torn[:192, :192], "a random vector for every pixel")
plt.show()

# %% [markdown]
# The grid is not bent but pulverised. Neighbours must move nearly alike. So the paper draws only a few vectors, on a
# coarse grid of 3 x 3 *nodes* spread over the image, and all the pixels in between get a blend of the nodes around
# them.
#
# By hand, with 3 x 3 nodes and 5 x 5 pixels: the nodes lie on pixels 0, 2 and 4 of each axis. A pixel between two
# nodes takes the mean of the two, so along the first row `0 4 8` becomes `0 2 4 6 8`. A pixel in the middle of four
# takes the mean of the four. Our matrix of hats does that, once for the rows and once for the columns:
#
# ```
# field[h, w] = sum_{g, k} rows[h, g] * nodes[g, k] * columns[w, k]
# ```

# %%
small_nodes = np.array([[0.0, 4, 8], [0, 0, 0], [-4, 0, 4]])  # how far down; there is another such array for right
between = hats(np.linspace(0, 2, 5), 3)  # (5, 3): pixels 0 to 4 are at 0, 0.5, 1, 1.5 and 2 in units of nodes
small_field = between @ small_nodes @ between.T

figure, axes = plt.subplots(1, 2, figsize=(7, 3.3), layout="constrained")
course.draw(axes[0], small_nodes, "nodes: how far down", gradient=True, limit=8)
course.draw(axes[1], small_field, "the field between them", gradient=True, limit=8)
plt.show()

# %% [markdown]
# **Exercise 2.** Make the field for both components, down and right, and for any sizes: `nodes` is `(2, G, K)`, the
# field `(2, H, W)`. The first node lies on the first pixel and the last node on the last pixel, so pixel `h` is at
# `np.linspace(0, G - 1, H)[h]` in units of nodes. Blend linearly between nodes; you may call `hats`, which is
# defined above. The product `A @ nodes @ B.T` works on both planes at once.


# %% tags=["exercise"]
def my_displacement_field(nodes, H, W):
    """Return the displacement of every pixel, (2, H, W), from nodes (2, G, K)."""
    _, G, K = nodes.shape
    # your code: about 3 lines
    rows = hats(np.linspace(0, G - 1, H), G)  # (H, G)
    columns = hats(np.linspace(0, K - 1, W), K)  # (W, K)
    return rows @ nodes @ columns.T
    # end of your code


# %% tags=["check"]
course.check("displacement_field", my_displacement_field)

# %% [markdown]
# Linear blending is continuous, but its slope jumps at every node, and a straight line that crosses a node gets a
# corner. The paper blends with *cubic splines*, curves of the third degree whose slope does not jump. Below are five
# nodes along one axis, blended in both ways.

# %%
five_nodes = np.array([0.0, 10, -6, 4, 8])
along = np.linspace(0, 4, 201)
figure, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
ax.plot(along, hats(along, 5) @ five_nodes, color="#E69F00", label="linear: corners at the nodes")
ax.plot(along, spline_matrix(5, along) @ five_nodes, color="#0072B2", label="cubic: smooth")
ax.plot(five_nodes, "o", color="black", label="nodes")
ax.set(xlabel="position, in units of nodes", ylabel="displacement, in pixels", ylim=(-8, 18))
ax.legend(loc="upper right")
plt.show()

# %% [markdown]
# The library's code for the field is the product that you wrote in exercise 2. `spline_matrix` makes the matrix of
# shares, with SciPy's cubic splines in place of our hats.

# %%
course.show_source(bicubic, spline_matrix)

# %% [markdown]
# Now the paper's numbers: 3 x 3 nodes over 512 x 512 pixels, each component from a Gaussian with a standard deviation
# of 10 pixels. Each arrow begins at a pixel that is to be filled and points to where it is read; arrows are drawn at
# twice their length.

# %%
nodes = 10 * np.random.default_rng(9).standard_normal((2, 3, 3))
field = bicubic(nodes, *[np.linspace(0, 2, 512)] * 2)  # (2, 512, 512)
print("the middle node, down and right:", nodes[:, 1, 1].round(1))

figure, ax = plt.subplots(figsize=(4.6, 4.6), layout="constrained")
some, style = np.s_[::32, ::32], {"angles": "xy", "scale_units": "xy", "scale": 0.5}
ax.quiver(here[1][some], here[0][some], field[1][some], field[0][some], color="#56B4E9", **style)
ax.quiver(*np.meshgrid(*[[0, 255.5, 511]] * 2), nodes[1], nodes[0], color="#0072B2", width=0.01, **style)
ax.set(title="nine nodes (dark) and the field between them", xlabel="W = 512", ylabel="H = 512")
ax.set(xlim=(-60, 571), ylim=(571, -60), aspect="equal", xticks=[], yticks=[])
plt.show()

# %% [markdown]
# Here is the grid of lines, read through that field. This is the picture to remember: no line is broken, no two lines
# of the same direction cross, and yet no square has kept its shape.

# %%
bent = interpolate(lines, here + field, order=1)
figure, ax = plt.subplots(figsize=(4.6, 4.6), layout="constrained")
course.draw_image(ax, bent, "3 x 3 nodes, standard deviation 10 pixels")
plt.show()

# %% [markdown]
# How strong is 10 pixels? At 512 pixels the nodes are 255 pixels apart, and 10 is little. At 64 pixels the nodes are
# 31 apart, and then neighbours can overtake each other: the picture *folds*, and shows the same place twice. We count
# the pixels where the position runs backwards, from one pixel to the next one down or to the right. Expect none at 512
# pixels, and a few percent at 64.


# %%
def share_folded(size, seed):
    vectors = 10 * np.random.default_rng(seed).standard_normal((2, 3, 3))
    positions = np.indices((size, size)) + bicubic(vectors, *[np.linspace(0, 2, size)] * 2)
    down, right = np.diff(positions[0], axis=0)[:, 1:], np.diff(positions[1], axis=1)[1:]
    return np.mean((down < 0) | (right < 0))


for size in (512, 128, 64, 32):
    print(f"{size:>4} pixels: {np.mean([share_folded(size, seed) for seed in range(20)]):6.1%} folded")

# %% [markdown]
# So the number to remember is not "10 pixels" but "10 pixels over 255". When the library draws a training tile, it
# keeps the nodes 256 pixels apart whatever the size of the tile: a small tile is bent as little as the same piece of a
# large one.
#
# ## Beyond the edge: a mirror
#
# Near the edge a displacement points out of the image. What is there to read? Zeros would be a black frame that no
# microscope ever recorded. So the image goes on as in a mirror that stands on the edge pixel, without repeating it.
# The row `1 2 3 4` becomes
#
# ```
# 4 3 2 [1 2 3 4] 3 2 1
# ```
#
# Let us look at it on cells. `one` will be the only training image of seed 0 in the experiment below: one whole cell,
# another cut off by the edge, and at the bottom the faint glow of something out of focus, which is background.
# Notebook 10 has more about this mirror.


# %%
def training_image(seed):
    return synthetic_dataset(seed, num_train=1, num_validation=0, height=64, width=64).train[0]


one = training_image(0)
bend = bicubic(4 * np.random.default_rng(4).standard_normal((2, 3, 3)), *[np.linspace(0, 2, 64)] * 2)
places = np.indices((64, 64)) + bend
with_zeros = ndimage.map_coordinates(one.image[0], places, order=3, mode="constant", cval=0)
with_mirror = interpolate(one.image[0], places, order=3)
print("a row of four, mirrored:", cut(np.arange(1, 5)[None], 0, -3, 1, 10)[0])

# %%
figure, axes = plt.subplots(1, 3, figsize=(7.5, 2.8), layout="constrained")
course.draw_image(axes[0], one.image[0], "the image")
course.draw_image(axes[1], with_zeros, "bent, zeros outside")
course.draw_image(axes[2], with_mirror, "bent, mirrored")
plt.show()

# %% [markdown]
# ## Labels are not grey values
#
# The image is read between its pixels by blending. May labels be blended too? Take a row of labels in which cells 1
# and 9 touch, and read halfway between them: the mean is 5, and cell 5 is some other cell, far away. The same goes for
# classes: between background 0 and class 2, blending finds class 1.
#
# So a label is never blended: it is **read from the nearest pixel**. The price is an outline that may be off by half a
# pixel. Below are three cells with the numbers 1, 2 and 3, bent by the same field and read in both ways; below them, a
# corner of cell 3, enlarged. Expect four different numbers from the nearest pixel, and many others from blending.

# %%
number_of = np.zeros((64, 64), int)
number_of[8:30, 6:30], number_of[8:30, 34:58], number_of[36:58, 16:48] = 1, 2, 3
blended = interpolate(number_of.astype(float), places, order=1)
nearest = interpolate(number_of, places, order=0)
print("different numbers, blended:", np.unique(blended.round(2)).size, "  nearest:", np.unique(nearest).size)

figure, axes = plt.subplots(2, 2, figsize=(6.6, 6.4), layout="constrained")
top, left = 51, 10  # of the part that is enlarged
for (above, below), bent_cells, title in zip(axes.T, (blended, nearest), ("blended", "nearest pixel"), strict=True):
    shown = above.imshow(bent_cells, cmap="cividis", vmin=0, vmax=3)
    above.add_patch(plt.Rectangle((left - 0.5, top - 0.5), 8, 8, fill=False, edgecolor="#E69F00", linewidth=2))
    above.set(title=title, xlabel="W = 64", ylabel="H = 64", xticks=[], yticks=[])
    rim = bent_cells[top : top + 8, left : left + 8]
    below.imshow(rim, cmap="cividis", vmin=0, vmax=3)
    for (h, w), number in np.ndenumerate(rim):
        colour = "black" if number > 1.5 else "white"
        below.text(w, h, f"{number:.2g}", ha="center", va="center", fontsize=8, color=colour)
    below.set(title="the part in the frame", xticks=[], yticks=[])
figure.colorbar(shown, ax=axes, label="cell number", ticks=[0, 1, 2, 3], shrink=0.6)
plt.show()

# %% [markdown]
# Look at the enlarged corner on the left: between 3 and 0 there are numbers near 2 and 1, so cell 3 gets an outline
# made of pieces of the other two cells. With classes 0 and 1 the harm is less obvious. A blended 0.5 has to become a
# whole number, a cast to integers rounds *down*, and the cells shrink.
#
# *Weights* are amounts, not names, and may be blended, with one exception: a weight of 0 says that the truth is
# unknown there. So where the nearest pixel has the weight 0, the result is 0.
#
# **Exercise 3.** Read labels at positions, each from its nearest pixel. `positions[0]` are the positions along H,
# `positions[1]` those along W, and all of them lie inside the image.


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
# `elastic_deform` is all of this in one function: nodes, field, cubic reading for the image (`order=3`), the
# nearest pixel for the labels (`order=0`), and the mirror, which is in `interpolate`.

# %%
course.show_source(elastic_deform)

# %% [markdown]
# ## Everything at once, and read only once
#
# The next slide may have less dye, and the next lamp may be dimmer. So the paper varies the grey values too, without
# saying by how much. The library draws a *gain* and an *offset*, one of each for a tile: `x = gain * image + offset`.
# The labels stay as they are. With gain 1.1 and offset 0.2, grey values -1, 0 and 1 become -0.9, 0.2 and 1.3.
#
# If we turned the image, then bent it, then shifted it, we would read it three times, and each reading blurs, since a
# blend of neighbours is smoother than the neighbours. So the library combines all movements (place, angle, flip and
# bend) into one position for each pixel, and reads once.

# %%
print(AUGMENTATIONS["elastic"])
course.show_source(augmented_tile)

# %% [markdown]
# The first line above is the library's default: 10 pixels, any angle, a gain of about 10 % up or down, an offset of
# about 0.1, in units of the image's contrast. Below is our one training image, drawn twelve times. The tile that
# the network sees is 104 pixels wide, and it labels the 64 in the middle; only these are shown.


# %%
def grey_and_labels(sample):
    """Return the sample's image, brought to mean 0 and standard deviation 1, and its labels."""
    return normalise(sample.image, fit_normalisation([sample])), sample.labels


def everything(image, labels, rng):
    return augmented_tile(image, labels, None, rng, (104, 104), (64, 64), AUGMENTATIONS["elastic"])


# %%
figure, axes = plt.subplots(2, 6, figsize=(8, 3), layout="constrained")
for ax, k in zip(axes.flat, range(12), strict=True):
    x, tile_labels, _ = everything(*grey_and_labels(one), np.random.default_rng(k))
    ax.imshow(x[0, 20:-20, 20:-20], cmap="gray", vmin=-1.5, vmax=3)
    ax.contour(tile_labels, [0.5], colors="#E69F00", linewidths=1)
    ax.set(xticks=[], yticks=[])
figure.suptitle("one image, drawn twelve times (orange: the outline of its labels)")
plt.show()

# %% [markdown]
# ## Does it help? The experiment
#
# We train the same small network on one image in three ways: **as it is**, the whole image unchanged at every step;
# with the eight **symmetries**; and with **everything**, any angle, flips, bending and grey values.
#
# To be fair, all three start from the same weights and take equally many steps, and they are measured on four images
# of 128 x 128 pixels that none of them has seen. One run proves little: a lucky image can matter more than what we
# study. So we repeat everything for three seeds, each with **another training image** and other weights. The measure
# is the *pixel error*, the share of pixels that are given the wrong class.


# %%
def as_it_is(image, labels, rng):
    return cut(image, -20, -20, 104, 104), labels, None  # 64 pixels, and 20 of mirrored context on each side


def symmetries(image, labels, rng):
    return augmented_tile(image, labels, None, rng, (104, 104), (64, 64), AUGMENTATIONS["symmetries"])


WAYS = {"as it is": as_it_is, "symmetries": symmetries, "everything": everything}
COLOURS = {"as it is": "#D55E00", "symmetries": "#E69F00", "everything": "#0072B2"}
SEEDS = (0,) if QUICK else (0, 1, 2)
held_out = synthetic_dataset(1000, num_train=0, num_validation=4, height=128, width=128).validation

# %%
config = Config(base_channels=8, depth=2, tile=104, steps=30 if QUICK else 500, optimiser="sgd", norm="none")
MEASURED_EVERY = 15 if QUICK else 50


def error_on(samples, run):
    guesses = [predict(run.network, s.image).argmax(axis=0) for s in samples]
    return np.mean([pixel_error(s.labels, guess) for s, guess in zip(samples, guesses, strict=True)])


def train(seed, draw_tile):
    """Train on one image; return the run and rows (step, error on that image, error on held-out images)."""
    dataset = synthetic_dataset(seed, num_train=1, num_validation=0, height=64, width=64)
    image, labels = grey_and_labels(dataset.train[0])
    run, rows = start(config._replace(seed=seed), dataset), []
    for step in range(config.steps):
        tile = draw_tile(image, labels, np.random.default_rng([seed, step]))
        train_step(run, tile, step, learning_rate(config, step, step / config.steps))
        if (step + 1) % MEASURED_EVERY == 0:
            rows.append((step + 1, error_on(dataset.train, run), error_on(held_out, run)))
    return run, np.array(rows)


# %% [markdown]
# `train_step` is the library's, as in notebook 08: forward, loss, backward, a step of gradient descent. Before you
# look: which of the three will have the smallest error **on its training image**, and which on the held-out ones? The
# nine runs take about a minute. The last line is for comparison, without any network: the best threshold for the grey
# value, found on the training image.

# %%
runs = {(way, seed): train(seed, WAYS[way]) for way in WAYS for seed in SEEDS}


def wrong_above(samples, level):
    return np.mean([pixel_error(s.labels, (s.image[0] > level).astype(int)) for s in samples])


def threshold_errors(seed):
    samples = [training_image(seed)]
    best = min(np.linspace(0, 1, 101), key=lambda level: wrong_above(samples, level))
    return wrong_above(samples, best), wrong_above(held_out, best)


results = {way: np.array([runs[way, seed][1][-1, 1:] for seed in SEEDS]) for way in WAYS}  # (seeds, 2)
results["threshold"] = np.array([threshold_errors(seed) for seed in SEEDS])
print(f"{'':13}{'on the training image':34}on held-out images")
for name, errors in results.items():
    columns = (" ".join(f"{e:6.1%}" for e in column) + f"  ({column.mean():.1%})" for column in errors.T)
    print(f"{name:12}", "   ".join(columns))

# %% [markdown]
# Each row has the errors for the three seeds and, in brackets, their mean. Without augmentation the network is perfect
# on the image that it has seen, and no better than a mere threshold on those that it has not: it learned the image by
# heart. With everything, its error on new images is about half as large on average, and it is smaller for each of the
# seeds. (The best threshold is the same for all three training images, hence the equal errors. On another processor
# the last digits of the networks' errors may differ.)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.3), sharey=True, layout="constrained")
for ax, column, title in zip(axes, (1, 2), ("on the training image", "on held-out images"), strict=True):
    for way, colour in COLOURS.items():
        curves = np.array([runs[way, seed][1] for seed in SEEDS])  # (seeds, 10, 3)
        ax.plot(curves[0, :, 0], 100 * curves[:, :, column].T, color=colour, linewidth=0.8, alpha=0.6)
        ax.plot(curves[0, :, 0], 100 * curves[:, :, column].mean(axis=0), color=colour, linewidth=2.5, label=way)
    ax.set(title=f"{title} (thick: mean)", xlabel="step", ylim=(0, 10))
axes[0].set_ylabel("pixel error, percent")
axes[0].legend()
plt.show()

# %% [markdown]
# What does it look like? Below is a held-out image, and what the networks of seed 0 say about it: the probability that
# a pixel is cell, from 0 in black to 1 in white. The orange line is the outline of the truth, so white should fill it
# and end at it.

# %%
sample = held_out[0]
figure, axes = plt.subplots(1, 4, figsize=(9, 2.7), layout="constrained")
course.draw_image(axes[0], sample.image[0], "a held-out image")
for ax, way in zip(axes[1:], WAYS, strict=True):
    run = runs[way, 0][0]
    p = predict(run.network, sample.image)[1]
    ax.imshow(p, cmap="gray", vmin=0, vmax=1)
    ax.contour(sample.labels, [0.5], colors="#E69F00", linewidths=1)
    ax.set(title=way, xlabel="W = 128", xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## Why a network that knows its image by heart stops learning
#
# The gradient explains it. In notebook 06, the gradient of the loss at the logits was `p - onehot`: how wrong the
# network is, pixel by pixel. On an image that it knows by heart, that is zero nearly everywhere, so nothing is passed
# back. The weights stay as they are, however wrong they are for other images. Below is `p - onehot` for class cell, of
# the network that was trained on the image as it is: on its training image, on the same image mirrored, and on a piece
# of a held-out one. Expect hardly anything on the first, some on the second, and most on the third.


# %%
def p_minus_onehot(run, image, labels):
    """Return the gradient at the logits of class 1, times the number of pixels, (H - 40, W - 40)."""
    logits, _ = unet_forward(run.params, image[None])
    loss, cache = softmax_cross_entropy_forward(logits, labels[None])
    return softmax_cross_entropy_backward(np.ones((), image.dtype), cache)[0, 1] * labels.size


run_as_it_is = runs["as it is", 0][0]
known, known_labels, _ = as_it_is(*grey_and_labels(one), None)
fresh = cut(normalise(held_out[0].image, run_as_it_is.normalisation), 0, 0, 104, 104)
cases = {
    "training image": (known, known_labels),
    "the same, mirrored": (known[..., ::-1], known_labels[:, ::-1]),
    "held-out image": (fresh, held_out[0].labels[20:84, 20:84]),
}
gradients = {title: p_minus_onehot(run_as_it_is, *case) for title, case in cases.items()}

# %%
figure, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
for ax, title in zip(axes, gradients, strict=True):
    mean_size = np.abs(gradients[title]).mean()
    shown = course.draw(ax, gradients[title], f"{title}\nmean size {mean_size:.4f}", gradient=True, limit=1)
figure.colorbar(shown, ax=axes, label="p - onehot", shrink=0.8)
plt.show()

# %% [markdown]
# The left picture is blank: from here on, a step of training changes next to nothing. That is why the curve of "as it
# is" is flat after 150 steps. Even the mirrored image would have had something to teach. Augmentation keeps the
# gradient alive: each step brings a version that is not known by heart yet. This also explains why the training error
# is **larger** with augmentation. That is not a failure: the network has to be right on all versions of the image at
# once, and cannot use its weights to remember the noise of one.
#
# ## What this shows, and what it does not
#
# It shows that one small image, changed at every step, taught more than the same image unchanged, for three images out
# of three. It does **not** show that bending made the difference: most of the gain came with the eight symmetries
# alone, and with everything the error fell only a little further for two of the three seeds. With so few seeds, that
# may be luck. Also, our cells are synthetic, and thousands of their pixels are easy. The paper says that bending seems
# to be the key, but shows no comparison.

# %% [markdown]
# **Question 1.** A version helps only if its labels are still true. Name, for each of these, a change from this page
# that would do harm: handwritten digits; a chest X-ray, to tell on which side the heart is; cells whose brightness
# tells healthy from ill.

# %% [markdown] tags=["answer"]
# Half a turn makes a 9 of a 6, and a flip makes signs that are not digits at all. A flip from left to right moves the
# heart to the other side. A gain changes the brightness that tells ill from healthy. Change only what does not change
# the answer.
#
# **Rubric, 1 point.** Three changes that do harm, each with its reason.

# %% [markdown]
# **Question 2.** How many images is augmentation worth? Give `train` more images (`num_train=2`, 4 or 8), draw one of
# them at each step, as it is, and find how many you need to get down to the error of one image with everything.

# %% [markdown] tags=["answer"]
# When we tried it, with this page's settings and seeds, two or four images as they are came down to about the error of
# one image with everything, depending on the seed, and eight did better. With eight images, everything was no better
# than the eight as they are. Augmentation pays where images are few.
#
# **Rubric, 1 point.** Numbers of an experiment of your own, and that images matter more than augmentation where there
# are several. No point for one run that is taken as proof.

# %% [markdown]
# **Question 3.** We bent the weight map along with the image. By eq. 2 it depends on distances between cells, and
# bending changes distances. When would it be better to bend the cells and compute the map anew, and what would that
# cost?

# %% [markdown] tags=["answer"]
# Where the field changes a gap of a few pixels by a good part of its width: with strong bending, or nodes close
# together. With 10 pixels over 255, neighbouring pixels move nearly alike, and a gap of 5 pixels changes by a fraction
# of a pixel. It would cost some time, about as much again as drawing the tile. And cells just outside the tile count
# in eq. 2 as well, so their labels would have to be bent too.
#
# **Rubric, 1 point.** When gaps change by a good part of their width, and what a new map costs.

# %% [markdown]
# ## In three lines
#
# 1. Augmentation tells the network which changes leave the answer as it is: turns, flips, smooth bending, grey values.
# 2. Every pixel has one position: the image is read there by blending, labels from the nearest pixel.
# 3. With a single image, augmentation halved the error on new images; most of that came from the symmetries.
#
# ## Where to read more
#
# [elastic.py](../minunet/data/elastic.py) and [augment.py](../minunet/data/augment.py) are the
# library's code, with [tiles.py](../minunet/data/tiles.py) for the mirror and the symmetries. The paper has it in
# section 3.1 ([arXiv 1505.04597](https://arxiv.org/abs/1505.04597)). Simard, Steinkraus and Platt, "Best practices for
# convolutional neural networks applied to visual document analysis" (2003), bent digits in this way long before the
# U-Net. Next is [notebook 10](10_any_size.ipynb).
