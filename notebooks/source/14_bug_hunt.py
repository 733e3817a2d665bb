# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 14 Bug hunt
#
# A gradient check tells you *that* a backward pass is wrong. **Can you tell from its report *where* it is wrong,
# before you look at the code?** Usually yes, and it saves an afternoon of staring at indices.
#
# On this page there are fourteen suspects. Most of them are backward passes with one wrong line, of the kind that
# people really write; about two we shall see. You will first read the report of each, form a suspicion, and only then
# see its source. We do three together; five are for you to repair, and one is a riddle. Four more, and a second riddle,
# come from public code.
#
# You need this from the earlier notebooks: a layer is a pair `y, cache = forward(*arguments)` and `gradients =
# backward(dy, cache)`, and `gradcheck(forward, backward, arguments)` compares the gradients with slopes that it
# measures (01). The layers are those of 02 to 07.

# %%
import matplotlib.pyplot as plt
import numpy as np

import minunet
from minunet import conv2d_backward, conv2d_forward, course, gradcheck, max_pool_backward, relu_backward
from minunet.course import bug_hunt as suspects
from minunet.course import public_suspects as public
from minunet.course.stride_and_padding import strided_conv_forward
from minunet.layers.pool import CORNERS

BLUE, ORANGE = "#0072B2", "#D55E00"

# %% [markdown]
# ## The method
#
# Read a report in four steps: **kind, argument, pattern, line**. Each step narrows down the part of the code that is
# still under suspicion.
#
# **1. The kind.** It is in the first line, after FAILED. Every kind except `wrong` leads almost straight to the line:
#
# | kind | look for |
# |---|---|
# | `shape` | the `return`: a gradient missing, or in another order than the arguments; a sum over the wrong axes |
# | `nonfinite` | a division, a logarithm, an exponential; an array from `np.empty` that is not filled |
# | `mutated` | something that writes in place: `+=`, `*=`, or `array[...] =` on `dy`, on the cache, or on an argument |
# | `nondeterministic` | a random generator, or a variable that survives from one call to the next |
# | `precision` | `astype`, `dtype=`, an array that was created as float32 |
# | `vacuous` | nothing in the code: the arguments of the check |
# | `wrong` | go on to step 2 |

# %% [markdown]
# **2. The argument.** Each row of the table is the gradient of one argument, and each gradient is made by a few lines
# of the backward pass. A row near $10^{-10}$ *acquits*: the lines that made it are right, and so is everything that
# they used. A row above $10^{-4}$ *accuses* the lines that made it.
#
# Where layers follow each other, the gradient runs from the last layer to the first. A mistake spoils everything that
# comes after it, and nothing before. (A wrong `dweight` or `dbias` spoils only itself, since nothing else is computed
# from it.) So look for the **border**: the last gradient that is right, and the first that is wrong. The mistake lies
# between the two.
#
# **3. The pattern.** How do the wrong elements differ from the right ones? The report gives you three things.
#
# The *hint* names a pattern if it knows one: flipped, swapped, shifted, a constant factor, zero. A constant factor is
# the value of something: look for a size in the table that has this value. If the hint says that there is no simple
# rule, use the two others.
#
# The *count*, such as `108 of 144`. Divide it by the sizes of the axes. Three quarters, a half, all but the corners:
# each share has a reason.
#
# The *worst element*. If `numeric` is 0 and `analytic` is not, a gradient arrives where none belongs. If `analytic` is
# 0 and `numeric` is not, a gradient is lost on its way. If neither is 0 and there is no factor, a sum lacks a term,
# has one too many, or picks up its terms at the wrong place. Its index may help too: is it in the last row, at a
# border, in a channel or an image other than the first?
#
# **4. The line.** Only now read the code, and only the accused lines, with the pattern in mind. Before you change the
# line that you found, ask: would this mistake make *exactly* this report? Then repair it, and check again.

# %% [markdown]
# ## Suspect 1: a max-pool
#
# The max-pool keeps the largest of each 2x2 window: four pixels of `x` go in, one comes out. On the way back, the
# pixel that won gets the gradient, and the three others get zero (03). Here is the report of somebody's backward
# pass.

# %%
print(gradcheck(minunet.max_pool_forward, suspects.suspect_pool, suspects.POOL))

# %% [markdown]
# *Kind:* wrong. *Argument:* there is only one, `x`. *Pattern:* the hint says that the wrong elements should be zero.
# Why should they? Look at the count and the worst element.
#
# 108<!--{gradcheck(minunet.max_pool_forward,suspects.suspect_pool,suspects.POOL).findings[0].count}--> of 144 is three
# quarters. What comes in fours, of which three are wrong? The four pixels of a window. And at the worst element
# `numeric` is 0: a pixel that lost, so its true gradient is 0, but `analytic` is 2.4. A gradient arrives where none
# belongs.
#
# The suspicion: **the losers get the gradient too.** In the code, look for the place where winners and losers are
# told apart.

# %%
course.show_source(suspects.suspect_pool)

# %% [markdown]
# There is no such place. `dx[:, :, i::2, j::2] = dy` writes `dy` to all four corners, and `cache` is never used; the
# winner is in it. Would this make exactly this report? The winner's pixel gets `dy`, as it should: right, in one
# quarter. The three others get `dy` instead of 0: wrong, in three quarters. Yes, it would.
#
# An unused variable is a good clue: the backward pass needs what the forward pass put into the cache. Repaired, the
# line reads `dy * (cache.winner == k)`, as in the library, and the error is rounding.

# %%
print(gradcheck(minunet.max_pool_forward, max_pool_backward, suspects.POOL))
course.show_source(max_pool_backward)

# %% [markdown]
# This is what the two gradients look like on a 4x4 image. Each number of `dy` belongs to one 2x2 window of `x`, and
# should appear there once, at the largest of the four.

# %%
x = np.array([[1.0, 3, 0, 2], [2, 0, 4, 1], [5, 1, 2, 2], [0, 2, 1, 6]])[None, None]
y, pool_cache = minunet.max_pool_forward(x)
dy = np.array([[1.0, 2], [3, 4]])[None, None]
figure, axes = plt.subplots(1, 4, figsize=(9, 2.8))
course.draw(axes[0], x[0, 0], "x")
course.draw(axes[1], dy[0, 0], "dy", gradient=True)
course.draw(axes[2], suspects.suspect_pool(dy, pool_cache)[0, 0], "dx of the suspect", gradient=True)
course.draw(axes[3], max_pool_backward(dy, pool_cache)[0, 0], "dx, repaired", gradient=True)
figure.tight_layout()
plt.show()

# %% [markdown]
# ## Suspect 2: a convolution
#
# A convolution lays its kernel over every place in the image. Each tap of the kernel reads a pixel, so an inner pixel
# is read by all KH * KW taps, and on the way back it receives from all of them (02).

# %%
print(gradcheck(conv2d_forward, suspects.suspect_conv, suspects.CONV))

# %% [markdown]
# *Kind:* wrong. *Argument:* `x`. The rows of `weight` and `bias` are at $10^{-10}$, so the lines that make `dweight`
# and `dbias` are acquitted, and with them the loop over the taps, the slices, and `dy`. What is left is what only
# `dx` uses.
#
# *Pattern:* 52<!--{gradcheck(conv2d_forward,suspects.suspect_conv,suspects.CONV).findings[0].count}--> of 60 are
# wrong, so 8 are right. The image has 2 channels, so 4 are right in each: what does a rectangle have four of? Corners.
# And what is special about corners? A corner is read by *one* tap only.
#
# The suspicion: **where several taps meet in a pixel, they are not added up.**

# %%
course.show_source(suspects.suspect_conv)

# %% [markdown]
# The line that writes `dx` says `=`, where `+=` is needed. Each tap overwrites what the taps before it wrote, and only
# the last one counts. A corner has only one tap, so nothing is overwritten there.
#
# Count by hand, on a 3x3 image with a 2x2 kernel of ones, and `dy` of ones. Then `dx` counts how many taps read each
# pixel: a corner 1, an edge 2, the middle 4. Overwritten, all are 1. Four corners are right, five pixels are wrong.

# %%
image, kernel = np.zeros((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
output, conv_cache = conv2d_forward(image, kernel, np.zeros(1))
ones = np.ones(output.shape)
figure, axes = plt.subplots(1, 2, figsize=(6, 2.8))
course.draw(axes[0], suspects.suspect_conv(ones, conv_cache)[0][0, 0], "dx of the suspect", gradient=True, limit=4)
course.draw(axes[1], conv2d_backward(ones, conv_cache)[0][0, 0], "dx, repaired", gradient=True, limit=4)
figure.tight_layout()
plt.show()

# %% [markdown]
# ## Suspect 3: a whole U-Net
#
# Now a network of 16 arrays of weights and biases, with one level (07): `encode.0` on the way down, then `bottom`,
# then `decode.0` on the way up, and `head`. The report is longer, but easier to read than the others.

# %%
unet_report = gradcheck(minunet.unet_forward, suspects.suspect_unet, suspects.UNET)
print(unet_report)

# %% [markdown]
# *Kind:* wrong. *Argument:* here the border helps. Put the rows in the order in which the backward pass makes them,
# from the head to the input, and draw their errors.

# %%
order = ["head", "decode.0.conv2", "decode.0.conv1", "decode.0.up", "bottom.conv2", "bottom.conv1"]
order += ["encode.0.conv2", "encode.0.conv1"]
errors = {row.argument: row.error for row in unet_report.rows}
weights = [errors[f"params.{name}.weight"] for name in order]
figure, axes = plt.subplots(figsize=(7, 3.2))
axes.barh(order, weights, left=1e-12, color=[BLUE if error < 1e-6 else ORANGE for error in weights])
axes.set(xscale="log", xlim=(1e-12, 10), xlabel="worst relative error of the weight's gradient")
axes.set(title="In the order of the backward pass, from top to bottom")
axes.invert_yaxis()
figure.tight_layout()
plt.show()

# %% [markdown]
# Everything is right from the head down to `bottom.conv1`, the first convolution of the bottom. Everything is wrong
# from `encode.0.conv2` on, the last convolution of the level. So the mistake lies between them. What does the
# gradient pass through there?
#
# On the way down, the output of `encode.0` goes through the pool into the bottom; that is one path. It also goes
# through the skip connection to `decode.0`; that is the other. The pool itself has been checked, and passes. So the
# suspicion falls on the **fork**: an array that is used twice gets the *sum* of two gradients.

# %%
course.show_source(suspects.suspect_unet)

# %% [markdown]
# In the last loop, `dy` comes from `max_pool_backward`, and goes straight into the convolutions. Again something is
# unused: the list `dskips` is filled, but nothing is ever taken out of it. The gradient that came through the skip
# connection is lost. The missing line is `dy = dy + dskips.pop()`.
#
# Would this make exactly this report? What comes before the fork is not affected: right. What comes after it gets only
# one of two terms: wrong, in all elements, by no simple rule, since the missing term is different in each element.
# Yes, it would. In training, this network would still learn from what comes through the bottom. Only the check shows
# the mistake.

# %%
repaired_report = gradcheck(minunet.unet_forward, minunet.unet_backward, suspects.UNET)
print("ok:", repaired_report.ok, "  worst relative error:", f"{max(row.error for row in repaired_report.rows):.0e}")

# %% [markdown]
# ## Five for you
#
# For each of the five that follow: read the report, write down your suspicion in one sentence, run the cell that
# shows the source, and find the line. Then copy the suspect's lines into the exercise, repair the one that is wrong,
# and check.
#
# ### Suspect 4: a loss
#
# The weighted cross-entropy of 06 is a mean over all pixels of a batch, `weights * -log p`. **Exercise 1.** Repair it.

# %%
print(gradcheck(minunet.softmax_cross_entropy_forward, suspects.suspect_loss, suspects.LOSS))

# %%
course.show_source(suspects.suspect_loss)


# %% tags=["exercise"]
def my_repaired_loss_backward(dloss, cache):
    """Return dlogits, (N, K, H, W)."""
    p, labels, weights = cache
    # your code: about 4 lines
    N, K, H, W = p.shape
    onehot = labels[:, None] == np.arange(K)[:, None, None]
    dlogits = dloss * weights[:, None] / (N * H * W) * (p - onehot)
    return dlogits
    # end of your code


# %% tags=["check"]
course.check("repaired_loss_backward", my_repaired_loss_backward)

# %% [markdown] tags=["answer"]
# *Kind:* wrong. *Argument:* `logits`, the only one. *Pattern:* all 120 elements, by a constant factor of 3. Which
# size is 3? The logits are (N, K, H, W) = (3, 2, 4, 5), so it is N, the number of images. The gradient is N times too
# large.
#
# *Line:* a factor can only come from a multiplication or a division by a size, and there is one: `/ (H * W)`. The
# mean is over `N * H * W` pixels. Divided by N once more, everything is right; with a batch of one nobody would ever
# notice.
#
# **Rubric, 2 points.** One for kind, argument and pattern, as the report has them. One for the line, with a reason that
# leads from the pattern to it. A line that was found by reading alone: one.

# %% [markdown]
# ### Suspect 5: an up-convolution
#
# Each pixel of `x` paints a 2x2 block of `y`, through the four taps `(i, j)` of `weight` (C, F, 2, 2) (04). On the
# way back, each tap collects from its corner of all the blocks. **Exercise 2.** Repair it.

# %%
print(gradcheck(minunet.up_conv_forward, suspects.suspect_up_conv, suspects.UP_CONV))

# %%
course.show_source(suspects.suspect_up_conv)


# %% tags=["exercise"]
def my_repaired_up_conv_backward(dy, cache):
    """Return dx (N, C, H, W), dweight (C, F, 2, 2), dbias (F,)."""
    x, weight = cache
    # your code: about 7 lines
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for i, j in CORNERS:
        dy_tap = dy[:, :, i::2, j::2]
        dx += np.einsum("cf,nfhw->nchw", weight[:, :, i, j], dy_tap)
        dweight[:, :, i, j] = np.einsum("nchw,nfhw->cf", x, dy_tap)
    dbias = dy.sum(axis=(0, 2, 3))
    return dx, dweight, dbias
    # end of your code


# %% tags=["check"]
course.check("repaired_up_conv_backward", my_repaired_up_conv_backward)

# %% [markdown] tags=["answer"]
# *Kind:* wrong. *Argument:* `weight`; `x` and `bias` are right, which acquits `dy_tap`. *Pattern:* the right gradient
# with its last two axes swapped. And 12 of 24 is a half: the swap leaves the taps (0, 0) and (1, 1) where they are,
# and exchanges (0, 1) and (1, 0).
#
# *Line:* the only one that writes `dweight`. It says `dweight[:, :, j, i]`, and should say `[:, :, i, j]`.
#
# **Rubric, 2 points.** One for kind, argument and pattern, as the report has them. One for the line, with a reason that
# leads from the pattern to it. A line that was found by reading alone: one.

# %% [markdown]
# ### Suspect 6: crop and concatenate
#
# The centre of `skip` is cut out and stacked in front of `x`, along the channels (05). On the way back, `dskip` is a
# frame of zeros around the first channels of `dy`. Here `skip` has 6 rows and 8 columns, and `x` has 4 rows and 5
# columns. So 2 rows and 3 columns are cut away; where the number is odd, the forward pass cuts one more on the right
# than on the left. **Exercise 3.** Repair it.

# %%
print(gradcheck(minunet.crop_concat_forward, suspects.suspect_crop_concat, suspects.CROP_CONCAT))

# %%
course.show_source(suspects.suspect_crop_concat)


# %% tags=["exercise"]
def my_repaired_crop_concat_backward(dy, cache):
    """Return dskip (N, S, SH, SW) and dx (N, C, H, W)."""
    N, S, SH, SW = cache.skip_shape
    N, C, H, W = cache.x_shape
    # your code: about 5 lines
    top, left = (SH - H) // 2, (SW - W) // 2
    dskip = np.zeros(cache.skip_shape)
    dskip[:, :, top : top + H, left : left + W] = dy[:, :S]
    dx = dy[:, S:].copy()
    return dskip, dx
    # end of your code


# %% tags=["check"]
course.check("repaired_crop_concat_backward", my_repaired_crop_concat_backward)

# %% [markdown] tags=["answer"]
# *Kind:* wrong. *Argument:* `skip`; `x` is right. *Pattern:* shifted by one along the last axis, which is the columns.
# The count agrees: of the 48 pixels in a plane 24 are wrong, 4 rows of 6 columns. The 5 columns of the right place,
# and the same 5 shifted by one, cover 6 columns.
#
# *Line:* the first column is `left`, and `(SW - W + 1) // 2` rounds up where it should round down: 2 in place of 1. In
# the U-Net both differences are even, and rounding makes no difference. The bug would have gone unnoticed until
# somebody tried another size. So check at awkward sizes.
#
# **Rubric, 2 points.** One for kind, argument and pattern, as the report has them. One for the line, with a reason that
# leads from the pattern to it. A line that was found by reading alone: one.

# %% [markdown]
# ### Suspect 7: a ReLU
#
# The gradient passes where `y` is positive, and is 0 elsewhere (03). The numbers that this suspect returns are right.
# **Exercise 4.** Repair it.

# %%
print(gradcheck(minunet.relu_forward, suspects.suspect_relu, suspects.RELU))

# %%
course.show_source(suspects.suspect_relu)


# %% tags=["exercise"]
def my_repaired_relu_backward(dy, cache):
    """Return dx, the shape of dy."""
    # your code: about 1 line
    return np.where(cache.y > 0, dy, 0.0)
    # end of your code


# %% tags=["check"]
course.check("repaired_relu_backward", my_repaired_relu_backward)

# %% [markdown] tags=["answer"]
# *Kind:* mutated, in `dy`. That is the end of the hunt: look for what writes into `dy`. It is `dy[cache.y <= 0] = 0`.
# The caller's own array is changed, and at the fork of a U-Net the same array is still needed for the other path.
#
# `np.where` builds a new array, and so does `dy * (cache.y > 0)`. Note that the check of the tiny case does not see
# the mistake, since it looks at the returned numbers only.
#
# **Rubric, 2 points.** One for kind, argument and pattern, as the report has them. One for the line, with a reason that
# leads from the pattern to it. A line that was found by reading alone: one.

# %% [markdown]
# ### Suspect 8: two convolutions
#
# This is a chain with a ReLU in the middle, as in each level of a U-Net. `weight1` and `bias1` belong to the first
# convolution. **Exercise 5.** Repair it.

# %%
print(gradcheck(suspects.conv_relu_conv_forward, suspects.suspect_conv_relu_conv, suspects.CONV_RELU_CONV))

# %%
course.show_source(suspects.conv_relu_conv_forward, suspects.suspect_conv_relu_conv)


# %% tags=["exercise"]
def my_repaired_conv_relu_conv_backward(dy, cache):
    """Return dx, dweight1, dbias1, dweight2, dbias2."""
    conv1, relu, conv2 = cache
    # your code: about 4 lines
    dy, dweight2, dbias2 = conv2d_backward(dy, conv2)
    dy = relu_backward(dy, relu)
    dx, dweight1, dbias1 = conv2d_backward(dy, conv1)
    return dx, dweight1, dbias1, dweight2, dbias2
    # end of your code


# %% tags=["check"]
course.check("repaired_conv_relu_conv_backward", my_repaired_conv_relu_conv_backward)

# %% [markdown] tags=["answer"]
# *Kind:* wrong. *Argument:* the backward pass makes `weight2` and `bias2` first, and they are right; `weight1`,
# `bias1` and `x` are wrong. The border is between the two convolutions, and what is there in the forward pass is the
# ReLU.
#
# *Line:* none is wrong, but one is missing: `dy = relu_backward(dy, relu)`. Once more the clue is a variable that is
# never used, `relu`. Without the gate, the gradient also passes where the ReLU was closed. (Why 83 of 84, and not all?
# Each pixel of `x` gets its gradient from several pixels of the hidden array. Only at one corner, which gets it from a
# single one, were the gates of all three channels open.)
#
# **Rubric, 2 points.** One for kind, argument and pattern, as the report has them. One for the line, with a reason that
# leads from the pattern to it. A line that was found by reading alone: one.

# %% [markdown]
# ## Suspect 9: a riddle
#
# A loss again. Read the report and the source. **Question 1.** Which line is wrong?

# %%
print(gradcheck(minunet.softmax_cross_entropy_forward, suspects.suspect_loss_again, suspects.LOSS_AGAIN))
course.show_source(suspects.suspect_loss_again)

# %% [markdown] tags=["answer"]
# None. The kind is `vacuous`: everything that was compared is zero, so this check would have passed a function that
# returns zeros, and it says nothing about the code. The arguments are to blame. Look at them:
# `suspects.LOSS_AGAIN[2]`, the weights, is zero at every pixel. At `suspects.LOSS` the same function passes. A report
# that says FAILED can accuse the check as well as the code, and the kind tells which.
#
# **Rubric, 2 points.** One for: no line is wrong, the check is `vacuous`. One for the cause, weights that are all zero.

# %% [markdown]
# ## Four more, from public code
#
# Each of the next suspects is a small version of a bug that somebody found in public code, mostly long after it was
# written: networks learn, a little worse, with a gradient that is a little wrong.
#
# ### Suspect 10: a softmax
#
# The softmax alone, without the loss: `p = exp(x) / sum of exp(x)` over the K classes of a pixel. Found in teaching
# code and in small frameworks ([one report](https://github.com/HomericIntelligence/Odyssey/issues/2134),
# [another](https://github.com/wkcn/mobula/issues/3)). Besides the report, use what you know of a softmax: a constant
# that is added to all logits of a pixel changes nothing. So what must the dx of a pixel sum to, over its classes?
# **Exercise 6.** Repair it.

# %%
print(gradcheck(public.softmax_forward, public.suspect_softmax, public.SOFTMAX))
p, p_cache = public.softmax_forward(*public.SOFTMAX)
some_dy = np.random.default_rng(0).standard_normal(p.shape)
print("sums of dx over the classes:", public.suspect_softmax(some_dy, p_cache).sum(axis=1)[0, 0].round(2))

# %%
course.show_source(public.softmax_forward, public.suspect_softmax)


# %% tags=["exercise"]
def my_repaired_softmax_backward(dy, cache):
    """Return dx, (N, K, H, W). The cache is p, (N, K, H, W)."""
    p = cache
    # your code: about 2 lines
    s = (dy * p).sum(axis=1, keepdims=True)  # (N, 1, H, W)
    return p * (dy - s)
    # end of your code


# %% tags=["check"]
course.check("repaired_softmax_backward", my_repaired_softmax_backward)

# %% [markdown] tags=["answer"]
# *Kind:* wrong. *Argument:* the only one. *Pattern:* all elements, by no simple rule, "a term is missing". And the sums
# over the classes should be 0 and are not: the classes of a pixel do not know of each other.
#
# *Line:* `p * (1 - p)` is the derivative of p_k with respect to its own logit. But logit j moves the p of *every*
# class, by `-p_j * p_k`. With all of them, dx_j = p_j * (dy_j - sum over k of dy_k * p_k). Somebody who tests with K =
# 1, or looks at the diagonal of the Jacobian only, never sees the difference.
#
# **Rubric, 2 points.** One for kind, argument and pattern, with the sums over the classes, which should be 0. One for
# the line, with the other classes as the reason.

# %% [markdown]
# ### Suspect 11: a mirror
#
# The image is continued beyond its edges as in a mirror (notebook 10). `rows` and `columns` say which row and column of
# x each row and column of y shows. This has happened to large frameworks, in the backward pass of any reading by an
# index ([PyTorch](https://github.com/pytorch/pytorch/issues/1631),
# [MXNet](https://github.com/apache/mxnet/issues/9172)). **Exercise 7.** Repair it.

# %%
print(gradcheck(public.mirror_forward, public.suspect_mirror, public.MIRROR))

# %%
course.show_source(public.mirror_forward, public.suspect_mirror)


# %% tags=["exercise"]
def my_repaired_mirror_backward(dy, cache):
    """Return dx, of the shape in the cache."""
    shape, rows, columns = cache
    dx = np.zeros(shape)
    # your code: about 2 lines
    np.add.at(dx, (slice(None), slice(None), rows[:, None], columns), dy)
    return dx
    # end of your code


# %% tags=["check"]
course.check("repaired_mirror_backward", my_repaired_mirror_backward)

# %% [markdown] tags=["answer"]
# *Kind:* wrong. *Argument:* the only one. *Pattern:* 108 of 180, and there are 6 planes of 5x6 pixels: 18 of 30 wrong,
# 12 right in each. 12 is 3 rows times 4 columns. With a margin of 1 the mirror shows row 1 twice and row 3 twice, and
# so it does with columns 1 and 4. The other 3 rows and 4 columns are shown once, and they are right. So what is shown
# twice is wrong.
#
# *Line:* `dx[...] += dy` looks as if it added. But NumPy reads all elements first, adds, and then writes: if an element
# is named twice in the index, the second write replaces the first. `np.add.at` adds as often as it is named.
#
# **Rubric, 2 points.** One for kind, argument and pattern, with what the 12 right pixels have in common. One for the
# line: an element that is named twice is written once.

# %% [markdown]
# ### Suspect 12: a convolution with a stride
#
# Notebook 02, exercises 5 and 6: the kernel moves by 2 pixels. The cache holds x, weight and the stride. From a much
# copied solution of an online course ([the repair](https://github.com/Kulbear/deep-learning-coursera/pull/34)).
# **Exercise 8.** Repair it.

# %%
print(gradcheck(strided_conv_forward, public.suspect_strided_conv, public.STRIDED))

# %%
course.show_source(public.suspect_strided_conv)


# %% tags=["exercise"]
def my_repaired_strided_conv_backward(dy, cache):
    """Return dx (N, C, H, W), dweight (F, C, KH, KW) and dbias (F,)."""
    x, weight, stride = cache
    OH, OW = dy.shape[2:]
    # your code: about 7 lines
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for kh, kw in np.ndindex(weight.shape[2:]):
        rows, columns = slice(kh, kh + stride * OH, stride), slice(kw, kw + stride * OW, stride)
        dx[:, :, rows, columns] += np.einsum("fc,nfhw->nchw", weight[:, :, kh, kw], dy)
        dweight[:, :, kh, kw] = np.einsum("nfhw,nchw->fc", dy, x[:, :, rows, columns])
    return dx, dweight, dy.sum(axis=(0, 2, 3))
    # end of your code


# %% tags=["check"]
course.check("repaired_strided_conv_backward", my_repaired_strided_conv_backward)

# %% [markdown] tags=["answer"]
# *Kind:* wrong. *Argument:* x and weight, and bias is right. So dy is as it should be, and what x and weight have in
# common is the place: `rows` and `columns`. *Pattern:* in x nearly all are wrong, 55 of 63 in a plane. Only
# two places are right: the last column, which no tap reads and nobody writes to, and the pixel at the top left, where
# the first tap begins in either case.
#
# *Line:* the slices have no step, and `stride` is unpacked and never used: once more the unused variable. The shapes
# fit, so nothing stops with an error. The wrong gradient of x lies in the upper left part of the image.
#
# **Rubric, 2 points.** One for kind, argument and pattern: x and weight are wrong, bias is right. One for the line: the
# stride is unpacked and never used.

# %% [markdown]
# ### Suspect 13: a normalisation
#
# Each channel gets mean 0 and standard deviation 1, over N, H and W. That is the heart of batch normalisation. In a
# known library its backward pass [was reported wrong](https://github.com/mlpack/mlpack/issues/1923) although there was
# a gradient check: the normalisation was the first layer of the checked network, so its dx went nowhere and was never
# compared. **Exercise 9.** Repair it.

# %%
print(gradcheck(public.standardise_forward, public.suspect_standardise, public.STANDARDISE))

# %%
course.show_source(public.standardise_forward, public.suspect_standardise)


# %% tags=["exercise"]
def my_repaired_standardise_backward(dy, cache):
    """Return dx, (N, C, H, W)."""
    y, deviation = cache
    # your code: about 3 lines
    through_mean = dy.mean(axis=(0, 2, 3), keepdims=True)
    through_deviation = y * (dy * y).mean(axis=(0, 2, 3), keepdims=True)
    return (dy - through_mean - through_deviation) / deviation
    # end of your code


# %% tags=["check"]
course.check("repaired_standardise_backward", my_repaired_standardise_backward)

# %% [markdown] tags=["answer"]
# *Kind:* wrong. *Argument:* the only one. *Pattern:* all elements, and "close to the right gradient: a small term is
# missing". So count the terms. x reaches y in three ways: directly, through the mean, and through the deviation. The
# suspect has two.
#
# *Line:* the deviation is treated as a constant, and `y` is unpacked and never used. If x[i] moves by a little, the
# deviation moves by y[i] / n times that, n being the number of pixels of a channel, and every y shrinks in proportion
# to itself. That gives `y * mean(dy * y)`. The more pixels, the smaller the term, so it went unnoticed.
#
# **Rubric, 2 points.** One for kind, argument and pattern: a small term is missing. One for the line: x also reaches y
# through the deviation.

# %% [markdown]
# ## Suspect 14: it passes
#
# A max-pool once more, on what comes out of a ReLU. The bug was found in many places, in the end
# [by a reviewer](https://github.com/mni-ml/framework/pull/22) too. **Question 2.** The check says ok. Is the backward
# pass right? Read the finding below the table, and the number in the cell after it.

# %%
print(gradcheck(public.largest_forward, public.suspect_largest, public.TIES))
course.show_source(public.largest_forward, public.suspect_largest)

# %%
largest, windows = public.largest_forward(*public.TIES)
dx_of_ones = public.suspect_largest(np.ones(largest.shape), windows)
print("dy of ones: the sum of dy is", largest.size, "and the sum of dx is", int(dx_of_ones.sum()))

# %% [markdown] tags=["answer"]
# No. A window whose four pixels are all 0 has four winners, and each gets the whole of dy: the gradient is multiplied
# by four. The sum of dx shows it, since a pool hands each dy on exactly once. After a ReLU such windows are common.
#
# The check is silent because a tie is a kink: to one side the slope is dy, to the other it is 0, and there is no
# derivative to compare with. It says so: 8 elements were left out. A finding `kink` is no acquittal of those
# elements. What is right there is a matter of definition, and minunet's is that the first winner takes all (notebook
# 03). For such a rule one needs a test of its own, as this sum is.
#
# **Rubric, 2 points.** One for no, with the sum of dx as the evidence. One for why the check is silent: ties are kinks,
# and kinks are left out.

# %% [markdown]
# **Question 3.** This one is for two people. Each breaks one line of a backward pass from the layers, such as
# [conv.py](../minunet/layers/conv.py), prints the report of `gradcheck`, and gives the other the *report only*. Who
# names the line first? Which kinds of mistake are hard to find in this way, and which sizes of the arguments would
# have made the report say more? (There is no answer to look up.)
#
# ## In three lines
#
# Read a report in the order kind, argument, pattern, line, and look at the code last.
#
# Right rows acquit: the mistake lies between the last gradient that is right and the first that is wrong.
#
# Counts and factors point at sizes, so choose arguments whose sizes all differ, and look for anything that is computed
# or cached but never used.
#
# ## Where to read more
#
# How the hints are found: [hints.py](../minunet/gradcheck/hints.py); the kinds and how
# each is recognised: the top of [check.py](../minunet/gradcheck/check.py). More than eighty further bugs, by layer,
# live in [tests/zoo](../tests/zoo/conv2d.py): each is a suspect that you can put before `gradcheck`. Andreas Zeller's
# book *Why Programs Fail* teaches this way of searching for any program.
