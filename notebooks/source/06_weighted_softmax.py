# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 06 Weighted softmax
#
# The last convolution of the U-Net leaves K numbers at every pixel, one for each class, of any size and sign. They are
# called *logits*. To train, we need one number for the whole image that says how wrong they are, the *loss*, and we
# need its gradient, `dlogits`: that is where every backward pass begins.
#
# This page builds the loss from the logits up: softmax, cross-entropy, a weight for every pixel. Its gradient turns
# out to be one short line, `weights * (p - onehot) / count`. Then come the paper's weights (eq. 2), which make the
# thin background between touching cells count most, and what they do to the gradient.
#
# You need this from the earlier notebooks: a backward pass gets the gradient of its output and returns the gradient of
# its inputs; `gradcheck` measures the same numbers by moving each input a little; arrays are (N, C, H, W), with the
# channels (here: the K classes) as axis 1.

# %%
import matplotlib.pyplot as plt
import numpy as np
import scipy.ndimage

from minunet import course, gradcheck, separate_touching, softmax_cross_entropy_backward, softmax_cross_entropy_forward
from minunet.data import synthetic_cells, weight_map
from minunet.data.weight_maps import balanced_weights
from minunet.errors import InputError
from minunet.pictures.weights import in_colours

# %% [markdown]
# ## Softmax, by hand
#
# One pixel and three classes, with the logits 2, 1 and 0. We want probabilities `p`: none below 0, and their sum 1.
# `exp` makes every number positive, and dividing by the sum makes the total 1:
#
#     p[k] = exp(logits[k]) / sum_k' exp(logits[k'])

# %%
logits = np.array([2.0, 1.0, 0.0])
exp = np.exp(logits)
p = exp / exp.sum()
print("exp", exp.round(3), "  sum", exp.sum().round(3))
print("p  ", p.round(3))

# %% [markdown]
# On paper: exp(2) = 7.389, exp(1) = 2.718 and exp(0) = 1, in all 11.107. So p = 7.389 / 11.107 = **0.665**, then
# **0.245** and **0.090**. If one logit is larger than another by 1, its class is e = 2.718 times as probable. As for
# the name: a "max" would give 1 to the largest logit and 0 to the rest, and this is a soft version of it.

# %%
figure, all_axes = plt.subplots(1, 3, figsize=(8, 2.4), layout="constrained")
for axes, (name, values) in zip(all_axes, {"logits": logits, "exp(logits)": exp, "p": p}.items(), strict=True):
    axes.bar(["k = 0", "k = 1", "k = 2"], values, color="0.5")
    axes.set_title(f"{name}, {values.shape}")
plt.show()

# %% [markdown]
# ## Only differences count, and that saves us
#
# Add any number c to all the logits of a pixel. Since exp(a + c) = exp(a) * exp(c), every term of the numerator and
# the denominator gets the same factor exp(c), which cancels. So `p` stays the same. Expect 0.665, 0.245, 0.090 again
# for 102, 101, 100. And for 1002, 1001, 1000?


# %%
def softmax_as_written(logits):
    with np.errstate(over="ignore", invalid="ignore"):  # no warnings: we look at the numbers
        exp = np.exp(logits)
        return exp / exp.sum()


for c in (0, 100, 1000):
    print(f"c = {c:4}: p {softmax_as_written(logits + c).round(3)}")

# %% [markdown]
# The last line says `nan`, "not a number". In float64 the largest number is about 1.8e308, and exp exceeds it beyond
# 709.8; in float32, in which we train, beyond 88.7. Beyond that `exp` is `inf`, and `inf / inf` is `nan`. One such
# pixel makes the loss `nan`, then the gradients, and after one step the weights of the network.
#
# The shift gives us a way out. Subtract the pixel's largest logit from all of them: `p` is the same, the largest
# exponent is 0, and exp(0) = 1. Nothing can overflow. The others may become 0, and that is harmless, because the sum
# is at least 1.

# %%
large = logits + 1000
shifted = large - large.max()
print("shifted", shifted, "  p", softmax_as_written(shifted).round(3))

# %% [markdown]
# **Exercise 1.** Write the softmax for a batch of images, over axis 1, so that even the largest logits cannot make it
# overflow. `keepdims=True` keeps an axis of length 1, so that (N, 1, H, W) fits under (N, K, H, W).


# %% tags=["exercise"]
def my_softmax(logits):
    """Return p, (N, K, H, W)."""
    # your code: about 3 lines
    shifted = logits - logits.max(axis=1, keepdims=True)
    exp = np.exp(shifted)
    return exp / exp.sum(axis=1, keepdims=True)
    # end of your code


# %% tags=["check"]
course.check("softmax", my_softmax)

# %% [markdown]
# ## Cross-entropy: how surprised are you?
#
# The truth of a pixel is one class, its *label*. We look only at the probability of that class, and call `-log
# p[label]` the *surprise*: 0 if that probability is 1, and larger without limit the closer it is to 0. Averaged over
# pixels this is the *cross-entropy*.

# %%
probabilities = np.linspace(0.004, 1, 300)
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.plot(probabilities, -np.log(probabilities), color="#0072B2")
axes.plot(p, -np.log(p), "o", color="#D55E00")
for k in range(3):
    axes.annotate(f"  label {k}: {-np.log(p[k]):.3f}", (p[k], -np.log(p[k])), va="bottom")
axes.set(xlabel="probability of the label, p[label]", ylabel="surprise, -log p[label]", xlim=(0, 1), ylim=(0, 5.5))
plt.show()

# %% [markdown]
# For our pixel: if its label is 0, the surprise is 0.408; if it is 2, the surprise is 2.408. The two differ by 2,
# exactly as the logits do. A network that knows nothing gives each of two classes 1/2, and its surprise is log 2 =
# 0.693. Remember that number: a network whose loss is near 0.693 has learned nothing.
#
# The paper's energy is the sum over all pixels, each times its weight; the library takes the mean, so that the loss
# does not grow with the tile:
#
#     loss = mean_{n,h,w}  weights[n,h,w] * -log p[n, labels[n,h,w], h, w]

# %%
course.show_source(softmax_cross_entropy_forward)

# %% [markdown]
# It never computes `p` first and then its log. `log(exp(shifted) / sum)` is `shifted - log(sum)`, which is finite even
# where `p` itself is too small to be stored. At every pixel, `take_along_axis` picks the entry of the label.
#
# Here is an image of 2x2 pixels and two classes, to work out by hand. The logit of class 0 is 0 everywhere, that of
# class 1 is 0 or log 3. Where it is log 3, class 1 has p = 3 / (1 + 3) = 3/4, since exp(log 3) = 3. Where it is 0, p =
# 1/2.

# %%
logits_2x2 = np.zeros((1, 2, 2, 2))  # (N, K, H, W)
logits_2x2[0, 1] = [[0, np.log(3)], [np.log(3), 0]]
labels_2x2 = np.array([[[0, 1], [0, 1]]])  # (N, H, W)
weights_2x2 = np.array([[[1.0, 1.0], [2.0, 0.0]]])  # (N, H, W)
for weights in (None, weights_2x2):
    loss, _ = softmax_cross_entropy_forward(logits_2x2, labels_2x2, weights)
    print(f"loss {loss:.4f}")

# %% [markdown]
# By hand, row by row: the labels have the probabilities 1/2, 3/4, 1/4 and 1/2, so the surprises are 0.693, 0.288,
# 1.386 and 0.693. Their mean is 3.060 / 4 =
# **0.765<!--{softmax_cross_entropy_forward(logits_2x2,labels_2x2)[0]:.3f}-->**. With the weights 1, 1, 2, 0 it is
# (0.693 + 0.288 + 2.773 + 0) / 4 =
# **0.938<!--{softmax_cross_entropy_forward(logits_2x2,labels_2x2,weights_2x2)[0]:.3f}-->**. The division is by 4, the
# number of pixels, and not by the sum of the weights.
#
# **Exercise 2.** Write the loss: softmax, surprise, weights, mean. You may take the log of `p`, or do as the library
# does.


# %% tags=["exercise"]
def my_weighted_cross_entropy(logits, labels, weights):
    """Return the loss, a scalar."""
    # your code: about 4 lines
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    surprise = -np.take_along_axis(log_p, labels[:, None], axis=1)[:, 0]
    return np.mean(weights * surprise)
    # end of your code


# %% tags=["check"]
course.check("weighted_cross_entropy", my_weighted_cross_entropy)

# %% [markdown]
# ## The gradient of one pixel
#
# Take the pixel with the logits 2, 1, 0 and let its label be 0. Written out, its surprise has two terms:
#
#     -log p[label] = log_sum - logits[label]        with  log_sum = log(sum_k exp(logits[k]))
#
# Raise logit k a little. The second term changes only if k is the label, and then by -1: that is `-onehot[k]`, where
# *onehot* is 1 at the label and 0 elsewhere. For the first term, the chain rule: the derivative of log is 1 / sum,
# and that of the sum is exp(logits[k]). Their product is exp(logits[k]) / sum, and that is `p[k]`. Together:
#
#     dlogits[k] = p[k] - onehot[k]
#
# Expect (0.665 - 1, 0.245, 0.090) = **(-0.335, 0.245, 0.090)**.


# %%
def surprise_of_label_0(logits):
    return np.log(np.exp(logits).sum()) - logits[0]


onehot = np.array([1.0, 0.0, 0.0])
steps = 1e-6 * np.eye(3)  # row k raises logit k
measured = [(surprise_of_label_0(logits + s) - surprise_of_label_0(logits - s)) / 2e-6 for s in steps]
print("p - onehot", (p - onehot).round(3))
print("measured  ", np.round(measured, 3))

figure, all_axes = plt.subplots(1, 3, figsize=(8, 2.6), layout="constrained", sharey=True)
red_above_0 = ["#B2182B" if value > 0 else "#2166AC" for value in p - onehot]  # as in all pictures of gradients
bars = {"p": (p, "0.5"), "onehot": (onehot, "0.5"), "p - onehot": (p - onehot, red_above_0)}
for axes, (name, (values, colours)) in zip(all_axes, bars.items(), strict=True):
    axes.bar(["k = 0", "k = 1", "k = 2"], values, color=colours)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_title(f"{name}, {values.shape}")
plt.show()

# %% [markdown]
# Gradient descent goes against the gradient: it raises the logit of the label, and lowers the others, each in
# proportion to its probability. The three numbers add up to 0, because both `p` and `onehot` add up to 1: shifting all
# logits changes nothing, so along the shift the gradient is 0. And none of them lies beyond 1 or -1, however large the
# surprise is. A pixel that is right, and sure of it, has almost no gradient.
#
# ## From one pixel to the image
#
# The loss is a mean over `count = N * H * W` pixels, each surprise times its weight. A logit belongs to one pixel and
# moves that pixel's surprise only. So its gradient is the one above, times the factor of that surprise in the loss,
# weights / count. One more factor comes from outside: `dloss`, the gradient of the loss itself, usually 1.
#
#     dlogits[n,k,h,w] = dloss * weights[n,h,w] / count * (p[n,k,h,w] - onehot[n,k,h,w])
#
# For the 2x2 image, class 1: pixel (0, 0) has p = 1/2 and label 0, so 1 * (1/2 - 0) / 4 = 0.125. Pixel (0, 1) has 3/4
# and label 1: (3/4 - 1) / 4 = -0.0625. Pixel (1, 0) has 3/4, label 0 and weight 2: 2 * 3/4 / 4 = 0.375. Pixel (1, 1)
# has weight 0.

# %%
_, cache_2x2 = softmax_cross_entropy_forward(logits_2x2, labels_2x2, weights_2x2)
dlogits_2x2 = softmax_cross_entropy_backward(np.array(1.0), cache_2x2)
figure, all_axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
course.draw(all_axes[0], cache_2x2.p[0, 1], "p of class 1")
course.draw(all_axes[1], weights_2x2[0], "weights")
course.draw(all_axes[2], dlogits_2x2[0, 1], "dlogits of class 1", gradient=True)
plt.show()

# %% [markdown]
# Class 0 has the same numbers with the opposite sign, since the two add up to 0 at every pixel.
#
# **Exercise 3.** Write the backward pass. `labels[:, None] == classes`, with `classes` of shape (K, 1, 1), makes the
# onehot, (N, K, H, W).


# %% tags=["exercise"]
def my_softmax_cross_entropy_backward(dloss, cache):
    """Return dlogits, (N, K, H, W)."""
    p, labels, weights = cache
    # your code: about 4 lines
    N, K, H, W = p.shape
    classes = np.arange(K)[:, None, None]
    onehot = labels[:, None] == classes
    return dloss * weights[:, None] / (N * H * W) * (p - onehot)
    # end of your code


# %% tags=["check"]
course.check("softmax_cross_entropy_backward", my_softmax_cross_entropy_backward)

# %% [markdown]
# Here is the library's version, and its gradient check. This function is curved, and its gradients are small, since
# each belongs to a mean over 40 pixels. So expect an error near 1e-9 rather than 1e-11. The weights do not appear in
# the table: they are part of the data, and nobody needs their gradient.

# %%
course.show_source(softmax_cross_entropy_backward)

# %%
rng = np.random.default_rng(6)
args = rng.standard_normal((2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5)), rng.random((2, 4, 5))
print(gradcheck(softmax_cross_entropy_forward, softmax_cross_entropy_backward, args))

# %% [markdown]
# ## Weight 0: a pixel that is not there
#
# A pixel of weight 0 adds nothing to the loss and gets no gradient, whatever its label says. Many data sets mark
# pixels whose class is unknown by a label such as 255. With weight 0 that label is never looked at. With any other
# weight it is an error, and the library says so.

# %%
unknown = labels_2x2.copy()
unknown[0, 1, 1] = 255
print("weight 0:", softmax_cross_entropy_forward(logits_2x2, unknown, weights_2x2)[0].round(4))
try:
    softmax_cross_entropy_forward(logits_2x2, unknown, np.ones((1, 2, 2)))
except InputError as error:
    print("weight 1:", error)

# %% [markdown]
# The loss is 0.9384<!--{softmax_cross_entropy_forward(logits_2x2,unknown,weights_2x2)[0]:.4f}-->, as before. Beware of
# one thing: the ignored pixel still counts in `count`. Ignore half of an image, and the loss becomes about half as
# large, although the network is no better.
#
# **Question 1.** All weights are doubled. What happens to the loss, to `dlogits`, and to a step of gradient descent?
# Which other setting of the training could you change instead?

# %% [markdown] tags=["answer"]
# The loss and `dlogits` double, and so does every gradient in the network, since each layer's backward pass is linear
# in `dy`. A step of gradient descent is twice as long, as if the learning rate had been doubled. Only the *ratios* of
# the weights say what counts more; their size is a second learning rate. So the library's class weights have mean 1.
#
# **Rubric, 2 points.** One for: the loss and all gradients double. One for: it is as if the learning rate had been
# doubled, so only ratios say what counts.

# %% [markdown]
# ## An upstream gradient of ones proves nothing
#
# Here is a trap for gradient checks. Take the softmax alone as a layer, with `p` as its output. To find its backward
# pass, raise logit k by a small h. Then `exp(logits[k])` grows by the share `h`, and the sum by the share `h * p[k]`.
# So `p[k]` grows by `h * p[k] * (1 - p[k])`, and every other `p[j]` shrinks by `h * p[j] * p[k]`. Each change times
# its `dp`, added up and divided by h:
#
#     dlogits[k] = p[k] * (dp[k] - sum_j dp[j] * p[j])


# %%
def softmax_forward(logits):
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = exp / exp.sum(axis=1, keepdims=True)
    return p, p


def softmax_backward(dp, p):
    return p * (dp - (dp * p).sum(axis=1, keepdims=True))


def five_times_too_much(dp, p):
    return 5 * softmax_backward(dp, p)


args_softmax = (np.random.default_rng(6).standard_normal((1, 3, 2, 2)),)
_, p_softmax = softmax_forward(*args_softmax)
for title, dp in {"dp of ones": np.ones((1, 3, 2, 2)), "dp random": rng.standard_normal((1, 3, 2, 2))}.items():
    for backward in (softmax_backward, five_times_too_much):
        report = gradcheck(softmax_forward, backward, args_softmax, dy=dp)
        largest = np.abs(backward(dp, p_softmax)).max()
        print(f"{title}, {backward.__name__}: largest dlogits {largest:.0e}, {'ok' if report.ok else 'FAILED'}")

# %% [markdown]
# With ones, `phi = sum(p)`. But the p of every pixel add up to 1, so `phi` is 4, the number of pixels, whatever the
# logits are. Its gradient is 0 everywhere. Both backward passes return zeros, up to rounding, and a simple checker
# would call both right. `gradcheck` passes neither, not even the right one: with such a `dp` there is nothing to
# compare but rounding. A random `dp` tells the two apart at once.
#
# ## Which pixels should count more?
#
# The paper segments cells that touch. Between two touching cells the truth has a line of background, one or two pixels
# wide. A network that misses it gets nearly every pixel right, and still joins two cells into one. So the paper gives
# those few pixels a large weight.
#
# First, the line must be there. Here are two cells that touch, 3 and 4 pixels wide, in an image of 6x9.
# `separate_touching` clears a path between them, at the expense of the larger cell.

# %%
cells = np.zeros((6, 9), int)
cells[1:5, 1:4], cells[1:5, 4:8] = 1, 2
separated = separate_touching(cells)
figure, all_axes = plt.subplots(1, 2, figsize=(8, 2.9), layout="constrained")
course.draw(all_axes[0], cells, "cells that touch, (6, 9)")
course.draw(all_axes[1], separated, "separate_touching(cells)")
plt.show()

# %% [markdown]
# Now each pixel of the background needs two distances: `d1` to the nearest cell, and `d2` to the second nearest. In
# the gap both are 1. Far from all cells both are large, and on the outer side of one cell `d1` is small and `d2` is
# large. So the sum `d1 + d2` is small only where two cells are near. Equation 2 of the paper turns it into a weight:
#
#     weights = w_c + w0 * exp(-(d1 + d2)**2 / (2 * sigma**2))
#
# with w0 = 10 and sigma = 5 pixels. `scipy.ndimage.distance_transform_edt` gives each pixel's distance to the nearest
# zero, so we set the cell to zero. (The paper measures to the border of a cell; we measure to its nearest pixel.)

# %%
to_cell = [scipy.ndimage.distance_transform_edt(separated != number) for number in (1, 2)]
d1, d2 = np.sort(to_cell, axis=0)
border_term = 10 * np.exp(-((d1 + d2) ** 2) / (2 * 5**2)) * (separated == 0)
figure, all_axes = plt.subplots(1, 3, figsize=(9, 2.4), layout="constrained")
for axes, (name, plane) in zip(all_axes, {"d1": d1, "d2": d2, "border term": border_term}.items(), strict=True):
    course.draw(axes, plane.round(1), name)
plt.show()

# %% [markdown]
# In the gap d1 + d2 = 2, and 10 * exp(-4 / 50) = **9.23<!--{border_term[2,4]:.2f}-->**. In the middle of the left edge
# it is 1 + 5 = 6, and 10 * exp(-36 / 50) = **4.87<!--{border_term[2,0]:.2f}-->**. (The picture rounds to one decimal.)
# At sigma = 5 pixels this tiny image has no pixel that is far from both cells; on a real one most are. The term is
# added on background only: inside a cell there is no border to learn.
#
# The other part, `w_c`, balances the classes. Here 24 pixels are cell and 30 are background. With 54 / (2 * 24) =
# 1.125 for each cell pixel and 54 / (2 * 30) = 0.9 for each background pixel, both classes have a total of 27, and
# the mean is 1.

# %%
print("(background, cell):", *balanced_weights(separated > 0))
weights_small = weight_map(separated)
figure, axes = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
course.draw(axes, weights_small, f"weight_map(separated), {weights_small.shape}")
plt.show()
assert abs(weights_small[2, 4] - (0.9 + 9.23)) < 0.01

# %% [markdown]
# In the gap 0.9 + 9.23 = **10.13<!--{weights_small[2,4]:.2f}-->**, nine times as much as a pixel of a cell. In the
# library all of this takes a few lines; `two_nearest` does what we did with a sort, but looks only at the surroundings
# of each cell, which is faster if there are many.

# %%
course.show_source(weight_map, balanced_weights)

# %% [markdown]
# **Exercise 4.** Write the border weights, with `w_c = 1` for both classes: 1 on cells, and 1 plus the border term on
# background. There are at least two cells, with any numbers but 0. `np.unique(instances)` lists the numbers, and 0
# comes first.


# %% tags=["exercise"]
def my_border_weights(instances, w0, sigma):
    """Return the weights, (H, W)."""
    # your code: about 5 lines
    numbers = np.unique(instances)[1:]
    to_cell = [scipy.ndimage.distance_transform_edt(instances != number) for number in numbers]
    d1, d2 = np.sort(to_cell, axis=0)[:2]
    border = w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    return np.where(instances > 0, 1.0, 1 + border)
    # end of your code


# %% tags=["check"]
course.check("border_weights", my_border_weights)

# %% [markdown]
# **Question 2.** What is wrong with `weight_map(cells)`, that is, without `separate_touching`?

# %% [markdown] tags=["answer"]
# It raises no error, and it misses the point. There is no background between the two cells, so no pixel there gets the
# border term: columns 3 and 4 have the weight of any other cell pixel. The labels would even tell the network that the
# two are joined. The large weights then lie on the outer sides of the pair, where they are useless.
#
# **Rubric, 2 points.** One for: no pixel of background lies between the cells, so none gets the border term. One for
# what the network is then told: that the two are joined.

# %% [markdown]
# ## As in Fig. 3
#
# Here are a picture of synthetic cells, 128x128 pixels, its cells in colours, the labels after `separate_touching`,
# and the weights: what the paper's Fig. 3 shows as a, b, c and d.

# %%
image, instances = synthetic_cells(np.random.default_rng(6), 128, 128)
true_cells = separate_touching(instances)
labels = (true_cells > 0).astype(int)
gap = (instances > 0) & (true_cells == 0)  # what separate_touching turned into background
weights_cells = weight_map(true_cells)
share = weights_cells[gap].sum() / weights_cells.sum()
print(f"gaps: {gap.sum()} pixels of {gap.size}, or {gap.mean():.2%}, with {share:.1%} of the weight")
print(f"mean weight {weights_cells.mean():.2f}")

figure, all_axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
course.draw_image(all_axes[0], image, "a  image")
all_axes[1].imshow(in_colours(instances))
all_axes[2].imshow(labels, cmap="gray")
shown = all_axes[3].imshow(weights_cells, cmap="inferno", vmin=0)
for axes, title in zip(all_axes[1:], ("b  cells", "c  labels", "d  weights"), strict=True):
    axes.set(title=title, xlabel="W = 128", xticks=[], yticks=[])
figure.colorbar(shown, ax=all_axes[3], shrink=0.8)
plt.show()

# %% [markdown]
# The gaps are 0.87<!--{100*gap.mean():.2f}--> % of the pixels and carry 6.6<!--{100*share:.1f}--> % of the weight,
# nearly eight times their share. Note the mean, 1.30<!--{weights_cells.mean():.2f}-->: the class weights have mean 1,
# and the border term comes on top. So a loss with the map and a loss without it are different measures, and must not
# be compared.
#
# ## What the map does to the gradient
#
# First a network that knows nothing: all logits are 0, and p = 1/2 everywhere. Then `p - onehot` is -1/2 on cells and
# +1/2 on background (class 1), and `count * dlogits` is half the weights, with a sign. Each picture has its own scale:
# look at the colour bars.


# %%
def dlogits_of(logits, weights):
    """Return the gradient of class 1, times the number of pixels, (H, W)."""
    weights = None if weights is None else weights[None]
    _, cache = softmax_cross_entropy_forward(logits, labels[None], weights)
    return labels.size * softmax_cross_entropy_backward(np.array(1.0), cache)[0, 1]


def draw_without_and_with(logits):
    figure, all_axes = plt.subplots(1, 2, figsize=(9, 3.7), layout="constrained")
    for axes, (title, weights) in zip(all_axes, {"without": None, "with": weights_cells}.items(), strict=True):
        plane = dlogits_of(logits, weights)
        shown = course.draw(axes, plane, f"count * dlogits of class 1, {title} the map", gradient=True)
        figure.colorbar(shown, ax=axes, shrink=0.8)
        print(f"{title} the map: {np.abs(plane[gap]).sum() / np.abs(plane).sum():.1%} of the gradient in the gaps")
    plt.show()


draw_without_and_with(np.zeros((1, 2, 128, 128)))

# %% [markdown]
# Red asks for a lower logit of "cell", blue for a higher one. Without the map all pixels pull equally hard. With it,
# the gaps pull about ten times as hard as a pixel of a cell.
#
# Now a network that has learned what is easy. It finds every cell, but joins those that touch. We make its logits from
# the cells *before* they were separated, a little blurred: `8 * (blurred - 1/2)` is +4 inside, -4 outside, and 0 on
# the outlines.

# %%
blurred = scipy.ndimage.gaussian_filter((instances > 0).astype(float), 1)
logits_joined = np.stack([np.zeros((128, 128)), 8 * (blurred - 0.5)])[None]  # (1, 2, 128, 128)
proposal = logits_joined[0, 1] > 0
print(f"{(proposal == labels).mean():.1%} of the pixels are right")
draw_without_and_with(logits_joined)

# %% [markdown]
# About 99 % of the pixels are right, and yet all touching cells are joined. Without the map only a fifth of the
# gradient is about that; the rest comes from the outlines, which are uncertain everywhere. With the map it is more
# than half: push this line down, here and nowhere else. In the backward pass the map changes only one factor for each
# pixel, and with it what the network learns from.
#
# **Question 3.** The weight of a gap pixel is 10. Could one do the same by showing the network ten times as many gaps?
# What would be different?

# %% [markdown] tags=["answer"]
# For the sum of the gradients it is nearly the same: ten equal pixels of weight 1 pull like one of weight 10. But gaps
# come with their surroundings: an image with more gaps also has more outlines and more cells, which all pull as well.
# And ten *different* gaps would teach more than one gap ten times over. A weight says how much a pixel matters, but
# brings no new information; new pixels do, and so does augmentation (notebook 09).
#
# **Rubric, 2 points.** One for: nearly the same sum of gradients. One for what is different: more outlines and cells
# come along, or ten different gaps teach more than one.

# %% [markdown]
# ## In three lines
#
# Softmax turns logits into probabilities; only differences of logits count, so the largest is subtracted and nothing
# overflows.
#
# The gradient of the loss is `weights * (p - onehot) / count`: every pixel is pushed towards its label, by its weight.
#
# The weight map of eq. 2 gives the thin background between cells a weight of about 10, and with it a large share of the
# gradient.
#
# ## Where to read more
#
# [loss.py](../minunet/layers/loss.py) and [weight_maps.py](../minunet/data/weight_maps.py); section 3
# of the paper, equations 1 and 2 and Fig. 3 ([arXiv 1505.04597](https://arxiv.org/abs/1505.04597)). The course notes
# of Stanford's CS231n explain the softmax classifier at length; cross-entropy is in chapter 3 of Michael Nielsen's
# *Neural Networks and Deep Learning*.
