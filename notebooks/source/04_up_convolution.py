# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 04 Up-convolution
#
# On the way down the U-Net halves its images; on the way up it must double them. The **up-convolution** does this with
# trainable weights. But every convolution that we know makes an image smaller. How can one make it larger, and what is
# its gradient?
#
# Both questions have one answer: write a convolution as a matrix, and transpose it.
#
# You need three things from the earlier notebooks. Images have the axes N, C, H, W. A backward pass turns `dy` into
# the gradients of the layer's arguments, where `phi = sum(dy * y)` is the number whose slopes we ask for. And a
# convolution slides a small `weight` over the image, multiplies the pixels under it by the weights, and sums; one
# position of the kernel's window gives one pixel of `y`, and one entry of the kernel is called a *tap*.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minunet import course, gradcheck, up_conv_backward, up_conv_forward
from minunet.data.synthetic.cells import synthetic_cells
from minunet.layers.pool import CORNERS
from minunet.layers.up_conv import UpConvCache

# %% [markdown]
# ## A convolution that halves
#
# Begin with the opposite of what we want. Take a kernel of 2x2 and move it by two pixels at a time: it has **stride
# 2**. Its windows do not overlap, so a 4x4 image becomes a 2x2 image.
#
# ```
#             1 0 | 2 1
#             0 1 | 1 0                    1 2                        5  7
# large   =   ----+----       weight   =   3 4        strided   =    10 15
#             2 1 | 0 1
#             2 0 | 3 1
# ```
# Upper left window: 1 * 1 + 2 * 0 + 3 * 0 + 4 * 1 = 5. Lower right window: 1 * 0 + 2 * 1 + 3 * 3 + 4 * 1 = 15.
#
# In the code, `large[i::2, j::2]` begins at row `i` and column `j` and takes every second one: it is corner `(i, j)` of
# every window. `CORNERS` lists the four corners row by row: (0, 0), (0, 1), (1, 0), (1, 1).

# %%
large = np.array([[1.0, 0, 2, 1], [0, 1, 1, 0], [2, 1, 0, 1], [2, 0, 3, 1]])
weight = np.array([[1.0, 2], [3, 4]])


def strided(large, weight):
    """Return the convolution at stride 2: small[h, w] = sum of weight[i, j] * large[2h + i, 2w + j]."""
    return sum(weight[i, j] * large[i::2, j::2] for i, j in CORNERS)


print(strided(large, weight))

# %%
fig, axes = plt.subplots(1, 3, figsize=(8, 3.2), layout="constrained", width_ratios=[2, 1, 1])
course.draw(axes[0], large, "large")
axes[0].axhline(1.5, color="#56B4E9", lw=3)
axes[0].axvline(1.5, color="#56B4E9", lw=3)
course.draw(axes[1], weight, "weight")
course.draw(axes[2], strided(large, weight), "strided(large)")
plt.show()

# %% [markdown]
# ## The same as a matrix
#
# Every pixel of the result is a weighted sum of pixels of `large`. So if we write the 16 pixels of `large` in one
# column, row after row, and the 4 pixels of the result in another, there is a matrix `A` of shape (4, 16) that turns
# the first column into the second. Row 0 belongs to the upper left pixel of the result, which reads the pixels [0, 0],
# [0, 1], [1, 0] and [1, 1] of `large`. These have the numbers 0, 1, 4 and 5.
#
# ```
# number    0  1  2  3    4  5  6  7    8  9 10 11   12 13 14 15
# row 0     1  2  .  .    3  4  .  .    .  .  .  .    .  .  .  .
# row 1     .  .  1  2    .  .  3  4    .  .  .  .    .  .  .  .
# row 2     .  .  .  .    .  .  .  .    1  2  .  .    3  4  .  .
# row 3     .  .  .  .    .  .  .  .    .  .  1  2    .  .  3  4
# ```

# %% [markdown]
# There is a way to find the matrix of any linear function without knowing how it works: send in an image that is 1 at
# one pixel and 0 elsewhere. What comes out is the column that belongs to that pixel. The function below does this for
# every pixel. Expect the four rows from above, and `A @ large` to be 5, 7, 10, 15 once more.


# %%
def as_matrix(function, H, W):
    """Return the matrix of a linear function of an (H, W) image: one column for each of its pixels."""
    columns = []
    for one_hot in np.eye(H * W):
        columns.append(function(one_hot.reshape(H, W)).ravel())
    return np.stack(columns, axis=1)


A = as_matrix(lambda image: strided(image, weight), 4, 4)
print(A.astype(int))
print("A @ large:", A @ large.ravel())


# %%
def draw_matrix(axes, matrix, title):
    """Draw a matrix: white where it is zero, with its entries written in."""
    axes.imshow(matrix, cmap="Greys", vmin=0, vmax=2 * matrix.max())
    for row, column in np.argwhere(matrix):
        axes.text(column, row, f"{matrix[row, column]:g}", ha="center", va="center", fontsize=9)
    axes.set(title=title, xlabel=f"{matrix.shape[1]} columns", ylabel=f"{matrix.shape[0]} rows")
    axes.set(xticks=range(0, matrix.shape[1], 4), yticks=range(0, matrix.shape[0], 4))


fig, axes = plt.subplots(figsize=(7, 2.4), layout="constrained")
draw_matrix(axes, A, "A: a row for each pixel of small, a column for each pixel of large")
plt.show()

# %% [markdown]
# **Exercise 1.** Fill the matrix directly, for any kernel of 2x2 and any even `H` and `W`: pixel `[h, w]` of the small
# image is row `h * OW + w` of `A`. Which column belongs to pixel `[2h + i, 2w + j]` of the large image, and what value
# goes there?


# %% tags=["exercise"]
def my_strided_matrix(weight, H, W):
    """Return A, (H // 2 * W // 2, H * W), with A @ large.ravel() the strided convolution of large (H, W)."""
    OH, OW = H // 2, W // 2
    A = np.zeros((OH * OW, H * W))
    # your code: about 4 lines
    for h, w in np.ndindex(OH, OW):
        for i, j in CORNERS:
            A[h * OW + w, (2 * h + i) * W + 2 * w + j] = weight[i, j]
    return A
    # end of your code


# %% tags=["check"]
course.check("strided_matrix", my_strided_matrix)

# %% [markdown]
# ## Transposed
#
# `A` has 16 columns and 4 rows: 16 numbers go in, 4 come out. Its transpose `A.T` has 4 columns and 16 rows: 4 numbers
# go in, 16 come out. This is what we were looking for: the image becomes larger.
#
# What does `A.T` do? Column 0 of `A.T` is row 0 of `A`: it holds the kernel, laid out at the four pixels of the upper
# left window. So pixel `[0, 0]` of the small image *paints* a copy of the kernel, times its own value, into that
# window.
#
# ```
#                             1  2 |  2  4
#             1  2            3  4 |  6  8
# small   =   0 -1     ->     -----+------
#                             0  0 | -1 -2
#                             0  0 | -3 -4
# ```

# %%
small = np.array([[1.0, 2], [0, -1]])
painted = (A.T @ small.ravel()).reshape(4, 4)
assert np.array_equal(painted, [[1, 2, 2, 4], [3, 4, 6, 8], [0, 0, -1, -2], [0, 0, -3, -4]])

fig, axes = plt.subplots(1, 2, figsize=(7.5, 4.2), layout="constrained", width_ratios=[1, 2])
draw_matrix(axes[0], A.T, "A.T")
course.draw(axes[1], painted, "A.T @ small, as an image")
axes[1].axhline(1.5, color="#56B4E9", lw=3)
axes[1].axvline(1.5, color="#56B4E9", lw=3)
plt.show()

# %% [markdown]
# Each row of `A.T` has exactly one entry: every pixel of the result is painted once, by one pixel of `small`.
#
# This is the up-convolution of the U-Net, and its full name is **transposed convolution**. Nobody builds the matrix,
# since almost all of it is zeros. In the code's names, for one image and one channel:
#
# ```
# y[2h+i,2w+j]  =  weight[i,j] * x[h,w]
# ```
#
# The library's layer must give the same 16 numbers. It wants four axes for `x` and `weight`, and a bias, here 0.

# %%
y, cache = up_conv_forward(small[None, None], weight[None, None], np.zeros(1))
print(y[0, 0])
assert np.array_equal(y[0, 0], painted)

# %% [markdown]
# ## The test of a transpose
#
# Write `<a, b>` for the *inner product* of two images of the same size: multiply pixel by pixel, and sum. For every
# matrix and any two images the following holds; and if it holds for all images, one matrix is the transpose of the
# other:
#
# ```
# <A @ large, small>  =  <large, A.T @ small>
# ```
#
# (Books write `<Ax, y> = <x, A'y>`.) On the left, two images of 2x2 meet: 5 * 1 + 7 * 2 + 10 * 0 - 15 * 1 = 4. On the
# right, two images of 4x4 meet; by windows, row by row, the sums are 5, 14, 0 and -15, which is 4 as well.

# %%
left = strided(large, weight) * small
right = large * y[0, 0]
print("left: ", left.ravel(), "sum", left.sum())
print("right:", right[:2, :2].sum(), right[:2, 2:].sum(), right[2:, :2].sum(), right[2:, 2:].sum(), "sum", right.sum())
assert left.sum() == right.sum() == 4

# %% [markdown]
# Why is that? Both sides are the same sum over all entries of `A`:
#
# ```
# sum over row, column of   small[row] * A[row, column] * large[column]
# ```
#
# The left side sums over the columns first (that makes `A @ large`), the right side over the rows first (that makes
# `A.T @ small`). An entry of `A` connects a pixel of `large` with a pixel of `small`, and the connection works in both
# directions.

# %% [markdown]
# ## Why the forward pass of one is the backward pass of the other
#
# Now read the test with `dy` in place of `small`. Let a layer compute `y = A @ x`. The number whose slopes we want is
#
# ```
# phi  =  sum(dy * y)  =  <A @ x, dy>  =  <x, A.T @ dy>
# ```
#
# and the last form is a sum in which every pixel of `x` is multiplied by one number. That number is its slope. So
# `dx = A.T @ dy`: **the backward pass of a layer with the matrix A is the layer with the matrix A.T**. In mathematical
# writing, $\partial \varphi / \partial x = A^T dy$.
#
# The backward pass of the strided convolution is the up-convolution. And as the transpose of `A.T` is `A`, the backward
# pass of the up-convolution is the strided convolution.

# %% [markdown]
# Let us see both. First the strided convolution: the cell measures the 16 slopes of `phi` with `dy = small`, moving
# one pixel of `large` at a time. They should be the painted image. Then the up-convolution: its backward pass, with
# `dy = large`, should give the 5, 7, 10, 15 from the start of this page.

# %%
slopes = np.zeros_like(large)
for h, w in np.ndindex(large.shape):
    nudge = np.zeros_like(large)
    nudge[h, w] = 1e-4
    change = strided(large + nudge, weight) - strided(large - nudge, weight)
    slopes[h, w] = np.sum(small * change) / 2e-4
print("slopes of the strided convolution:", slopes.round(6) + 0.0, sep="\n")

dx, dweight, dbias = up_conv_backward(large[None, None], cache)
print("dx of the up-convolution:", dx[0, 0], sep="\n")
assert np.allclose(slopes, painted) and np.array_equal(dx[0, 0], strided(large, weight))

# %% [markdown]
# ### Transposed is not inverse
#
# The up-convolution is sometimes called *deconvolution*, which sounds as if it undid a convolution. It does not: on
# the way down sixteen numbers become four, and no matrix brings back what is lost. `A.T @ A @ large` has the right
# size, but different numbers.
#
# The other order is worth a look. `A @ A.T` paints each pixel with the kernel, and reads it with the same kernel.
# Since the windows do not overlap, nothing mixes, and every pixel comes back 1 + 4 + 9 + 16 = 30 times as large.

# %%
print("A.T @ A @ large:", (A.T @ A @ large.ravel()).reshape(4, 4), sep="\n")
print("A @ A.T:", (A @ A.T).astype(int), sep="\n")

# %% [markdown]
# ## Channels and bias
#
# ```
# y[n,f,2h+i,2w+j]  =  bias[f] + sum_c weight[c,f,i,j] * x[n,c,h,w]
# ```
#
# There are now C channels in and F channels out, and each pair of them has its own kernel of 2x2. The axes of `weight`
# are (C, F, 2, 2), while a convolution has (F, C, KH, KW), with the channels that come out first. The reason is the
# transpose: `weight` is stored in the order of the strided convolution whose transpose this is, and *that* one has C
# channels coming out.
#
# For one tap `(i, j)`, `weight[:, :, i, j]` is a plain matrix from C to F channels, which is applied to every pixel.
# The library does four such matrix products, and each fills every second row and column of `y`.

# %%
course.show_source(UpConvCache, up_conv_forward)

# %% [markdown]
# ## Backward: three gradients
#
# **dx.** Pixel `x[h, w]` painted one block of four pixels, each with its own tap. Its gradient collects the same four
# pixels of `dy`, each times the same tap. With the numbers from above, the upper left block of `dy = large` gives
# 1 * 1 + 2 * 0 + 3 * 0 + 4 * 1 = 5. With more channels, each of the F channels painted, so there is a sum over f:
#
# ```
# dx[n,c,h,w]  =  sum_{f,i,j} weight[c,f,i,j] * dy[n,f,2h+i,2w+j]
# ```
#
# **Exercise 2.** Write it for any N, C and F. One loop over the four taps is enough; inside,
# `np.einsum("cf,nfhw->nchw", ..., ...)` multiplies a matrix (C, F) into the channels of an array (N, F, H, W).


# %% tags=["exercise"]
def my_up_conv_dx(dy, cache):
    """Return dx, (N, C, H, W), for dy (N, F, 2 * H, 2 * W)."""
    x, weight = cache
    # your code: about 4 lines
    dx = np.zeros_like(x)
    for i, j in CORNERS:
        dx += np.einsum("cf,nfhw->nchw", weight[:, :, i, j], dy[:, :, i::2, j::2])
    return dx
    # end of your code


# %% tags=["check"]
course.check("up_conv_dx", my_up_conv_dx)

# %% [markdown]
# **dweight.** A tap is used once for every pixel of `x`: it is multiplied by `x[h, w]` and lands in `y[2h+i, 2w+j]`. So
# its gradient is the sum, over all pixels, of what it was multiplied by, times the `dy` where it landed:
#
# ```
# dweight[c,f,i,j]  =  sum_{n,h,w} x[n,c,h,w] * dy[n,f,2h+i,2w+j]
# ```
#
# By hand for tap (0, 0), with `x = small` and `dy = large`: the upper left corners of the four blocks of `large` are 1,
# 2, 2, 0, and so 1 * 1 + 2 * 2 + 0 * 2 - 1 * 0 = 5. For tap (0, 1) they are 0, 1, 1, 1, and so 0 + 2 + 0 - 1 = 1.
#
# **dbias.** The bias is added to every pixel of `y` once, so `dbias[f]` is the sum of `dy` over N, H and W. All sixteen
# pixels of `large` sum to 16.

# %%
for i, j in CORNERS:
    print(f"tap ({i}, {j}): sum of small * {large[i::2, j::2].ravel()} = {np.sum(small * large[i::2, j::2])}")
print("dweight:", dweight[0, 0], sep="\n")
print("dbias:", dbias)
assert np.array_equal(dweight[0, 0], [[5, 1], [-1, 0]]) and dbias[0] == large.sum() == 16

# %% [markdown]
# **Exercise 3.** Write `dweight` for any N, C and F.


# %% tags=["exercise"]
def my_up_conv_dweight(dy, cache):
    """Return dweight, (C, F, 2, 2)."""
    x, weight = cache
    # your code: about 4 lines
    dweight = np.zeros_like(weight)
    for i, j in CORNERS:
        dweight[:, :, i, j] = np.einsum("nchw,nfhw->cf", x, dy[:, :, i::2, j::2])
    return dweight
    # end of your code


# %% tags=["check"]
course.check("up_conv_dweight", my_up_conv_dweight)

# %% [markdown]
# **Exercise 4.** Put the backward pass together, with `dbias`. The gradients come back in the order of the forward
# pass's arguments: x, weight, bias. This check ends with a gradient check of all three.


# %% tags=["exercise"]
def my_up_conv_backward(dy, cache):
    """Return dx, dweight, dbias."""
    x, weight = cache
    # your code: about 8 lines
    dx = np.zeros_like(x)
    dweight = np.zeros_like(weight)
    for i, j in CORNERS:
        corner = dy[:, :, i::2, j::2]
        dx += np.einsum("cf,nfhw->nchw", weight[:, :, i, j], corner)
        dweight[:, :, i, j] = np.einsum("nchw,nfhw->cf", x, corner)
    dbias = dy.sum(axis=(0, 2, 3))
    return dx, dweight, dbias
    # end of your code


# %% tags=["check"]
course.check("up_conv_backward", my_up_conv_backward)

# %% [markdown]
# The library's backward pass mirrors its forward pass: the same four taps, and where the forward pass multiplied by
# `tap.T`, (F, C), the backward pass multiplies by `tap`, (C, F). The transpose is at work inside each pixel, too.
#
# The gradient check comes first, the source below it. The layer is linear in `x`, in `weight` and in `bias`, so a
# central difference is exact up to rounding: expect three errors below 1e-8.

# %%
rng = np.random.default_rng(5)
arguments = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(3, 2, 2, 2)), rng.normal(size=2)
print(gradcheck(up_conv_forward, up_conv_backward, arguments))
course.show_source(up_conv_backward)

# %% [markdown]
# The test of a transpose works for the whole layer, with channels and batch, if the bias is 0. It needs no small step,
# so it is exact to the last digits: a good second check for every linear layer. Expect two equal numbers.

# %%
any_x, any_weight, _ = arguments
any_y, any_cache = up_conv_forward(any_x, any_weight, np.zeros(2))
any_dy = rng.normal(size=any_y.shape)
any_dx, _, _ = up_conv_backward(any_dy, any_cache)
print("<up(x), dy> =", np.sum(any_y * any_dy).round(10))
print("<x, dx>     =", np.sum(any_x * any_dx).round(10))

# %% [markdown]
# ## What the gradient looks like
#
# Shrink an image of cells by keeping every second pixel, enlarge it again with a kernel of ones, and ask for the
# original back: `phi` is half the sum of the squared differences, so `dy = y - image`. In each block the upper left
# pixel is right already, so `dy` is 0 there. `dx` sums each block of `dy`: red where the pixel should be darker, blue
# where it should be brighter. The last line prints `dweight`: tap (0, 0) painted all the pixels that are right, so
# expect 0 there, and nowhere else.

# %%
cells, _ = synthetic_cells(np.random.default_rng(12), 128, 128)
cells = cells[None, None, 16:80, 48:112].astype(float)
cells_x = cells[:, :, ::2, ::2]
cells_y, cells_cache = up_conv_forward(cells_x, np.ones((1, 1, 2, 2)), np.zeros(1))
cells_dy = cells_y - cells
cells_dx, cells_dweight, _ = up_conv_backward(cells_dy, cells_cache)

fig, axes = plt.subplots(1, 4, figsize=(9, 2.7), layout="constrained")
course.draw_image(axes[0], cells[0, 0], "image")
course.draw_image(axes[1], cells_y[0, 0], "y: enlarged")
course.draw(axes[2], cells_dy[0, 0], "dy = y - image", gradient=True)
course.draw(axes[3], cells_dx[0, 0], "dx", gradient=True)
plt.show()
print("dweight:", cells_dweight[0, 0].round(2).tolist())

# %% [markdown]
# ## No overlap, no checkerboard
#
# The kernel is as wide as the stride, so the blocks that neighbouring pixels paint lie side by side. A kernel of 3x3 at
# stride 2 would overlap: the last column of one block is the first column of the next, and what both paint is added.
# The function `paint` does this for one channel and any kernel.


# %%
def paint(small, weight, stride=2):
    """Return the transposed convolution of small (H, W): each pixel paints the kernel, overlaps add up."""
    (H, W), (KH, KW) = small.shape, weight.shape
    large = np.zeros((stride * (H - 1) + KH, stride * (W - 1) + KW))
    for h, w in np.ndindex(H, W):
        large[stride * h : stride * h + KH, stride * w : stride * w + KW] += weight * small[h, w]
    return large


assert np.array_equal(paint(small, weight), painted)

# %% [markdown]
# Give `paint` an image of ones and a kernel of ones, and each number of the result counts how many pixels of `x` have
# painted that pixel of `y`. Expect ones everywhere for the kernel of 2x2. For 3x3, expect 1, 2 and 4 in a pattern:
# a pixel in an overlap of two blocks is painted twice, one in the corner of four blocks four times.

# %%
ones = np.ones((4, 4))
fig, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
course.draw(axes[0], paint(ones, np.ones((2, 2))), "times painted: 2x2, stride 2").set_clim(0, 4)
course.draw(axes[1], paint(ones, np.ones((3, 3))), "times painted: 3x3, stride 2").set_clim(0, 4)
plt.show()

# %% [markdown]
# The right picture is a **checkerboard**, although the image was flat, and so was the kernel. The two matrices, for an
# image of 3x3 pixels, show where it comes from. Each row stands for a pixel of the result. On the left every row has
# one entry. On the right some rows have one, some two (grey), and some four (black).

# %%
no_overlap = as_matrix(lambda image: paint(image, np.ones((2, 2))), 3, 3)
overlap = as_matrix(lambda image: paint(image, np.ones((3, 3))), 3, 3)
fig, axes = plt.subplots(1, 2, figsize=(7, 5), layout="constrained")
for axis, matrix, name in zip(axes, (no_overlap, overlap), ("2x2, stride 2", "3x3, stride 2"), strict=True):
    entries = matrix.sum(axis=1, keepdims=True)  # in each row
    axis.imshow(matrix * entries, cmap="Greys", vmin=0, vmax=4, aspect="auto", interpolation="nearest")
    axis.set(title=name, ylabel=f"{len(matrix)} rows: pixels of y", xlabel="9 columns: pixels of x")
    print(f"{name}: rows with 1, 2, 4 entries:", [int((entries == n).sum()) for n in (1, 2, 4)])
plt.show()

# %% [markdown]
# A trained network has no kernels of ones. At the start of training the taps are random numbers, and a sum of four
# random numbers is typically twice as large as one (a sum of n of them has the standard deviation sqrt(n)). So we
# expect the checkerboard again, now in the typical size of the values: 1, 1.41 and 2. The cell paints 2000 random
# kernels on an image of ones, and shows the standard deviation of each pixel of `y`, on one scale for both pictures.

# %%
more_ones = np.ones((8, 8))
kernels = np.random.default_rng(6).normal(size=(2000, 3, 3))
spread_2x2 = np.std([paint(more_ones, kernel[:2, :2]) for kernel in kernels], axis=0)
spread_3x3 = np.std([paint(more_ones, kernel) for kernel in kernels], axis=0)
fig, axes = plt.subplots(1, 2, figsize=(7, 3.6), layout="constrained")
course.draw(axes[0], spread_2x2, "standard deviation: 2x2").set_clim(0, 2.2)
course.draw(axes[1], spread_3x3, "standard deviation: 3x3").set_clim(0, 2.2)
plt.show()
print("2x2, in the middle:", spread_2x2[7:9, 7:9].round(1).tolist())
print("3x3, in the middle:", spread_3x3[7:9, 7:9].round(1).tolist())

# %% [markdown]
# Training can find weights that hide the pattern, but that takes effort, and traces often remain (the article by Odena
# and others, named at the end, shows many). Remember also that the backward pass of a 3x3 convolution with stride 2 is
# this very layer: such a convolution sends a checkerboard of gradients to the image below it.
#
# To be fair: a 2x2 kernel with four unequal taps makes a pattern as well, since it tiles the plane with copies of
# itself. But the layer itself favours no pixel, and four equal taps leave a flat image flat. In the U-Net the two 3x3
# convolutions that follow blend the blocks.

# %% [markdown]
# **Question 1.** Initial weights are drawn with the standard deviation sqrt(2 / number of incoming nodes), where the
# incoming nodes of a pixel of `y` are the values that it is a sum of. What is that number for the 2x2 up-convolution
# with C channels in? And for a 3x3 kernel at stride 2?

# %% [markdown] tags=["answer"]
# C, and not 4 * C: each pixel of `y` sees one pixel of `x`, in C channels, through one tap. Counting all four taps
# would make the values half as large as they should be. For 3x3 at stride 2 there is no single number: C, 2 * C or 4 *
# C, depending on where the pixel lies, so no standard deviation is right for all of them.
#
# **Rubric, 2 points.** One for C, with the reason that one tap meets each pixel. One for the 3x3 kernel at stride 2,
# where the number depends on the pixel.

# %% [markdown]
# **Question 2.** Here is another way to double an image: repeat every pixel in a block of 2x2 (*nearest-neighbour
# upsampling*), and let an ordinary convolution with a 2x2 kernel follow at stride 1, with one row and one column
# repeated at the edge, so that the size fits. It has the same number of weights. Which of the two can paint four
# different values into a block from a single pixel? Which keeps a flat image flat? How many multiplications does each
# do for a pixel of `y`? Think about which pixels of `x` one pixel of `y` sees; `as_matrix` of the function below will
# tell you.


# %%
def repeated_then_convolved(small, weight):
    """Return small, each pixel repeated in a 2x2 block, and then convolved at stride 1; same size as `paint`."""
    H, W = 2 * small.shape[0], 2 * small.shape[1]
    repeated = np.pad(small.repeat(2, axis=0).repeat(2, axis=1), ((0, 1), (0, 1)), mode="edge")
    return sum(weight[i, j] * repeated[i : i + H, j : j + W] for i, j in CORNERS)


print(repeated_then_convolved(small, weight))

# %% [markdown] tags=["answer"]
# Follow the 2x2 kernel over the repeated pixels. At an even row and an even column it lies within one block, and all
# four taps meet the same pixel of `x`: the result is the sum of the taps times that pixel. One step to the right, two
# taps meet the next pixel; at an odd row and an odd column, each tap meets another pixel. So one pixel of `y` sees one,
# two, two or four pixels of `x`, and neighbours blend into each other.
#
# A flat image stays flat, whatever the taps, since each result is the sum of all taps times the same value: no pattern
# can arise. (With our kernel 1, 2, 3, 4, an image of ones becomes 10 everywhere, while the up-convolution makes it 1,
# 2, 3, 4 in every block.) In return, a single pixel cannot paint four independent values into its block. The
# up-convolution can, and it does one multiplication for a pixel of `y` and a pair of channels, where the other does
# four. Neither layer can do all that the other can. The U-Net uses the transposed convolution. Only an experiment can
# tell whether the other gives better masks, and the two 3x3 convolutions that follow make the difference smaller.
#
# **Rubric, 3 points.** One for four free values: only the up-convolution. One for the flat image, and one for the
# multiplications, four against one, each with a reason.

# %% [markdown]
# ## In three lines
#
# 1. A strided convolution is a matrix `A`; the up-convolution is `A.T`: each pixel of `x` paints a copy of the kernel.
# 2. `<A x, dy> = <x, A.T dy>`, so the backward pass of either is the forward pass of the other; transposed is not
#    inverse.
# 3. At 2x2 and stride 2 nothing overlaps: every pixel of `y` is painted once, so the layer has no built-in
#    checkerboard.
#
# ## Where to read more
#
# The code: [up_conv.py](../minunet/layers/up_conv.py), its loop twin in
# [naive.py](../minunet/layers/naive.py), the initial weights in [initialise.py](../minunet/network/initialise.py).
# The paper, [U-Net](https://arxiv.org/abs/1505.04597), section 2. Dumoulin and Visin, *A guide to convolution
# arithmetic for deep learning* (2016), has the matrix and many pictures. Odena, Dumoulin and Olah, *Deconvolution and
# Checkerboard Artifacts* (Distill, 2016), is about the overlap.
#
# Next, notebook 05 brings the two paths together: the enlarged image meets the one from the way down.
