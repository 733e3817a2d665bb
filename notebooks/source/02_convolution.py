# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 02 Convolution
#
# A convolution lays a small grid of numbers, the *kernel*, on an image, multiplies what lies under it, adds up the
# products, and moves on by one pixel. A U-Net spends nearly all of its arithmetic in this one operation. This page
# answers two questions. Which pixels and which weights does one output pixel depend on? And when the loss asks that
# output pixel to change, how does that request get back to exactly those pixels and weights?
#
# You need NumPy, the chain rule, and two things from notebook 01. First, `dy` is an array of the shape of the output
# `y`: each of its numbers says by how much the loss grows per unit of growth in that element of y. A *backward pass*
# takes `dy` and returns the same for the inputs: `dx`, `dweight`, `dbias`. Second, `gradcheck` compares a backward
# pass with finite differences and says whether they agree.

# %%
import matplotlib.pyplot as plt
import numpy as np
import scipy

from minunet import conv2d_backward, conv2d_forward, course, gradcheck
from minunet.data.synthetic.cells import synthetic_cells
from minunet.layers import naive

np.set_printoptions(precision=4, suppress=True)


# %%
def show(axes, array, title, letters="H W", box=None, **options):
    """Draw (H, W) as squares. letters name the axes; box = (top, left, height, width) is framed."""
    course.draw(axes, array, title, **options)
    rows, columns = letters.split()
    axes.set(xlabel=f"{columns} = {array.shape[1]}", ylabel=f"{rows} = {array.shape[0]}")
    if box:
        top, left, height, width = box
        corner, style = (left - 0.5, top - 0.5), {"fill": False, "edgecolor": "#E69F00", "linewidth": 4}
        axes.add_patch(plt.Rectangle(corner, width, height, **style))


# %% [markdown]
# ## One pixel by hand
#
# Here is an image `x` of 4x4 pixels, a kernel `weight` of 3x3 and a `bias`. One number of a kernel is called a *tap*.
# The taps are numbered 1 to 9, so that you can recognise each of them later: tap (0, 0) is 1, tap (0, 2) is 3, tap
# (2, 2) is 9.
#
# The library's arrays have four axes: `x` is (N, C, H, W) for N images of C channels, and `weight` is (F, C, KH, KW)
# for F kernels. Here N = C = F = 1. As long as that holds, the text drops the two leading zeros and writes `y[h, w]`
# for `y[0, 0, h, w]`. In the pictures, values are grey; gradients are blue below zero, white at zero and red above.

# %%
x = np.array([[1.0, 0, 2, 0], [0, 1, 0, 1], [1, 0, 0, 2], [0, 2, 1, 0]]).reshape(1, 1, 4, 4)
weight = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
bias = np.array([1.0])
print("x", x[0, 0], "weight", weight[0, 0], sep="\n")

# %% [markdown]
# The output pixel `y[0, 0]` belongs to the kernel's first position, at the top left. The pixels under it, in the box
# below, are its *window*. Only four of the nine are not zero, so the sum is short: 1·1 + 2·3 + 1·5 + 1·7 = 19, and
# with the bias 20.

# %%
products = x[0, 0, 0:3, 0:3] * weight[0, 0]
y_by_loops = naive.conv2d(x, weight, bias)
fig, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
show(axes[0], x[0, 0], "x", box=(0, 0, 3, 3))
show(axes[1], weight[0, 0], "weight", "KH KW")
show(axes[2], products, f"products: sum {products.sum():.0f}", "KH KW")
show(axes[3], y_by_loops[0, 0], "y = sums + bias", "OH OW", box=(0, 0, 1, 1))

# %% [markdown]
# Move the kernel by one pixel to the right and work out `y[0, 1]` on paper; then by one pixel down instead, for `y[1,
# 0]`. The picture's last panel has the answers, 33 and 32. In the names of the code, this is
#
#     y[h, w] = bias + sum over kh, kw of  weight[kh, kw] * x[h + kh, w + kw]
#
# Tap (kh, kw) reads the pixel kh rows below and kw columns to the right of the place (h, w). The library keeps a slow
# twin of each layer, which simply spells out its equation. It visits each output pixel, cuts out the window under the
# kernel, multiplies and sums. (What you see here is printed from the library's source, so it is the code that runs.)

# %%
course.show_source(naive.conv2d)

# %% [markdown]
# ## How large is y?
#
# The kernel stays inside the image. In a row of W = 4 pixels, a kernel of KW = 3 has two places to start, columns 0
# and 1. In general there are
#
#     OH = H - KH + 1,      OW = W - KW + 1
#
# places. This is called a *valid* convolution: each output pixel has seen real pixels only, and the price is a border
# of KH - 1 rows and KW - 1 columns. The U-Net pays it at each of its 3x3 convolutions. The paper's image has 572
# pixels a side; after one of them 570 are left, after two 568.
#
# **Question 1.** One 5x5 kernel takes off as many pixels as two 3x3 kernels, one after the other. How many weights
# does each way have, for one channel in and one out? Why might a designer prefer the two small ones?

# %% [markdown] tags=["answer"]
# The 5x5 kernel has 25 weights, the two small ones have 18. Either way an output pixel depends on 5x5 pixels of the
# input, as a picture near the end of this page shows. Between the two small ones there is room for a ReLU, so the
# network gets the same view for fewer weights, and can compute more than a weighted sum of it.
#
# **Rubric, 2 points.** One for 25 weights against 18, and the same view of 5x5. One for the ReLU between the two, which
# lets them compute more than a weighted sum.

# %% [markdown]
# ## The same sum, tap by tap
#
# The sum can be taken in another order. Choose one tap and ask what it reads while the kernel visits all its places:
# a block of OH x OW pixels that lies kh rows down and kw columns to the right. The nine boxes below are these blocks.
# Each tap multiplies its whole block at once, and the nine weighted blocks add up to y. In NumPy such a block is a
# slice, so the loop runs over nine taps instead of over all output pixels.
#
# Follow y[0, 0]: it collects the top left corner of each box, times its tap. The first box gives 1·1, the third 2·3,
# the fifth 1·5, the seventh 1·7, and the others zero: 19 again, and the bias makes it 20.

# %%
y_by_taps = np.zeros((2, 2)) + bias
fig, axes = plt.subplots(3, 3, figsize=(6, 6.3), layout="constrained")
for kh, kw in np.ndindex(3, 3):
    y_by_taps += weight[0, 0, kh, kw] * x[0, 0, kh : kh + 2, kw : kw + 2]
    title = f"tap ({kh}, {kw}) = {weight[0, 0, kh, kw]:.0f} reads"
    show(axes[kh, kw], x[0, 0], title, box=(kh, kw, 2, 2))
print(y_by_taps)
assert np.array_equal(y_by_taps, y_by_loops[0, 0])

# %% [markdown]
# ## Channels and batches
#
# A picture inside a network has C *channels*, and a layer makes F new ones, called *features*. Each feature has a
# kernel for each channel, and sums over all of them:
#
#     y[n, f, h, w] = bias[f] + sum over c, kh, kw of
#                               weight[f, c, kh, kw] * x[n, c, h + kh, w + kw]
#
# So a tap is no longer a number but a matrix of shape (F, C): it turns the C numbers of a pixel into F numbers. For
# products over named axes NumPy has `np.einsum`. In `"fc,nchw->nfhw"` the letters before the arrow name the axes of
# the two factors, those after it the axes of the result; a letter that is missing after the arrow, here c, is summed
# over. Below, OH = 6 - 3 + 1 = 4 and OW = 5 - 3 + 1 = 3.

# %%
rng = np.random.default_rng(2)
shapes = (2, 3, 6, 5), (4, 3, 3, 3), (4,)
x_many, weight_many, bias_many = (rng.normal(size=shape) for shape in shapes)
y_many, _ = conv2d_forward(x_many, weight_many, bias_many)
y_sum = np.zeros((2, 4, 4, 3)) + bias_many[:, None, None]
for kh, kw in np.ndindex(3, 3):
    block = x_many[:, :, kh : kh + 4, kw : kw + 3]  # (N, C, OH, OW)
    y_sum += np.einsum("fc,nchw->nfhw", weight_many[:, :, kh, kw], block)
print("y has shape", y_many.shape)
print("largest difference from the library's y:", f"{np.abs(y_sum - y_many).max():.0e}")

# %% [markdown]
# **Exercise 1.** *The forward pass.* Write it for any sizes: in the cell above, 2, 3 and 4 were written down as
# numbers, and should come from the shapes. The check first runs your function on the 4x4 image, and shows your result
# beside the right one where they differ.


# %% tags=["exercise"]
def my_conv2d_forward(x, weight, bias):
    """Return y, (N, F, OH, OW), for x (N, C, H, W), weight (F, C, KH, KW) and bias (F,)."""
    N, C, H, W = x.shape
    F, C, KH, KW = weight.shape
    # your code: about 6 lines
    OH, OW = H - KH + 1, W - KW + 1
    y = np.zeros((N, F, OH, OW)) + bias[:, None, None]
    for kh, kw in np.ndindex(KH, KW):
        block = x[:, :, kh : kh + OH, kw : kw + OW]
        y += np.einsum("fc,nchw->nfhw", weight[:, :, kh, kw], block)
    return y
    # end of your code


# %% tags=["check"]
course.check("conv2d_forward", my_conv2d_forward)

# %% [markdown]
# ## Correlation or convolution?
#
# In mathematics, a *convolution* reads x[h - kh, w - kw], with minus signs; what we have, with plus signs, is a
# *correlation*. The two differ by a half turn of the kernel. An image with one bright pixel tells them apart. The
# correlation answers with the turned kernel: when the kernel is at the top left, the bright pixel lies under tap (2,
# 2), so the answer at the top left is 9. The convolution answers with the kernel as it is.
#
# A network learns its kernels and would simply learn them turned, so for a network the two are equally good. Libraries
# for deep learning compute the correlation and call it convolution, and so do we. Keep the half turn in mind, though:
# it comes back in the backward pass, where one half turn too many or too few is a common mistake.

# %%
bright = np.zeros((5, 5))
bright[2, 2] = 1
fig, axes = plt.subplots(1, 3, figsize=(7, 2.7), layout="constrained")
show(axes[0], bright, "one bright pixel")
show(axes[1], scipy.signal.correlate2d(bright, weight[0, 0], "valid"), "correlation: turned", "OH OW")
show(axes[2], scipy.signal.convolve2d(bright, weight[0, 0], "valid"), "convolution: as it is", "OH OW")

# %% [markdown]
# ## Backward: what reaches one pixel of x?
#
# Now a loss follows y, and it hands back `dy`. We take small numbers again: `[[1, 2], [0, -1]]`. By how much does the
# loss grow if the pixel x[1, 1] grows by one? The chain rule says: find every place where x[1, 1] is used, multiply
# the derivative there by the place's dy, and add up. The pixel lies in all four windows, each time under another tap.
#
# | output pixel | its dy | tap that read x[1, 1] | product |
# |:-:|:-:|:-:|:-:|
# | y[0, 0] | 1 | weight[1, 1] = 5 | 5 |
# | y[0, 1] | 2 | weight[1, 0] = 4 | 8 |
# | y[1, 0] | 0 | weight[0, 1] = 2 | 0 |
# | y[1, 1] | -1 | weight[0, 0] = 1 | -1 |
#
# The sum is 12, so dx[1, 1] should be 12. We can also try it: take the simplest loss with this dy, the sum of
# `dy * y`, make x[1, 1] larger by one, and see how much the loss grows. A convolution is linear in x, so a step as
# large as 1 gives the slope exactly.

# %%
dy = np.array([[1.0, 2], [0, -1]]).reshape(1, 1, 2, 2)
y, cache = conv2d_forward(x, weight, bias)
dx, dweight, dbias = conv2d_backward(dy, cache)
print("dx", dx[0, 0], sep="\n")

x_larger = x.copy()
x_larger[0, 0, 1, 1] += 1
y_larger, _ = conv2d_forward(x_larger, weight, bias)
print("the loss grows by", np.sum(dy * y_larger) - np.sum(dy * y))
assert dx[0, 0, 1, 1] == np.sum(dy * y_larger) - np.sum(dy * y) == 12

# %% [markdown]
# ## Painting back
#
# Making such a table for each pixel of x would be tedious. It is easier to start at the other end: take one pixel of
# dy, and ask where it came from. The output pixel y[0, 1] was made of the 3x3 pixels of x in its window, each times
# its own tap. So its dy goes back to these 3x3 pixels, each time multiplied by the same tap. It *paints the kernel*,
# scaled by dy[0, 1] = 2, onto the window that it had read. The kernel is not turned: 2·1 at the top left, 2·9 at the
# bottom right.

# %%
dy_one = np.array([[0.0, 2], [0, 0]]).reshape(1, 1, 2, 2)
dx_one, _, _ = conv2d_backward(dy_one, cache)
fig, axes = plt.subplots(1, 3, figsize=(7.5, 2.8), layout="constrained")
show(axes[0], dy_one[0, 0], "one pixel of dy", "OH OW", box=(0, 1, 1, 1), gradient=True)
show(axes[1], weight[0, 0], "times weight", "KH KW")
show(axes[2], dx_one[0, 0], "painted on its window", box=(0, 1, 3, 3), gradient=True)

# %% [markdown]
# Every pixel of dy paints its window like that, and where windows overlap the paint adds up. The next picture shows
# the four paintings and their sum, which is dx. The one of dy[1, 0] is empty, since that dy is 0. In row 1, column 1
# you find the products of the table: 5 + 8 + 0 - 1 = 12.

# %%
fig, axes = plt.subplots(1, 5, figsize=(9, 2.3), layout="constrained")
painted = np.zeros((4, 4))
for panel, (h, w) in zip(axes[:4], np.ndindex(2, 2), strict=True):
    painting = np.zeros((4, 4))
    painting[h : h + 3, w : w + 3] = weight[0, 0] * dy[0, 0, h, w]
    painted += painting
    title = f"dy[{h}, {w}] = {dy[0, 0, h, w]:.0f}"
    show(panel, painting, title, box=(h, w, 3, 3), gradient=True, limit=20)
show(axes[4], painted, "their sum: dx", gradient=True, limit=20)
assert np.array_equal(painted, dx[0, 0])

# %% [markdown]
# ## Why dx needs +=
#
# How many windows does a pixel lie in? Let every tap and every dy be 1, and dx counts them: on the left below, 1 in
# the corners and 3·3 = 9 where the image is wide enough. A program that writes `dx[...] = ...` instead of `dx[...] +=
# ...` keeps only the last painting of each pixel, as in the middle. The panel on the right shows what got lost.
# Nothing is lost in the two upper corners and in the bottom row, because what the last painting covered there was
# zero.

# %%
_, cache_counting = conv2d_forward(np.ones((1, 1, 5, 6)), np.ones((1, 1, 3, 3)), bias)
times_painted, _, _ = conv2d_backward(np.ones((1, 1, 3, 4)), cache_counting)
overwritten = np.zeros((4, 4))
for h, w in np.ndindex(2, 2):
    overwritten[h : h + 3, w : w + 3] = weight[0, 0] * dy[0, 0, h, w]  # should be +=
fig, axes = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained")
show(axes[0], times_painted[0, 0], "how often painted")
show(axes[1], overwritten, "dx with = (wrong)", gradient=True, limit=25)
show(axes[2], overwritten - dx[0, 0], "wrong minus right", gradient=True, limit=25)

# %% [markdown]
# ## The loop over taps, mirrored
#
# The painting went pixel by pixel through dy, as the first loop of this page went through y. It too can be ordered by
# taps. Forward, a tap reads its block of x and adds to y. Backward, it reads dy and adds to the same block of dx:
#
#     y                              += weight[kh, kw] * x[kh : kh + OH, kw : kw + OW]
#     dx[kh : kh + OH, kw : kw + OW] += weight[kh, kw] * dy
#
# This is the sentence of this page to remember: *what a tap read, it now writes to; what it wrote to, it now reads.*
# The number it multiplies by stays the same.

# %%
dx_by_taps = np.zeros((4, 4))
for kh, kw in np.ndindex(3, 3):
    dx_by_taps[kh : kh + 2, kw : kw + 2] += weight[0, 0, kh, kw] * dy[0, 0]
print(dx_by_taps)
assert np.array_equal(dx_by_taps, dx[0, 0])

# %% [markdown]
# **Exercise 2.** *dx.* With channels, the pixel x[n, c, h + kh, w + kw] went into all F features, times
# weight[f, c, kh, kw]. The answers come back from all of them. So the sum is over f now, where it was over c before,
# and the tap's matrix is transposed:
#
#     dx[n, c, h + kh, w + kw] += sum over f of  weight[f, c, kh, kw] * dy[n, f, h, w]
#
# for every tap (kh, kw). The cache holds x and weight. Write one loop over the taps, for any sizes.


# %% tags=["exercise"]
def my_conv2d_dx(dy, cache):
    """Return dx, (N, C, H, W), for dy (N, F, OH, OW)."""
    x, weight = cache
    OH, OW = dy.shape[2:]
    KH, KW = weight.shape[2:]
    # your code: about 4 lines
    dx = np.zeros(x.shape)
    for kh, kw in np.ndindex(KH, KW):
        dx[:, :, kh : kh + OH, kw : kw + OW] += np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], dy)
    return dx
    # end of your code


# %% tags=["check"]
course.check("conv2d_dx", my_conv2d_dx)

# %% [markdown]
# ## Where the half turn comes back
#
# Painting goes from one pixel of dy to nine of dx. One can also *gather*: take one pixel of dx and collect from the
# pixels of dy that painted it. The table for dx[1, 1] did that. There, as dy was read row by row, the taps came in the
# order 5, 4, 2, 1: gathering goes through the kernel backwards.
#
# So dx is a correlation too: of dy, set in a frame of KH - 1 = 2 and KW - 1 = 2 zeros, with the turned kernel. The
# zeros stand for positions that the kernel never takes. The boxes show dx[1, 1]: 1·5 + 2·4 + 0·2 - 1·1 = 12. It is
# wrong to paint with a turned kernel, or to gather with one that is not turned. A symmetric kernel would hide the
# mistake; the numbers 1 to 9 do not.

# %%
framed_dy = np.pad(dy, [(0, 0), (0, 0), (2, 2), (2, 2)])
turned = weight[:, :, ::-1, ::-1]
dx_gathered, _ = conv2d_forward(framed_dy, turned, np.zeros(1))
fig, axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
show(axes[0], framed_dy[0, 0], "dy in a frame of zeros", "OH+4 OW+4", gradient=True, box=(1, 1, 3, 3))
show(axes[1], turned[0, 0], "the turned kernel", "KH KW")
show(axes[2], dx_gathered[0, 0], "their correlation: dx", gradient=True, box=(1, 1, 1, 1))
assert np.array_equal(dx_gathered, dx)

# %% [markdown]
# ## dweight: what each tap saw
#
# Now the weights. By how much does the loss grow if tap (0, 2) grows by one? This tap was used once for every output
# pixel, and each time it multiplied the pixel that it read. So y[h, w] grows by x[h, w + 2], and the loss by dy[h, w]
# times that. Over all output pixels:
#
#     dweight[kh, kw] = sum over h, w of  dy[h, w] * x[h + kh, w + kw]
#
# What tap (0, 2) saw is the third of the nine boxes: 2 and 0 above, 0 and 1 below. By hand: 1·2 + 2·0 + 0·0 -
# 1·1 = 1.

# %%
saw = x[0, 0, 0:2, 2:4]
fig, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
show(axes[0], x[0, 0], "tap (0, 2) saw this", box=(0, 2, 2, 2))
show(axes[1], dy[0, 0], "times dy", "OH OW", gradient=True, limit=4)
show(axes[2], saw * dy[0, 0], f"products: sum {np.sum(saw * dy):.0f}", "OH OW", gradient=True, limit=4)
show(axes[3], dweight[0, 0], "dweight", "KH KW", box=(0, 2, 1, 1), gradient=True, limit=4)
assert np.array_equal(dweight, conv2d_forward(x, dy, np.zeros(1))[0])  # the reason is below

# %% [markdown]
# The other taps do the same with their own boxes; try tap (2, 2), which should get 4. Lay dy on the image, multiply,
# sum, move on by one pixel: you have seen this before. dweight is the correlation of x with dy as its kernel, so the
# forward pass can compute it, as the last line above asserts. A tap gets a large dweight if what it saw looks like
# dy.

# %% [markdown]
# **Exercise 3.** *dweight.* With channels, weight[f, c, kh, kw] joins channel c to feature f, in every image of the
# batch. So the sum is over n, h and w, and each pair of f and c has its own sum:
#
#     dweight[f, c, kh, kw] = sum over n, h, w of  dy[n, f, h, w] * x[n, c, h + kh, w + kw]
#
# Nothing is divided by the number of pixels. If the loss is a mean, the division is in dy already.


# %% tags=["exercise"]
def my_conv2d_dweight(dy, cache):
    """Return dweight, (F, C, KH, KW), for dy (N, F, OH, OW)."""
    x, weight = cache
    OH, OW = dy.shape[2:]
    KH, KW = weight.shape[2:]
    # your code: about 5 lines
    dweight = np.zeros(weight.shape)
    for kh, kw in np.ndindex(KH, KW):
        saw = x[:, :, kh : kh + OH, kw : kw + OW]
        dweight[:, :, kh, kw] = np.einsum("nfhw,nchw->fc", dy, saw)
    return dweight
    # end of your code


# %% tags=["check"]
course.check("conv2d_dweight", my_conv2d_dweight)

# %% [markdown]
# ## dbias, and the whole backward pass
#
# The bias of a feature is added to each of its pixels, in every image. If it grows by one, they all do, and the loss
# grows by the sum of their dy. In the small example, dbias = 1 + 2 + 0 - 1 = 2.
#
#     dbias[f] = sum over n, h, w of  dy[n, f, h, w]
#
# **Exercise 4.** *The whole backward pass.* One loop over the taps makes dx and dweight, one line makes dbias. This
# check also compares your function with finite differences; expect an error of about 1e-10.


# %% tags=["exercise"]
def my_conv2d_backward(dy, cache):
    """Return dx (N, C, H, W), dweight (F, C, KH, KW) and dbias (F,), for dy (N, F, OH, OW)."""
    x, weight = cache
    OH, OW = dy.shape[2:]
    KH, KW = weight.shape[2:]
    # your code: about 7 lines
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for kh, kw in np.ndindex(KH, KW):
        rows, columns = slice(kh, kh + OH), slice(kw, kw + OW)
        dx[:, :, rows, columns] += np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], dy)
        dweight[:, :, kh, kw] = np.einsum("nfhw,nchw->fc", dy, x[:, :, rows, columns])
    return dx, dweight, dy.sum(axis=(0, 2, 3))
    # end of your code


# %% tags=["check"]
course.check("conv2d_backward", my_conv2d_backward)

# %% [markdown]
# The library's layer is the same loop over the taps, arranged so that no block has to be copied: notebook 12 shows how,
# and prints it. (`conv2d_forward` and `conv2d_backward`, which this page has called all along, are that layer.)

# %% [markdown]
# ## The gradient check
#
# Does the library's pair agree with finite differences? Notebook 01 found two errors that pull against each other:
# with a large step a curve bends away from its tangent, and with a small step rounding takes over. A convolution is
# linear in each of its arguments, so nothing bends, and rounding is all that is left. Expect errors below 1e-9.
#
# And if the backward pass is wrong? The second check below is of one that turns dweight by half a turn. Expect `wrong
# in weight`, and a last sentence that names the likely cause. The rows for x and bias stay as they were, so you need
# not look there.


# %%
def turned_backward(dy, cache):
    """Make a mistake on purpose: dweight is turned by half a turn."""
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dx, dweight[:, :, ::-1, ::-1], dbias


print(gradcheck(conv2d_forward, conv2d_backward, (x_many, weight_many, bias_many)))
print()
print(gradcheck(conv2d_forward, turned_backward, (x_many, weight_many, bias_many)))

# %% [markdown]
# ## What the gradient looks like: one pixel
#
# Put 1 into a single pixel of dy and go backward through one, two and three 3x3 convolutions whose taps are all 1. One
# layer paints 3x3 pixels. The next paints 3x3 for each of those, which makes 5x5, and the third makes 7x7. The numbers
# count the paths from the output pixel to the pixel of x. All pixels that are not zero together are the *receptive
# field* of the output pixel; notebook 07 measures that of a whole U-Net in this way.

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
for layers, panel in enumerate(axes, start=1):
    gradient = np.ones((1, 1, 1, 1))
    for _ in range(layers):
        size = gradient.shape[2] + 2
        _, cache_ones = conv2d_forward(np.zeros((1, 1, size, size)), np.ones((1, 1, 3, 3)), np.zeros(1))
        gradient, _, _ = conv2d_backward(gradient, cache_ones)
    framed = np.pad(gradient[0, 0], (9 - size) // 2)
    show(panel, framed, f"layers = {layers}: dx is {size}x{size}", gradient=True)

# %% [markdown]
# ## What the gradient looks like: an image
#
# Here are synthetic cells, drawn white on black and smoothed, and a kernel that responds to vertical edges, where left
# and right differ. Let the loss be half the sum of y², so that dy = y. In y, the left side of a cell is blue, where
# the image gets brighter to the right, and the right side is red.
#
# In dx each edge has become a pair of lines of opposite sign. Red pixels should get darker, since the loss grows with
# them, and blue ones brighter. So the bright side of each edge should get darker and the dark side brighter. Both
# together flatten the edge, which is what this loss asks for.

# %%
_, instances = synthetic_cells(np.random.default_rng(8), 128, 128)
cells = scipy.ndimage.gaussian_filter(1.0 * (instances > 0), 2)[None, None]
edges = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]).reshape(1, 1, 3, 3)
y_cells, cache_cells = conv2d_forward(cells, edges, np.zeros(1))
dx_cells, _, _ = conv2d_backward(y_cells, cache_cells)
fig, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
course.draw_image(axes[0], cells[0, 0], "x: cells")
show(axes[1], y_cells[0, 0], "y = dy: edges", "OH OW", gradient=True)
show(axes[2], dx_cells[0, 0], "dx", gradient=True)

# %% [markdown]
# ## The gradient at work
#
# Can dweight find a kernel? Convolve noise with the edge kernel to make a target, forget the kernel, and start from
# zeros. In each step dy is the difference from the target over the number of pixels, and weight takes a small step
# against dweight. Expect the right pattern after one step, and the kernel to a hundredth after 30. The first step
# already points the right way because dweight is what each tap saw, summed against the error: in noise, what two taps
# saw is unrelated, so each is blamed for its own part only.

# %%
noise = rng.normal(size=(1, 1, 32, 32))
target, _ = conv2d_forward(noise, edges, np.zeros(1))
kernels = [np.zeros((1, 1, 3, 3))]
for _ in range(30):
    guess, cache_noise = conv2d_forward(noise, kernels[-1], np.zeros(1))
    _, dweight_noise, _ = conv2d_backward((guess - target) / guess.size, cache_noise)
    kernels.append(kernels[-1] - 0.2 * dweight_noise)
fig, axes = plt.subplots(1, 4, figsize=(9, 2.7), layout="constrained")
for panel, step in zip(axes, (1, 3, 10, 30), strict=True):
    rounded = kernels[step][0, 0].round(2) + 0.0
    show(panel, rounded, f"weight after step {step}", "KH KW", gradient=True, limit=2)
assert np.abs(kernels[30] - edges).max() < 0.01

# %% [markdown]
# ## Not in the U-Net: a stride
#
# Two variants are left, which the U-Net's 3x3 convolutions do not use and many other networks do.
#
# A *stride* of 2 moves the kernel by two pixels at a time, so the output is about half as large. A max-pool of 2x2 has
# a stride of 2 as well. In a row of H pixels, a kernel of KH taps has
#
#     OH = (H - KH) // stride + 1
#
# places, and the output pixel (h, w) reads the window that begins at row stride·h and column stride·w:
#
#     y[h, w] = bias + sum over kh, kw of  weight[kh, kw] * x[stride * h + kh, stride * w + kw]
#
# The stride moves the kernel, and not the taps: they stay side by side. (To pull the taps apart is a *dilation*.) Here
# are the four places of our kernel on an image of 5x5 pixels. By hand, y[0, 1] is 2·1 + 1·3 + 1·5 + 2·8 = 26, and 27
# with the bias.

# %%
x5 = np.array([[1.0, 0, 2, 0, 1], [0, 1, 0, 1, 0], [1, 0, 0, 2, 0], [0, 2, 1, 0, 0], [1, 0, 0, 1, 2]])
x5 = x5.reshape(1, 1, 5, 5)
y5 = conv2d_forward(x5, weight, bias)[0][:, :, ::2, ::2]  # every second pixel of the output with stride 1
fig, axes = plt.subplots(1, 5, figsize=(9, 2.3), layout="constrained")
for panel, (h, w) in zip(axes[:4], np.ndindex(2, 2), strict=True):
    show(panel, x5[0, 0], f"y[{h}, {w}] reads", box=(2 * h, 2 * w, 3, 3))
show(axes[4], y5[0, 0], "y", "OH OW")
assert y5[0, 0, 0, 1] == 27

# %% [markdown]
# To compute everything and throw three quarters away, as this cell does, is correct and wasteful. In the loop over taps
# a slice has a step: the block that tap (kh, kw) reads is `x[:, :, kh : kh + stride * OH : stride, ...]`.
#
# **Exercise 5.** *The forward pass with a stride.* Change your exercise 1 in the two places where the stride belongs.


# %% tags=["exercise"]
def my_conv2d_with_stride(x, weight, bias, stride):
    """Return y, (N, F, OH, OW), for x (N, C, H, W), weight (F, C, KH, KW), bias (F,) and a whole number stride."""
    N, C, H, W = x.shape
    F, C, KH, KW = weight.shape
    # your code: about 7 lines
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    y = np.zeros((N, F, OH, OW)) + bias[:, None, None]
    for kh, kw in np.ndindex(KH, KW):
        block = x[:, :, kh : kh + stride * OH : stride, kw : kw + stride * OW : stride]
        y += np.einsum("fc,nchw->nfhw", weight[:, :, kh, kw], block)
    return y
    # end of your code


# %% tags=["check"]
course.check("conv2d_with_stride", my_conv2d_with_stride)

# %% [markdown]
# And backward? The sentence to remember still holds: what a tap read, it now writes to. With dy = `[[1, 2], [0, -1]]`
# again, two pixels by hand. The pixel x[2, 2] lies in all four windows, in a corner of each, so its gradient is
# 9·1 + 7·2 + 3·0 - 1·1 = 22. The pixel x[1, 1] lies in the first window only, under tap (1, 1), so its is 5·1 = 5.
#
# **Exercise 6.** *The backward pass with a stride.* Now the cache holds x, weight and the stride. With H = 6 the last
# row is not read by any tap, since (6 - 3) // 2 + 1 = 2 as well: what is its gradient? The check tries such sizes too.


# %% tags=["exercise"]
def my_conv2d_with_stride_backward(dy, cache):
    """Return dx (N, C, H, W), dweight (F, C, KH, KW) and dbias (F,), for dy (N, F, OH, OW)."""
    x, weight, stride = cache
    OH, OW = dy.shape[2:]
    KH, KW = weight.shape[2:]
    # your code: about 8 lines
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for kh, kw in np.ndindex(KH, KW):
        rows, columns = slice(kh, kh + stride * OH, stride), slice(kw, kw + stride * OW, stride)
        dx[:, :, rows, columns] += np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], dy)
        dweight[:, :, kh, kw] = np.einsum("nfhw,nchw->fc", dy, x[:, :, rows, columns])
    return dx, dweight, dy.sum(axis=(0, 2, 3))
    # end of your code


# %% tags=["check"]
course.check("conv2d_with_stride_backward", my_conv2d_with_stride_backward)

# %% [markdown]
# ## Not in the U-Net: "same" padding
#
# A valid convolution takes KH - 1 rows off. If KH - 1 rows of zeros are added before, the output is as large as the
# image: this is called *same* padding. Half of them go above the image and half below. For 3x3 taps that is one row
# above and one below, and one column on each side. For 4 taps it is 3 rows: 1 above, 2 below.
#
# By hand, with our kernel and the 4x4 image: the middle tap of y[0, 0] reads x[0, 0], and the upper and the left taps
# read zeros. What is left is 1·5 + 0·6 + 0·8 + 1·9 = 14, and 15 with the bias.
#
# It is convenient, since no size ever changes. The price is paid at the border: the output pixels there have seen zeros
# that no microscope took. That is why the paper does without it, and mirrors the image instead (notebook 10).

# %%
padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
y_same, cache_same = conv2d_forward(padded, weight, bias)
dpadded, _, _ = conv2d_backward(np.ones((1, 1, 4, 4)), cache_same)
fig, axes = plt.subplots(1, 3, figsize=(8.5, 3.2), layout="constrained")
show(axes[0], padded[0, 0], "x, padded: y[0, 0] reads", "H+2 W+2", box=(0, 0, 3, 3))
show(axes[1], y_same[0, 0], "y, as large as x", box=(0, 0, 1, 1))
show(axes[2], dpadded[0, 0], "gradient of x, padded (dy = 1)", "H+2 W+2", gradient=True, box=(1, 1, 4, 4))
assert y_same.shape == x.shape and y_same[0, 0, 0, 0] == 15

# %% [markdown]
# Backward there are two steps, in reverse order: first through the convolution, to the padded image, as on the right;
# then through the padding. The zeros are constants, and nobody can change them, so their gradient is not needed. What
# remains is the middle, in the box. So the backward pass of a padding is a crop, just as in notebook 05 the backward
# pass of a crop is a padding.
#
# **Exercise 7.** *"Same" padding, backward.* You may call `conv2d_backward`, and `cache.conv` is what it needs.
# `cache.top` and `cache.left` count the zeros above and on the left. The check takes even
# numbers of taps too.


# %% tags=["exercise"]
def my_conv2d_same_backward(dy, cache):
    """Return dx (N, C, H, W), dweight (F, C, KH, KW) and dbias (F,), for dy (N, F, H, W)."""
    H, W = dy.shape[2:]
    # your code: about 3 lines
    dpadded, dweight, dbias = conv2d_backward(dy, cache.conv)
    dx = dpadded[:, :, cache.top : cache.top + H, cache.left : cache.left + W]
    return dx, dweight, dbias
    # end of your code


# %% tags=["check"]
course.check("conv2d_same_backward", my_conv2d_same_backward)

# %% [markdown]
# ## In three lines
#
# Forward, each tap reads a shifted block of x, multiplies it by its (F, C) matrix, and adds to y.
#
# Backward is the same loop mirrored: a tap reads dy, multiplies by its transpose, and adds (`+=`) to the block that
# it had read, so that one pixel of dy paints the kernel, not turned, onto its window.
#
# dweight is what each tap saw, summed against dy, and dbias is the sum of dy.
#
# ## Where to read more
#
# The layer is [conv.py](../minunet/layers/conv.py), whose first lines hold all equations of this page; its slow twin,
# with the loops of the backward pass too, is in [naive.py](../minunet/layers/naive.py); and the wrong backward passes
# that the tests must catch are in [tests/zoo/conv2d.py](../tests/zoo/conv2d.py). The paper: Ronneberger, Fischer,
# Brox, *U-Net* (2015), [arXiv 1505.04597](https://arxiv.org/abs/1505.04597), section 2 and Fig. 1. On padding and
# strides, which the U-Net's convolutions do not use: Dumoulin and Visin, *A guide to convolution arithmetic for deep
# learning*. The next notebook is 03, ReLU and max-pool; notebook 12 makes this page's sum faster.
