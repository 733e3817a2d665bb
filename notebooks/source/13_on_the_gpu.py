# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 13 On the GPU
#
# A graphics processor (GPU) has thousands of small arithmetic units and its own, fast memory. Training a U-Net is
# mostly matrix products, which suit it. This page asks two questions. What has to change in `minunet` so that it runs
# there? Nearly nothing, it turns out. And how do you find out how fast it is? With care: such a device hides what it
# is doing.
#
# **This page needs no GPU, and claims no GPU's speed.** What can be shown without one is shown with stand-ins that run
# on the CPU. Where an example needs a number about a GPU, the number is an assumption, and the text says so.
# [benchmarks/README.md](../benchmarks/README.md#on-a-gpu) says what has run on a GPU so far.
#
# You need this from earlier pages: a layer is a pair, `y, cache = forward(x, ...)` and `dx, ... = backward(dy,
# cache)`, and a training step is one pass forward, one backward, and an update of the parameters.

# %%
import statistics
import time
import timeit
from concurrent.futures import ThreadPoolExecutor

import matplotlib.pyplot as plt
import numpy as np

import minunet
from minunet import array_module, conv2d_backward, conv2d_forward, course, relu_backward, relu_forward, to_device
from minunet.course import pretend_gpu
from minunet.layers import conv as readable
from minunet.training.train import Config, start, train_step

# %% [markdown]
# ## Is there one?
#
# The library that we use is CuPy: NumPy's names, for arrays that live in the memory of an NVIDIA GPU. `to_device(x,
# "gpu")` copies an array there, or says in one line what is missing. Cells that can only run on a GPU are functions
# marked `@with_a_gpu` on this page. Where there is none, they say so, and you can read what they would do.

# %%
try:
    to_device(np.zeros(1), "gpu")
    have_gpu = True
except minunet.InputError as error:
    have_gpu = False
    print(error)


def with_a_gpu(cell):
    """Run a cell, written as a function, where there is a GPU."""
    return cell() if have_gpu else print("no GPU here: the cell shows what it would do")


# %% [markdown]
# ## The same lines
#
# One function of the library decides where a line runs. `array_module(x)` returns the module that made `x`: `cupy` for
# an array on the GPU, `numpy` for all others. The layers call it `xp` and take every function from it. So **the data
# decides**, and no layer has a switch.

# %%
course.show_source(minunet.array_module, relu_forward, relu_backward)

# %% [markdown]
# `xp.maximum` is `numpy.maximum` or `cupy.maximum`; both do the same. Take the 3 x 3 array below. By hand: the three
# negative numbers become 0, and the others stay. On a GPU the two prints would agree in every digit, since nothing is
# rounded here.

# %%
x = np.array([[1.0, -2.0, 3.0], [-4.0, 5.0, 6.0], [7.0, 8.0, -9.0]])
y, relu_cache = relu_forward(x)
print(array_module(x).__name__, "\n", y)


@with_a_gpu
def relu_on_the_gpu():
    y_gpu, _ = relu_forward(to_device(x, "gpu"))
    print(array_module(y_gpu).__name__, "\n", to_device(y_gpu, "cpu"))


# %% [markdown]
# ## A pretend GPU
#
# To show more without a GPU, the course has a pretend one: `pretend_gpu`. Inside `with pretend_gpu.installed()` Python
# believes that CuPy and a GPU are there. The arrays are NumPy's in disguise, so they tell us nothing about speed. But
# they follow CuPy's main rules, and they log every operation. The library's code runs on them unchanged.
#
# *Host* is the CPU and its memory, *device* the GPU and its own. Two rules matter most. First, an array of the host is
# refused as an operand: `x_device + np.ones(3)` would need a copy through the cable between the two, and CuPy does not
# make it behind your back. Second, an array on the device becomes one on the host only if you ask for it. Expect an
# array of another class below, its values once they are back on the host, and two errors.

# %%
with pretend_gpu.installed():
    x_device = to_device(x, "gpu")
    y_device, _ = relu_forward(x_device)
    print(y_device)
    print(to_device(y_device, "cpu"))
    for attempt in (lambda: x_device + np.ones(3), lambda: np.asarray(x_device)):
        try:
            attempt()
        except TypeError as error:
            print(error)

# %% [markdown]
# So in code for both, `xp` must also *make* the arrays: `xp.zeros`, `xp.arange`. A forgotten `np.arange` passes every
# test on the CPU, and fails on the GPU.
#
# **Exercise 1.** The Brier score says how far probabilities are from the truth: the squared difference between `p` and
# `onehot` (1 at the label, else 0), summed over the classes, as a mean over all pixels. Write it once, for both. The
# check hands in its own `array_module`, which knows the pretend GPU. `xp.arange(K)` is useful, and the last step is
# `float(...)`: one trip to the host, made on purpose.


# %% tags=["exercise"]
def my_brier_score(p, labels, array_module):
    """Return the score, a float, of p (N, K, H, W) and labels (N, H, W), which lie on the same device."""
    # your code: about 4 lines
    xp = array_module(p)
    classes = xp.arange(p.shape[1])[:, None, None]  # (K, 1, 1)
    onehot = labels[:, None] == classes  # (N, K, H, W)
    return float(((p - onehot) ** 2).sum(axis=1).mean())
    # end of your code


# %% tags=["check"]
course.check("brier_score", my_brier_score)

# %% [markdown]
# ## Are they right there, too?
#
# The gradient check of notebook 01 runs on any device: it asks `array_module`, too. Here it is for the convolution on
# the pretend GPU, in float64 along random directions. Expect an error of 1e-8 or less, as on the CPU. On a real GPU
# this line is the first thing to run, before you time anything.

# %%
rng = np.random.default_rng(0)
x_conv = rng.normal(size=(1, 2, 8, 8))
weight, bias = rng.integers(-3, 4, (3, 2, 3, 3)).astype(float), np.ones(3)
with pretend_gpu.installed():
    args = to_device((x_conv, weight, bias), "gpu")
    print(minunet.gradcheck(conv2d_forward, conv2d_backward, args, mode="directions"))

# %% [markdown]
# Here is a picture, too: one pixel of `dy` is 1, the rest 0, and `conv2d_backward` paints the kernel back onto `dx`
# (notebook 02), once with arrays of the host and once with arrays of the pretend device. Expect the same picture
# twice.

# %%
dy = np.zeros((1, 3, 6, 6))
dy[0, 0, 2, 3] = 1
dx_host = conv2d_backward(dy, conv2d_forward(x_conv, weight, bias)[1])[0]
with pretend_gpu.installed():
    _, conv_cache = conv2d_forward(*to_device((x_conv, weight, bias), "gpu"))
    dx_device = to_device(conv2d_backward(to_device(dy, "gpu"), conv_cache)[0], "cpu")
figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
course.draw(axes[0], dx_host[0, 0], "dx, channel 0, on the host", gradient=True)
course.draw(axes[1], dx_device[0, 0], "dx, channel 0, on the pretend device", gradient=True)
print("largest difference", np.abs(dx_host - dx_device).max())

# %% [markdown]
# ## What the device hides: the queue
#
# A function that runs on the GPU is called a *kernel*. `xp.maximum(x, 0)` on CuPy does not run one. It puts one into a
# *queue* and returns at once, with an array whose values do not exist yet. The device works through the queue, one
# kernel after another, while Python goes on. The host waits only when a value is actually needed.
#
# So a clock around a line measures how long it takes to *ask*. Here is a stand-in for the queue: a thread that does
# what it is given, in order. Its kernels only sleep, since a CPU has nothing to compute while a GPU works.


# %%
class Queue:
    """Takes work at once, and does it later, one piece after another."""

    def __init__(self):
        self.worker = ThreadPoolExecutor(max_workers=1)
        self.last = self.worker.submit(time.perf_counter)

    def launch(self, work, *args):
        """Put work into the queue, and do not wait; the return value is a promise of its result."""
        self.last = self.worker.submit(work, *args)
        return self.last

    def synchronise(self):
        """Wait until the queue is empty: its work is done in order, so the last piece is done last."""
        self.last.result()


# %% [markdown]
# Take three kernels of 0.1 s. By hand: asking takes nearly no time, so a clock that stops after the third launch shows
# a few milliseconds at most. The device needs 0.3 s. Expect a naive time near 0.000, and an honest one near 0.300.

# %%
queue = Queue()
began = time.perf_counter()
for _ in range(3):
    queue.launch(time.sleep, 0.1)
naive = time.perf_counter() - began
queue.synchronise()
honest = time.perf_counter() - began
print(f"without waiting {naive:.3f} s   with synchronise {honest:.3f} s")

# %% [markdown]
# The naive number is wrong by a factor of hundreds, and a speed-up computed from it means nothing. The next picture
# shows both sides over time: the host in short strokes, then idle; the device busy for 0.3 s.


# %%
def lanes(axes, rows, title):
    """Draw what each row did, as bars over time; rows is {name: [(start, seconds), ...]}."""
    colours = {"host": "#0072B2", "device": "#E69F00"}
    for height, (name, bars) in enumerate(rows.items()):
        axes.broken_barh(bars, (height - 0.3, 0.6), color=colours[name], edgecolor="white")
    axes.set(title=title, xlabel="seconds", yticks=range(len(rows)), yticklabels=rows)


figure, axes = plt.subplots(figsize=(7, 2), layout="constrained")
launches = [(0.003 * i, 0.003) for i in range(3)]
lanes(axes, {"device": [(0.003 + 0.1 * i, 0.1) for i in range(3)], "host": launches}, "three launches (a drawing)")
axes.axvline(0.009, color="#D55E00", linestyle="--")
axes.text(0.013, 0.5, "a clock without waiting stops here", color="#D55E00", va="center")
print("host: asks three times.  device: works off the queue")

# %% [markdown]
# In the names of the code, an honest time is
#
# `synchronise(); start = clock(); function(); synchronise(); seconds = clock() - start`
#
# with *two* waits: the first one so that the work of earlier lines is not counted. On CuPy, `synchronise` is
# `cupy.cuda.Device().synchronize()`.


# %%
@with_a_gpu
def time_a_product():
    import cupy

    a = cupy.ones((4096, 4096), "float32")
    for synchronise in (lambda: None, cupy.cuda.Device().synchronize):
        synchronise()
        start_clock = time.perf_counter()
        a @ a
        synchronise()
        print(f"{time.perf_counter() - start_clock:.6f} s")


# %% [markdown]
# ## Events: a clock in the queue
#
# Waiting changes what you measure: the queue runs empty, and the device idles until the next launch. An *event* avoids
# that. It is a mark in the queue, launched like a kernel, and when the device reaches it, it records the time. Two
# events around some kernels give their time on the device, and the host waits once, at the very end.
#
# In our stand-in an event is a kernel that reads the clock. Expect about 0.2 s between the two marks, although the
# queue had other work before that.

# %%
queue.launch(time.sleep, 0.05)  # work from before
first_event = queue.launch(time.perf_counter)
queue.launch(time.sleep, 0.1)
queue.launch(time.sleep, 0.1)
second_event = queue.launch(time.perf_counter)
queue.synchronise()
print(f"between the events {second_event.result() - first_event.result():.3f} s")


@with_a_gpu
def events():
    import cupy

    marks = [cupy.cuda.Event() for _ in range(2)]
    marks[0].record()
    cupy.ones((4096, 4096), "float32") @ cupy.ones((4096, 4096), "float32")
    marks[1].record()
    marks[1].synchronize()
    print(cupy.cuda.get_elapsed_time(*marks), "ms")


# %% [markdown]
# ## Timing honestly: warm up, take the median
#
# Even with waits, the first calls are not like the others: CuPy compiles kernels at their first use, and asks the
# driver for memory. And now and then something else happens on the machine. Here are ten times in ms, made up but
# typical:
#
# 480, 60, 21, 20, 22, 20, 95, 21, 20, 21
#
# The mean of all is 78. Leave out the first two, which *warm up*: the mean is 30, still half as much again as most of
# them, because of the 95. The *median*, the value in the middle, is 21, however large that outlier is.

# %%
times = [480, 60, 21, 20, 22, 20, 95, 21, 20, 21]
figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
axes.plot(range(10), times, "o", color="#0072B2")
axes.axhline(statistics.median(times[2:]), color="#D55E00", label="median after two warm-up calls")
axes.set(xlabel="call", ylabel="ms", yscale="log", title="ten calls", xticks=range(10))
axes.set_yticks([20, 50, 100, 200, 500], ["20", "50", "100", "200", "500"], minor=False)
axes.minorticks_off()
axes.legend()
print(f"all: mean {statistics.mean(times)}")
print(f"after warm-up: mean {statistics.mean(times[2:])}, median {statistics.median(times[2:])}")


# %% [markdown]
# **Exercise 2.** Write the honest clock. The check runs it with a simulated device and clock: whole numbers of ticks,
# slow first calls, one disturbed call, and at times unfinished work from before. `function()` launches,
# `synchronise()` waits, `clock()` returns the time.


# %% tags=["exercise"]
def my_median_time(function, synchronise, clock, warm_up, repeats):
    """Return the median time of `repeats` calls, each timed by itself, after `warm_up` calls that are not."""
    # your code: about 10 lines
    for _ in range(warm_up):
        function()
    times = []
    for _ in range(repeats):
        synchronise()
        start = clock()
        function()
        synchronise()
        times.append(clock() - start)
    return np.median(times)
    # end of your code


# %% tags=["check"]
course.check("median_time", my_median_time)

# %% [markdown]
# ## Two candidates: in turn
#
# Is A faster than B? Machines drift: a chip gets warm and slows down, and other people's programs come and go. Time
# all of A first and then all of B, and B pays for the drift. Time them *in turn*, A B A B, and both pay the same.
#
# Let us simulate it: A and B are *equal*, 20 ms, with a little noise, on a machine that slows down by 30 % over forty
# calls. One after the other, expect B to look more than a tenth slower; in turn, expect the two to be equal within a
# few percent.

# %%
noise = np.random.default_rng(1).normal(0, 0.3, 40)
drifting = 20 * (1 + 0.3 * np.arange(40) / 40) + noise  # ms, of call 0, 1, ...
is_a = {"one after the other": np.arange(40) < 20, "in turn": np.arange(40) % 2 == 0}
for order, of_a in is_a.items():
    ratio = np.median(drifting[~of_a]) / np.median(drifting[of_a])
    print(f"{order:<20} B / A = {ratio:.2f}")
figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
for one, (order, of_a) in zip(axes, is_a.items(), strict=True):
    for name, chosen, colour, marker in (("A", of_a, "#0072B2", "o"), ("B", ~of_a, "#D55E00", "s")):
        one.plot(np.flatnonzero(chosen), drifting[chosen], marker, color=colour, label=name)
        one.axhline(np.median(drifting[chosen]), color=colour, linewidth=1)
    one.set(title=order, xlabel="call")
axes[0].set_ylabel("ms")
axes[0].legend(title="lines: medians")
plt.show()

# %% [markdown]
# ## Small kernels
#
# Each launch has a price, whatever the kernel does. NumPy has one as well, and we can measure it: the time of `a + 1`
# for arrays of one element to a few millions. Expect a flat part, where only the call itself counts, and beyond some
# thousands of elements a slope, where the additions take most of the time. On a GPU the flat part lies higher and
# reaches much farther, since the device adds so fast.

# %%
sizes = 4 ** np.arange(12)
seconds = []
for size in sizes:
    a = np.ones(size, np.float32)
    calls = 1000 if size < 10_000 else 5
    seconds.append(min(timeit.repeat(lambda a=a: a + 1, number=calls, repeat=5)) / calls)
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
axes.loglog(sizes, seconds, "o-", color="#0072B2")
axes.set(xlabel="elements", ylabel="seconds a call", title="NumPy's a + 1 on this CPU")
axes.grid(color="0.9")

# %% [markdown]
# How many kernels does `minunet` launch? Count by hand for one convolution with 3 x 3 taps, in the code below: the
# taps are copied into order (1), `wide` is filled with zeros (1), each of nine taps is a product and a sum (18), and
# the bias is added (1). That makes 21. The pretend GPU logs every operation that computes; expect the same number.
#
# A whole training step has many layers, forward and backward, and updates every parameter. The number depends on the
# depth of the network, not on its channels or the size of the tile, so we can count on a narrow network and a small
# tile. Expect about two thousand for depth 4, the paper's.

# %%
course.show_source(readable.conv2d_forward)

# %%
with pretend_gpu.installed() as log:
    args = to_device((x_conv, weight, bias), "gpu")
    conv2d_forward(*args)
    print(log.kernels, "kernels in one forward convolution")

config = Config(base_channels=2, depth=4, tile=188, device="gpu", optimiser="sgd", norm="none")
tile = np.ones((1, 188, 188), np.float32), np.ones((4, 4), np.uint8), np.ones((4, 4), np.float32)
dataset = minunet.data.synthetic_dataset(num_train=1, num_validation=1, height=64, width=64)
with pretend_gpu.installed() as log:
    run = start(config, dataset)
    before = log.kernels
    train_step(run, tile, step=0, rate=0.01)
    print(log.kernels - before, "kernels in one training step")

# %% [markdown]
# Suppose a launch costs 5 microseconds (an assumption; measure yours). Two thousand of them cost 10 ms a step,
# whatever the tile. If the arithmetic takes less than that, the device waits for Python. Then a smaller network is not
# faster, and a larger tile costs nothing. The remedies are fewer, larger kernels: several steps fused into one, or
# larger tiles.
#
# ## Transfers
#
# Host and device are joined by a cable (PCIe in most machines), which is slow beside either memory. A transfer takes
#
# `seconds = latency + bytes / bandwidth`
#
# Assume a latency of 10 microseconds and a bandwidth of 20 GB/s; both are assumptions. A tile of 572 x 572 pixels in
# float32 has 1.31 MB, and takes 10 + 65 = 75 microseconds. The loss, one number of 4 bytes, takes 10: all latency.
#
# **Exercise 3.** Write it for an array of any shape; a shape `()` is one number.


# %% tags=["exercise"]
def my_transfer_seconds(shape, itemsize, latency, bandwidth):
    """Return the seconds to move an array; itemsize in bytes, latency in seconds, bandwidth in bytes a second."""
    # your code: about 2 lines
    elements = np.prod(shape)
    return latency + elements * itemsize / bandwidth
    # end of your code


# %% tags=["check"]
course.check("transfer_seconds", my_transfer_seconds)

# %% [markdown]
# The picture shows what a training step of the full network could transfer, under the same assumptions. The knee of
# the curve is at `latency * bandwidth`, 200 kB: below it, size does not matter, and above it, nothing else does. The
# parameters are the large part, 124 MB, and they stay on the device from the first step to the last. `minunet` keeps
# the training images there, too: a step only sends where its tile is to be read, and fetches the loss.

# %%
latency, bandwidth = 1e-5, 20e9  # assumptions
things = {"loss": 4, "labels 388 x 388": 388**2, "tile 572 x 572": 4 * 572**2, "parameters": 4 * 31_030_658}
sizes_in_bytes = np.logspace(0, 9, 100)
figure, axes = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
axes.loglog(sizes_in_bytes, latency + sizes_in_bytes / bandwidth, color="0.6")
axes.set(xlabel="bytes", ylabel="seconds (assumed)", title="one transfer")
for name, size in things.items():
    axes.loglog(size, latency + size / bandwidth, "o", color="#D55E00")
    axes.annotate(name, (size, latency + size / bandwidth), xytext=(-4, 8), textcoords="offset points", ha="right")
    print(f"{name:<17} {1e6 * (latency + size / bandwidth):8.1f} microseconds")

# %% [markdown]
# ## A hidden trip to the host
#
# A transfer that you ask for is easy to see. Others are hidden: `float(loss)`, `if x.max() > 0`, `print(x)`, `int(n)`.
# Each needs a value, so the host waits until the device has finished *everything* that was launched before. The four
# bytes cost next to nothing; the wait is what costs.
#
# Here is a model of training: in each step the host draws a tile (0.04 s), and the device computes (0.06 s). By hand,
# for four steps: if the host never waits, it draws the next tile while the device computes, and all takes 0.04 + 4 *
# 0.06 = 0.28 s. If it reads the loss in each step, the two take turns: 4 * (0.04 + 0.06) = 0.40 s.


# %%
def four_steps(read_loss):
    """Return what host and device did, as bars for `lanes`, and the seconds for all."""
    own_queue, start_clock, host, kernels = Queue(), time.perf_counter(), [], []
    for _ in range(4):
        host.append((time.perf_counter() - start_clock, 0.04))
        time.sleep(0.04)  # draw a tile
        kernels.append(own_queue.launch(lambda: (time.perf_counter() - start_clock, time.sleep(0.06))))
        if read_loss:
            own_queue.synchronise()
    own_queue.synchronise()
    device = [(kernel.result()[0], 0.06) for kernel in kernels]
    return {"device": device, "host": host}, time.perf_counter() - start_clock


never, seconds_never = four_steps(read_loss=False)
always, seconds_always = four_steps(read_loss=True)
print(f"the loss is never read: {seconds_never:.2f} s   in each step: {seconds_always:.2f} s")

# %%
figure, axes = plt.subplots(2, 1, figsize=(7, 3.8), sharex=True, layout="constrained")
lanes(axes[0], never, "the loss is never read")
lanes(axes[1], always, "the loss is read in each step")
axes[0].set_xlabel("")
print("gaps in the lower device lane: it waits for the host")

# %% [markdown]
# How do you find such a trip? Timing each line is misleading: the line that *waits* looks slow, but the work is
# somewhere above it. There are three better ways. Read the code for places that need a value: `float(`, `int(`, `if`
# on an array, `print`. Run it under a profiler, which shows copies from device to host. Or run it where trips are
# logged.
#
# The pretend GPU does the third. Here is `minunet`'s own training step from above, and then a print of the loss. How
# many trips would you guess? Expect none in the step, and one for the print.

# %%
with pretend_gpu.installed() as log:
    run = start(config, dataset)
    loss = train_step(run, tile, step=0, rate=0.01)
    print(len(log.trips), "trips in the step")
    print("loss", round(float(loss), 3))
    print(*log.trips, sep="\n")

# %% [markdown]
# `train_step` returns the loss as an array of the device, without waiting for it. `train_steps` turns it into a number,
# in one place, with a comment that says so.
#
# It was not always like that. On the CPU the loss checks that the labels are classes that exist, with `if
# outside.any()`, and for a while it did so on the device, too. The labels have nothing to do with the network's
# output. But the queue is worked through in order, so the answer came after the whole forward pass, and only then
# could Python launch the backward pass. The pretend GPU named the line. Now a label that does not exist makes the loss
# NaN on the device, which is noticed when the loss is read, and that has to happen anyway.
#
# **Question 1.** What does the CPU's way tell you about a wrong label that the GPU's way does not? Where else could
# the check be? And for the one trip that is left: what would `train_steps` have to give up, or do differently, to read
# the loss only every fiftieth step?

# %% [markdown] tags=["answer"]
# On the CPU a clear message says which label is wrong. NaN only says that something is wrong, and too large a learning
# rate looks the same. A better place is on the host, when the data are read: once, and not in each step. As for the
# loss: `train_steps` stops a run in the very step in which the loss is not finite, and writes the loss into each row
# of the history. It could keep the losses as arrays of the device and fetch fifty at once; a broken run would then go
# on for up to fifty steps before anyone notices.
#
# **Rubric, 2 points.** One for: a clear message against a NaN that could have other causes, and for a check on the
# host. One for what is given up, or done later, when the loss is read seldom.

# %% [markdown]
# ## float32, and what is called TF32
#
# Graphics processors multiply fastest in low precision. TF32 is one such format: of the 23 bits of a float32 after the
# leading one, only 10 are used when it is a *factor* of a product; sums stay in float32. We can imitate it by rounding
# away the last 13 bits. By hand: `1 + 2**-10` has its last one in the tenth place and stays. `1 + 2**-12` becomes 1.
#
# The relative error of rounding is at most `2**-11`, 0.0005, against 6e-8 for float32. In a convolution over 64
# channels the errors of the products partly cancel. Expect a relative error near 1e-7 in float32, and some thousand
# times as much, near 3e-4, in TF32. For training that is mostly fine: the noise between two tiles is far larger.


# %%
def to_tf32(values):
    """Return the nearest float32 of which 10 bits after the leading one are used (ties away from zero)."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return ((bits + np.uint32(1 << 12)) & np.uint32(0xFFFFE000)).view(np.float32)


print(to_tf32([1 + 2**-10, 1 + 2**-12]))

# %%
x64, w64 = rng.normal(size=(1, 64, 20, 20)), rng.normal(size=(64, 64, 3, 3))
exact, _ = conv2d_forward(x64, w64, np.zeros(64))
for name, rounding in (("float32", np.float32), ("TF32", to_tf32)):
    rounded, _ = conv2d_forward(rounding(x64), rounding(w64), np.zeros(64, np.float32))
    print(f"{name:<8} relative error {np.linalg.norm(rounded - exact) / np.linalg.norm(exact):.0e}")

# %% [markdown]
# For checking a gradient it is not fine. A difference quotient of numbers with only three good digits is meaningless,
# and `gradcheck` notices that: expect a finding of the kind `precision`, which is not "wrong" but "nothing can be
# told".


# %%
def conv2d_forward_tf32(x, weight, bias):
    """The convolution as a device in TF32 would do it."""
    return conv2d_forward(to_tf32(x), to_tf32(weight), bias.astype(np.float32))


report = minunet.gradcheck(conv2d_forward_tf32, conv2d_backward, (x_conv, weight, bias))
print("ok:", report.ok, "  findings:", *[finding.kind for finding in report.findings])

# %% [markdown]
# TF32 also spoils comparisons. CuPy computes products of float32 in full unless the environment variable `CUPY_TF32=1`
# allows otherwise; PyTorch's convolutions on a GPU use TF32 by default. If you compare the two without saying so, you
# compare two formats. State the format on both sides, or measure both ways.
#
# ## The memory pool
#
# Asking the driver for memory is slow, so CuPy keeps what you free and hands it out again. Programs that watch the
# GPU's memory see the pool, not your arrays, and people mistake it for a leak. A stand-in with two counters shows it.
#
# Take three steps, each of which needs blocks of 300, 200 and 100 MB, and gives them back. Expect `used` to fall to 0
# after each step, and `total` to stay at 600 from the first step on. A leak would look different: `used` would not
# fall, and `total` would grow from step to step.


# %%
class Pool:
    """Keeps blocks that were given back, for the next who wants one of that size."""

    def __init__(self):
        self.used, self.total, self.free = 0, 0, []

    def take(self, size):
        if size in self.free:
            self.free.remove(size)
        else:
            self.total += size  # ask the driver
        self.used += size

    def give_back(self, size):
        self.used -= size
        self.free.append(size)


# %%
pool = Pool()
for step in range(3):
    for size in (300, 200, 100):
        pool.take(size)
    at_most = pool.used
    for size in (300, 200, 100):
        pool.give_back(size)
    print(f"step {step}: used at most {at_most} MB, afterwards {pool.used} MB, total {pool.total} MB")


@with_a_gpu
def memory():
    import cupy

    real_pool = cupy.get_default_memory_pool()
    print("used", real_pool.used_bytes(), " total", real_pool.total_bytes())
    real_pool.free_all_blocks()  # hand back what nobody uses
    print("total after free_all_blocks", real_pool.total_bytes())


# %% [markdown]
# ## All of it
#
# On a machine with a GPU and CuPy (`python -m pip install -e ".[gpu]"`), `minunet train --device gpu` trains there.
# The parameters and the training images move to the device once, and tiles are read there. Random numbers come from
# the host, so that a run draws the same tiles everywhere. `python -m pytest -m gpu` compares every layer there with
# the CPU. If you run it, please tell us what you find.
#
# ## In three lines
#
# - The data decides: `xp = array_module(x)`, and every function from `xp`; the same lines run on both.
# - A launch returns before the work is done: wait before you start the clock and before you stop it, warm up, take the
#   median, and compare in turn.
# - Often it is not the arithmetic that costs, but small kernels, transfers, and values that the host asks for.
#
# ## Where to read more
#
# [backend.py](../minunet/backend.py) chooses between NumPy and CuPy,
# [pretend_gpu.py](../minunet/course/pretend_gpu.py) is the pretend GPU, and [test_gpu.py](../tests/test_gpu.py) is for
# a real one. CuPy's user guide has a page "Performance Best Practices", and `cupyx.profiler.benchmark` is an honest
# clock. Notebook 12 is about making the arithmetic itself fast. The paper's own note on hardware is in its [section
# 5](https://arxiv.org/abs/1505.04597): ten hours on a GPU of 6 GB.
