# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 10 Any size
#
# A U-Net with valid convolutions returns fewer pixels than it is given: the paper's takes 572 x 572 pixels and labels
# the 388 x 388 in the middle. A microscope's image has 512 x 512 pixels, or 20,000 x 30,000. **How do we get a label
# for every pixel of an image of any size, and how do we do it piece by piece without a trace of the pieces?**
#
# The paper's answer is its Fig. 2, the *overlap-tile strategy*, and a mirror at the edges. Both take a few lines.
# There are also several ways to get them nearly right, and we shall see what traces those leave in the picture.

# %% [markdown]
# You need this from earlier pages: a valid 3x3 convolution takes one pixel off each side (notebook 02), max-pooling
# halves the size and takes the largest of each 2x2 window (notebook 03), and a U-Net of depth 2 is two levels of that,
# a bottom, and two levels up (notebook 07). `predict` returns the probability of each class at every pixel.

# %%
import os
import tracemalloc

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

from minunet import course, gradcheck, init_unet, pixel_error, predict, unet_backward, unet_forward
from minunet.data import cut, mirror_pad, normalise, synthetic_dataset
from minunet.data.tiles import mirrored_indices
from minunet.fast.cpu.memory import give_back
from minunet.network.sizes import border
from minunet.prediction.predict import output_windows, tile_probabilities
from minunet.training.config import Config
from minunet.training.train import start, train_steps

QUICK = "MINUNET_QUICK" in os.environ  # fewer training steps, for the tests of this page

# %% [markdown]
# ## The border that gets lost
#
# Two valid 3x3 convolutions take 4 pixels off an axis, 2 on each side. One level further down a pixel is as wide as
# two pixels of the image, so 4 pixels there cost 8 pixels of the image. Add it up by hand for depth 1:
#
# - two convolutions on the way down: 4
# - two at the bottom, where pixels count twice: 8
# - two on the way up: 4
#
# Together 16, whatever the size. For depth 4 it is 184, and 572 - 184 = 388. Expect 16, 40, 88 and 184.

# %%
for depth in range(1, 5):
    print(f"depth {depth}: the border takes {border(depth)} pixels of an axis, {border(depth) // 2} on each side")
course.show_source(border)

# %% [markdown]
# Which pixels of the input does **one** output pixel depend on? A gradient tells, as in notebook 07: set `dy` to 1 at
# a single logit and go backward to the input. We take a network of depth 2 with its initial weights, an input of 76 x
# 76 and so an output of 36 x 36. Output row 17 lies at input row 17 + 20 = 37. With 20 pixels on each side, you might
# expect 41 rows of the input.

# %%
untrained = init_unet(np.random.default_rng(0), base_channels=8, depth=2, dtype=np.float64)
logits, cache = unet_forward(untrained, np.random.default_rng(1).normal(size=(1, 1, 76, 76)))


def rows_that_matter(h):
    dlogits = np.zeros_like(logits)
    dlogits[0, 1, h, h] = 1
    dx = unet_backward(dlogits, cache, with_dx=True)[1][0, 0]
    rows = np.flatnonzero(dx.any(axis=1))
    return dx, rows.min(), rows.max()


for h in (15, 16, 17, 18, 19, 20):
    print(f"output row {h}, at input row {h + 20}: depends on input rows", *rows_that_matter(h)[1:])

# %% [markdown]
# There are 44, and they are the **same** 44 for output rows 16, 17, 18 and 19. The reason is the pooling: its two
# levels bundle 4 x 4 pixels, and the four rows of a bundle see the same rows: their own 4, and 20 on each side. Keep
# this in mind: it will come back as a trap. In the picture the gradient fades towards the green frame; outside the
# frame it is exactly zero.

# %%
dx = rows_that_matter(17)[0]
figure, ax = plt.subplots(figsize=(4.8, 4), layout="constrained")
shown = course.draw(ax, dx, "dx of output pixel (17, 17)", gradient=True, limit=0.1)
for first, size, colour, name in ((36, 4, "#E69F00", "its bundle: 4 x 4"), (16, 44, "#009E73", "it sees: 44 x 44")):
    box = {"fill": False, "edgecolor": colour, "linewidth": 2.5, "label": name}
    ax.add_patch(plt.Rectangle((first - 0.5, first - 0.5), size, size, **box))
ax.legend(loc="lower right")
figure.colorbar(shown, ax=ax)
plt.show()

# %% [markdown]
# ## Beyond the edge: a mirror
#
# To label the first row of the image, the network needs 20 rows above it, and there are none. In the paper, the image
# goes on as in a mirror. Work it out for the row `1 2 3 4 5` with 2 pixels on each side. The mirror stands **on** the
# edge pixel: going left from 1 we meet 2, then 3. Going right from 5 we meet 4, then 3.
#
# ```
# 3 2 [1 2 3 4 5] 4 3
# ```
#
# NumPy calls this `reflect`. Three other modes, for comparison: `symmetric` repeats the edge pixel once, `edge`
# repeats it for ever, and `constant` puts zeros. The picture shows them on a noisy row.

# %%
row = np.array([1, 2, 3, 4, 5])
modes = ("reflect", "symmetric", "edge", "constant")
for mode in modes:
    print(f"{mode:10}", np.pad(row, 2, mode=mode))

# %%
line = np.sin(np.arange(24) / 5) + 1.5 + np.random.default_rng(10).normal(scale=0.3, size=24)
figure, axes = plt.subplots(4, 1, figsize=(6.5, 5), sharex=True, layout="constrained")
for ax, mode in zip(axes, modes, strict=True):
    ax.plot(np.arange(-8, 32), np.pad(line, 8, mode=mode), "o-", color="#D55E00", markersize=3)
    ax.plot(line, "o-", color="black", markersize=3)
    ax.set_ylabel(mode, rotation=0, ha="right")
axes[-1].set_xlabel("pixel (black: the image; orange: what is made up)")
plt.show()

# %% [markdown]
# Zeros make a step that looks like the edge of a cell. Repeating makes a flat piece, with none of the image's noise.
# What the mirror makes up looks like more of the same image. `symmetric` is a mirror as well, between the edge pixel
# and its copy; so it shows the edge pixel twice, and two equal neighbours are rare in a noisy image.
#
# As a formula, the pixel at place `i` of the endless image is pixel `mirror(i)` of the real one. The sequence `0 1 2 3
# 4 3 2 1` repeats for ever: its period is `2 * (size - 1)`, here 8, and its second half goes backwards.
#
# **Exercise 1.** Write the mirror. `index` is an array of whole numbers, negative, inside or far outside; for each of
# them, return the pixel of the row that is seen there, from 0 to `size - 1`. A row of one pixel shows only that one.
# (`%` of a negative number is positive in Python: `-1 % 8` is 7.)


# %% tags=["exercise"]
def my_mirror_index(index, size):
    """Return the pixels 0 .. size - 1 that a mirrored row shows at `index`, an array of whole numbers."""
    # your code: about 3 lines
    period = max(1, 2 * (size - 1))
    index = index % period
    return np.minimum(index, (period - index) % period)
    # end of your code


# %% tags=["check"]
course.check("mirror_index", my_mirror_index)

# %% [markdown]
# The library makes a whole stretch of such indices at once:

# %%
course.show_source(mirrored_indices)

# %% [markdown]
# ### An image smaller than the border
#
# What if the image has 12 x 12 pixels and the border 20? Then the sequence goes back and forth several times: there is
# a mirror behind the mirror. Nothing else changes, and `mirror_pad` makes 52 x 52 pixels of 144.

# %%
cells = synthetic_dataset(77, num_train=0, num_validation=1, height=148, width=212).validation[0]
stamp = cells.image[:, 40:52, 60:72]
figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.2), layout="constrained")
course.draw_image(axes[0], stamp[0], "an image of 12 x 12")
course.draw_image(axes[1], mirror_pad(stamp, 20, 20, 20, 20)[0], "with 20 mirrored pixels around it")
axes[1].plot([19.5, 31.5, 31.5, 19.5, 19.5], [19.5, 19.5, 31.5, 31.5, 19.5], color="#E69F00")
plt.show()

# %% [markdown]
# ### Backward through the mirror
#
# The mirror reads each pixel once or more often, so its backward pass adds up what comes back from all the copies:
# `+=`, not `=`. In the row `3 2 1 2 3 4 5 4 3`, the 3 appears three times. Expect an error below 1e-10, and the
# gradient of an all-ones `dy` to count how often each pixel is seen: 1 2 3 2 1.

# %%
seen = mirrored_indices(-2, 9, 5)  # from place -2 on, 9 places of a row of 5


def mirror_forward(x):
    return x[seen], len(x)


def mirror_backward(dy, size):
    dx = np.zeros(size)
    np.add.at(dx, seen, dy)  # dx[seen] += dy would count a repeated pixel only once
    return dx


print(gradcheck(mirror_forward, mirror_backward, (row.astype(float),)))
print(mirror_backward(np.ones(9), 5))

# %%
figure, axes = plt.subplots(2, 1, figsize=(6.5, 2.6), layout="constrained")
course.draw(axes[0], np.ones((1, 9)), "dy of the mirrored row", gradient=True, limit=3)
course.draw(axes[1], mirror_backward(np.ones(9), 5)[None], "drow", gradient=True, limit=3)
plt.show()

# %% [markdown]
# ## A network to try it on
#
# We train a network of depth 2 for 300 steps on synthetic cells; this takes some seconds (notebook 08 explains
# training). Then we label the image `cells`, 148 x 212 pixels, in **one shot**: mirror 20 pixels around it, and send
# it through in one piece. We shall compare everything below with this result.

# %%
training = synthetic_dataset(0, num_train=8, num_validation=1, height=128, width=128)
settings = {"base_channels": 8, "depth": 2, "tile": 108, "optimiser": "sgd", "weights": "none", "norm": "none"}
run = start(Config(batch=1, steps=15 if QUICK else 300, **settings), training)
for _ in train_steps(run, training):
    pass

image = normalise(cells.image, run.normalisation)  # (1, 148, 212)
one_shot = tile_probabilities(run.params, mirror_pad(image, 20, 20, 20, 20))  # (2, 148, 212)
print(one_shot.shape, "pixel error:", round(pixel_error(cells.labels, one_shot.argmax(axis=0)), 3))

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
course.draw_image(axes[0], image[0], "148 x 212 pixels")
axes[1].imshow(one_shot[1], cmap="gray", vmin=0, vmax=1)
axes[1].set(title="probability of cell, in one shot", xlabel="W = 212", ylabel="H = 148", xticks=[], yticks=[])
plt.show()

# %% [markdown]
# `tile_probabilities` comes from the library: it runs the network on one tile, then the softmax.

# %%
course.show_source(tile_probabilities)

# %% [markdown]
# ## Overlap-tile
#
# One shot needs all of the image's activations in memory at once. Working piece by piece needs less. Which input is
# needed for which output? To label rows `top` to `top + 72`, take 20 rows more on each side: input rows `top - 20` to
# `top + 92`. The output tiles lie side by side; the **input** tiles overlap by 40. That gives the strategy its name.

# %%
figure, ax = plt.subplots(figsize=(7, 4.4), layout="constrained")
course.draw_image(ax, mirror_pad(image, 20, 20, 20, 20)[0], "input tiles (dashed) overlap, output tiles (solid) do not")
for (top, left), colour in zip([(0, 0), (0, 72), (72, 72)], ["#E69F00", "#56B4E9", "#009E73"], strict=True):
    ax.add_patch(plt.Rectangle((left, top), 112, 112, fill=False, color=colour, linestyle="--", linewidth=2))
    ax.add_patch(plt.Rectangle((left + 20, top + 20), 72, 72, fill=False, color=colour, linewidth=2.5))
ax.add_patch(plt.Rectangle((20, 20), 212, 148, fill=False, color="white", linewidth=0.8))
plt.show()

# %% [markdown]
# The thin white line is the edge of the image; what is outside is mirrored. The image seldom ends where a tile ends.
# By hand, for a row of 212 pixels and output tiles of 72: tiles start at 0, 72 and 144. The last would reach 216, so
# only 68 of its pixels are kept. The 4 pixels beyond the edge are mirrored like the rest.
#
# **Exercise 2.** For one axis, return where the tiles start and how many pixels of each are kept.


# %% tags=["exercise"]
def my_tile_places(size, output):
    """Return two arrays: the starts of output tiles along an axis, and how many pixels of each lie in the image."""
    # your code: about 2 lines
    starts = np.arange(0, size, output)
    return starts, np.minimum(output, size - starts)
    # end of your code


# %% tags=["check"]
course.check("tile_places", my_tile_places)

# %% [markdown]
# **Exercise 3.** Put the tiles together. `tiles` is a list of arrays `(K, height, width)`, `corners` the list of
# their `(top, left)`. A tile may reach beyond the image; keep what is inside.


# %% tags=["exercise"]
def my_stitch(tiles, corners, H, W):
    """Return (K, H, W), put together from tiles (K, height, width) at their corners (top, left)."""
    # your code: about 5 lines
    out = np.zeros((len(tiles[0]), H, W))
    for tile, (top, left) in zip(tiles, corners, strict=True):
        window = out[:, top : top + tile.shape[1], left : left + tile.shape[2]]
        window[...] = tile[:, : window.shape[1], : window.shape[2]]
    return out
    # end of your code


# %% tags=["check"]
course.check("stitch", my_stitch)

# %% [markdown]
# Here is the whole strategy, in ten lines. `get_input` says which input belongs to an output tile; the right one is
# `overlapping`, and wrong ones follow. `cut` takes a window of the mirrored, endless image.


# %%
def in_tiles(get_input, output):
    """Label the image in output tiles (output, output); get_input(top, left, output) returns an input tile."""
    _, H, W = image.shape
    out = np.empty_like(one_shot)
    for top in range(0, H, output):
        for left in range(0, W, output):
            height, width = min(output, H - top), min(output, W - left)
            p = tile_probabilities(run.params, get_input(top, left, output))
            out[:, top : top + height, left : left + width] = p[:, :height, :width]
    return out


def overlapping(top, left, output):
    return cut(image, top - 20, left - 20, output + 40, output + 40)


# %% [markdown]
# Expect the largest difference to the one-shot result to be below 1e-6, and not zero everywhere: the same sums, in
# another order, are rounded differently. Numbers in float32 carry about 7 digits.

# %%
for output in (72, 36, 52):
    print(f"tiles of {output}: largest difference {np.abs(in_tiles(overlapping, output) - one_shot).max():.1e}")

# %% [markdown]
# There is no seam to repair. Each output pixel was computed from the same input pixels, through the same sums, as in
# one shot.
#
# ## Seams, if you do it wrong
#
# **Without overlap.** Cut the image into pieces of 72 x 72, and give each piece a border of its own: zeros in one
# attempt (here the mean grey, since the image is normalised), the piece's own mirror image in the other. Both run
# without an error. Before you look: where will the two differ from the one-shot result, and how deep into a tile?


# %%
def zeros_around(top, left, output):
    return np.pad(cut(image, top, left, output, output), ((0, 0), (20, 20), (20, 20)))


def own_mirror(top, left, output):
    return mirror_pad(cut(image, top, left, output, output), 20, 20, 20, 20)


in_three_ways = {way.__name__: in_tiles(way, 72) for way in (zeros_around, own_mirror, overlapping)}
differences = {name: (p - one_shot)[1] for name, p in in_three_ways.items()}
print("connected pieces in one shot:", ndimage.label(one_shot.argmax(axis=0))[1])
for name, p in in_three_ways.items():
    off, found = np.abs(differences[name]), ndimage.label(p.argmax(axis=0))[1]
    print(f"{name:12}  largest {off.max():.1e}   off by more than 0.1: {np.mean(off > 0.1):.1%}   pieces: {found}")

# %%
figure, axes = plt.subplots(2, 2, figsize=(8, 5.2), layout="constrained")
for column, name in zip(axes.T, ("zeros_around", "own_mirror"), strict=True):
    column[0].imshow(in_three_ways[name][1], cmap="gray", vmin=0, vmax=1)
    column[0].set(title=f"{name}: probability of cell", ylabel="H = 148", xticks=[], yticks=[])
    shown = course.draw(column[1], differences[name], "minus the one-shot result", gradient=True, limit=0.5)
figure.colorbar(shown, ax=axes[1], label="difference", shrink=0.9)
plt.show()

# %% [markdown]
# With zeros, the grid of the tiles shows in the answer. The mean grey is lighter than the background, so the strip
# along a seam looks a little like cell, and where its probability exceeds one half it counts as cell. That makes many
# more connected pieces than in one shot; most of the new ones are specks of a few pixels on the seams. `own_mirror` is
# harder to notice. There are no lines, and the number of pieces hardly changes, but outlines are wrong where a seam
# crosses them.
#
# (Many networks pad every convolution with zeros, so that no border is lost. They have such wrong borders inside, in
# every layer, at every edge of every tile.)
#
# How deep does the damage go? A pixel that lies 20 or more from the edge of its tile sees nothing from outside. Expect
# the curves to end sharply at 20.

# %%
rows, columns = np.indices(image.shape[1:]) % 72
to_the_edge = np.minimum(np.minimum(rows, 71 - rows), np.minimum(columns, 71 - columns))
figure, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
for name, colour in (("zeros_around", "#D55E00"), ("own_mirror", "#0072B2")):
    mean = [np.abs(differences[name][to_the_edge == distance]).mean() for distance in range(36)]
    ax.semilogy(np.maximum(mean, 1e-8), "o-", color=colour, markersize=3, label=name)
ax.axvline(20, color="grey", linestyle=":")
ax.set(
    xlabel="distance from the edge of the tile, in pixels",
    ylabel="mean |difference|",
    title="how deep a wrong border reaches",
)
ax.legend()
plt.show()

# %% [markdown]
# **Off the grid of the pools.** Here is the trap announced at the beginning. Let the tiles overlap as they should, but
# place them 70 apart instead of 72, each still 112 wide. Nothing is missing from any input. But pooling bundles pixels
# in fours, counted from the first pixel of the tile. A tile that starts at row 70 bundles rows 70 to 73; the one-shot
# run has rows 68 to 71 in one bundle. So other pixels win.


# %%
def on_a_grid_of(step):
    _, H, W = image.shape
    out = np.empty_like(one_shot)
    for top in range(0, H, step):
        for left in range(0, W, step):
            height, width = min(step, H - top), min(step, W - left)
            p = tile_probabilities(run.params, cut(image, top - 20, left - 20, 112, 112))
            out[:, top : top + height, left : left + width] = p[:, :height, :width]
    return out


for step in (72, 71, 70, 69, 68):
    print(f"tiles {step} apart: largest difference {np.abs(on_a_grid_of(step) - one_shot).max():.1e}")

# %%
figure, ax = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
shown = course.draw(ax, (on_a_grid_of(70) - one_shot)[1], "tiles 70 apart", gradient=True, limit=0.5)
figure.colorbar(shown, ax=ax, label="difference of probabilities", shrink=0.8)
plt.show()

# %% [markdown]
# Tiles 72 and 68 apart agree, since both are multiples of 4; the others do not. The first tile is right in all cases,
# since it starts at 0. Neither result is more *correct* than the other, but the label of a pixel should not depend on
# how the work was divided. So: **tiles lie multiples of `2**depth` apart.** The library takes care of this, below in
# the line with `// 2**depth * 2**depth`. It also accepts tiles that are not square. A `version` is the image itself or
# a turned copy; these come at the end of the page.

# %%
course.show_source(output_windows)

# %%
for tile in (76, 112, (60, 140)):
    p = predict(run.network, cells.image, tile=tile)
    print(f"predict with tile {tile}: largest difference {np.abs(p - one_shot).max():.1e}")
small = predict(run.network, stamp)
print("and of the 12 x 12 stamp:", small.shape)

# %% [markdown]
# ## Memory is bounded by the tile
#
# This is the purpose of tiling. We measure the largest amount of memory that `predict` holds at any moment, for images
# of 128, 256 and 512 pixels, in one shot and in tiles of 92. The result goes to an array that exists already (`out=`),
# which may be a file on disk. Twice the width means four times the pixels, or a little less with the border. So expect
# one line to grow three- to fourfold from image to image, and the other to stay where it is.


# %%
def peak_megabytes(size, tile):
    picture, out = np.zeros((1, size, size), np.float32), np.empty((2, size, size), np.float32)
    give_back()  # the library keeps memory that an array has left; what lies idle would not be counted
    tracemalloc.start()
    predict(run.params, picture, tile=tile, out=out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


sizes = (128, 256, 512)
peaks = {"one shot": [peak_megabytes(n, n + 40) for n in sizes], "tiles of 92": [peak_megabytes(n, 92) for n in sizes]}
for name, megabytes in peaks.items():
    print(f"{name:12}", *(f"{m:7.1f} MB" for m in megabytes))

# %%
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for (name, megabytes), colour in zip(peaks.items(), ("#D55E00", "#0072B2"), strict=True):
    ax.plot(sizes, megabytes, "o-", color=colour, label=name)
ax.set(xlabel="width of the image, in pixels", ylabel="peak memory, in MB", xticks=sizes)
ax.legend()
plt.show()

# %% [markdown]
# Tiling has a price: the overlap is computed more than once. For each tile the network works on `tile**2` pixels and
# labels `output**2` of them. By hand, for the paper's 572 and 388: 1.47 squared is 2.17, so more than half of the work
# is border. With the smallest tiles it is absurd. So take the largest tile that fits in memory.

# %%
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for depth, colour in ((2, "#E69F00"), (4, "#0072B2")):
    outputs = np.array([n - border(depth) for n in range(border(depth) + 4, 1100, 16)])
    ax.loglog(outputs, ((outputs + border(depth)) / outputs) ** 2, color=colour, label=f"depth {depth}")
ax.plot(388, (572 / 388) ** 2, "o", color="black", label="the paper: 572 for 388")
ax.set(xlabel="width of the output tile, in pixels", ylabel="work for a labelled pixel", ylim=(0.8, 1000))
ax.legend()
plt.show()

# %% [markdown]
# ## Turned versions, averaged
#
# The paper averages the predictions of 7 turned versions of the image. A turned image shows the same cells, but the
# network's kernels are not symmetric, so its answer is a little different. By hand, for the four quarter turns: turn
# the image, predict, turn the answer back, and take the mean. H and W are the last two axes, as in notebook 09.


# %%
def answer(turns):
    turned = np.rot90(image, turns, axes=(1, 2))
    return np.rot90(predict(run.params, turned), -turns, axes=(1, 2))


answers = np.array([answer(turns) for turns in range(4)])  # (4, 2, 148, 212)
built_in = predict(run.params, image, rotations=4)
print(f"largest difference to predict(rotations=4): {np.abs(answers.mean(axis=0) - built_in).max():.1e}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3), layout="constrained")
axes[0].imshow(built_in[1], cmap="gray", vmin=0, vmax=1)
axes[0].set(title="mean of four answers", xlabel="W = 212", ylabel="H = 148", xticks=[], yticks=[])
shown = axes[1].imshow(answers[:, 1].std(axis=0), cmap="cividis")
axes[1].set(title="how far they are apart", xlabel="W = 212", ylabel="H = 148", xticks=[], yticks=[])
figure.colorbar(shown, ax=axes[1], label="standard deviation", shrink=0.9)
plt.show()

# %% [markdown]
# The four disagree at outlines, where any of them may be wrong, and agree elsewhere. For turns by sevenths of a full
# turn, the library reads the image between its pixels (notebook 09), and the answers as well. Does the average help?
# We measure on six held-out images. Nothing has to be trained again, so the only price is time: four, seven or eight
# times as much.

# %%
others = synthetic_dataset(78, num_train=0, num_validation=6, height=128, width=128).validation


def errors(rotations):
    answers_to = [predict(run.network, s.image, rotations=rotations) for s in others]
    return [pixel_error(s.labels, p.argmax(axis=0)) for s, p in zip(others, answers_to, strict=True)]


for rotations in (1, 4, 7, 8):
    each = errors(rotations)
    print(f"rotations={rotations}: mean {np.mean(each):.2%}   ", *(f"{e:.1%}" for e in each))

# %% [markdown]
# Averaging helps on most of the images, but only a little: the error shrinks by a few percent of itself, for at least
# four times the work. Seven or eight versions hardly do better than four. The paper does not say how much it gained.
# Averaging cannot mend a mistake that all versions make.

# %% [markdown]
# **Question 1.** Suppose the network had a layer that subtracts the mean of its whole input. Would the overlap-tile
# strategy still give the one-shot result? What does that say about how grey values should be normalised before
# predicting?

# %% [markdown] tags=["answer"]
# No. Each tile has a different mean, so neighbouring tiles are computed from different inputs, and seams appear.
# Anything that looks at the whole input breaks the strategy. Grey values must be normalised by numbers that are fixed
# beforehand, those of the training images or of the whole image, and never tile by tile.
#
# **Rubric, 1 point.** No, with the reason that each tile has another mean, and numbers that are fixed beforehand.

# %% [markdown]
# **Question 2.** A scan has 20,000 x 30,000 pixels, and your memory is enough for a tile of 700 at depth 4, whose
# output is 516. How far apart do the tiles lie, how many are there, and how much work is border?

# %% [markdown] tags=["answer"]
# Multiples of 16: 512 of the 516 are used. 20,000 / 512 is 39.06, so 40 rows of tiles, and 30,000 / 512 is 58.6, so 59
# columns: 2,360 tiles. The work is (700 / 512) squared, 1.87 for each labelled pixel; nearly half of it is border.
#
# **Rubric, 1 point.** The number of tiles and the share of the border. 516 in place of 512 is half a point.

# %% [markdown]
# **Question 3.** The mirror makes up pixels. Think of a cell most of which is cut off by the edge of the image: what
# does the network see? Where could better context come from?

# %% [markdown] tags=["answer"]
# It sees a small symmetric cell that ends in its own mirror image, a shape that does not exist. Often the label
# is still right, since the grey values are. Better context is real context: record, or cut out, a larger image than
# you want to label, and mirror only where the scan itself ends.
#
# **Rubric, 1 point.** What the network sees, and context from a larger image.

# %% [markdown]
# ## In three lines
#
# 1. Valid convolutions lose a border that does not depend on the size; at the edge, a mirror supplies it.
# 2. Input tiles overlap, output tiles lie multiples of `2**depth` apart: the result is that of one shot.
# 3. Memory is bounded by the tile; the price is that borders are computed twice. Averaging turned versions helps a
#    little.
#
# ## Where to read more
#
# [predict.py](../minunet/prediction/predict.py) has the strategy, [tiles.py](../minunet/data/tiles.py)
# the mirror, [rotations.py](../minunet/prediction/rotations.py) the turned versions, and
# [sizes.py](../minunet/network/sizes.py) the arithmetic of sizes. In the paper: Fig. 2 and section 2 ([arXiv
# 1505.04597](https://arxiv.org/abs/1505.04597)). Odena, Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts"
# (Distill, 2016), look at other traces that arithmetic leaves in pictures. Notebook [11](11_electron_microscopy.ipynb)
# puts all this to work on images from an electron microscope.
