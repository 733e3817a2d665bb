# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 01 Gradients you can trust
#
# A network learns by following a gradient: for each of its numbers, by how much does the loss change if this number
# grows a little? In this course you will write all gradients of a U-Net by hand. A mistake in one of them raises no
# error. The network still trains, only worse, and you would not know why.
#
# So the first question of the course is: **how do you know that a gradient is right?** The answer is to measure it.
# All you need is NumPy and the chain rule.

# %%
import matplotlib.pyplot as plt
import numpy as np

import minunet
from minunet import conv2d_backward, conv2d_forward, course, gradcheck, relu_backward, relu_forward
from minunet.course.exercises import n01_gradients as finished

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "0.6"

# %% [markdown]
# `finished` holds finished versions of the functions that you will write on this page. The lesson uses them so that
# it runs while your own are still empty.
#
# ## A slope, measured
#
# Take $f(x) = x^3$ at $x = 2$. The derivative is $3 x^2 = 12$. Suppose that we did not know this. We could go a step
# of 0.1 to the right, see how far $f$ rises, and divide the rise by the step:
#
# $$\frac{f(2.1) - f(2)}{0.1} = \frac{9.261 - 8}{0.1} = 12.61$$
#
# This is the *forward difference*. It says 12.61 where the truth is 12.
#
# Now go a step to the right *and* a step to the left. The two points lie $2 \cdot 0.1$ apart:
#
# $$\frac{f(2.1) - f(1.9)}{0.2} = \frac{9.261 - 6.859}{0.2} = 12.01$$
#
# This is the *central difference*. Its error is 0.01, where that of the forward difference is 0.61. The next cell
# tries smaller steps as well. It draws both lines for a step of 1, where they are easy to tell apart.


# %%
def f(x):
    return x**3


print("f(1.9), f(2), f(2.1):", round(f(1.9), 6), f(2), round(f(2.1), 6))
for h in (0.1, 0.01, 0.001):
    forward, central = (f(2 + h) - f(2)) / h, (f(2 + h) - f(2 - h)) / (2 * h)
    print(f"step {h:<5}   forward difference {forward:.6f}   central difference {central:.6f}")
line = np.linspace(0.7, 3.3, 100)
figure, axes = plt.subplots(figsize=(6, 4))
axes.plot(line, f(line), color="black", label="f(x) = x³")
axes.plot(line, 8 + 12 * (line - 2), color=GREY, label="tangent, slope 12")
axes.plot([2, 3], [f(2), f(3)], "o-", color=ORANGE, label="forward, slope 19")
axes.plot([1, 3], [f(1), f(3)], "o-", color=BLUE, label="central, slope 13")
axes.set(xlabel="x", ylabel="f(x)", title="Two ways to measure the slope at x = 2, step 1")
axes.legend()
plt.show()

# %% [markdown]
# The forward difference is the slope of a line from our point into the part where the curve gets steeper, so it is too
# large. The line of the central difference reaches to both sides. What is too steep on the right nearly cancels what
# is too flat on the left. Taylor's series says how large the errors are. Write the step as $h$:
#
# $$f(x + h) = f(x) + h f'(x) + \frac{h^2}{2} f''(x) + \frac{h^3}{6} f'''(x) + \dots$$
#
# Subtract $f(x)$ and divide by $h$: the forward difference is $f'$ plus an error of about $\frac{h}{2} f''$. In
# $f(x-h)$ the odd terms change their sign. So in $f(x+h) - f(x-h)$ the $f''$ terms cancel, and the central difference
# is $f'$ plus an error of about $\frac{h^2}{6} f'''$.
#
# With $h = 0.1$, $f'' = 6x = 12$ and $f''' = 6$ the errors should be about 0.6 and 0.01; those printed above are 0.61
# and 0.01. Each time the step becomes ten times smaller, the first error becomes ten times smaller and the second a
# hundred times smaller.
#
# **Exercise 1.** Write the central difference. `f` is a function of one number, `x` a number, `step` the step.


# %% tags=["exercise"]
def my_central_difference(f, x, step):
    """Return the slope of f at x."""
    # your code: about 1 line
    return (f(x + step) - f(x - step)) / (2 * step)
    # end of your code


# %% tags=["check"]
course.check("central_difference", my_central_difference)

# %% [markdown]
# ## From a number to an array
#
# A layer takes an array `x` and returns an array `y`. It is followed by the rest of the network and the loss. What
# comes back from them is another array of the shape of `y`: the *upstream gradient*, `dy`. Its element `dy[h, w]` says
# by how much the loss grows for each unit by which `y[h, w]` grows.
#
# The *backward pass* of a layer turns `dy` into `dx`, which says the same about `x`. Every layer of this library is
# such a pair of functions. What the backward pass must remember from the forward pass travels in a `cache`.
#
# The layer below squares each pixel. Each element of `y` depends on one element of `x` only, and the chain rule gives
# `dx = 2 * x * dy`, element by element.


# %%
def square_forward(x):
    return x**2, x  # y and the cache


def square_backward(dy, cache):
    x = cache
    return 2 * x * dy


# %% [markdown]
# Take the 3x3 arrays below. The leftmost pixel of the second row holds 3, and its `dy` is -1. So its `dx` must be $2
# \cdot 3 \cdot (-1) = -6$. In the pictures of this course, values are grey; gradients are red above zero and blue
# below.

# %%
x = np.array([[1.0, 2, 0], [3, -1, 2], [0, 1, -2]])
dy = np.array([[1.0, 0, 2], [-1, 1, 0], [2, 1, 3]])
y, cache = square_forward(x)
dx = square_backward(dy, cache)
figure, axes = plt.subplots(1, 4, figsize=(9, 2.8))
course.draw(axes[0], x, "x")
course.draw(axes[1], y, "y = x**2")
course.draw(axes[2], dy, "dy", gradient=True)
course.draw(axes[3], dx, "dx = 2 * x * dy", gradient=True)
figure.tight_layout()
plt.show()

# %% [markdown]
# How do we measure `dx`, when a slope belongs to a function that returns *one number*? We need a number in place of
# the loss, such that its gradient with respect to `y` is exactly our `dy`. A weighted sum does it:
#
# $$\mathtt{phi} = \mathtt{sum(dy * y)}$$
#
# If `y[h, w]` grows by 1, then `phi` grows by `dy[h, w]`: that is what an upstream gradient means. So the backward
# pass is right if it returns the gradient of `phi` with respect to `x`, and *that* can be measured.
#
# Move one pixel of `x`, and leave the eight others alone. For the pixel that holds 3, with a step of 0.1, the only
# term of `phi` that changes is $-1 \cdot x^2$. It is $-9.61$ at 3.1 and $-8.41$ at 2.9, and
#
# $$\frac{-9.61 - (-8.41)}{0.2} = -6$$
#
# which is what the backward pass said.


# %%
def phi(x):
    y, cache = square_forward(x)
    return (dy * y).sum()


right, left = x.copy(), x.copy()
right[1, 0] += 0.1
left[1, 0] -= 0.1
print("phi:", phi(x), "  to the right:", round(phi(right), 6), "  to the left:", round(phi(left), 6))
print("slope:", round((phi(right) - phi(left)) / 0.2, 6))

# %% [markdown]
# Doing this for each pixel in turn gives the whole *numerical gradient*. It has the shape of `x`, and costs two
# forward passes for each element.
#
# **Exercise 2.** Write it. `f` takes an array and returns a number; return an array of the shape of `x`, with the
# central difference for each element. Mind two things: only one element may be moved at a time, and an element that
# you moved must be put back before you move the next. `np.ndindex(x.shape)` runs over all indices, whatever the number
# of axes.


# %% tags=["exercise"]
def my_numerical_gradient(f, x, step):
    """Return the slope of f along each element of x, in the shape of x."""
    # your code: about 7 lines
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        right, left = x.copy(), x.copy()
        right[index] += step
        left[index] -= step
        gradient[index] = (f(right) - f(left)) / (2 * step)
    return gradient
    # end of your code


# %% tags=["check"]
course.check("numerical_gradient", my_numerical_gradient)

# %% [markdown]
# ## How close is close?
#
# Measured with a step of $10^{-4}$, the gradient is not *exactly* `2 * x * dy`. How large a difference is acceptable?
# A difference of $10^{-7}$ hardly matters beside a gradient of 1000, and is huge beside a gradient of $10^{-8}$. So
# the difference is divided by the size of the gradient:
#
# `relative_error(a, b)` is the largest `abs(a - b)`, divided by the largest magnitude in `a` and `b`.
#
# We divide by the largest in the *whole array*, and not element by element. An element whose true gradient is 0 may
# come out as $10^{-13}$ by rounding, and divided by itself that would be an error of 100 %.
#
# The cell compares three gradients with the numerical one: ours, ours with a factor of 2 forgotten, and ours with the
# sign of a single pixel flipped. Expect something near $10^{-12}$ for the first, which is rounding.

# %%
numeric = finished.numerical_gradient(phi, x, 1e-4)
one_sign_wrong = dx.copy()
one_sign_wrong[2, 1] *= -1
print(f"ours:               {finished.relative_error(dx, numeric):.1e}")
print(f"factor 2 forgotten: {finished.relative_error(dx / 2, numeric):.1e}")
print(f"one sign wrong:     {finished.relative_error(one_sign_wrong, numeric):.1e}")

# %% [markdown]
# Between "right" and "wrong" lies a wide empty space: here from $10^{-12}$ to $10^{-1}$. As a rule of thumb for double
# precision and smooth functions, an error below $10^{-7}$ is rounding, and one above $10^{-4}$ is a mistake. This is
# why a gradient check seldom leaves any doubt.
#
# **Exercise 3.** Write the relative error of two arrays. If both are zero everywhere, return 0.0.


# %% tags=["exercise"]
def my_relative_error(a, b):
    """Return the largest difference as a share of the largest magnitude, one number."""
    # your code: about 2 lines
    largest = max(np.abs(a).max(), np.abs(b).max())
    return np.abs(a - b).max() / largest if largest > 0 else 0.0
    # end of your code


# %% tags=["check"]
course.check("relative_error", my_relative_error)

# %% [markdown]
# ## Which step?
#
# The error of the central difference shrinks with the square of the step. So the smaller the step, the better? Try it
# on $f(x) = e^x$ at $x = 1$, whose slope is $e^1 = 2.71828...$ itself. Expect the error to fall at first, by a factor
# of ten thousand from line to line, and then to rise again. The last lines print the two numbers that were subtracted,
# at the smallest step.

# %%
for h in 10.0 ** np.arange(-1, -15, -2):
    slope = finished.central_difference(np.exp, 1.0, h)
    print(f"step {h:.0e}   slope {slope:.12f}   error {abs(slope - np.exp(1)):.0e}")
print(f"f(x + step) = {np.exp(1 + h):.16f}")
print(f"f(x - step) = {np.exp(1 - h):.16f}")

# %% [markdown]
# A number in double precision (`float64`) holds about 16 digits. The two numbers agree in the first 12 of them, so
# the difference has only three digits left, and the last of these is rounded. Dividing by the tiny step does not
# bring back what was lost.
#
# In numbers: each value of $f$ is off by up to `eps` times $|f|$, where `eps` = $2.2 \cdot 10^{-16}$ is the relative
# distance between neighbouring numbers. Divided by the step, this becomes an error of about $\mathtt{eps} \cdot |f| /
# h$. It *grows* as the step shrinks.
#
# So two errors compete. The *truncation error*, from the terms of Taylor's series that were cut off, grows with $h$
# (forward) or with $h^2$ (central). The *rounding error* grows with $1/h$. The next picture shows both, for steps from
# $10^{-16}$ to 1. Rounding varies at random from point to point, so each dot is the root mean square over 200 points
# between 1 and 2.

# %%
points = np.linspace(1, 2, 200)


def slope_error(difference, h, dtype):
    """Return the relative error of a measured slope of exp, root mean square over the points."""
    x = points.astype(dtype)
    slope = difference(np.exp, x, dtype(h)).astype(np.float64)
    truth = np.exp(x.astype(np.float64))
    return np.sqrt(np.mean((slope / truth - 1) ** 2))


steps = 10.0 ** np.arange(-16, 0.1, 0.25)
forward_64 = np.array([slope_error(finished.forward_difference, h, np.float64) for h in steps])
central_64 = np.array([slope_error(finished.central_difference, h, np.float64) for h in steps])
for name, errors in (("forward", forward_64), ("central", central_64)):
    print(f"{name}: best step {steps[errors.argmin()]:.0e}, error there {errors.min():.0e}")

# %%
figure, axes = plt.subplots(figsize=(7, 4.5))
axes.loglog(steps, forward_64, ".-", color=ORANGE, label="forward difference")
axes.loglog(steps, central_64, ".-", color=BLUE, label="central difference")
axes.set(xlabel="step", ylabel="relative error of the slope", title="The error over the step, in float64")
axes.text(3e-13, 3e-7, "rounding\n~ eps / step", ha="center")
axes.text(3e-4, 3e-2, "truncation\n~ step (forward)", ha="center", color=ORANGE)
axes.text(5e-2, 1e-8, "truncation\n~ step²\n(central)", ha="center", color=BLUE)
axes.legend(loc="lower left")
plt.show()

# %% [markdown]
# Each curve is a V. Both axes are logarithmic, so an error that is proportional to `step**k` is a straight line of
# slope $k$. The right arms are truncation: expect a slope of 1 for the forward difference (error $\sim h$) and of 2
# for the central one (error $\sim h^2$). The left arm is rounding, the same for both: expect a slope of $-1$ (error
# $\sim 1/h$). Fit a line to each arm.


# %%
def arm(errors, low, high):
    """Return the slope of log(error) over log(step) between two steps."""
    inside = (steps >= low) & (steps <= high)
    return np.polyfit(np.log10(steps[inside]), np.log10(errors[inside]), 1)[0]


print(f"right arm, forward: {arm(forward_64, 1e-5, 1e-2):5.2f}")
print(f"right arm, central: {arm(central_64, 1e-4, 1e-2):5.2f}")
print(f"left arm, forward:  {arm(forward_64, 1e-14, 1e-9):5.2f}")
print(f"left arm, central:  {arm(central_64, 1e-14, 1e-7):5.2f}")

# %% [markdown]
# The bottom of the V is where the two errors are equal. For the central difference that is $\mathtt{eps} / h = h^2$,
# so $h = \mathtt{eps}^{1/3} \approx 6 \cdot 10^{-6}$, and the error there is $\mathtt{eps}^{2/3} \approx 4 \cdot
# 10^{-11}$. For the forward difference it is $h = \mathtt{eps}^{1/2} \approx 10^{-8}$ with an error of $10^{-8}$. The
# dots agree to within a factor of four.
#
# At the far left the error reaches 1, which is 100 %: there `x + step` is rounded to `x` itself, and the measured
# slope is 0.
#
# Networks are trained in single precision (`float32`), whose `eps` is $1.2 \cdot 10^{-7}$. Put that into the same
# formula: the best step should be near $\mathtt{eps}^{1/3} = 5 \cdot 10^{-3}$, and the best error about
# $\mathtt{eps}^{2/3} = 2 \cdot 10^{-5}$. The arms should have the same slopes as before, $-1$ and 2.

# %%
central_32 = np.array([slope_error(finished.central_difference, h, np.float32) for h in steps])
print(f"float32: best step {steps[central_32.argmin()]:.0e}, error there {central_32.min():.0e}")
print(f"left arm: {arm(central_32, 1e-6, 1e-3):.2f}, right arm: {arm(central_32, 3e-2, 1):.2f}")
figure, axes = plt.subplots(figsize=(7, 4.5))
axes.loglog(steps, central_32, ".-", color=GREEN, label="central difference in float32")
axes.loglog(steps, central_64, ".-", color=BLUE, label="central difference in float64")
axes.axvline(1e-6, color=GREY, linestyle="--", label="step 1e-6")
axes.set(xlabel="step", ylabel="relative error of the slope", title="The same error in two precisions")
axes.legend(loc="lower left")
plt.show()

# %% [markdown]
# The right arms coincide, since truncation has nothing to do with precision. The left arm has moved up, and below
# $10^{-7}$ it is flat: `x + step` is rounded to `x`. At a step of $10^{-6}$, which is excellent in float64, float32 is
# off by 6<!--{100*central_32[np.isclose(steps,1e-6)][0]:.0f}--> %. So **check in float64**, and train in float32: the
# code is the same, and a formula that is right stays right. That is why every layer of this library takes its
# precision from its input.
#
# The right step also depends on *the size of x*. Where the numbers in `x` are near 1000, a step of $10^{-6}$ is as
# small beside them as $10^{-9}$ beside 1, and lies on the left arm. `minunet.gradcheck`, below, multiplies $10^{-6}$
# by the typical size of the argument.
#
# **Question 1.** Before you compute anything: what will the V of the central difference look like for the function
# `phi` above, a sum of squares of pixels? And for a convolution, which is linear in `x`? (Try it with
# `finished.relative_error(dx, finished.numerical_gradient(phi, x, h))` for some `h`.)

# %% [markdown] tags=["answer"]
# It has no right arm. The truncation error of the central difference comes from the third derivative, and that of a
# square is zero; for a linear function even the second is. Only the rounding error is left, and it shrinks as the
# step grows. A gradient check of a layer that is linear in the argument could use an enormous step. One of a whole
# network, which is not linear, could not.
#
# **Rubric, 2 points.** One for: the third derivative of a square is zero, so there is no truncation error. One for:
# only rounding is left, and it shrinks as the step grows.

# %% [markdown]
# ## A checker that says why
#
# `minunet.gradcheck(forward, backward, args)` does all this for a pair of functions. It turns the arguments into
# float64, draws a random `dy`, runs the backward pass, and compares it with central differences of `phi`, element by
# element. Give it a convolution (notebook 02 explains it; here it is just a layer with three arguments). Expect an
# error near $10^{-10}$.

# %%
rng = np.random.default_rng(1)
image, weight, bias = rng.normal(size=(1, 2, 6, 5)), rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)
print(gradcheck(conv2d_forward, conv2d_backward, (image, weight, bias)))

# %% [markdown]
# Let us read it line by line. *ok*: nothing was found.
# *242<!--{gradcheck(conv2d_forward,conv2d_backward,(image,weight,bias)).forward_passes}--> forward passes, by
# elements*: two for each of the 60 + 54 + 3 = 117 numbers in the arguments, and eight to look at the pair itself
# (below). Then a row for each argument: its shape, how many of its elements were compared, and the worst relative
# error, the one of exercise 3. All are near $10^{-10}$: rounding.
#
# Now a wrong pair: our `square`, with the factor of 2 forgotten.


# %%
def square_backward_without_2(dy, cache):
    return cache * dy


print(gradcheck(square_forward, square_backward_without_2, (x,)))

# %% [markdown]
# *FAILED: wrong*. What stands below the table is a *finding*. It gives the kind, `wrong`; the argument and the index of
# the worst element, `x[1, 2]`; what the backward pass says there and what was measured; and how many elements are
# wrong, 7<!--{gradcheck(square_forward,square_backward_without_2,(x,)).findings[0].count}--> of 9 (at the two others
# `x` is 0, and so is the gradient, and half of 0 is 0). Then comes a hint: *0.5 times the numeric gradient*. Notebook
# 14 is about reading findings. *dy from seed 0* says which random `dy` was used: `gradcheck(..., seed=0)` draws it
# again.
#
# ## A million numbers, two forward passes
#
# Two passes for each element are fine for 117 numbers. A U-Net has millions. But we do not have to move them one at a
# time. Choose a direction: an array `u` of the shape of `x`, which says how far each element moves. Then move all of
# them at once, to `x + t * u`. By the chain rule, `phi` then changes at the rate
#
# `sum(dx * u)`
#
# since each element contributes its own slope `dx[h, w]`, times how far it moves, `u[h, w]`. That is one number, and
# one central difference in `t` measures it. This is a *directional check*.
#
# In the 3x3 example, let `u` move three pixels: the one in the corner by 1, the one in the middle by -1, and the last
# one by 2. The gradients there are 2, -2 and -12. So `phi` should change at the rate $2 \cdot 1 + (-2) \cdot (-1) +
# (-12) \cdot 2 = -20$.

# %%
u = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, 2]])
print("predicted: sum(dx * u)      =", (dx * u).sum())
print("measured, with a step of 0.1 =", round((phi(x + 0.1 * u) - phi(x - 0.1 * u)) / 0.2, 6))

# %% [markdown]
# **Exercise 4.** Write both sides of a directional check. `f` takes an array and returns a number; `gradient` is what
# somebody claims to be its gradient at `x`. Return the slope along `u` as measured by a central difference with
# `step`, and as predicted by `gradient`.


# %% tags=["exercise"]
def my_directional_slopes(f, gradient, x, u, step):
    """Return the slope of f along u, measured, and predicted by the gradient: two numbers."""
    # your code: about 3 lines
    measured = (f(x + step * u) - f(x - step * u)) / (2 * step)
    predicted = (gradient * u).sum()
    return measured, predicted
    # end of your code


# %% tags=["check"]
course.check("directional_slopes", my_directional_slopes)

# %% [markdown]
# If `u` is drawn at random, a single direction tests every element, since an error anywhere changes `sum(dx * u)`. For
# arguments of more than 2000 numbers, `gradcheck` therefore goes *by directions*. Here is the U-Net of the paper with
# a quarter of its channels: 1,940,834<!--{sum(map(np.size,minunet.flatten(params).values())):,}--> parameters, moved
# together. Element by element it would take 3,881,668<!--{2*sum(map(np.size,minunet.flatten(params).values())):,}-->
# passes. Expect some twenty, and an error near $10^{-8}$.
#
# A direction tests everything, but an error in one element changes the slope only a little. To see how little, the
# second report is about a backward pass that doubles the gradient of *one* of the two million parameters.


# %%
def unet_backward_with_one_doubled(dlogits, cache):
    grads = minunet.unet_backward(dlogits, cache)
    grads["encode"][1]["conv1"]["weight"][5, 3, 1, 2] *= 2
    return grads


params = minunet.init_unet(rng, base_channels=16, dtype=np.float64)
tile = rng.normal(size=(1, 1, 188, 188))
print(gradcheck(minunet.unet_forward, minunet.unet_backward, (params, tile), directions=1))
print(gradcheck(minunet.unet_forward, unet_backward_with_one_doubled, (params, tile), directions=1))

# %% [markdown]
# *All 46 jointly* are the 46 arrays of weights and biases in the network, and *compared 1* is one direction. *Not
# checked: x*, since the image is data: nobody changes it to make the loss smaller. The last lines of the first report
# say how good this check was: an error in a single element shows if it is at least so large.
#
# In the second report, the error along the direction is about two parts in ten thousand, although the gradient of that
# one parameter is wrong by a factor of 2. A checker with a tolerance of 1 % would have passed it. This is why a
# directional check needs float64 and a tight tolerance; with both, one wrong number in two million is caught.
#
# The finding even names the parameter. Where a direction fails, `gradcheck` moves only half of the elements, then the
# other half, keeps the half that disagrees more, and halves again. Halving two million 21 times leaves one; that is
# what most of the other forward passes were for.
#
# ## What fools a checker
#
# A check can pass although the backward pass is wrong, or fail although it is right. Here are six traps. The first:
# **a checker that only looks at a sum**. It moves all elements by the same amount, that is, along a `u` of ones. A
# convolution's `dweight`, turned by half a turn, is a common bug; its sum is the same, so along ones it passes. A
# random direction, or a check of each element, does not let errors cancel.


# %%
def conv2d_backward_turned(dy, cache):
    dx, dweight, dbias = conv2d_backward(dy, cache)
    return dx, dweight[:, :, ::-1, ::-1], dbias


y_conv, conv_cache = conv2d_forward(image, weight, bias)
figure, axes = plt.subplots(1, 2, figsize=(7, 3.2))
for ax, backward in zip(axes, (conv2d_backward, conv2d_backward_turned), strict=True):
    kernel = backward(np.ones(y_conv.shape), conv_cache)[1][0, 0]
    course.draw(ax, kernel, f"{backward.__name__}:\ndweight[0, 0], sum {kernel.sum():.4f}", gradient=True)
figure.tight_layout()
print(gradcheck(conv2d_forward, conv2d_backward_turned, (image, weight, bias)))
plt.show()

# %% [markdown]
# Both pictures hold the same nine numbers with the same sum, but in another order; the right one is wrong. The finding
# even says what happened: flipped. The rows of the table say where to look: the gradients of `x` and of `bias` are
# right, that of `weight` is wrong.
#
# The second trap: **an upstream gradient of ones**. With `dy = 1` everywhere, `phi` is the plain sum of `y`. The
# softmax turns each row of `x` into probabilities, so that each row of `y` sums to 1. Whatever `x` is, `phi` is the
# number of rows. Its gradient is zero, and a check against zero is passed by any backward pass that returns zeros.
# The one below is wrong: it takes a plain mean of `dy` where a mean weighted by `p` belongs.
#
# The third trap makes a check just as empty: **arguments with zero gradients**. A ReLU lets through what is positive,
# and sets the rest to zero. Feed it nothing but negative numbers, and a backward pass that returns only zeros looks
# perfect.


# %%
def softmax_forward(x):
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    return p, p


def softmax_backward_wrong(dy, p):
    return p * (dy - dy.mean(axis=1, keepdims=True))  # right: p * (dy - (p * dy).sum(axis=1, keepdims=True))


scores = rng.normal(size=(2, 3))
print("1. dy of ones:", gradcheck(softmax_forward, softmax_backward_wrong, (scores,), dy=np.ones((2, 3))))
print("2. dy at random:", gradcheck(softmax_forward, softmax_backward_wrong, (scores,)))
print("3. a dead ReLU:", gradcheck(relu_forward, lambda dy, cache: 0 * dy, (-np.abs(scores),)))

# %% [markdown]
# With ones the finding is `vacuous`, which means empty: *nothing was compared that is not zero*, so the row counts 0
# elements and gives no error. A check that proved nothing has not passed, so the report says FAILED. With a random
# `dy`, the mistake is caught: `wrong`, all 6 elements. In the third report, all six gradients are zero, both computed
# and measured, so it is `vacuous` again. The last words of the finding give the remedy.
#
# The fourth trap: **kinks**. At $x = 0$ the ReLU bends. Its slope is 0 to the left and 1 to the right, and it has no
# derivative in between. The central difference steps to both sides and returns the mean of the two, 0.5, whatever the
# step.
#
# A naive checker would call the ReLU wrong wherever an element is exactly 0, or closer to 0 than the step. In the
# cell, `near` has two zeros, and one element of $10^{-7}$, which is positive but closer to 0 than the step of
# $10^{-6}$.

# %%
figure, axes = plt.subplots(figsize=(6, 3))
axes.plot([-1, 0, 1], [0, 0, 1], color="black", label="ReLU")
axes.plot([-0.5, 0.5], [0, 0.5], "o-", color=BLUE, label="central difference, slope 0.5")
axes.set(xlabel="x", ylabel="y", title="At a kink, the central difference is neither slope")
axes.legend()
near = np.array([[1.5, -0.5, 0.0], [0.0, 1e-7, -1.0]])
print("naive:", finished.numerical_gradient(lambda x: relu_forward(x)[0].sum(), near, 1e-6).round(3).tolist())
print(gradcheck(relu_forward, relu_backward, (near,)))
plt.show()

# %% [markdown]
# The naive gradient has 0.5 at the two zeros, and 0.55 at the element near zero, where the true slope is 1.
#
# The report says `ok`, with a finding of kind `kink`: 2 of 6 elements were left out, the first of them `x[0, 2]`, and
# the row says that 4 were compared. (Its `numeric` of
# -0.81<!--{gradcheck(relu_forward,relu_backward,(near,)).findings[0].numeric:.2f}--> is half of the random `dy` there.)
# For $10^{-7}$ the checker took smaller and smaller steps, until it no longer stepped over the bend. A kink is no
# fault of the backward pass. But if *most* elements are left out, choose other arguments.
#
# The fifth trap: **low precision inside**. This forward pass takes float64 and returns float64, but a hidden cast
# rounds it to float32 in between. The backward pass is right. What does a naive checker say?


# %%
def square_forward_with_a_cast(x):
    return (x.astype(np.float32) ** 2).astype(np.float64), x


shaken = x + 0.1  # numbers that float32 cannot hold exactly
measured = finished.numerical_gradient(lambda x: (dy * square_forward_with_a_cast(x)[0]).sum(), shaken, 1e-6)
print(f"naive relative error: {finished.relative_error(square_backward(dy, shaken), measured):.1e}")
print(gradcheck(square_forward_with_a_cast, square_backward, (shaken,)))

# %% [markdown]
# To the naive checker, a right backward pass seems to be off by about half a percent. If you widen the tolerance until
# this passes, you also let through every mistake of half a percent. `gradcheck` looks at the rounding of the output
# before it compares anything, and stops with `precision`: *nothing can be told*. There is no table, as no slope was
# measured.
#
# The last trap: **inputs that are changed in place**. This backward pass saves memory. It multiplies `dy` itself, and
# returns it. The numbers are right, if you look at the right moment.


# %%
def square_backward_in_place(dy, cache):
    dy *= 2 * cache
    return dy


spoiled = dy.copy()
error = finished.relative_error(numeric, square_backward_in_place(spoiled, x))
print(f"measured first, then backward: error {error:.1e}")
after = finished.numerical_gradient(lambda x: (spoiled * square_forward(x)[0]).sum(), x, 1e-4)
print(f"backward first, then measured: error {finished.relative_error(spoiled, after):.1e}")
print(gradcheck(square_forward, square_backward_in_place, (x,)))

# %% [markdown]
# The same backward pass is right to $10^{-12}$ or wrong by more than 100 %, depending on the order. In a U-Net, two
# backward passes use the same `dy` at a fork, and the second would get one that the first has spoiled. The finding is
# `mutated`: a copy of `dy` was kept, and it differs afterwards. Arguments and the cache are watched in the same way.
#
# The other kinds explain themselves: `shape` (a gradient is missing, or the order is not that of the arguments),
# `nonfinite` (a NaN or an infinity) and `nondeterministic` (two passes on the same arguments differ, so that a
# measured slope would be mostly noise).
#
# ## Your first backward pass
#
# **Exercise 5.** It has two gradients. The layer is
#
# `y[h, w] = scale[w] * x[h, w]**2`, with `x` (H, W), `scale` (W,), and the cache `(x, scale)`.
#
# For `dx` the chain rule is as before. For `dscale`, note that `scale[w]` is used in each row `h`. A number that is
# used several times gets a contribution from each use, and its gradient is their **sum**. You will meet this rule in
# every notebook: the bias of a convolution is used at every pixel, and an array at a fork is used twice.


# %% tags=["exercise"]
def my_scaled_square_backward(dy, cache):
    """Return dx (H, W) and dscale (W,)."""
    x, scale = cache
    # your code: about 3 lines
    dx = dy * scale * 2 * x
    dscale = (dy * x**2).sum(axis=0)
    return dx, dscale
    # end of your code


# %% tags=["check"]
course.check("scaled_square_backward", my_scaled_square_backward)

# %% [markdown]
# **Question 2.** Write (on paper) a backward pass for the square that is wrong, and that `gradcheck` calls ok. What
# does that tell you about choosing the arguments of a check?

# %% [markdown] tags=["answer"]
# It has to be right at the arguments that are checked, and wrong elsewhere. For example: `if x.shape[0] != x.shape[1]:
# return 0 * dy`, checked at a 3x3 array; or a mistake that shows only above 100, checked with numbers near 1. A
# gradient check tells you about one point and one shape. So check where things can go wrong: images that are not
# square, a batch of two, several channels in and another number out, a bias that is not zero.
#
# **Rubric, 2 points.** One for a pass that is right at the checked arguments and wrong elsewhere, with code or an exact
# description. One for what follows: check other shapes and sizes of numbers, and say which.

# %% [markdown]
# ## In three lines
#
# A backward pass returns the gradient of `phi = sum(dy * y)`, and a central difference in float64 measures it to ten
# digits, at a step near $10^{-6}$ of the size of `x`.
#
# One random direction checks a million numbers with some twenty forward passes, if the tolerance is tight.
#
# Choose a random `dy` and arguments away from kinks and zeros, and read the report: it says whether the check proved
# anything.
#
# ## Where to read more
#
# The checker: [check.py](../minunet/gradcheck/check.py), with a list of its verdicts at the
# top, and [slopes.py](../minunet/gradcheck/slopes.py) for the slopes. The notes of Stanford's course CS231n have a
# section on gradient checks; Higham's *Accuracy and Stability of Numerical Algorithms* covers rounding in depth. Next:
# 02, the convolution, whose backward pass you will check in this way.
