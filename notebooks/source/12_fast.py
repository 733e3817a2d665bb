# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 12 How convolutions get fast
#
# This page computes one sum in six ways. The first is the loops of notebook 02; the last is more than a hundred times
# faster, and all of them return the same numbers up to rounding. Where does the time go, and how do we win it back?
# There are three answers: trips through the Python interpreter, trips through memory, and multiplications.
#
# You need one thing from notebook 02, the convolution and its backward pass: a tap reads a shifted block of x and adds
# to y, and on the way back it reads dy and adds to the same block of dx. The axes are N C H W for x, F C KH KW for
# weight, OH OW for y. All times on this page were measured on the machine where the page was run. So the text speaks
# of ratios, and yours will differ.

# %%
import os
import statistics
import time
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from numpy.lib.stride_tricks import sliding_window_view
from threadpoolctl import threadpool_info, threadpool_limits

from minunet import conv2d_backward, conv2d_forward, course, gradcheck
from minunet.fast.layers import conv2d_forward as fast_conv2d_forward
from minunet.layers import naive

QUICK = "MINUNET_QUICK" in os.environ
np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## How much is there to do?
#
# For an image of 4x4 pixels and a kernel of 3x3 there are 2x2 output pixels, and each is a sum of 9 products: 36
# multiplications. In general each of the F * OH * OW output numbers of an image takes C * KH * KW multiplications and
# about as many additions. A multiplication and an addition count as two *floating-point operations*, FLOP for short.
#
# The table has three layers of the paper's network, from the top of the U to its bottom. Each does some ten billion
# multiplications, in spite of the very different sizes: at the bottom images are smaller, and there are more channels.

# %%
for C, F, H in [(64, 64, 570), (256, 256, 138), (1024, 1024, 30)]:
    multiplications = 9 * C * F * (H - 2) ** 2
    print(f"{C:4} -> {F:4} channels, x of {H}x{H}: {multiplications / 1e9:5.1f} billion")

# %% [markdown]
# We shall time two layers of this kind: an *early* one with few channels and many pixels, and a *deep* one with many
# channels and few pixels. Both are smaller than the paper's, so that this page does not take long, and in float32, as
# in training.


# %%
def layer(channels, size):
    """Return x, weight and bias of a 3x3 layer with as many channels in as out."""
    rng = np.random.default_rng(0)
    shapes = (1, channels, size, size), (channels, channels, 3, 3), (channels,)
    x, weight, bias = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    return x, weight / np.float32(np.sqrt(9 * channels)), bias


sizes = {"early": (16, 66), "deep": (64, 34)} if QUICK else {"early": (64, 194), "deep": (512, 34)}
layers = {name: layer(channels, size) for name, (channels, size) in sizes.items()}

# %% [markdown]
# ## Way 1: loops
#
# The loops visit each output number, cut out its window, multiply and sum. The multiplications of one number are done
# by NumPy in well under a microsecond. But around them Python reads the line, looks up names, makes two small arrays
# and throws them away. Expect some microseconds for each number, nearly all of them for such trips through the
# interpreter.
#
# A whole layer would take too long, so the loops get a strip of 4 rows of x, which makes 2 rows of y.


# %%
def fastest(function, rounds=5):
    """Return the least seconds that a call takes."""
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


x, weight, bias = layers["early"]
strip = x[:, :, :4]
y_strip = naive.conv2d(strip, weight, bias)
each = fastest(lambda: naive.conv2d(strip, weight, bias)) / y_strip.size
print(f"{each * 1e6:.1f} microseconds for each output number, on this machine")
print(f"{each * 64 * 568**2:.0f} seconds for the paper's first layer of 64 -> 64 channels")

# %% [markdown]
# ## Way 2: taps
#
# The library's readable layer goes through the nine taps instead. Each tap is one matrix product over the whole image,
# (F, C) times (C, pixels). The interpreter makes nine trips in all, however large the image is, and the products are
# done by a *BLAS*, the library of matrix products that NumPy calls. Otherwise nothing changes: the same multiplications
# are made, in another order.
#
# There is one difficulty. The block that a tap reads lies in memory in pieces, a piece for each row, and a matrix
# product would have to copy them together first. A trick avoids the copy. In memory the rows of an image lie end to
# end: the pixel in row h and column w is number `h * W + w`. A shift by kh rows and kw columns is then a plain *offset*
# of `kh * W + kw`. Take the 4x4 image of notebook 02 and tap (1, 2): its offset is 1·4 + 2 = 6. So let the tap start at
# pixel 6 and read on without a gap. It should read pixels 6 and 7, then 10 and 11. Without a gap it reads 8 and 9 as
# well: it cannot stop at the right edge, and runs on into the next row.


# %%
def show_numbers(axes, numbers, title, letters="H W"):
    """Draw numbers of pixels: green if tap (1, 2) should read them, orange if it runs on over them."""
    kind = 2 * np.isin(numbers, [6, 7, 10, 11]) + np.isin(numbers, [8, 9])
    axes.imshow(kind, cmap=ListedColormap(["white", "#E69F00", "#009E73"]), vmin=0, vmax=2)
    for (h, w), number in np.ndenumerate(numbers):
        axes.text(w, h, "" if number < 0 else number, ha="center", va="center", fontsize=12)
        axes.add_patch(plt.Rectangle((w - 0.5, h - 0.5), 1, 1, fill=False))
    rows, columns = letters.split()
    axes.set(title=title, xlabel=f"{columns} = {numbers.shape[1]}", xticks=[], yticks=[])
    axes.set_ylabel(f"{rows} = {numbers.shape[0]}" if rows != "1" else "")


numbers = np.arange(16)
W, OH, KW, offset = 4, 2, 3, 1 * 4 + 2
L = OH * W - (KW - 1)
wide_rows = np.append(numbers[offset : offset + L], [-1, -1]).reshape(OH, W)
fig, axes = plt.subplot_mosaic("AB;CC", figsize=(7, 4.6), layout="constrained", height_ratios=[4, 1.3])
show_numbers(axes["A"], numbers.reshape(4, 4), "x: what tap (1, 2) reads")
show_numbers(axes["B"], wide_rows, "what it makes: wide rows", "OH W")
title = f"x, laid out flat: {L} pixels from offset {offset}"
show_numbers(axes["C"], numbers.reshape(1, 16), title, "1 H*W")

# %% [markdown]
# Now arrange what was read in rows of the full width W, on the right: the *wide* rows. What we want, green, is in the
# first OW columns, where it belongs. What the tap ran on over, orange, is in the last KW - 1 columns, which are cropped
# off when all taps are done. The last row needs no such columns, so each tap reads `L = OH * W - (KW - 1)` pixels, here
# `2 * 4 - 2 = 6`.
#
# In the source below, `flat[:, :, offset : offset + L]` is the run of pixels, a view that copies nothing; `tap` is the
# matrix, (F, C); and `wide` collects the sum. The backward pass first copies dy into wide rows whose last columns hold
# zeros. So the pixels that a tap ran on over get zero times the tap, and add zero to dweight. The rest is exercise 4 of
# notebook 02, with `tap.T` in place of `tap`. (`xp` is NumPy here, and CuPy on a GPU.)

# %%
y_taps, _ = conv2d_forward(strip, weight, bias)
print("largest difference from the loops:", f"{np.abs(y_taps - y_strip).max():.0e}")
assert np.abs(y_taps - y_strip).max() < 1e-5
course.show_source(conv2d_forward, conv2d_backward)

# %% [markdown]
# **Question 1.** Suppose someone fills the last KW - 1 columns of the wide `dy` with leftovers from memory instead of
# zeros. Which of dx, dweight and dbias become wrong? Would it show with a kernel of 3x1?

# %% [markdown] tags=["answer"]
# dx and dweight: leftovers are painted onto pixels of the next row, and they multiply what the taps saw there. dbias
# is summed from `dy` itself, not from its wide copy, and stays right. A kernel of 3x1 has KW - 1 = 0 such columns, so
# nothing would show. That is why the library is tested with several sizes of kernel, and with images that are not
# square.
#
# **Rubric, 2 points.** One for `dx` and `dweight`, but not `dbias`. One for the 3x1 kernel, which has no such columns.

# %% [markdown]
# ## Way 3: im2col, one product for all
#
# Nine products could be one. Stack what the nine taps read, as the rows of one matrix, and put the kernel's nine
# numbers side by side in one row. Then y is a single product. The matrix is called the *columns* of the image, and
# making it is called *im2col*, since each of its columns is a window of x laid out from top to bottom.
#
# Here it is for the image and the kernel of notebook 02. The first column is the window of y[0, 0], row after row: 1,
# 0, 2, then 0, 1, 0, then 1, 0, 0. The first row is what tap (0, 0) reads: 1, 0, 0, 1. The product of `weight` and
# columns is 19, 32, 31, 38, which was y before the bias.


# %%
def im2col(x, KH, KW):
    """Return the columns of x, (N, C * KH * KW, OH * OW)."""
    N, C, H, W = x.shape
    windows = sliding_window_view(x, (KH, KW), axis=(2, 3))  # (N, C, OH, OW, KH, KW), a view
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(N, C * KH * KW, -1)


image = np.array([[1.0, 0, 2, 0], [0, 1, 0, 1], [1, 0, 0, 2], [0, 2, 1, 0]])[None, None]
kernel = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
columns = im2col(image, 3, 3)[0]
print(kernel.reshape(1, 9) @ columns)
assert np.array_equal(kernel.reshape(1, 9) @ columns, [[19, 32, 31, 38]])

# %%
fig, axes = plt.subplots(1, 4, figsize=(9, 3.6), width_ratios=[4, 9, 4, 4], layout="constrained")
course.draw(axes[0], image[0, 0], "x")
course.draw(axes[1], kernel.reshape(1, 9), "weight, in one row")
course.draw(axes[2], columns, "columns of x")
course.draw(axes[3], kernel.reshape(1, 9) @ columns, "their product: y")
across = "W = 4", "C*KH*KW = 9", "OH*OW = 4", "OH*OW = 4"
down = "H = 4", "F = 1", "C*KH*KW = 9", "F = 1"
for panel, xlabel, ylabel in zip(axes, across, down, strict=True):
    panel.set(xlabel=xlabel, ylabel=ylabel)


# %%
def conv_by_im2col(x, weight, bias):
    """Return y, (N, F, OH, OW)."""
    N, _, H, W = x.shape
    F, _, KH, KW = weight.shape
    y = weight.reshape(F, -1) @ im2col(x, KH, KW)  # (F, C KH KW) @ (N, C KH KW, OH OW) -> (N, F, OH OW)
    return y.reshape(N, F, H - KH + 1, W - KW + 1) + bias[:, None, None]


y_im2col = conv_by_im2col(strip, weight, bias)
print("largest difference from the loops:", f"{np.abs(y_im2col - y_strip).max():.0e}")
assert np.abs(y_im2col - y_strip).max() < 1e-5

# %% [markdown]
# **Exercise 1.** *Back from the columns.* The product's backward pass gives `dcolumns`. What is dx? im2col only
# copies: each pixel of x goes to as many places of the columns as there are taps that read it. On the way back, what
# arrives from all these places adds up. The cache holds the shape of x, KH and KW.


# %% tags=["exercise"]
def my_im2col_backward(dcolumns, cache):
    """Return dx, (N, C, H, W), for dcolumns (N, C * KH * KW, OH * OW)."""
    (N, C, H, W), KH, KW = cache
    OH, OW = H - KH + 1, W - KW + 1
    # your code: about 5 lines
    dcolumns = dcolumns.reshape(N, C, KH, KW, OH, OW)
    dx = np.zeros((N, C, H, W))
    for kh, kw in np.ndindex(KH, KW):
        dx[:, :, kh : kh + OH, kw : kw + OW] += dcolumns[:, :, kh, kw]
    return dx
    # end of your code


# %% tags=["check"]
course.check("im2col_backward", my_im2col_backward)

# %% [markdown]
# ## What memory costs
#
# Each pixel appears in the columns up to nine times. For the paper's first layer of 64 -> 64 channels the columns take
# 743<!--{4*9*64*568**2/1e6:.0f}--> megabytes, which are written and read again. No cache holds that much. A *cache* is
# the small, fast memory beside each core of a processor, of some megabytes; everything else comes from main memory,
# which is many times slower.
#
# The taps have a similar problem. Each of the nine reads all of x and adds to all of y, so both travel between memory
# and processor nine times.

# %%
for C, H in [(64, 570), (256, 138), (1024, 30)]:
    x_bytes, columns_bytes = 4 * C * H**2, 4 * 9 * C * (H - 2) ** 2
    print(f"{C:4} channels of {H:3}x{H:<3}", end="  ")
    print(f"x {x_bytes / 1e6:3.0f} MB   columns {columns_bytes / 1e6:4.0f} MB")

# %% [markdown]
# ## Way 4: bands of rows
#
# The remedy is to work through the image in *bands* of a few rows, small enough that everything about a band stays in
# a cache. The columns of a band are made, used and overwritten by those of the next band. The price: two neighbouring
# bands both need the KH - 1 rows of x at their border, so a few rows are read twice.
#
# The picture has an image of 12 rows in bands of 5 rows of y. The second band makes rows 5 to 9 of y, and sees rows 5
# to 11 of x. Rows 5 and 6, in orange, were seen by the first band too.

# %%
seen, made = np.zeros((12, 9)), np.zeros((10, 7))
seen[5:12], seen[5:7], made[5:10] = 1, 2, 1
titles, letters = ("x: rows it sees", "y: rows it makes"), (("H", "W"), ("OH", "OW"))
fig, axes = plt.subplots(1, 2, figsize=(6, 3.2), layout="constrained")
for panel, marked, title, (H_name, W_name) in zip(axes, (seen, made), titles, letters, strict=True):
    colours = ListedColormap(["white", "#56B4E9", "#E69F00"])
    panel.pcolormesh(marked, cmap=colours, vmin=0, vmax=2, edgecolors="black", linewidth=0.5)
    panel.set(title=title, xlabel=f"{W_name} = {marked.shape[1]}", ylabel=f"{H_name} = {len(marked)}")
    panel.set_yticks(np.arange(len(marked)) + 0.5, range(len(marked)))
    panel.set(aspect="equal", xticks=[])
    panel.invert_yaxis()

# %% [markdown]
# The columns can have one more trick: they hold KW copies of the band and not KH * KW. The copies are shifted by kw
# columns and cut to OW, so a shift by kh rows is a plain offset of kh * OW, and no tap runs on into the next row. The
# KH rows of the kernel are stacked to one matrix, so a band takes a single product; its KH blocks are then added, each
# kh rows lower than the last. While the band is in the cache, a ReLU costs next to nothing: the library does it there.
# (The library's direct convolution goes one step further. Its images lie in memory row by row, each row with all its
# channels. Then the KH rows under a kernel are one matrix as they are, and nothing is copied at all.)
#
# And dx? It needs no code of its own: dx is the correlation of dy, in a frame of zeros, with the turned kernel, as
# notebook 02 showed. So the same bands make it.


# %%
def conv_by_bands(x, weight, bias):
    """Return y, (N, F, OH, OW)."""
    N, C, H, W = x.shape
    F, _, KH, KW = weight.shape
    OH, OW = H - KH + 1, W - KW + 1
    rows = min(16, OH)  # of y, in a band
    y = np.empty((N, F, OH, OW), x.dtype)
    columns = np.empty((KW, C, rows + KH - 1, OW), x.dtype)  # one buffer for all bands
    stacked = np.ascontiguousarray(weight.transpose(2, 0, 3, 1)).reshape(KH * F, KW * C)
    for n, band in np.ndindex(N, -(-OH // rows)):
        top = min(band * rows, OH - rows)  # the last band begins early enough to be whole
        for kw in range(KW):
            columns[kw] = x[n, :, top : top + rows + KH - 1, kw : kw + OW]
        blocks = (stacked @ columns.reshape(KW * C, -1)).reshape(KH, F, -1, OW)  # one for each row of the kernel
        y_band = y[n, :, top : top + rows]
        y_band[:] = bias[:, None, None]
        for kh in range(KH):
            y_band += blocks[kh, :, kh : kh + rows]
    return y


y_bands = conv_by_bands(strip, weight, bias)
print("largest difference from the loops:", f"{np.abs(y_bands - y_strip).max():.0e}")
assert np.abs(y_bands - y_strip).max() < 1e-5

# %% [markdown]
# ## Fewer multiplications: two outputs at once
#
# So far the multiplications were always the same, and only the waiting got shorter. Can we do with fewer? Take one row
# of one channel and a kernel of three taps, w0 w1 w2. Two neighbouring outputs see four pixels, x0 x1 x2 x3:
#
#     y0 = x0 w0 + x1 w1 + x2 w2
#     y1 = x1 w0 + x2 w1 + x3 w2
#
# These are six multiplications. Both outputs use x1 and x2. Add and subtract something, so that both multiply x1 and
# x2 by the same two weights, w1 and p = w0 + w2:
#
#     y0 = (x0 - x2) w0  +  [x2 p + x1 w1]
#     y1 = [x1 p + x2 w1]  -  (x1 - x3) w2
#
# Multiply out to see that nothing has changed.
#
# The brackets hold the same two pixels and the same two weights, once straight and once crosswise. So their sum is
# (x1 + x2) (p + w1), one product, and the first minus the second is (x2 - x1) (p - w1), one product again. From the
# sum and the difference of two numbers you get both back: half the sum plus or minus half the difference. Four
# products are enough, where there were six:
#
#     m0 = (x0 - x2) * w0
#     m1 = (x1 + x2) * (w0 + w1 + w2) / 2
#     m2 = (x2 - x1) * (w0 - w1 + w2) / 2             y0 = m0 + m1 + m2
#     m3 = (x1 - x3) * w2                             y1 = m1 - m2 - m3
#
# The factors on the right come from the weights; they are made once and serve all pixels, so the halves cost nothing.
# With x = 1 2 3 5 and w = 1 2 3: m0 = -2·1 = -2, m1 = 5·3 = 15, m2 = 1·1 = 1, m3 = -3·3 = -9. So y0 = 14 and y1 = 23.
# This is Winograd's *F(2, 3)*: two outputs, three taps.

# %% [markdown]
# Each of the three steps is a small matrix. `BT` makes the factors on the left from four pixels, `G` those on the
# right from three weights, and `AT` makes two outputs from four products. (The T stands for transposed; the names are
# the usual ones.) In one line, with * for products element by element:
#
#     y = AT @ ((G @ weight) * (BT @ x))

# %%
BT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1.0]])
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
AT = np.array([[1, 1, 1, 0], [0, 1, -1, -1.0]])
row, taps = np.array([1.0, 2, 3, 5]), np.array([1.0, 2, 3])
print("m =", (G @ taps) * (BT @ row), "  y =", AT @ ((G @ taps) * (BT @ row)))
fig, axes = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained")
named = {"BT, for x": BT, "G, for weight": G, "AT, for y": AT}
for panel, (title, matrix) in zip(axes, named.items(), strict=True):
    course.draw(panel, matrix, title, gradient=True)
    panel.set(xlabel="", ylabel=f"shape {matrix.shape}")
assert np.array_equal(AT @ ((G @ taps) * (BT @ row)), np.correlate(row, taps))

# %% [markdown]
# **Exercise 2.** *A whole row.* A row of W pixels, W even, has W - 2 outputs. Cut it into *tiles* of four pixels:
# x[0:4] makes y[0:2], x[2:6] makes y[2:4], and so on. Neighbouring tiles share two pixels. The matrices BT, G and AT
# take many tiles at once, as the columns of a matrix (4, T). `sliding_window_view(x, 4)[::2]` has one tile in each of
# its T rows.


# %% tags=["exercise"]
def my_winograd_row(x, weight):
    """Return y, (W - 2,), for a row x, (W,), and weight, (3,)."""
    # your code: about 4 lines
    tiles = sliding_window_view(x, 4)[::2].T  # (4, T)
    products = (G @ weight)[:, None] * (BT @ tiles)  # (4, T)
    y = AT @ products  # (2, T)
    return y.T.ravel()
    # end of your code


# %% tags=["check"]
course.check("winograd_row", my_winograd_row)

# %% [markdown]
# ## Backward: each step transposed, in reverse
#
# What is the backward pass of `b = A @ a`? Each b[i] is a sum of A[i, j] * a[j], so da[j] is the sum over i of
# A[i, j] * db[i], and that is `A.T @ db`. Nothing new has to be derived for Winograd: go through the line from left
# to right, transpose each matrix, and treat the product of two factors like any product.
#
#     dproducts = AT.T @ dy
#     dweight   = G.T  @ (dproducts * (BT @ x))
#     dx        = BT.T @ (dproducts * (G @ weight))
#
# Take dy = 1 -1. Painting by hand as in notebook 02, dx is 1 2 3 0 minus 0 1 2 3, so 1 1 1 -3; and tap k saw x[k] and
# x[k + 1], so dweight is 1 - 2, 2 - 3, 3 - 5.

# %%
dy_pair = np.array([1.0, -1])
dproducts_pair = AT.T @ dy_pair
dweight_pair, drow = G.T @ (dproducts_pair * (BT @ row)), BT.T @ (dproducts_pair * (G @ taps))
print("dproducts", dproducts_pair, "  dx", drow, "  dweight", dweight_pair)
assert drow.tolist() == [1, 1, 1, -3] and dweight_pair.tolist() == [-1, -1, -2]

# %% [markdown]
# **Exercise 3.** *The backward pass of a whole row.* There are T tiles now. They share the weights, so dweight sums
# over the tiles; and they share pixels, so dx adds up where tiles overlap. The check compares with finite differences
# too.


# %% tags=["exercise"]
def my_winograd_row_backward(dy, cache):
    """Return dx, (W,), and dweight, (3,), for dy, (W - 2,)."""
    x, weight = cache
    # your code: about 8 lines
    tiles = sliding_window_view(x, 4)[::2].T  # (4, T)
    dproducts = AT.T @ dy.reshape(-1, 2).T  # (4, T)
    dweight = G.T @ (dproducts * (BT @ tiles)).sum(axis=1)
    dtiles = BT.T @ (dproducts * (G @ weight)[:, None])  # (4, T)
    dx = np.zeros(x.shape)
    for t in range(dtiles.shape[1]):
        dx[2 * t : 2 * t + 4] += dtiles[:, t]
    return dx, dweight
    # end of your code


# %% tags=["check"]
course.check("winograd_row_backward", my_winograd_row_backward)

# %% [markdown]
# ## Rows, then columns: F(2x2, 3x3)
#
# In two dimensions a tile has 4x4 pixels and makes 2x2 outputs. The trick can be applied along the columns and then
# along the rows, since the two are independent. As a formula for one tile:
#
#     y = AT @ ((G @ weight @ G.T) * (BT @ x @ BT.T)) @ AT.T
#
# The product in the middle has 4·4 = 16 elements, so there are 16 multiplications for four outputs, where there were
# 4·9 = 36. That is 4 per output instead of 9, or 9 / 4 = 2.25 times fewer. The image of notebook 02 is just one tile.
# Expect its y before the bias: 19, 32, 31, 38.

# %%
transformed = (G @ kernel[0, 0] @ G.T) * (BT @ image[0, 0] @ BT.T)
print(transformed.size, "multiplications give", (AT @ transformed @ AT.T).tolist())
assert np.allclose(AT @ transformed @ AT.T, [[19, 32], [31, 38]])

# %% [markdown]
# For a layer, three things are added. First, tiles: 16 slices with a step of 2 take the pixels of all tiles, as the
# nine slices of the taps did. Second, for many tiles at once a product from both sides is awkward. So the 16 pixels
# of a tile are laid out in one column, and the two products become one, with the *Kronecker product*
# `np.kron(BT, BT)`. It is a matrix of 16x16, and takes pixel (h, w) of a tile to place (i, j) with the factor
# BT[i, h] * BT[j, w].
#
# Third, channels: y sums over c, and since AT is linear, it can be applied after the sum. So the products become, for
# each of the 16 places of a tile, one matrix product (F, C) times (C, tiles): sixteen where the taps had nine, but
# each over a quarter of the pixels. In the code below, `bx` is BT applied to x from both sides, and `gw` is G applied
# to weight.


# %%
def slices_of_tiles(H, W, m):
    """Yield (i, j) and the slices of x with pixel (i, j) of each tile; a tile makes m x m outputs."""
    TH, TW = (H - 2) // m, (W - 2) // m
    for i, j in np.ndindex(m + 2, m + 2):
        yield (i, j), slice(i, i + m * TH, m), slice(j, j + m * TW, m)


def cut(x, m):
    """Return the tiles of x, (m + 2, m + 2, N, C, TH, TW)."""
    N, C, H, W = x.shape
    tiles = np.empty((m + 2, m + 2, N, C, (H - 2) // m, (W - 2) // m), x.dtype)
    for place, rows, columns in slices_of_tiles(H, W, m):
        tiles[place] = x[:, :, rows, columns]
    return tiles


# %%
def winograd_forward(x, weight, bias, matrices=(BT, G, AT)):
    """Return y, (N, F, H - 2, W - 2), and the cache; H - 2 and W - 2 must be multiples of m."""
    N, C, H, W = x.shape
    F, m = len(weight), len(matrices[2])
    bt, g, at = (np.kron(matrix, matrix).astype(x.dtype) for matrix in matrices)
    tiles = cut(x, m).reshape(len(g), -1)
    bx = (bt @ tiles).reshape(len(g), N, C, -1)  # (places, N, C, T)
    gw = (g @ weight.reshape(F * C, 9).T).reshape(len(g), 1, F, C)  # (places, 1, F, C)
    products = gw @ bx  # (places, N, F, T)
    y = (at @ products.reshape(len(g), -1)).reshape(m, m, N, F, (H - 2) // m, (W - 2) // m)
    y = y.transpose(2, 3, 4, 0, 5, 1).reshape(N, F, H - 2, W - 2) + bias[:, None, None]
    return y, (x.shape, m, bt, g, at, bx, gw)


# %% [markdown]
# The backward pass takes the same steps from the last to the first: `at.T`, then the products, once for each factor,
# then `g.T` and `bt.T`, and at the end the tiles are added to dx with `+=` through the same slices that cut them.
# Compare line by line: each line below mirrors one above.


# %%
def winograd_backward(dy, cache):
    """Return dx, dweight, dbias."""
    (N, C, H, W), m, bt, g, at, bx, gw = cache
    F = dy.shape[1]
    dy_tiles = dy.reshape(N, F, (H - 2) // m, m, (W - 2) // m, m).transpose(3, 5, 0, 1, 2, 4)
    dproducts = (at.T @ dy_tiles.reshape(m * m, -1)).reshape(len(g), N, F, -1)
    dgw = (dproducts @ bx.transpose(0, 1, 3, 2)).sum(axis=1)  # (places, F, C)
    dbx = gw.transpose(0, 1, 3, 2) @ dproducts  # (places, N, C, T)
    dweight = (g.T @ dgw.reshape(len(g), F * C)).T.reshape(F, C, 3, 3)
    dtiles = (bt.T @ dbx.reshape(len(g), -1)).reshape(m + 2, m + 2, N, C, (H - 2) // m, (W - 2) // m)
    dx = np.zeros((N, C, H, W), dy.dtype)
    for place, rows, columns in slices_of_tiles(H, W, m):
        dx[:, :, rows, columns] += dtiles[place]
    return dx, dweight, dy.sum(axis=(0, 2, 3))


# %% [markdown]
# Nothing in these two functions fixes the tile at 4x4. Other matrices of this kind exist for larger tiles: with those
# below, F(4x4, 3x3), 6x6 pixels and 36 multiplications make 16 outputs, 2.25 per output instead of 9. They come from
# the same idea with more sums and differences, and are copied here from the article named at the end.
#
# Here is the gradient check of both, in float64. Expect errors of a few times 1e-10 for the 4x4 tile. For the 6x6 tile
# expect some ten times as much, since its matrices hold larger numbers, which round more coarsely.

# %%
BT6 = np.array([[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0]])
BT6 = np.vstack([BT6, [[0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1.0]]])
G6 = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
AT6 = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1.0]])
rng = np.random.default_rng(12)
small = rng.normal(size=(2, 2, 6, 10)), rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)
for matrices in [(BT, G, AT), (BT6, G6, AT6)]:
    print(gradcheck(partial(winograd_forward, matrices=matrices), winograd_backward, small))
    assert np.allclose(winograd_forward(*small, matrices)[0], conv2d_forward(*small)[0])

# %% [markdown]
# ## What the gradient looks like
#
# One pixel of dy on its way back through one tile, with the kernel of notebook 02. `AT.T` spreads it over the 4x4
# places of the products; there it is multiplied by the transformed weights; and `BT.T` makes dx of it. On the way
# nothing looks like the kernel. Yet the result must be the kernel, painted onto the window of that pixel: 1 to 9, at
# the top right.

# %%
dy_tile = np.array([[0.0, 1], [0, 0]])
spread = AT.T @ dy_tile @ AT
times_weight = spread * (G @ kernel[0, 0] @ G.T)
fig, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
course.draw(axes[0], dy_tile, "dy", gradient=True)
axes[0].set(xlabel="OW = 2", ylabel="OH = 2")
course.draw(axes[1], spread, "AT.T @ dy @ AT", gradient=True)
course.draw(axes[2], times_weight, "* G @ weight @ G.T", gradient=True)
course.draw(axes[3], BT.T @ times_weight @ BT, "BT.T @ that @ BT = dx", gradient=True)
assert np.allclose((BT.T @ times_weight @ BT)[:3, 1:], kernel[0, 0])

# %% [markdown]
# ## All six, side by side
#
# The time of one call varies, because a computer does other things too. So the ways take turns, and each gets the
# median of several rounds. All of them run on a single core: how several cores share the work comes later. The loops
# again get a strip with 2 rows of y only, and their time is scaled up. The last bar, `library`, is what a U-Net of this
# library really calls. What ratios should you expect?
#
# From the loops to the taps, a factor of a hundred or more: this is the interpreter. (The bars leave the loops out.)
# Among the others no factor is larger than three or so. In the early layer memory decides: the bands should gain
# something, and F(2x2, 3x3), which copies the most, should lose. In the deep layer the multiplications count for more:
# 9 per output for the first four ways, 4 and 2.25 for the two by Winograd. So there both of these should be clearly
# ahead of the taps. Do not expect 2.25 or 4 times the speed, though: cutting tiles and transforming them takes time as
# well. The library should be among the fastest in both layers.

# %%
WAYS = {
    "loops": naive.conv2d,
    "taps": lambda x, weight, bias: conv2d_forward(x, weight, bias)[0],
    "im2col": conv_by_im2col,
    "bands": conv_by_bands,
    "F(2x2, 3x3)": lambda x, weight, bias: winograd_forward(x, weight, bias)[0],
    "F(4x4, 3x3)": lambda x, weight, bias: winograd_forward(x, weight, bias, (BT6, G6, AT6))[0],
    "library": lambda x, weight, bias: fast_conv2d_forward(x, weight, bias)[0],
}


def side_by_side(x, weight, bias, rounds=5):
    """Return {way: median seconds}; the ways take turns."""
    seconds = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, function in WAYS.items():
            rows = 4 if way == "loops" else x.shape[2]
            began = time.perf_counter()
            function(x[:, :, :rows], weight, bias)
            seconds[way].append((time.perf_counter() - began) * (x.shape[2] - 2) / (rows - 2))
    return {way: statistics.median(times) for way, times in seconds.items()}


# %%
COLOURS = dict(zip(WAYS, ["black", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "0.5"], strict=True))
with threadpool_limits(1, "blas"):  # on one core
    timed = {name: side_by_side(*arrays) for name, arrays in layers.items()}
fig, axes = plt.subplots(1, 2, figsize=(9, 2.8), sharey=True, layout="constrained")
for panel, (name, seconds_of) in zip(axes, timed.items(), strict=True):
    times = {way: 1e3 * seconds for way, seconds in seconds_of.items() if way != "loops"}
    bars = panel.barh(list(times), list(times.values()), color=[COLOURS[way] for way in times])
    words = [f"{times['taps'] / time_of:.2f} times as fast as taps" for time_of in times.values()]
    panel.bar_label(bars, words, padding=3, fontsize=9)
    panel.set(title=f"{name} layer, x {layers[name][0].shape}", xlabel="milliseconds on one core of this machine")
    panel.set(xlim=(0, 2.2 * max(times.values())))
    print(f"{name} layer: the loops take {seconds_of['loops'] / seconds_of['taps']:.0f} times as long as the taps")
axes[0].invert_yaxis()

# %% [markdown]
# With other caches or another BLAS the order of the fast ways may change, and that is the point of measuring: none of
# them is the best everywhere. So the library chooses by the layer's shape, for the forward and the backward pass
# separately. For the deep layer it takes F(4x4, 3x3), written with more care than ours: in bands, so that the tiles
# stay in a cache. For the early one it takes Winograd's way along the rows alone, F(4, 3). That makes half of the
# multiplications and not a quarter, but it moves less through memory.
#
# ## A roofline
#
# Why does a way take as long as it does? Two limits hold whatever the code looks like. A core does only so many FLOP
# in a second, the *peak*. And the memory moves only so many bytes in a second, the *bandwidth*. Both can be measured:
# the peak by a large matrix product, the bandwidth by copying an array too large for most caches.

# %%
n = 512 if QUICK else 1536
square, source = np.ones((n, n), np.float32), np.ones(4_000_000 if QUICK else 32_000_000, np.float32)
goal = np.empty_like(source)
with threadpool_limits(1, "blas"):
    peak = 2 * n**3 / fastest(lambda: square @ square)  # FLOP a second
bandwidth = 2 * source.nbytes / fastest(lambda: np.copyto(goal, source))  # bytes a second, both ways
print(f"on one core of this machine: peak {peak / 1e9:.0f} GFLOP/s, bandwidth {bandwidth / 1e9:.1f} GB/s")

# %% [markdown]
# A way that makes `intensity` FLOP for each byte that it moves cannot be faster than `min(peak, bandwidth *
# intensity)`. Drawn over the intensity this is the *roofline*: a slope on the left, where memory is the limit, and a
# flat roof on the right, where arithmetic is. Each way is a dot under it. A dot on the slope waits for memory; one at
# the flat roof does all that the core can.
#
# The bytes are counted on paper, per output pixel, as passes over arrays: each time that C or F numbers per pixel are
# read or written counts once. A tap reads x, writes its product, reads it again, and reads and writes y: C + 4F, nine
# times. im2col reads and writes the columns and reads them again, 27 C, and touches y three times. A band moves x once
# and y once; the rest stays in the cache. Winograd's tiles hold k = 4 or 2.25 numbers for each pixel: to cut,
# transform and multiply them makes 5kC, to write and transform the products 2kF, and to put y together 5F. (The
# library's own way is not in the picture.)


# %%
def numbers_moved(C, F):
    """Return {way: numbers read or written for each output pixel}."""
    moved = {"taps": 9 * (C + 4 * F), "im2col": 27 * C + 3 * F, "bands": C + F}
    for way, k in [("F(2x2, 3x3)", 16 / 4), ("F(4x4, 3x3)", 36 / 16)]:
        moved[way] = 5 * k * C + 2 * k * F + 5 * F
    return moved


fig, axes = plt.subplots(figsize=(7.5, 4.4), layout="constrained")
intensities = np.geomspace(1, 1000, 100)
axes.loglog(intensities, np.minimum(peak, bandwidth * intensities) / 1e9, color="black", label="roof")
for (name, (x_any, weight_any, _)), marker in zip(layers.items(), "os", strict=True):
    F, C = weight_any.shape[:2]
    for way, moved in numbers_moved(C, F).items():
        speed = 2 * 9 * C * F * (x_any.shape[2] - 2) ** 2 / timed[name][way]
        intensity = 2 * 9 * C * F / (4 * moved)
        label = f"{way}, {name}"
        axes.plot(intensity, speed / 1e9, marker, color=COLOURS[way], markersize=9, label=label)
axes.set(xlabel="intensity: FLOP of the direct sum, for each byte moved")
axes.set(ylabel="GFLOP/s of the direct sum")
legend = axes.legend(fontsize=8, ncols=2, loc="lower right")

# %% [markdown]
# Expect the round dots of the early layer further left, and the square ones of the deep layer further right and
# higher: with more channels, every number that is moved serves more multiplications. The bands stand far to the right.
# A dot far below the roof is slowed down by what this picture leaves out: copies within the cache, or products too
# small to keep the processor busy. A dot above the slope is no error: its arrays fit into a cache, which is faster
# than the memory that we measured. Nor is a dot of Winograd above the flat roof, if you see one: the axes count the
# FLOP of the direct sum, and Winograd makes fewer.
#
# **Question 2.** A U-Net's first convolution has C = 1 and F = 64. Work out 2·9·C·F / (4·numbers_moved) for the taps
# and the bands. Where do the dots stand, and which of this page's ideas can help this layer?

# %% [markdown] tags=["answer"]
# The taps move 9·(1 + 4·64) = 2313 numbers for 1152 FLOP: 0.12 FLOP a byte. The bands move 65: 4.4 FLOP a byte. Both
# stand far on the left, on the slope. Winograd saves multiplications, which are not the limit here. What helps is to
# touch y less often: bands do that, and so does im2col, whose columns are small for C = 1. Beyond that one can *fuse*
# layers, so that the ReLU is done on a band before it leaves the cache.
#
# **Rubric, 2 points.** One for both numbers, within a tenth. One for: this layer is limited by memory, so Winograd does
# not help, and bands or im2col do.

# %% [markdown]
# ## All cores at once
#
# What do the processor's other cores do all this time? During a matrix product they can work too, since BLAS has
# threads of its own. During a copy, a sum or a maximum they wait: NumPy does those on one core. Suppose a layer takes
# half of its time for products and half for copies. Two cores halve the products only, so it takes 1/4 + 1/2 of the
# time: 1.33 times as fast, and with any number of cores never more than twice.
#
# So the library divides the whole work, not only the product. Each core gets some rows of y, and a thread that does
# everything for them: copies, products, bias, ReLU. No two threads write to the same place. (Backward each sums a
# dweight of its own, and the two rows of dx that neighbours have in common are added when both are done.) Python's
# threads really run side by side here, since NumPy releases Python's lock while it computes.
#
# A deep layer has few rows and many kernels: there each core gets some of the kernels. All of them need all of x, so
# Winograd's transform of x is made first, some channels per core, and then read by all cores.
#
# Expect a speed-up of nearly the number of cores, and never more. On a computer with one core, or where
# OPENBLAS_NUM_THREADS is 1, the two are the same.

# %%
x_wide, weight_wide, bias_wide = layer(64, 66 if QUICK else 250)
everywhere = fastest(lambda: fast_conv2d_forward(x_wide, weight_wide, bias_wide))
with threadpool_limits(1, "blas"):
    on_one_core = fastest(lambda: fast_conv2d_forward(x_wide, weight_wide, bias_wide))
threads = max(library["num_threads"] for library in threadpool_info())
if threads > 1:
    print(f"{threads} threads are {on_one_core / everywhere:.2f} times as fast as one")
else:
    print("one thread only, so there is nothing to compare")

# %% [markdown]
# ## What does it cost in digits?
#
# All of this was in float32, which keeps about seven digits. The sums are the same on paper, but they are rounded in
# different places. We compare each way with the readable layer in float64, and divide the largest error by the largest
# y. Expect a few times 1e-7 for the direct ways and for F(2x2, 3x3), whose matrices hold 0, 1 and 1/2. Expect ten to
# forty times as much for F(4x4, 3x3), and for the library, which uses it. Its matrices hold 4, 5 and 8: large numbers
# that nearly cancel leave their rounding behind. In training, where other noise is far larger, this is harmless. For a
# gradient check use float64 anyway.

# %%
x_deep, weight_deep, bias_deep = layers["deep"]
exact, _ = conv2d_forward(x_deep.astype(float), weight_deep.astype(float), bias_deep.astype(float))
errors = {
    way: np.abs(function(x_deep, weight_deep, bias_deep) - exact).max() / np.abs(exact).max()
    for way, function in WAYS.items()
    if way != "loops"
}
fig, axes = plt.subplots(figsize=(7, 2.4), layout="constrained")
bars = axes.barh(list(errors), list(errors.values()), color=[COLOURS[way] for way in errors])
labels_of_bars = axes.bar_label(bars, [f"{error:.0e}" for error in errors.values()], padding=3)
axes.set(xlim=(0, 1.2 * max(errors.values())), xlabel="largest error, relative to the largest y")
axes.set(title="float32 against float64, deep layer")
axes.invert_yaxis()

# %% [markdown]
# ## In three lines
#
# Taps and im2col give the work to matrix products, which saves trips through the interpreter: a factor of a hundred.
#
# Bands of rows keep what they work on in a cache, which saves trips through memory; that counts where channels are
# few.
#
# Winograd makes 4 multiplications per output instead of 9, or 2.25 with larger tiles, and its backward pass is each
# step transposed, in reverse order; that counts where channels are many. On top of either, each core takes its own
# part of the image.
#
# ## Where to read more
#
# The library's bands are in [fast/cpu/direct.py](../minunet/fast/cpu/direct.py), its Winograd in
# [fast/cpu/winograd.py](../minunet/fast/cpu/winograd.py) and, along the rows alone, in
# [fast/cpu/winograd_rows.py](../minunet/fast/cpu/winograd_rows.py), the choice between them in
# [fast/plan.py](../minunet/fast/plan.py), the parts for the cores in [fast/cpu/conv.py](../minunet/fast/cpu/conv.py),
# the readable taps in [layers/conv.py](../minunet/layers/conv.py), and the tests that hold one against the other in
# [tests/fast/test_fast.py](../tests/fast/test_fast.py). [benchmarks/conv.py](../benchmarks/conv.py) times them, layer
# by layer. The matrices are from Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks* (2015); the
# roofline is from Williams, Waterman and Patterson, *Roofline: An Insightful Visual Performance Model* (2009).
# Notebook 13 goes on to the GPU.
