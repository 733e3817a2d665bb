# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 20 What each part is worth
#
# The paper has many parts: skip connections, a weight map, elastic deformation, dropout. It shows that all of them
# together win a contest. **Which of the parts does the winning?** The way to find out is an *ablation*: take one part
# away, leave everything else as it is, and measure what is lost.
#
# It sounds simple, and there are three traps on the way. Two trainings differ even where nothing was taken away, so you
# must know how large luck is. A part must be taken away cleanly, and a skip connection is part of a backward pass too.
# And the answer holds for the data, the size and the length of training with which it was measured, and for no other.
#
# What you need: the fork and crop-concat (notebook 05), the weight map (06), training (08) and augmentation (09).
# *Dropout* sets half of the numbers at the bottom of the U to zero, drawn anew in each training step, so that the
# network relies on none of them (end of 17). You read a table that was measured beforehand, and make a small one
# yourself.

# %%
import json
import math
import os
from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np

from minunet import (
    conv2d_forward,
    course,
    crop_concat_backward,
    crop_concat_forward,
    flatten,
    gradcheck,
    init_unet,
    pixel_error,
    predict,
    seg_score,
    unet_backward,
    unet_forward,
)
from minunet.data import loss_weights, normalise, synthetic_dataset
from minunet.metrics import components
from minunet.training.config import Config
from minunet.training.train import draw_tile, learning_rate, start, train_step

QUICK = "MINUNET_QUICK" in os.environ  # fewer training steps, for the tests of this page
BLUE, ORANGE = "#0072B2", "#D55E00"

# %% [markdown]
# ## Luck, by hand
#
# Suppose that three trainings with all parts reach scores of 0.70, 0.60 and 0.65, and that without some part they
# reach 0.66, 0.57 and 0.60. The ranges overlap: 0.57 to 0.66 against 0.60 to 0.70. Is the part worth anything?
#
# It depends on what the three *seeds* share. If seed 0 stands for the same training images, the same first weights and
# the same tiles in both rows, its two scores are a *pair*, and we may subtract inside the pairs: -0.04, -0.03, -0.05.
# Now all three say the same. A lucky set of training images lifts both scores of a pair, and the subtraction removes
# that luck. Without pairs it would stay in.

# %%
complete, without = np.array([0.70, 0.60, 0.65]), np.array([0.66, 0.57, 0.60])
print(f"ranges: {without.min():.2f} to {without.max():.2f} against {complete.min():.2f} to {complete.max():.2f}")
print("differences:", (without - complete).round(3))

fig, axes = plt.subplots(figsize=(5, 2.8), layout="constrained")
for seed in range(3):
    axes.plot([0, 1], [complete[seed], without[seed]], color="0.6", zorder=1)
axes.scatter(np.zeros(3), complete, color=BLUE, zorder=2)
axes.scatter(np.ones(3), without, color=ORANGE, zorder=2)
axes.set(xlim=(-0.5, 1.5), xticks=[0, 1], xticklabels=["all parts", "one part less"], ylabel="score")
axes.set(title="three seeds: each line is a pair")
plt.show()

# %% [markdown]
# **Exercise 1.** Compare in pairs. `without[i]` and `complete[i]` belong to seed i. Return the mean of the differences
# `without - complete`, the smallest and the largest.


# %% tags=["exercise"]
def my_paired_difference(without, complete):
    """Return the mean, the smallest and the largest of the differences, for two arrays (seeds,)."""
    # your code: about 2 lines
    differences = without - complete
    return differences.mean(), differences.min(), differences.max()
    # end of your code


# %% tags=["check"]
course.check("paired_difference", my_paired_difference)

# %% [markdown]
# ## Could it be luck all the same?
#
# Say that the part is worth nothing. Then each difference is above or below zero by luck, like a coin. That three coins
# all fall alike, either way, has a chance of 2 / 2³ = 1/4. So three seeds that agree prove little: in one experiment of
# four about *nothing*, they agree. Six that agree have a chance of 2 / 2⁶ = 1/32.
#
# With one exception among six? An outcome that is at least as one-sided has no exception, in 1 way, or one, in 6 ways.
# That is 7 of 64 in one direction, and 14 of 64 in both: about 1/5. This is called the *sign test*. It is rough, and it
# needs no assumption on how scores are spread.

# %%
for n in (3, 4, 5, 6, 10):
    print(f"{n:>2} seeds, all alike: chance {2 / 2**n:.3f}", end="    ")
    print(f"one exception: {min(1, 2 * (1 + n) / 2**n):.3f}")

# %% [markdown]
# **Exercise 2.** Write the sign test for any number of seeds. `differences` are numbers, none of them zero. If k of the
# n signs are in the minority, sum `math.comb(n, i)` for i = 0 to k, divide by `2**n`, and double it. A chance is never
# above 1.


# %% tags=["exercise"]
def my_chance_of_signs(differences):
    """Return the chance of signs at least as one-sided as these, if the part is worth nothing."""
    # your code: about 4 lines
    n = len(differences)
    k = min(np.sum(differences > 0), np.sum(differences < 0))
    ways = sum(math.comb(n, i) for i in range(k + 1))
    return min(1.0, 2 * ways / 2**n)
    # end of your code


# %% tags=["check"]
course.check("chance_of_signs", my_chance_of_signs)

# %% [markdown]
# ## Taking a skip away
#
# Weight map, bending and dropout are switched off by a setting. A skip connection is a piece of the network, and the
# network should not be rewritten for an experiment: a rewrite may change more than the one part. There is an easier
# way. Set what comes through the skip to zero:
#
#     y = [0 * crop(skip), x]
#
# The arrays keep their shapes, and the convolution that follows reads zeros where the skip was. By hand, with one
# channel of each, of 2x2 pixels:

# %%
skip, x = np.array([[1.0, 2], [3, 4]])[None, None], np.array([[5.0, 6], [7, 8]])[None, None]
y_with, _ = crop_concat_forward(skip, x)
y_without, _ = crop_concat_forward(0 * skip, x)

fig, axes = plt.subplots(1, 2, figsize=(7, 2.4), layout="constrained")
for ax, y, title in zip(axes, (y_with, y_without), ("with skip", "without skip"), strict=True):
    course.draw(ax, np.hstack(y[0]), f"y {title}: channel 0 | channel 1")
    ax.axvline(1.5, color="#E69F00", linewidth=3)
    ax.set(xlabel="2 channels of W = 2")
plt.show()

# %% [markdown]
# And backward: y does not depend on skip any more. Whatever dy is, `dskip = 0 * ... = 0`, and dx is as before. As a
# pair of functions, made of the library's own:


# %%
def without_skip_forward(skip, x):
    """Return [zeros, x] along the channels: crop-concat, with nothing in the skip."""
    return crop_concat_forward(0 * skip, x)


def without_skip_backward(dy, cache):
    dskip, dx = crop_concat_backward(dy, cache)
    return 0 * dskip, dx


y, cache = without_skip_forward(skip, x)
dskip, dx = without_skip_backward(np.array([[[[1.0, 4], [2, 0]], [[3, 1], [-2, 1]]]]), cache)
print("dskip", dskip[0, 0], "dx", dx[0, 0], sep="\n")

# %% [markdown]
# Is the pair right? Before you run the check: what will it say about `skip`?

# %%
rng = np.random.default_rng(20)
skip_and_x = rng.normal(size=(2, 3, 6, 7)), rng.normal(size=(2, 1, 4, 5))
print(gradcheck(without_skip_forward, without_skip_backward, skip_and_x))

# %% [markdown]
# *Vacuous*: all that was compared in `skip` is zero on both sides. For most layers this is a warning that the check
# proves nothing (notebook 14). Here zero is the very thing that we wanted, and the row of `x` is right.
#
# To have a check that can fail, make a *valve* of it: a number `keep` for each channel of the skip, 1 for the U-Net, 0
# for the ablation, and anything between:
#
#     y = [keep * crop(skip), x]
#
# **Exercise 3.** Write the valve's backward pass. `cache.concat` is for `crop_concat_backward`, which you may call;
# `cache.keep` is (S,), one number for each of the S channels of the skip. The check has a valve that is half open.


# %% tags=["exercise"]
def my_valve_concat_backward(dy, cache):
    """Return dskip, (N, S, SH, SW), and dx, (N, C, H, W)."""
    # your code: about 2 lines
    dskip, dx = crop_concat_backward(dy, cache.concat)
    return dskip * cache.keep[:, None, None], dx
    # end of your code


# %% tags=["check"]
course.check("valve_concat_backward", my_valve_concat_backward)

# %% [markdown]
# ## The same by its weights
#
# After crop-concat comes a convolution. It multiplies the skip's channels by the first half of its weights. So zero
# *weights* do the same as a zero skip:
#
#     conv([0 * skip, x], weight)  =  conv([skip, x], weight with zeros in its first half)
#
# The first changes the network, the second only its parameters. We take the second, and no line of the network changes.

# %%
weight, bias = rng.normal(size=(3, 4, 3, 3)), rng.normal(size=3)  # S = 3 channels of the skip come first
y_of_zeros, _ = conv2d_forward(without_skip_forward(*skip_and_x)[0], weight, bias)
cut_weight = weight.copy()
cut_weight[:, :3] = 0
y_of_cut_weight, _ = conv2d_forward(crop_concat_forward(*skip_and_x)[0], cut_weight, bias)
print(f"largest difference {np.abs(y_of_zeros - y_of_cut_weight).max()}")

# %% [markdown]
# In a U-Net the skip has as many channels as what comes up from below, so it is the first half of the inputs of each
# level's `conv1`. Zero at the start is not enough: a zero weight has a gradient, and the first step would wake it up.
# So it is set to zero again after each step.


# %%
def cut_skips(params):
    """Set to zero, in place, the weights that read a skip."""
    for level in params["decode"]:
        weight = level["conv1"]["weight"]  # (F, 2F, 3, 3)
        weight[:, : weight.shape[1] // 2] = 0


small = init_unet(np.random.default_rng(0), base_channels=2, depth=1, dtype=np.float64)
cut_skips(small)
first = small["decode"][0]["conv1"]["weight"]
print("first half zero:", not first[:, :2].any(), "   second half zero:", not first[:, 2:].any())

# %% [markdown]
# What does a skip bring to the network? Without skips, a level's output reaches the head through the pool only. Take
# the gradient of the network's input for one output pixel. With skips, each pixel near it counts by itself. Without,
# everything has gone through the pool and the up-convolution.

# %%
look = init_unet(np.random.default_rng(1), base_channels=8, depth=2, dtype=np.float64)
look_x = rng.normal(size=(1, 1, 52, 52))
reach = {}
for name in ("with skips", "without skips"):
    if name == "without skips":
        cut_skips(look)
    logits, look_cache = unet_forward(look, look_x)
    one_pixel = np.zeros_like(logits)
    one_pixel[0, 1, logits.shape[2] // 2, logits.shape[3] // 2] = 1
    _, dlook_x = unet_backward(one_pixel, look_cache, with_dx=True)
    reach[name] = dlook_x[0, 0]

fig, axes = plt.subplots(1, 2, figsize=(7, 3.5), layout="constrained")
for ax, (name, gradient) in zip(axes, reach.items(), strict=True):
    course.draw(ax, gradient, f"gradient of the input, {name}", gradient=True)
plt.show()
share = {name: np.abs(g[22:31, 22:31]).sum() / np.abs(g).sum() for name, g in reach.items()}
print("share within 4 pixels of the middle:", {name: f"{value:.0%}" for name, value in share.items()})

# %% [markdown]
# In a random network with skips the gradient is strongest in the middle; without skips it is spread. That is what a
# skip brings to a pixel: its own neighbourhood, at full resolution.
#
# There is a price in fairness. The network without skips has fewer weights that count. How many fewer?

# %%
sizes = {name: array.size for name, array in flatten(look).items()}
cut_away = sum(size // 2 for name, size in sizes.items() if name.startswith("decode") and "conv1.weight" in name)
print(f"{cut_away:,} of {sum(sizes.values()):,} parameters are cut: {cut_away / sum(sizes.values()):.0%}")

# %% [markdown]
# ## A small ablation, live
#
# Now train: depth 2, 8 channels, two images of cells, and all parts but bending; then the same without skips, and
# without the weight map. The measures are the *pixel error*, and *SEG*, which asks of each true cell how well one
# predicted cell covers it (notebook 08).
#
# One detail: He's rule makes the first weights smaller the more inputs there are. With half of the inputs gone, the
# other half is multiplied by the root of 2, so that the signal keeps its size.

# %%
STEPS, SEEDS = (8, (0,)) if QUICK else (150, (0, 1))
PARTS = {"weights": "map", "dropout_rate": 0.5, "norm": "none"}
VARIATIONS = {  # name: the settings, and whether there are skips
    "all parts": (PARTS, True),
    "without skips": (PARTS, False),
    "without weight map": ({**PARTS, "weights": "none"}, True),
}
held_out = synthetic_dataset(1000, num_train=0, num_validation=3, height=128, width=128).validation


def train(name, seed):
    """Train a network for one row of the table; return the run."""
    settings, with_skips = VARIATIONS[name]
    dataset = synthetic_dataset(seed, num_train=2, num_validation=0, height=128, width=128)
    config = Config(base_channels=8, depth=2, tile=108, steps=STEPS, seed=seed, init="he", **settings)
    run = start(config, dataset)
    images = [normalise(sample.image, run.normalisation) for sample in dataset.train]
    labels = [sample.labels for sample in dataset.train]
    planes = list(zip(images, labels, loss_weights(dataset.train, config.weights), strict=True))
    if not with_skips:
        for level in run.params["decode"]:
            level["conv1"]["weight"] *= np.float32(2**0.5)
    for step in range(STEPS):
        if not with_skips:
            cut_skips(run.params)
        train_step(run, draw_tile(config, planes, step), step, learning_rate(config, step, step / STEPS))
    if not with_skips:
        cut_skips(run.params)
    return run


# %%
def scores(run):
    """Return the mean over the held-out images: the pixel error, SEG at 0.5, and SEG at its best threshold."""
    p = [predict(run.network, sample.image)[1] for sample in held_out]
    error = np.mean([pixel_error(s.labels, q > 0.5) for s, q in zip(held_out, p, strict=True)])
    by_threshold = {
        t: np.mean([seg_score(s.instances, components(q > t)) for s, q in zip(held_out, p, strict=True)])
        for t in np.arange(1, 10) / 10
    }
    return {"pixel_error": error, "seg": by_threshold[0.5], "seg_best": max(by_threshold.values())}


# %% [markdown]
# Before you run it, write down your guess: which of the two costs more pixels, and which costs more cells? It takes
# about half a minute.

# %%
runs = {(name, seed): train(name, seed) for name in VARIATIONS for seed in SEEDS}
live = [{"variation": name, "seed": seed, **scores(run)} for (name, seed), run in runs.items()]


def values_of(rows, variation, measure):
    """Return one number for each seed, in the order of the seeds."""
    own = sorted((row["seed"], row[measure]) for row in rows if row["variation"] == variation)
    return np.array([value for _, value in own])


def print_table(rows):
    """Print the mean over the seeds, and from where to where they go."""
    print(f"{'':20} {'pixel error':^24} {'SEG at 0.5':^24} {'SEG, best threshold':^24}")
    for variation in dict.fromkeys(row["variation"] for row in rows):
        cells = []
        for measure in ("pixel_error", "seg", "seg_best"):
            values = values_of(rows, variation, measure)
            cells.append(f"{values.mean():6.3f} ({values.min():.3f} to {values.max():.3f})")
        print(f"{variation:20} " + " ".join(cells))


print_table(live)

# %% [markdown]
# Was it your guess? Both cost cells, and only the skips cost pixels. In so short a run the pixel error is even smaller
# without the map, which counts pixels between cells many times: the network leaves too wide a dark line around them.
#
# What do the networks see? White is the probability of cell, and the orange lines are the true outlines.

# %%
fig, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
course.draw_image(axes[0], held_out[0].image[0], "a held-out image")
for ax, name in zip(axes[1:], VARIATIONS, strict=True):
    ax.imshow(predict(runs[name, 0].network, held_out[0].image)[1], cmap="gray", vmin=0, vmax=1)
    ax.contour(held_out[0].instances > 0, [0.5], colors="#E69F00", linewidths=0.8)
    ax.set(title=name, xlabel="W = 128", xticks=[], yticks=[])
plt.show()

# %% [markdown]
# Without skips there is a lattice in place of outlines: what comes up from below has one pixel for each 4x4 pixels of
# the image, and the up-convolutions have not learned to place an edge inside it. In so few steps even the background is
# still in doubt. Without the weight map the outlines are good, and cells that touch have grown together.
#
# Two seeds and 150 steps are a first look, and no result. For that the next section has six seeds.
#
# ## The measured table
#
# `python benchmarks/ablation.py` trains a network of depth 3 with 8 channels, 500 steps on two images of 128x128 cells,
# with all four parts, with each one taken away, and with none of the four; and all of this for six seeds. A seed stands
# for the training images, the first weights, the tiles and what is dropped. The 6 held-out images are the same
# throughout. The page reads the file that it wrote, which is part of `minunet`.

# %%
results = json.loads((files("minunet.course") / "ablation.json").read_text(encoding="utf-8"))
rows, settings, measured = results["rows"], results["settings"], results["measured"]
print(f"measured on {measured['machine']}, {measured['date']}, commit {measured['commit']}")
print(", ".join(f"{name} {value}" for name, value in settings.items()))

# %%
print_table(rows)

# %% [markdown]
# The spread over the seeds is wide: with two training images, much depends on which two. So look at the differences in
# pairs. Each point below is one seed, `without - all parts`; the short line is the mean. Left of zero is worse for SEG,
# and right of zero is worse for the pixel error.


# %%
def differences_of(variation, measure):
    return values_of(rows, variation, measure) - values_of(rows, "all parts", measure)


taken_away = [name for name in dict.fromkeys(row["variation"] for row in rows) if name != "all parts"]


def draw_differences(ax, measure, title):
    """Draw a row of points for each part that was taken away."""
    for place, variation in enumerate(taken_away):
        differences = differences_of(variation, measure)
        ax.scatter(differences, np.full(len(differences), place), color=BLUE, alpha=0.6)
        ax.plot([differences.mean()] * 2, [place - 0.3, place + 0.3], color="black", linewidth=2)
    ax.axvline(0, color="0.6", linewidth=1)
    ax.set(title=title, yticks=range(len(taken_away)), yticklabels=taken_away, xlabel="difference from all parts")
    ax.set(ylim=(len(taken_away) - 0.5, -0.5))


fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
draw_differences(axes[0], "pixel_error", "pixel error")
draw_differences(axes[1], "seg", "SEG at threshold 0.5")
plt.show()

# %% [markdown]
# And in numbers, with the sign test. A chance near 1 says that luck would do the same.


# %%
def sign_test(differences):
    n, k = len(differences), min(np.sum(differences > 0), np.sum(differences < 0))
    return min(1, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)


for measure in ("pixel_error", "seg", "seg_best"):
    print(measure)
    for variation in taken_away:
        differences = differences_of(variation, measure)
        spread = f"{differences.min():+.3f} to {differences.max():+.3f}"
        print(f"  {variation:20} {differences.mean():+.3f}  ({spread})  chance {sign_test(differences):.2f}")

# %% [markdown]
# ## What the table says
#
# **Skips** are worth most. Without them the pixel error about doubles and many cells are lost, with every seed.
#
# **The weight map** is worth nothing in pixels: the differences lie on both sides of zero. In cells it is worth about
# as much as the skips, and again with every seed. The lines between cells are few pixels, so the one measure hardly
# sees them, and the other sees little else. *What a part is worth depends on what you ask for.*
#
# **Bending** and **dropout** show nothing here that luck would not do as well. In pixels both are at zero. In SEG the
# means are on the side that one hopes for, and small beside the spread. Bending is what the paper calls the key. But at
# the library's scale, 10 pixels over 256, it moves all pixels of our small tile nearly alike, and turning and mirroring
# were *not* taken away with it.

# %% [markdown]
# ## Is the threshold to blame?
#
# A weight map shifts probabilities: it makes the network call more pixels background, or more of them cell. Then 0.5
# may be the wrong place to cut, and SEG at 0.5 would blame a network that only needs another threshold. So each network
# gets the threshold that suits it best. (That is a little too kind to all of them, since it is chosen on the held-out
# images.)

# %%
fig, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for place, variation in enumerate(["all parts", *taken_away]):
    for shift, measure, colour in ((-0.15, "seg", ORANGE), (0.15, "seg_best", BLUE)):
        values = values_of(rows, variation, measure)
        label = {"seg": "at 0.5", "seg_best": "at the best threshold"}[measure] if place == 0 else None
        axes.scatter(values, np.full(len(values), place + shift), color=colour, alpha=0.6, label=label)
axes.set(yticks=range(1 + len(taken_away)), yticklabels=["all parts", *taken_away], xlabel="SEG", xlim=(0, 1))
axes.set(title="each point is one seed")
axes.invert_yaxis()
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# Everything gains from a better threshold. Skips and map still stand apart, though they have changed places, and the
# others stay with the full recipe. So the map's worth is no matter of the threshold alone. But note how much 0.5 costs
# even with all parts: a table at 0.5 alone would have compared thresholds as much as parts.
#
# ## Do the parts add up?
#
# If each part did its work alone, then without all four we would lose the sum of what we lose without each. Do we?

# %%
single = [name for name in taken_away if name != "without all four"]
for measure in ("pixel_error", "seg"):
    total = sum(differences_of(name, measure).mean() for name in single)
    together = [differences_of(name, measure).mean() for name in taken_away if name not in single]
    print(
        f"{measure:12} sum of the single losses {total:+.3f}", *(f"all four at once {value:+.3f}" for value in together)
    )

# %% [markdown]
# No, and in pixels it is plain: losing the skips *alone* costs more than losing the skips and everything else. The
# likely reason: the weight map asks for thin lines between cells, and a network without skips cannot draw thin lines.
# Trying costs it pixels elsewhere, and without the map it does not have to try. So "what the skips are worth" has two
# answers, one with the map and one without, and an ablation that takes away one part at a time sees only the first.
#
# **Question 1.** Is that the reason? Name a single run that would tell, and what it should show. You can make it with
# the functions of this page.

# %% [markdown] tags=["answer"]
# The run that is missing: without skips *and* without the weight map, with the two others. If the map is what the
# network without skips fails at, its pixel error should lie near that of "without all four", and clearly below that of
# "without skips". (If it does not, bending or dropout did it, and the pair of those is the next to look at.)
#
# **Rubric, 2 points.** One for the run that is missing, without skips and without the map. One for what its error would
# have to be.

# %% [markdown]
# **Question 2.** A colleague shows a table with one seed, in which dropout gains 0.03 SEG. What do you ask? How many
# seeds would you want, if the spread of the differences is as in our table?

# %% [markdown] tags=["answer"]
# Whether it is a pair (same images, same first weights, same tiles), what the difference is with other seeds,
# and at which threshold. In our table dropout's differences in SEG go from about -0.07 to +0.04 between seeds, with a
# standard deviation near 0.04. The mean of n differences has about 0.04 divided by the root of n. To tell 0.03 from
# zero, that should be at most a third of it, 0.01: about 16 seeds.
#
# **Rubric, 2 points.** One for asking about pairs, other seeds and the threshold. One for a number of seeds that
# follows from the spread.

# %% [markdown]
# ## What it does not say
#
# - **Other data.** Our cells are easy, with sharp outlines. Where outlines must be guessed from shape, dropout or
#   bending may matter. `benchmarks/ablation.py --data isbi:DIR` makes the table for the EM stack, and `--data
#   folder:DIR` for yours.
# - **Longer training.** In 500 steps the network has not learned its two images by heart. What protects against that
#   has had little to do. On one image of 64x64, notebook 09 found that augmentation halved the error.
# - **Other settings.** The learning rate was chosen with all parts in place, and each ablation would deserve its own.
# - **The same size.** Without skips there are fewer weights that count. It may be that some of the loss is due to that.
# - **Many looks.** Five rows and three measures are fifteen tests. At a chance of 1/32 each, every second such table
#   has a "result" that is none. Ours has far more of them, and always in the same three rows.
#
# ## In three lines
#
# Take one part away, cleanly, and compare in pairs over several seeds; say how far the seeds spread.
#
# A zero forward is a zero backward: weights that are kept at zero take a skip away, without a line of new network.
#
# Here skips and weight map were worth much, by measures that can see it; bending and dropout, nothing that luck could
# not do.
#
# ## Where to read more
#
# [ablation.py](../benchmarks/ablation.py) made the table, and [ablation.json](../minunet/course/ablation.json) has
# every row. [benchmarks/README.md](../benchmarks/README.md) has what was measured on larger networks and on real
# nuclei. Lipton and Steinhardt, *Troubling Trends in Machine Learning Scholarship* (2018), on ablations that are left
# out. Bouthillier and others, *Accounting for Variance in Machine Learning Benchmarks* (2021), on seeds. Drozdzal and
# others, *The Importance of Skip Connections in Biomedical Image Segmentation* (2016), take the skips away on electron
# microscopy.
