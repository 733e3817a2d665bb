# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 18 From probabilities to cells
#
# The network gives each pixel a probability. A biologist wants *cells*: how many there are, how large, and which pixel
# belongs to which. **What has to be decided on the way from one to the other, and who decides it?**
#
# Four decisions lie in between. Which loss made the probabilities: the weighted cross-entropy of notebook 06, or
# *Dice*, which many papers use? Can the probabilities be believed? Where is the threshold? And how is a patch that is
# really two cells cut in two? The page ends with an open contest: find the cells of held-out images better than we do.
#
# From earlier pages: the softmax and its backward pass, `p - onehot`, and the weight map (06); training (08);
# `predict` for images of any size (10).

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

from minunet import (
    adam_step,
    course,
    gradcheck,
    init_moments,
    init_unet,
    pixel_error,
    predict,
    seg_score,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    unet_backward,
    unet_forward,
)
from minunet.course import contest
from minunet.course.exercises import n18_from_probabilities_to_cells as finished
from minunet.data import (
    loss_weights,
    normalisation_of,
    normalise,
    random_tile,
    read_dsb2018,
    read_image,
    synthetic_dataset,
)
from minunet.metrics import components, watershed
from minunet.network.initialise import centre
from minunet.network.sizes import output_size
from minunet.pictures.weights import in_colours

QUICK = "MINUNET_QUICK" in os.environ  # fewer steps, for the tests of this course
COLOURS = {"cross-entropy": "#0072B2", "with weight map": "#009E73", "Dice": "#D55E00"}

# %% [markdown]
# `finished` holds finished versions of the functions that you will write on this page, so that the lesson runs while
# your own are still empty.
#
# ## The images
#
# Real nuclei are published as image set **BBBC038** of the Broad Bioimage Benchmark Collection (the Data Science Bowl
# of 2018; Caicedo et al. 2019). They are in the public domain (CC0): you may copy them, and hand them on to your
# students. If you have them, put the folder `stage1_train` into a folder `dsb2018`, and let the environment variable
# `MINUNET_DATA` name the folder *above* that one before you start Jupyter. Every nucleus is a file of its own there,
# so the truth tells touching nuclei apart.
#
# Where they are missing, this page goes on with the library's **synthetic cells**, and nothing else about it changes.
# What the text says about results is about the synthetic cells, unless it says "on the real nuclei"; that was found by
# running this same page with 80 images of BBBC038, on a CPU.

# %%
folder = Path(os.environ.get("MINUNET_DATA", "")) / "dsb2018"
if folder.is_dir():
    dataset = read_dsb2018(folder)
else:
    dataset = synthetic_dataset(seed=18, num_train=12, num_validation=12, height=160, width=160)
train, to_choose, held_out = dataset.train, dataset.validation[::2], dataset.validation[1::2]
print(f"{dataset.name}: {len(train)} images to train, {len(to_choose)} to choose with, {len(held_out)} held out")

# %% [markdown]
# Three groups, and not two. The network learns from the first. The second is for our own choices, such as a
# threshold. The third is for one single measurement at the end. Whoever chooses a threshold on the images that judge
# it has measured nothing (notebook 11, last question).

# %%
first = to_choose[0]
figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.3), layout="constrained")
course.draw_image(axes[0], first.image[0], "an image")
axes[1].imshow(in_colours(first.instances))
axes[1].set(title=f"the truth: {len(np.unique(first.instances)) - 1} cells", xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## Dice, by hand
#
# Dice asks how well two sets overlap: twice the overlap, divided by the sum of the two sizes. It is 1 if the sets are
# equal, and 0 if they have nothing in common. With probabilities `p` in place of a set, the overlap is the sum of `p`
# over the cell, and the size is the sum of all `p`:
#
#     dice = 2 * sum(p * truth) / (sum(p) + sum(truth))            loss = 1 - dice
#
# Six pixels, three of them cell:

# %%
p_small = np.array([[1.0, 1.0, 0.5], [0.25, 0.5, 0.75]])
truth_small = np.array([[1, 1, 0], [0, 0, 1]])
figure, axes = plt.subplots(1, 3, figsize=(8, 2.5), layout="constrained")
for ax, (name, plane) in zip(
    axes, {"p": p_small, "truth": truth_small, "p * truth": p_small * truth_small}.items(), strict=True
):
    course.draw(ax, plane, f"{name}, sum {plane.sum():g}")
plt.show()

# %% [markdown]
# On paper: the overlap is 1 + 1 + 0.75 = 2.75. The sizes are 4 and 3. So `dice = 5.5 / 7 = 0.786`, and the loss is
# **0.214**, or 3 / 14. Background that is called background, with `p = 0`, appears in none of the three sums.
#
# **Exercise 1.** Write the Dice loss. `p` and `truth` have the same shape, whatever it is.


# %% tags=["exercise"]
def my_dice_loss(p, truth):
    """Return the loss, a scalar."""
    # your code: about 2 lines
    overlap = (p * truth).sum()
    return 1 - 2 * overlap / (p.sum() + truth.sum())
    # end of your code


# %% tags=["check"]
course.check("dice_loss", my_dice_loss)

# %% [markdown]
# So an image may be as empty as it likes. Put a broad frame of background around the six pixels, and call it
# background: Dice does not notice. The cross-entropy is a mean over all pixels, and the frame dilutes it.


# %%
def cross_entropy(p, truth):
    """Return the mean surprise (notebook 06)."""
    return -np.log(np.where(truth == 1, p, 1 - p)).mean()


soft = np.clip(p_small, 0.01, 0.99)  # no probability of exactly 0 or 1
for frame in (0, 1, 4):
    p, truth = np.pad(soft, frame, constant_values=0.001), np.pad(truth_small, frame)
    print(f"frame {frame}: Dice loss {finished.dice_loss(p, truth):.3f}   cross-entropy {cross_entropy(p, truth):.3f}")

# %% [markdown]
# That is why people like Dice: where cells are rare, it needs no class weights. Now for what it does to the gradient.
#
# ## The gradient of Dice
#
# Write `overlap = sum(p * truth)` and `total = sum(p) + sum(truth)`. Raise one `p` by a little. If the pixel is cell,
# the overlap grows by as much; and the total grows in any case. The derivative of a quotient,
#
#     d(overlap / total) = (doverlap * total - overlap * dtotal) / total**2
#
# with `dtotal = 1` and `doverlap = truth` gives `(truth - overlap / total) / total`. The loss is 1 minus twice that
# quotient, and `overlap / total` is `dice / 2`:
#
#     dp = (dice - 2 * truth) / total
#
# By hand, with `dice = 0.786` and `total = 7`: each cell pixel gets (0.786 - 2) / 7 = **-0.173**, each pixel of
# background 0.786 / 7 = **0.112**. Look twice: the pixel's own `p` is not in it! Right or wrong, every cell pixel
# gets the same.

# %%
dice_small = 1 - finished.dice_loss(p_small, truth_small)
dp_small = (dice_small - 2 * truth_small) / (p_small.sum() + truth_small.sum())
measured = np.zeros((2, 3))
for index in np.ndindex(2, 3):
    nudge = np.zeros((2, 3))
    nudge[index] = 1e-6
    rise = finished.dice_loss(p_small + nudge, truth_small) - finished.dice_loss(p_small - nudge, truth_small)
    measured[index] = rise / 2e-6
print("by the formula\n", dp_small.round(3))
print("measured\n", measured.round(3))

# %% [markdown]
# The network gives logits, so the backward pass goes on through the softmax. With two classes, raising the logit of
# *cell* raises `p` by `p * (1 - p)`, and raising the logit of *background* lowers it by as much (notebook 06 has the
# softmax alone as a layer). So
#
#     dlogits of cell       =  dp * p * (1 - p)
#     dlogits of background = -dp * p * (1 - p)
#
# The cross-entropy has `(p - onehot) / count` there. Both for the six pixels:

# %%
dlogits_of = {
    "cross-entropy: (p - truth) / count": (p_small - truth_small) / 6,
    "Dice: dp * p * (1 - p)": dp_small * p_small * (1 - p_small),
}
figure, axes = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
for ax, (name, plane) in zip(axes, dlogits_of.items(), strict=True):
    course.draw(ax, plane.round(4), name, gradient=True, limit=0.1)
plt.show()

# %% [markdown]
# **Exercise 2.** Write the backward pass of Dice for a batch: one overlap and one total over all images. `p` has both
# classes, class 1 is cell. `np.stack([a, b], axis=1)` puts (N, H, W) and (N, H, W) together to (N, 2, H, W).


# %% tags=["exercise"]
def my_dice_backward(dloss, cache):
    """Return dlogits, (N, 2, H, W); dloss is a scalar."""
    p, labels = cache  # (N, 2, H, W) and (N, H, W)
    # your code: about 6 lines
    p_of_cell = p[:, 1]
    total = p_of_cell.sum() + labels.sum()
    dice = 2 * (p_of_cell * labels).sum() / total
    dp = dloss * (dice - 2 * labels) / total
    dlogits_of_cell = dp * p_of_cell * (1 - p_of_cell)
    return np.stack([-dlogits_of_cell, dlogits_of_cell], axis=1)
    # end of your code


# %% tags=["check"]
course.check("dice_backward", my_dice_backward)

# %%
rng = np.random.default_rng(18)
args = rng.standard_normal((2, 2, 4, 5)), rng.integers(0, 2, (2, 4, 5))
print(gradcheck(finished.dice_forward, finished.dice_backward, args))
course.show_source(finished.dice_forward, finished.dice_backward)

# %% [markdown]
# ## Wrong and sure of it
#
# One cell pixel, and how hard each loss pulls at its logit, for every `p` that the network may give it. Both are
# scaled to the pull at `p = 0.5`.

# %%
p_line = np.linspace(0, 1, 201)
figure, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
ax.plot(p_line, (1 - p_line) / 0.5, color=COLOURS["cross-entropy"], label="cross-entropy: 1 - p")
ax.plot(p_line, p_line * (1 - p_line) / 0.25, color=COLOURS["Dice"], label="Dice: p * (1 - p)")
ax.set(xlabel="p of a cell pixel", ylabel="pull, 1 at p = 0.5", title="wrong and sure on the left, right on the right")
ax.legend()
plt.show()

# %% [markdown]
# On the right both let go: the pixel is done. On the left the two disagree. The cross-entropy pulls hardest where the
# network is wrong and sure of it. Dice does not pull there at all: `p * (1 - p)` is 0 at both ends. It drives pixels
# away from the middle, to either side, and leaves them where they arrive. Remember that for the probabilities below.
#
# **Question 1.** A tile without a single cell pixel: what are the Dice loss and its gradient, for any `p`? What is the
# gradient of the cross-entropy? What would you do about it?

# %% [markdown] tags=["answer"]
# The overlap is 0, so `dice` is 0 and the loss is 1, whatever `p` is. Then `dp = (0 - 0) / total` is 0 too: a network
# that sees cells everywhere learns nothing from an empty tile. The cross-entropy gives every pixel `p / count`, and
# lowers them all. Remedies: add the two losses, which is what most people do; compute Dice over a batch in which
# other tiles have cells; or add a small constant above and below the line, which gives an empty tile a gradient.
#
# **Rubric, 2 points.** One for the loss of 1 and the gradient of 0, beside that of the cross-entropy. One for a remedy
# that gives the tile a gradient.

# %% [markdown]
# ## One network, three losses
#
# Now the same small U-Net three times: with the plain cross-entropy, with the weight map of the paper's equation 2, and
# with Dice. The same first weights, the same tiles in the same order, the same steps of Adam. About ten seconds each.

# %%
TILE, DEPTH = 124, 2
OUTPUT = output_size(TILE, DEPTH)
images = [normalise(sample.image, normalisation_of(sample.image, "image")) for sample in train]
maps = loss_weights(train, "map")


def draw_tile(step):
    """Return x (1, 1, 124, 124), and labels and weights of its middle, (1, 84, 84)."""
    rng = np.random.default_rng([18, step])
    i = rng.integers(len(train))
    planes = images[i], train[i].labels, maps[i]
    return tuple(plane[None] for plane in random_tile(*planes, rng, (TILE, TILE), (OUTPUT, OUTPUT)))


# %%
def by_cross_entropy(logits, labels, weights):
    loss, cache = softmax_cross_entropy_forward(logits, labels)
    return loss, softmax_cross_entropy_backward(1.0, cache)


def by_weight_map(logits, labels, weights):
    loss, cache = softmax_cross_entropy_forward(logits, labels, weights)
    return loss, softmax_cross_entropy_backward(1.0, cache)


def by_dice(logits, labels, weights):
    loss, cache = finished.dice_forward(logits, labels)
    return loss, finished.dice_backward(1.0, cache).astype(logits.dtype)


def trained(loss_and_gradient, steps=40 if QUICK else 240):
    """Return the parameters of a U-Net that has learned by this loss."""
    params = init_unet(np.random.default_rng(0), base_channels=8, depth=DEPTH)
    centre(params)  # notebook 16: a quicker descent
    moments = init_moments(params)
    for step in range(steps):
        x, labels, weights = draw_tile(step)
        logits, cache = unet_forward(params, x)
        _, dlogits = loss_and_gradient(logits, labels, weights)
        rate = 0.003 * min(1, (step + 1) / 20) * (1 - step / steps)
        adam_step(params, unet_backward(dlogits, cache), moments, rate, 0.9, step + 1)
    return params


# %%
networks = {name: trained(loss) for name, loss in zip(COLOURS, (by_cross_entropy, by_weight_map, by_dice), strict=True)}


def probabilities_of(params, samples):
    """Return the probability of cell of each sample, (H, W) each."""
    return [predict(params, sample.image, normalisation="image")[1] for sample in samples]


maps_of = {name: probabilities_of(params, to_choose) for name, params in networks.items()}

# %% [markdown]
# The same corner of one image, as the three see it. Expect soft outlines from the cross-entropy, dark lines between
# cells that touch from the weight map, and black and white from Dice.

# %%
corner = np.s_[:96, :96]
figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
course.draw_image(axes[0], first.image[0][corner], "image")
for ax, (name, maps_of_network) in zip(axes[1:], maps_of.items(), strict=True):
    ax.imshow(maps_of_network[0][corner], cmap="gray", vmin=0, vmax=1)
    ax.set(title=f"p, {name}", xticks=[], yticks=[])
plt.show()
for name, maps_of_network in maps_of.items():
    p = np.concatenate([p.ravel() for p in maps_of_network])
    print(f"{name:<16} {((p > 0.05) & (p < 0.95)).mean():.1%} of the pixels between 0.05 and 0.95")

# %% [markdown]
# ## SEG: cell by cell
#
# A measure for cells is needed. The Cell Tracking Challenge has one, *SEG*. Take each cell R of the truth. A proposed
# cell S *matches* it if S covers more than half of R; there can be one such S at most. R counts with the overlap over
# the union, `|R and S| / |R or S|`, and with 0 if nothing matches. SEG is the mean over all cells of the truth.
#
# By hand, with four true cells and a proposal that makes one patch of the two at the top:

# %%
true_small, proposed_small = finished.FOUR_CELLS, finished.PROPOSED
figure, axes = plt.subplots(1, 2, figsize=(7.5, 2.2), layout="constrained")
for ax, labels, title in zip(axes, (true_small, proposed_small), ("truth", "proposal"), strict=True):
    ax.imshow(in_colours(labels))
    for h, w in np.argwhere(labels > 0):
        ax.text(w, h, labels[h, w], ha="center", va="center")
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
print("SEG", round(seg_score(true_small, proposed_small), 3))

# %% [markdown]
# Cell 1 has 6 pixels, and the patch has 11, all of cell 1 among them: 6 / 11 = 0.545. Cell 2 has 4 pixels, three of
# them in the patch: 3 / (4 + 11 - 3) = 0.25. Half of cell 3 is covered, which is not *more* than half: 0. Of cell 4 one
# pixel of three: 0. SEG is (0.545 + 0.25) / 4 = **0.199**. A merge costs more than half of two cells.
#
# **Exercise 3.** Write SEG. Any numbers may stand for cells, 0 is background, and the truth has a cell.


# %% tags=["exercise"]
def my_seg(truth, proposal):
    """Return SEG, 0 to 1; truth and proposal are label images, (H, W)."""
    # your code: about 9 lines
    scores = []
    for number in np.unique(truth[truth > 0]):
        R = truth == number
        candidates, counts = np.unique(proposal[R], return_counts=True)
        S = proposal == candidates[counts.argmax()]
        matches = candidates[counts.argmax()] > 0 and 2 * (R & S).sum() > R.sum()
        scores.append((R & S).sum() / (R | S).sum() if matches else 0.0)
    return np.mean(scores)
    # end of your code


# %% tags=["check"]
course.check("seg", my_seg)

# %% [markdown]
# ## Thresholds
#
# The simplest way to cells: a threshold, and then each connected piece is a cell. Which threshold? The next plot tries
# many on the images to choose with, for the pixel error and for SEG.

# %%
thresholds = np.arange(1, 20) / 20


def mean_over(samples, maps_of_network, measure):
    """Return the mean of measure(sample, p) over the samples."""
    return np.mean([measure(sample, p) for sample, p in zip(samples, maps_of_network, strict=True)])


curves = {}
for name, maps_of_network in maps_of.items():
    errors = [mean_over(to_choose, maps_of_network, lambda s, p, t=t: pixel_error(s.labels, p > t)) for t in thresholds]
    segs = [
        mean_over(to_choose, maps_of_network, lambda s, p, t=t: seg_score(s.instances, components(p > t)))
        for t in thresholds
    ]
    curves[name] = errors, segs

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for name, (errors, segs) in curves.items():
    axes[0].plot(thresholds, errors, color=COLOURS[name], label=name)
    axes[1].plot(thresholds, segs, color=COLOURS[name], label=name)
axes[0].set(title="low is good", xlabel="threshold", ylabel="pixel error", ylim=(0, None))
axes[1].set(title="high is good", xlabel="threshold", ylabel="SEG of the pieces", ylim=(0, 1))
axes[1].legend(loc="best")
plt.show()
for name, (errors, segs) in curves.items():
    print(
        f"{name:<16} pixel error {min(errors):.3f} at {thresholds[np.argmin(errors)]:.2f}"
        f"   SEG {max(segs):.3f} at {thresholds[np.argmax(segs)]:.2f}"
    )

# %% [markdown]
# By the pixel error the three are nearly equal. By SEG they are far apart, and each network has its own best
# threshold. The cross-entropy wants a high one, since a higher threshold opens the faint lines between cells, and then
# eats the cells' rims. The network with the map has darker lines, which open sooner. Dice does not care: its
# probabilities are nearly all 0 or 1, and a threshold moves nothing.
#
# ## Can the probabilities be believed?
#
# Of all pixels that were given a probability near 0.7, are seven of ten cell? A network of which this holds, at each
# probability, is *calibrated*. To find out, sort the pixels into bins by their `p`, and compare two numbers in each
# bin: the mean of `p`, and the share of cell.
#
# By hand, eight pixels and two bins. Below 0.5 there are 0.1, 0.2 and 0.3, mean 0.2; one of these three is cell, a
# share of 0.333: the gap is 0.133. The other five, 0.6 to 1.0, have the mean 0.8, and three of them are cell: a gap of
# 0.2. The *calibration error* is the mean gap, each bin weighted by its number of pixels: (3 * 0.133 + 5 * 0.2) / 8 =
# **0.175**.

# %%
print("p\n", finished.EIGHT_P, "\ntruth\n", finished.EIGHT_TRUTHS)
print("calibration error", round(finished.calibration_error(finished.EIGHT_P, finished.EIGHT_TRUTHS, 2), 3))

# %% [markdown]
# **Exercise 4.** Write it. The bins have equal widths, and a `p` of exactly 1 belongs to the last. Empty bins count
# nothing.


# %% tags=["exercise"]
def my_calibration_error(p, truth, bins):
    """Return the calibration error; p and truth have the same shape."""
    # your code: about 7 lines
    number = np.minimum((p * bins).astype(int), bins - 1)
    error = 0.0
    for b in range(bins):
        inside = number == b
        if inside.any():
            gap = p[inside].mean() - truth[inside].mean()
            error += abs(gap) * inside.sum() / p.size
    return error
    # end of your code


# %% tags=["check"]
course.check("calibration_error", my_calibration_error)

# %% [markdown]
# And our three networks. Dots on the diagonal can be believed. A dot above it says: more of these pixels are cell than
# the network thinks. A dot below it: fewer are. The size of a dot shows how many pixels it speaks for.

# %%
truths = np.concatenate([sample.labels.ravel() for sample in to_choose])
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.4), layout="constrained", sharey=True)
for ax, (name, maps_of_network) in zip(axes, maps_of.items(), strict=True):
    p = np.concatenate([p.ravel() for p in maps_of_network])
    number = np.minimum((p * 10).astype(int), 9)
    ax.plot([0, 1], [0, 1], color="0.7")
    for b in np.unique(number):
        inside = number == b
        size = 20 + 600 * inside.mean()
        ax.scatter(p[inside].mean(), truths[inside].mean(), s=size, color=COLOURS[name], alpha=0.7)
    error = finished.calibration_error(p, truths, 10)
    ax.set(title=f"{name}\ncalibration error {error:.3f}", xlabel="mean of p in the bin", xlim=(-0.08, 1.08))
axes[0].set(ylabel="share of cell", ylim=(-0.08, 1.08))
plt.show()

# %% [markdown]
# The plain cross-entropy lies nearest to the diagonal. It is made for this: its loss is smallest, over all pixels that
# look alike, if `p` is the share of cell among them (notebook 11 has the derivative). The weight map has pressed `p`
# down around every cell, where background counts more, so its dots lie higher. With Dice the dots in the middle hardly
# rise: whether it says 0.2 or 0.8 tells nothing, and where it is sure, it is too sure. On the real nuclei the order is
# the same, and the plain cross-entropy is closer still: 0.008, against 0.034 with Dice.
#
# If you only draw outlines, that may not matter. If you add up probabilities, or send doubtful cells to a person, it
# does.
#
# **Question 2.** Class weights bend the probabilities. Let cells have the weight 4 and background 1, and take many
# pixels that look alike, of which a fifth are cell. Which `p` makes the weighted loss smallest? What does that say
# about a `p` of 0.5 from such a network, and how could you undo it?

# %% [markdown] tags=["answer"]
# The weighted gradient is zero if the pulls balance: the share of cell times 4 times `(p - 1)`, plus the share of
# background times 1 times `p`, is 0. That is `0.2 * 4 * (1 - p) = 0.8 * p`, so `p = 0.5`. A `p` of 0.5 from this
# network means one cell in five pixels. In general `p / (1 - p)` is 4 times the true odds, so divide the odds by 4: or
# subtract log 4 from the logit of cell. With the border term of the weight map every pixel has its own weight, and
# nobody can undo it without knowing the truth.
#
# **Rubric, 2 points.** One for `p = 0.5`, with the balance that leads there. One for dividing the odds by 4, or
# subtracting log 4 from the logit.

# %% [markdown]
# ## The watershed
#
# A patch that is two cells must be cut. Think of `1 - p` as a landscape: sure cells are valleys, background is high
# ground, and the faint line between two cells is a low ridge. Pour water into each valley. It rises, and where the
# water of two valleys meets, there is the border. That is the *watershed*. It needs *seeds*: one for each cell.
#
# By hand, a row of seven pixels with the heights 0.6, 0.2, 0.3, **0.7**, 0.4, 0.1, 0.5, and a seed in each valley, A at
# 0.2 and B at 0.1. The neighbours of the seeds wait: 0.6 and 0.3 for A, 0.4 and 0.5 for B. The lowest that waits comes
# next: 0.3, and its neighbour, the ridge of 0.7, now waits for A. Then 0.4; its neighbour is taken. Then 0.5, 0.6, and
# last the ridge. In the end: A A A A B B B.

# %%
heights = np.array([[0.6, 0.2, 0.3, 0.7, 0.4, 0.1, 0.5]])
row_seeds = np.array([[0, 1, 0, 0, 0, 2, 0]])
flooded = watershed(heights, row_seeds)
print("labels", flooded[0])
figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained", sharey=True)
for ax, level in zip(axes, (0.25, 0.45, 0.75), strict=True):
    wet = heights[0] <= level
    colours = np.where(wet, np.array(["white", "#0072B2", "#E69F00"])[flooded[0]], "white")
    ax.bar(range(7), np.maximum(level - heights[0], 0), bottom=heights[0], color=colours, width=1, alpha=0.6)
    ax.bar(range(7), heights[0], color="0.6", width=1, edgecolor="white")
    ax.set(title=f"water up to {level}", xlabel="pixel", xticks=range(7))
axes[0].set(ylabel="height, 1 - p")
plt.show()

# %% [markdown]
# Where do seeds come from? A good one is simple: the pixels of which the network is *very* sure, above a second, higher
# threshold. Two touching cells are one piece at 0.5, and two at 0.9, since the line between them is less sure. The
# piece at 0.5 says how far a cell may grow.
#
# One trap: a small or dark cell may have no pixel above 0.9. Then its whole piece must be a seed, or it is lost.
#
# **Exercise 5.** Return the seeds, True or False for each pixel: the pixels above `seed_threshold`, and all pixels of
# each piece above `threshold` that has none. `components(p > threshold)` gives the pixels of each piece a number, 0 for
# background.


# %% tags=["exercise"]
def my_seeds(p, threshold, seed_threshold):
    """Return the pixels from which the water rises, (H, W), True or False."""
    # your code: about 4 lines
    pieces = components(p > threshold)
    sure = p > seed_threshold
    without = (pieces > 0) & ~np.isin(pieces, pieces[sure])
    return sure | without
    # end of your code


# %% tags=["check"]
course.check("seeds", my_seeds)

# %% [markdown]
# If the probabilities have no line between two cells, as with Dice, their *shape* may still show it: two discs that
# touch have a waist. The distance of each pixel to the background is a landscape too, with a summit in each disc.
# Turned over, it has two valleys, and the summits are the seeds.
#
# Both ways, for two discs that touch: above with a blurred line between them, as from a network that is in doubt there;
# below in black and white, as from Dice.


# %%
def grown(p, threshold, seed_threshold):
    """Return cells: seeds of sure pixels, grown by the watershed to the rim of their pieces."""
    seeds = finished.seeds(p, threshold, seed_threshold)
    return np.where(p > threshold, watershed(1 - p, components(seeds)), 0)


def summits(inside, radius):
    """Return the distance to the background, and where it is the largest within the radius."""
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(inside), 1)
    return distance, inside & (distance == ndimage.maximum_filter(distance, 2 * radius + 1))


def cut_at_waists(p, threshold, radius):
    """Return cells: each piece grown from its summits, so that it is cut at its waists."""
    distance, seeds = summits(p > threshold, radius)
    return np.where(p > threshold, watershed(-distance, components(seeds)), 0)


h, w = np.mgrid[:40, :64]
discs = ((np.hypot(h - 20, w - 20) < 14) | (np.hypot(h - 20, w - 44) < 14)).astype(float)
doubtful = ndimage.gaussian_filter(discs, 1) * (1 - 0.35 * np.exp(-((w - 32) ** 2) / 8))
distance, of_shape = summits(discs > 0.5, 6)
rows = {
    "1 - p": (doubtful, 1 - doubtful, finished.seeds(doubtful, 0.5, 0.9), grown(doubtful, 0.5, 0.9)),
    "minus the distance": (discs, -distance, ndimage.binary_dilation(of_shape), cut_at_waists(discs, 0.5, 6)),
}
figure, axes = plt.subplots(2, 4, figsize=(10, 3.8), layout="constrained")
for row, (name, (p, height, seeds, cells)) in zip(axes, rows.items(), strict=True):
    row[0].imshow(p, cmap="gray", vmin=0, vmax=1)
    row[1].imshow(height, cmap="viridis")
    row[2].imshow(seeds, cmap="gray")
    row[3].imshow(in_colours(cells))
    for ax, title in zip(row, ("p", f"height: {name}", "seeds", "cells"), strict=True):
        ax.set(title=title, xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## Choose, then measure once
#
# Each network now has three ways to cells, with one or two numbers to choose: a threshold for the pieces; two
# thresholds for the watershed from sure pixels; a threshold and a radius for the waists. Try a few of each on the
# images to choose with, and keep the best.

# %%
WAYS = {
    "pieces": (lambda p, threshold, _: components(p > threshold), (None,)),
    "sure pixels": (grown, (0.8, 0.9, 0.95, 0.98)),
    "waists": (cut_at_waists, (5, 7, 9, 11)),
}


def seg_of_way(samples, maps_of_network, way, threshold, setting):
    """Return the mean SEG of one way to cells over the samples."""
    cells_of, _ = WAYS[way]
    return mean_over(samples, maps_of_network, lambda s, p: seg_score(s.instances, cells_of(p, threshold, setting)))


chosen, seg_to_choose = {}, {}
for name, maps_of_network in maps_of.items():
    for way, (_, settings) in WAYS.items():
        tried = {
            (t, setting): seg_of_way(to_choose, maps_of_network, way, t, setting)
            for t in (0.3, 0.5, 0.7)
            for setting in settings
        }
        chosen[name, way] = best = max(tried, key=tried.get)
        seg_to_choose[name, way] = tried[best]

# %% [markdown]
# Now, and only now, the held-out images, each way with the settings that were chosen. Pick your winner by the first
# column of numbers; the second says how good it is.

# %%
held_out_maps = {name: probabilities_of(params, held_out) for name, params in networks.items()}
segs = {(name, way): seg_of_way(held_out, held_out_maps[name], way, *best) for (name, way), best in chosen.items()}
for (name, way), best in chosen.items():
    score, setting = seg_to_choose[name, way], "" if best[1] is None else f" and {best[1]}"
    print(f"{name:<16} {way:<11}  SEG {score:.3f}, held out {segs[name, way]:.3f}   with {best[0]}{setting}")
figure, ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
for i, name in enumerate(networks):
    values = [segs[name, way] for way in WAYS]
    ax.bar(np.arange(3) + 0.27 * (i - 1), values, width=0.25, color=COLOURS[name], label=name)
ax.set(xticks=range(3), xticklabels=WAYS, ylabel="SEG on held-out images", ylim=(0, 1.3), yticks=np.arange(6) / 5)
ax.legend(ncols=3, loc="upper center")
plt.show()

# %% [markdown]
# The network with the weight map needs a cut least: its pieces are nearly cells already. For the others the watershed
# makes up for much. Sure pixels help the plain cross-entropy, which has a faint line where cells touch, and not Dice,
# which has none. Waists help both: the synthetic cells are round, and that is just what waists assume. A cut can only
# use what the network, or the shape, shows.
#
# Look at both columns once more. Whoever picks the winner by the second may well pick another one, and will report a
# number that is a little too good.
#
# On the real nuclei all nine ways lie close together, from 0.59 to 0.70 on the held-out images: few of these nuclei
# touch, and their pieces are good without a cut. Waists are best for each of the three networks. The weight map gains
# nothing there in so short a training; it pays where cells touch.
#
# Three of the nine ways on one held-out image. Each colour is a cell, and colours repeat.

# %%
names = [("cross-entropy", "pieces"), ("Dice", "waists"), ("with weight map", "sure pixels")]
figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained")
axes[0].imshow(in_colours(held_out[0].instances))
axes[0].set_title("truth")
for ax, (name, way) in zip(axes[1:], names, strict=True):
    cells = WAYS[way][0](held_out_maps[name][0], *chosen[name, way])
    ax.imshow(in_colours(cells))
    ax.set_title(f"{name}\n{way}: SEG {seg_score(held_out[0].instances, cells):.2f}")
for ax in axes:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## An open contest
#
# You have a baseline now. Beat it! The rules:
#
# - Everybody gets the images to train on, with their truth, and the held-out images *without* it.
# - An entry is a folder of label images, one for each held-out image and under its name: PNG or TIFF, 0 for background
#   and a number for each cell. `contest.write_labels(path, labels)` writes one.
# - The measure is the mean SEG. A missing image counts 0.
#
# A teacher makes the folder once, hands out its `images` and keeps its `masks`. An entry is made from the images alone:
# read each, predict, find cells, write them. Here are three entries, those of the pictures above, and an empty one.

# %%
temporary = tempfile.TemporaryDirectory()  # in your own work, a folder of yours
place = Path(temporary.name)
contest.write_held_out(held_out, place / "held_out")
print("held_out has", *sorted(path.name for path in (place / "held_out").iterdir()))


def write_entry(folder, name, way):
    """Write the label images of one network and one way to cells."""
    for path in sorted((place / "held_out" / "images").iterdir()):
        p = predict(networks[name], read_image(path), normalisation="image")[1]
        contest.write_labels(folder / f"{path.stem}.png", WAYS[way][0](p, *chosen[name, way]))


for name, way in names:
    write_entry(place / "entries" / f"{name}, {way}", name, way)
(place / "entries" / "empty folder").mkdir()

# %% [markdown]
# The leaderboard is a table that `minunet grade entries --contest held_out --out leaderboard.csv` fills; the next cell
# does the same from Python. No bad entry stops it: what is wrong with one stands in the last column of the table.

# %%
board = contest.write_leaderboard(place / "entries", place / "held_out", place / "leaderboard.csv")
for row in board:
    worst = f"worst image {row['worst_image'][:10]}, {row['worst_seg']:.3f}"
    print(f"{row['rank']}  {row['entry']:<28} SEG {row['seg']:.3f}   {worst}")
print("remark on the last:", board[-1]["remark"].split("; ")[0])

# %% [markdown]
# What could you try? More steps and more channels. `rotations=8` in `predict`. Dice *and* cross-entropy, added up. A
# third class for the lines between cells, so that a softmax over three classes decides. Elastic deformation (notebook
# 09). A better rule for seeds: `minunet.label_cells` looks for them at every level, in place of a single one
# (`minunet/metrics/touching.py`). Specks of a few pixels taken away. And look at the worst image first: it tells you
# more than the mean.
#
# **Question 3.** After a month the leaderboard has 60 entries. The first has SEG 0.871, the second 0.868, and every
# entry was allowed to look at its score and try again. Is the first better than the second? How would you find out, and
# what would you change about the contest?

# %% [markdown] tags=["answer"]
# Nobody can say. SEG differs from image to image by far more than 0.003, so with other held-out images the order may
# be reversed: compare the two image by image, and draw the images anew many times (a bootstrap) to see how often the
# first wins. Besides, 60 entries that may look are 60 attempts to choose on the held-out images, and the best of them
# is best partly by luck. Real contests keep a second group of images, of which nobody sees a score until the end, and
# limit the number of attempts.
#
# **Rubric, 2 points.** One for: nobody can say, as long as the images differ by more than that. One for a second group
# of images, or a limit on the attempts.

# %% [markdown]
# ## In three lines
#
# - Dice counts overlap and needs no class weights; its gradient has the factor `p * (1 - p)`, so it leaves alone what
#   is wrong and sure, and its probabilities cannot be believed.
# - Threshold, seeds and watershed turn probabilities into cells; they can only cut where the network, or the shape,
#   shows a line. Choose them on images that judge nothing.
# - SEG judges cell by cell; two proposals of the same pixel error may have very different SEG.
#
# ## Where to read more
#
# [regions.py](../minunet/metrics/regions.py) has the watershed, [seg.py](../minunet/metrics/seg.py) SEG,
# and [contest.py](../minunet/course/contest.py) the contest. Dice as a loss: Milletari et al., "V-Net" (2016);
# calibration: Guo et al., "On calibration of modern neural networks" (2017); SEG: Maška et al., "A benchmark for
# comparison of cell tracking algorithms" (2014); the nuclei: Caicedo et al., "Nucleus segmentation across imaging
# experiments: the 2018 Data Science Bowl" (2019). In practice, scikit-image has a fast watershed.
