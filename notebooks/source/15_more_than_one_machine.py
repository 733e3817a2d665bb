# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 15 More than one machine
#
# A slide of a tissue has 100,000 x 100,000 pixels. A laboratory has eight computers. **How can several machines label
# one image, or train one network, so that the result is what a single machine would have found?**
#
# This page has two answers, one for the image and one for the training. In both cases the question is what a machine
# needs to know from the others. For the image it is a frame of pixels around its block, the *halo*. For the training
# it is a sum of gradients, the *all-reduce*.

# %% [markdown]
# You need two things from earlier pages: the overlap-tile strategy (notebook 10), and training by steps, each with one
# tile (notebook 08). Everything here runs on one machine, without any package for clusters: processes, threads or rows
# of an array play the machines. Where Dask is installed, one cell uses it.

# %%
import importlib.util
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

from minunet import course, flatten, predict, scale, train
from minunet.data import cut, synthetic_dataset
from minunet.network.sizes import border
from minunet.scale.blocks import margins, predict_block
from minunet.scale.seams import Contacts, join
from minunet.training.batch import Ranks, mean_gradient, pairwise_sum
from minunet.training.config import Config
from minunet.training.train import start, train_steps

QUICK = "MINUNET_QUICK" in os.environ  # fewer training steps, for the tests of this page

# %% [markdown]
# ## One image, many blocks
#
# Cut the image into blocks and give each machine some of them. The network takes off a border (notebook 10), so a
# machine needs more pixels than it labels: a margin on each side, the halo. Work it out by hand for a row of 12 pixels
# in three blocks of 4, and a network that takes off 2 pixels on each side.
#
# | block | labels pixels | needs pixels | from the neighbours | from the mirror |
# |---|---|---|---|---|
# | 0 | 0 to 3 | -2 to 5 | 4, 5 | 2, 1 |
# | 1 | 4 to 7 | 2 to 9 | 2, 3, 8, 9 | |
# | 2 | 8 to 11 | 6 to 13 | 6, 7 | 10, 9 |
#
# A block in the middle of a two-dimensional image has eight neighbours: four at its sides, four at its corners.

# %%
figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
for block, colour in enumerate(("#E69F00", "#56B4E9", "#009E73")):
    ax.barh(2 - block, 8, left=4 * block - 2, height=0.6, color=colour, alpha=0.35)
    ax.barh(2 - block, 4, left=4 * block, height=0.6, color=colour)
ax.axvspan(0, 12, fill=False, edgecolor="black", linewidth=1.5)
ax.set(yticks=[2, 1, 0], yticklabels=["block 0", "block 1", "block 2"], xticks=range(-2, 15, 2), xlabel="pixel")
ax.set_title("dark: what a block labels; light: its halo; black frame: the image")
plt.show()

# %% [markdown]
# As an equation, with $m$ for the margin and $f$ for the network on any row of pixels,
#
# $$ y[a : b] = f(x[a - m : b + m]), $$
#
# where $x$ goes on beyond its ends as in a mirror. This is exact, and not an approximation: no output from $a$ to $b$
# depends on any other pixel.
#
# **Exercise 1.** Return the pixels that the block from `start` to `stop` of a row needs, the mirror at the row's ends
# included. NumPy's name for this mirror is `reflect`; the margin is smaller than the row.


# %% tags=["exercise"]
def my_block_with_halo(row, start, stop, margin):
    """Return row[start - margin : stop + margin] of a row that goes on as in a mirror."""
    # your code: about 2 lines
    padded = np.pad(row, margin, mode="reflect")
    return padded[start : stop + 2 * margin]
    # end of your code


# %% tags=["check"]
course.check("block_with_halo", my_block_with_halo)

# %% [markdown]
# Here is a network to try it on, trained for some seconds, and an image of 148 x 212 pixels. `cut` is exercise 1 in
# two dimensions, from notebook 10.

# %%
cells = synthetic_dataset(77, num_train=0, num_validation=1, height=148, width=212).validation[0]
training = synthetic_dataset(0, num_train=8, num_validation=0, height=128, width=128).train
settings = {"base_channels": 4, "depth": 2, "tile": 108, "weights": "none", "norm": "none", "progress": False}
network = train(
    [sample.image for sample in training],
    [sample.labels for sample in training],
    steps=20 if QUICK else 200,
    **settings,
)
whole = predict(network, cells.image)  # (2, 148, 212), on one machine

# %% [markdown]
# Let us send a block of 52 x 56 pixels, with its halo, through the network. Between its probabilities and those of the
# whole image, expect a largest difference of less than a millionth, the rounding of float32.

# %%
before, after = margins(depth=2)
print(f"margins: {before} pixels before the block and {after} after it; the border is {border(2)}")


def label_block(top, left, height, width):
    """What one machine does: take a block with its halo, and label it."""
    x = cut(cells.image, top - before, left - before, height + before + after, width + before + after)
    return predict_block(x, network)


block = label_block(48, 56, 52, 56)
print(f"largest difference: {np.abs(block - whole[:, 48:100, 56:112]).max():.1e}")

# %% [markdown]
# Now all blocks, on four machines. Here threads play the machines; each takes the next block that is free. That is all
# a *scheduler* does: it keeps track of what is to be done, and of who is idle.

# %%
size = 52
corners = [(top, left) for top in range(0, 148, size) for left in range(0, 212, size)]


def label_image(label, machines=4):
    """Label all blocks, and put them together."""
    with ThreadPoolExecutor(machines) as pool:
        parts = list(pool.map(lambda corner: label(*corner, size, size), corners))
    out = np.empty((2, 3 * size, 5 * size), np.float32)
    for (top, left), part in zip(corners, parts, strict=True):
        out[:, top : top + size, left : left + size] = part
    return out[:, :148, :212]


together = label_image(label_block)
print(f"{len(corners)} blocks, largest difference {np.abs(together - whole).max():.1e}")

# %% [markdown]
# ### Without the halo
#
# What if the machines do not talk to each other, and each mirrors its own block? This runs without an error. Before
# you look: where will it be wrong?


# %%
def label_alone(top, left, height, width):
    own = cut(cells.image, top, left, height, width)
    return predict_block(cut(own, -before, -before, height + before + after, width + before + after), network)


alone = label_image(label_alone)
difference = np.abs(alone - whole)[1]
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
course.draw_image(axes[0], cells.image[0], "the image")
shown = axes[1].imshow(difference, cmap="Reds", vmin=0, vmax=0.5)
axes[1].set(title="difference without a halo", xticks=[], yticks=[])
figure.colorbar(shown, ax=axes[1])
plt.show()
print(f"largest difference {difference.max():.2f}")

# %% [markdown]
# The answer is wrong along the seams, as deep as the halo is wide, and most of all where a seam cuts through the
# outline of a cell. In the middle of a block the difference is zero: a pixel there sees nothing outside its block.
#
# ### The price of a halo
#
# Pixels of the halo are sent, and worked on, more than once. By hand, for the paper's depth 4 with its margin of 92
# and blocks of 512: (512 + 184) / 512 = 1.36, squared 1.85. So 85 % more pixels are moved than there are. For blocks
# of 2048 it is 1.19.

# %%
sizes = 2 ** np.arange(7, 14)
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for depth, colour in ((2, "#009E73"), (3, "#56B4E9"), (4, "#D55E00")):
    ax.semilogx(sizes, ((sizes + border(depth)) / sizes) ** 2, "o-", base=2, color=colour, label=f"depth {depth}")
ax.set(xlabel="side of a block, in pixels", ylabel="pixels read / pixels labelled", ylim=(1, 6))
ax.grid(color="0.9")
ax.legend()
plt.show()

# %% [markdown]
# Large blocks cost memory, and leave machines idle at the end: with 9 blocks on 8 machines, seven wait for the last
# one. Small blocks cost halo, and work for the scheduler, which needs some 0.2 to 1 milliseconds for a task,
# whatever its size. minunet's default is 2048; [scaling_out.md](../benchmarks/scaling_out.md) has the numbers.
#
# ### Dask does it
#
# [Dask](https://docs.dask.org) is the scheduler that the field uses. An array is cut into chunks, and an operation on
# it becomes a graph of tasks. The library's `scale.predict` builds such a graph from three operations: pad, overlap,
# map. Nothing is computed until it is asked for.

# %%
course.show_source(scale.predict)

# %% [markdown]
# If Dask is not installed, the next cell says so, and uses the blocks from above. With Dask, expect the same
# probabilities up to rounding, whatever the chunks.

# %%
if importlib.util.find_spec("dask") is None:
    print("no Dask here (minunet[scale] brings it); by threads:", end=" ")
    lazily = label_image(label_block)
else:
    import dask.array as da

    lazily = scale.predict(network, da.from_array(cells.image, chunks=(1, 61, 77))).compute()
print("equal to the whole image:", bool(np.abs(lazily - whole).max() < 1e-4))

# %% [markdown]
# ## One cell, two blocks
#
# Probabilities are the same, whoever computes them. The numbers of cells are not: every machine counts its own cells
# from 1, so 1 means a different cell in each block, and a cell on a seam has two numbers. Here is a small case: cell 1
# of block A touches cell 2 of block B.

# %%
small = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0], [0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 1]], bool)
left, right = ndimage.label(small[:, :3])[0], ndimage.label(small[:, 3:])[0]
figure, axes = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
course.draw(axes[0], left, "block A, by itself")
course.draw(axes[1], right, "block B, by itself")
plt.show()

# %% [markdown]
# By hand: A has 2 cells and B has 2. Give each a node: A's are 0 and 1, B's are 2 and 3. At the seam, the third row
# has cell 2 of A (node 1) beside cell 1 of B (node 2). So there is one edge, (1, 2), and there are three cells: {0},
# {1, 2} and {3}. Cells are the *connected components* of this graph.
#
# **Exercise 2.** Given the number of nodes and the pairs that touch, return the number of each node's cell: 1, 2, 3,
# ..., in the order of their first nodes.


# %% tags=["exercise"]
def my_one_number(count, pairs):
    """Return an array of `count` numbers, from 1 without gaps; nodes that are joined by pairs have the same one."""
    # your code: about 5 lines
    numbers = np.arange(count)
    for _ in range(count):
        for a, b in pairs:
            numbers[a] = numbers[b] = min(numbers[a], numbers[b])
    return np.unique(numbers, return_inverse=True)[1] + 1
    # end of your code


# %% tags=["check"]
course.check("one_number", my_one_number)

# %% [markdown]
# The library leaves this to SciPy. All it needs is the number of cells in each block and the pairs at the seams, and
# no other pixels. Expect `[1 2 2 3]`.

# %%
print(join([2, 2], [Contacts((0, 1), np.array([[2, 1]]))]))
course.show_source(join)

# %% [markdown]
# ## One step, many machines
#
# A training step has no neighbours, but it has a batch: the loss of $n$ tiles is the mean of their losses, and a
# derivative of a mean is the mean of the derivatives.
#
# $$ L = \frac{1}{n} \sum_{i=1}^{n} L_i \qquad\Longrightarrow\qquad
# \frac{\partial L}{\partial w} = \frac{1}{n} \sum_{i=1}^{n} \frac{\partial L_i}{\partial w} $$
#
# So each machine takes one tile, goes forward and backward, and gets a gradient. The machines add up their gradients,
# divide by $n$, and all take the same step. A machine is called a *rank* here, the word of MPI.
#
# By hand, for a network of one weight, $y = wx$ with $L_i = (w x_i - t_i)^2 / 2$: at $w = 1$ with the tiles x = 2,
# t = 1 and x = 3, t = 5, the gradients $x_i (w x_i - t_i)$ are 2 and -6. Their mean is -2. One machine with both
# tiles finds $\frac12 (2 - 6) = -2$, too.

# %%
x, t, w = np.array([2.0, 3.0]), np.array([1.0, 5.0]), 1.0
print("of each rank:", x * (w * x - t), " mean:", (x * (w * x - t)).mean())

# %% [markdown]
# ### The all-reduce
#
# Every rank has a vector, and every rank needs the sum of all vectors. If all send theirs to rank 0, rank 0 receives
# $n - 1$ vectors while the others wait. It is better to share the adding, in two halves:
#
# 1. **Reduce-scatter.** Cut each vector into $n$ slices. Rank $r$ gets slice $r$ of everyone, and adds them up.
# 2. **All-gather.** Every rank sends its summed slice to everyone.
#
# Each rank sends $2 (n - 1) / n$ vectors in all: less than two, however many ranks there are.
#
# For two ranks with `[1 2 3 4]` and `[10 20 30 40]`: after the first half, rank 0 has `[11 22]` and rank 1 has
# `[33 44]`; after the second, both have `[11 22 33 44]`.

# %%
vectors = np.array([[1, 2, 3, 4], [10, 20, 30, 40]])
figure, axes = plt.subplots(1, 3, figsize=(9, 2.2), layout="constrained")
course.draw(axes[0], vectors, "a row for each rank")
course.draw(axes[1], np.array([[11, 22], [33, 44]]), "after reduce-scatter")
course.draw(axes[2], np.array([[11, 22, 33, 44]] * 2), "after all-gather")
plt.show()

# %% [markdown]
# **Exercise 3.** `vectors` has a row for each of $n$ ranks, and its length is a multiple of $n$. Return what each rank
# has after the first half, `(n, length / n)`, and after the second, `(n, length)`.


# %% tags=["exercise"]
def my_all_reduce(vectors):
    """Return the summed slices, a row for each rank, and the sum of all vectors, again a row for each rank."""
    n = len(vectors)
    # your code: about 3 lines
    slices = vectors.reshape(n, n, -1)
    sums = slices.sum(axis=0)
    return sums, np.tile(sums.ravel(), (n, 1))
    # end of your code


# %% tags=["check"]
course.check("all_reduce", my_all_reduce)

# %% [markdown]
# ### In which order?
#
# The sum of floating-point numbers depends on the order in which they are added:

# %%
print((0.1 + 0.2) + 0.3, 0.1 + (0.2 + 0.3))

# %% [markdown]
# If the order depends on the number of ranks, so does the trained network, at first in its last digits, and after
# thousands of steps in more of them. The library adds neighbours first, 0 + 1 and 2 + 3, then neighbouring sums. A
# single process does this with the tiles of its batch, several ranks do it with each other, and the order is the same.

# %%
course.show_source(pairwise_sum, mean_gradient)

# %% [markdown]
# Let us test that: four ranks, played by threads, train for comparison with one process that has batches of four. The
# threads meet at a barrier, which no thread passes before all have arrived. Each then adds up the four vectors.

# %%
COUNT = 4
barrier, on_the_table = threading.Barrier(COUNT), [None] * COUNT


def ranks_played_by_threads(rank):
    def add_up(vector):
        on_the_table[rank] = vector
        barrier.wait()  # all have put down their vectors
        total = pairwise_sum(on_the_table)
        barrier.wait()  # all have read them
        return total

    return Ranks(rank, COUNT, add_up)


# %%
dataset = synthetic_dataset(0, num_train=8, num_validation=0, height=128, width=128)
config = Config(base_channels=4, depth=2, tile=76, batch=COUNT, steps=4, weights="none", norm="none")


def train_as(ranks):
    run = start(config, dataset)
    for _ in train_steps(run, dataset, ranks=ranks):
        pass
    return flatten(run.params)


with ThreadPoolExecutor(COUNT) as pool:
    by_ranks = list(pool.map(train_as, map(ranks_played_by_threads, range(COUNT))))
by_one = train_as(Ranks())
differences = [max(np.abs(params[name] - by_one[name]).max() for name in by_one) for params in by_ranks]
print("largest difference of each rank's weights to those of one process:", *(float(d) for d in differences))

# %% [markdown]
# Zero, on every rank: no weights had to be sent. They began equal, from one seed, and took the same steps. With MPI in
# place of threads the same is one command, and rank 0 alone writes the run folder:
#
# ```sh
# mpirun -n 4 minunet train --data folder:DIR
# ```
#
# ## How much faster?
#
# Two things keep $n$ ranks from being $n$ times as fast: the vectors have to travel, and the ranks share something,
# such as the memory of one machine. The second can be measured here: processes compute gradients side by side, each on
# one core, without exchanging anything.

# %%
COUNT_TILES = """
import time
import numpy as np
from minunet import init_unet, unet_backward, unet_forward
params = init_unet(np.random.default_rng(0), base_channels=8, depth=2)
x = np.ones((1, 1, 156, 156), np.float32)
began, tiles = time.perf_counter(), 0
while time.perf_counter() - began < SECONDS:
    logits, cache = unet_forward(params, x)
    unet_backward(logits, cache)
    tiles += 1
print(tiles / (time.perf_counter() - began))
""".replace("SECONDS", "0.5" if QUICK else "4")


def tiles_a_second(processes):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", COUNT_TILES]
    started = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(float(process.communicate()[0]) for process in started)


rates = {n: tiles_a_second(n) for n in (1, 2)}
print(f"two processes take {rates[2] / rates[1]:.2f} times the tiles of one")

# %% [markdown]
# On two idle cores expect 1.7 to 2; on a busy machine there may be no second core to spare, as above if the number is
# smaller. The time that the vectors travel can be calculated. A vector has 4 bytes for each parameter, and $2 (n - 1)
# / n$ of it go out and come in. The paper's network has 31,030,658 parameters, so 124 MB. On a network of 1 GB/s (10
# Gbit Ethernet) that is up to 0.25 s a step, and between GPUs, at 200 GB/s, about 1 ms. The speeds of networks, and
# the 0.05 s of a GPU below, are assumptions: nothing of it was measured here.
#
# Say a tile takes $T$ seconds; then the speed-up of $n$ ranks is $n T / (T + 2 (n - 1) / n \cdot B / v)$ with $B$ bytes
# at $v$ bytes a second.

# %%
ranks = np.arange(1, 65)
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
cases = (
    ("full network, CPU (T = 3 s), Ethernet", 3, 124e6, 1e9, "#009E73"),
    ("full network, GPU (assumed T = 0.05 s), between GPUs", 0.05, 124e6, 200e9, "#56B4E9"),
    ("full network, GPU (assumed T = 0.05 s), Ethernet", 0.05, 124e6, 1e9, "#D55E00"),
)
for name, T, B, v, colour in cases:
    ax.loglog(ranks, ranks * T / (T + 2 * (ranks - 1) / ranks * B / v), base=2, color=colour, label=name)
ax.loglog(ranks, ranks, ":", base=2, color="black", label="n times")
ax.set(xlabel="ranks", ylabel="times as fast")
ax.grid(color="0.9")
ax.legend(fontsize=8)
plt.show()

# %% [markdown]
# The faster a rank computes, the more the transfer counts. A slow CPU hardly notices Ethernet. If these numbers are
# right, a GPU waits up to five times as long as it computes, and two of them are slower than one.
#
# ## A larger batch wants a larger learning rate
#
# Four ranks take a quarter of the steps for the same tiles. Is the network as good afterwards? Compare four steps with
# one tile each and one step with the four. With $g_i$ for the gradient of tile $i$ and $r$ for the rate,
#
# $$ w_4 = w_0 - r \sum_{i=1}^4 g_i(w_{i-1}) \qquad\text{and}\qquad
# w_1' = w_0 - r' \cdot \tfrac14 \sum_{i=1}^4 g_i(w_0). $$
#
# If the gradients change little within four steps, the two are equal for $r' = 4r$. That is the *linear scaling* of
# the learning rate: $n$ times the batch, $n$ times the rate. We try it, with plain gradient descent, on the same tiles
# in the same order.

# %%
TILES = 40 if QUICK else 400
few_cells = synthetic_dataset(3, num_train=8, num_validation=0, height=128, width=128)


def losses_of(batch, rate):
    """Return the loss of each step, for as many tiles whatever the batch."""
    config = Config(
        base_channels=4,
        depth=2,
        tile=76,
        batch=batch,
        steps=TILES // batch,
        weights="none",
        norm="none",
        optimiser="sgd",
        momentum=0,
    )
    run = start(config, few_cells)
    rows = train_steps(run, few_cells, schedule=lambda config, step, done: rate)
    return np.array([row["loss"] for row in rows])


RATE = 0.02
curves = {
    f"batch 1, rate {RATE}": (1, losses_of(1, RATE)),
    f"batch 4, rate {RATE}": (4, losses_of(4, RATE)),
    f"batch 4, rate {4 * RATE}": (4, losses_of(4, 4 * RATE)),
}

# %%
figure, ax = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
for (name, (batch, losses)), colour in zip(curves.items(), ("black", "#D55E00", "#009E73"), strict=True):
    window = TILES // 10 // batch  # a tenth of the run
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    ax.plot(batch * (np.arange(len(smooth)) + window), smooth, color=colour, label=name)
ax.set(xlabel="tiles seen", ylabel="loss, mean over a tenth of the run")
ax.grid(color="0.9")
ax.legend()
plt.show()

# %% [markdown]
# With the old rate the batch of four lags behind: it has taken a quarter of the steps, each as long as before. With
# four times the rate it keeps up with the single tiles.
#
# This has its limits. The argument assumed that gradients change little during the steps that are replaced. At the
# start of a run they change fast, and so training with large batches is warmed up: the rate begins small. And with
# very large batches or rates the argument fails altogether. Find the limit: multiply `RATE` by 10, and by 10 again.
# Adam divides each gradient by its usual size, so for Adam the rule is weaker; the square root of $n$ is often used.
#
# `minunet train` does **not** change the rate by itself, since it cannot know where the limit is. With 4 ranks say
# `--learning-rate 0.12 --optimiser sgd`, and compare.

# %% [markdown]
# **Question 1.** A slide of 100,000 x 100,000 pixels is cut into blocks of 2048, on a network of depth 4. How many
# blocks are there? If a GPU takes 0.5 s for a block, how long do 8 GPUs take, and how many gigabytes do they read, at
# a byte for each pixel?

# %% [markdown] tags=["answer"]
# 100,000 / 2048 is 48.8, so 49 x 49 = 2,401 blocks. 2,401 times 0.5 s on 8 GPUs take 150 s. With halos, each block
# reads 2232 x 2232 pixels: 12 GB in place of 10.
#
# **Rubric, 1 point.** Blocks and seconds, and the halo counted in what is read.

# %% [markdown]
# **Question 2.** A machine dies in the middle of a slide. What is lost? And if it dies in the middle of a training run?

# %% [markdown] tags=["answer"]
# Of a slide, the blocks that it was working on: a scheduler gives them to another machine, and the result is the same,
# since a block does not depend on who computes it. Of a training run, everything since the last checkpoint: every step
# needs all ranks, so all of them stop. The run goes on from the checkpoint, with as many ranks as divide the batch.
#
# **Rubric, 1 point.** Of a slide the blocks under way, of a training run all since the checkpoint, with the reason.

# %% [markdown]
# **Question 3.** Somebody starts a program that knows nothing about MPI with `mpirun -n 4`, hoping that it will be
# four times as fast. What happens?

# %% [markdown] tags=["answer"]
# The same program runs four times, from the same seed, and does the same work four times, in the same time or
# more. If it writes files, four processes overwrite each other's. `minunet train` therefore refuses to run under
# mpirun without mpi4py.
#
# **Rubric, 1 point.** The same work is done four times.

# %% [markdown]
# ## In three lines
#
# 1. A block with its halo is all that an output depends on: any number of machines gives the result of one.
# 2. The gradient of a batch is the mean of its tiles' gradients; an all-reduce brings it to every rank, in two halves.
# 3. More ranks mean a larger batch, and a larger batch wants a larger learning rate, up to a point.
#
# ## Where to read more
#
# [blocks.py](../minunet/scale/blocks.py) predicts in blocks,
# [seams.py](../minunet/scale/seams.py) joins the cells, [batch.py](../minunet/training/batch.py) is the mean over
# ranks, and [all_reduce.py](../minunet/scale/all_reduce.py) adds up by MPI. Goyal et al., "Accurate, Large Minibatch
# SGD"
# ([arXiv 1706.02677](https://arxiv.org/abs/1706.02677)), scale the learning rate up to 8,192 images in a batch,
# and show where it ends. Moore et al., "OME-NGFF: a next-generation file format for expanding bioimaging data-access
# strategies" (Nature Methods, 2021), is the format in which slides are stored in chunks.
