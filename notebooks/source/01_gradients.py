# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 01 Gradients you can trust
#
# A network learns by following a gradient: for each of its numbers, by how much does the loss change if this number
# grows a little? In this course you will write all gradients of a U-Net by hand. A mistake in one of them raises no
# error. The network still trains, only worse, and nobody can say why.
#
# So the first question of the course is: **how do you know that a gradient is right?** The answer is to measure it.
# You need NumPy and the chain rule, and nothing else.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minunet import conv2d_backward, conv2d_forward, course, flatten, gradcheck, init_unet, unet_backward, unet_forward
from minunet import relu_backward, relu_forward
from minunet.course.exercises.n01_gradients import central_difference, numerical_gradient, relative_error
from minunet.course.exercises.n01_gradients import energy, forward_difference, scaled_square_forward

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "0.6"

# %% [markdown]
# Some of the imports above come from the exercises of this page. They are finished versions of functions that you will
# write yourself; the lesson uses them so that it runs while your own are still empty.
#
# ## A slope, measured
#
# Take $f(x) = x^3$ at $x = 2$. The derivative is $3 x^2 = 12$. Suppose that we did not know this. We could go a step of
# 0.1 to the right, see how far $f$ rises, and divide the rise by the step:
#
# $$\frac{f(2.1) - f(2)}{0.1} = \frac{9.261 - 8}{0.1} = 12.61$$
#
# This is the *forward difference*. It says 12.61 where the truth is 12.
#
# Now go a step to the right *and* a step to the left. The two points lie $2 \cdot 0.1$ apart:
#
# $$\frac{f(2.1) - f(1.9)}{0.2} = \frac{9.261 - 6.859}{0.2} = 12.01$$
#
# This is the *central difference*. Its error is 0.01, where that of the forward difference is 0.61.

# %%
def f(x):
    return x**3


step = 0.1
print("f(1.9), f(2), f(2.1):", round(f(1.9), 6), f(2), round(f(2.1), 6))
print("forward difference:  ", round((f(2 + step) - f(2)) / step, 6))
print("central difference:  ", round((f(2 + step) - f(2 - step)) / (2 * step), 6))

# %% [markdown]
# The picture shows why, with a larger step of 1 so that it can be seen. The forward difference is the slope of a line
# that starts at our point and leans towards where the curve gets steeper. The central difference leans on both sides,
# and what is too steep on the right is made good by what is too flat on the left.

# %%
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
# Taylor's series says how large the errors are. Write `step` as $h$:
#
# $$f(x + h) = f(x) + h f'(x) + \frac{h^2}{2} f''(x) + \frac{h^3}{6} f'''(x) + \dots$$
#
# Subtract $f(x)$ and divide by $h$: the forward difference is $f'$ plus an error of about $\frac{h}{2} f''$. For
# $f(x - h)$ the odd terms change their sign. So in $f(x + h) - f(x - h)$ the $f''$ terms cancel, and the central
# difference is $f'$ plus an error of about $\frac{h^2}{6} f'''$.
#
# With $h = 0.1$, $f'' = 6x = 12$ and $f''' = 6$ the errors are 0.6 and 0.01, as we saw. A step that is ten times
# smaller makes the first error ten times smaller, and the second a hundred times.

# %%
for h in (0.1, 0.01, 0.001):
    errors = forward_difference(f, 2.0, h) - 12, central_difference(f, 2.0, h) - 12
    print(f"step {h:<6} error of forward {errors[0]:.6f}   of central {errors[1]:.6f}")

# %% [markdown]
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
# A layer takes an array `x` and returns an array `y`. In between there is a whole network and a loss, and what comes
# back from them is another array of the shape of `y`: the *upstream gradient*, `dy`. Its element `dy[h, w]` says by how
# much the loss grows for each unit by which `y[h, w]` grows.
#
# The *backward pass* of a layer turns `dy` into `dx`, which says the same of `x`. Everywhere in this library a layer is
# such a pair of functions, and what the backward pass needs to remember from the forward pass travels in a `cache`.
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
# Take the 3x3 arrays below. The pixel in the second row on the left holds 3, and its `dy` is -1. So its `dx` must be
# $2 \cdot 3 \cdot (-1) = -6$. In the pictures of this course, values are grey; gradients are red above zero, blue below.

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
# How do we measure `dx`, when a slope belongs to a function that returns *one number*? We need a number in place of the
# loss, such that its gradient with respect to `y` is exactly our `dy`. A weighted sum does it:
#
# $$\mathtt{phi} = \mathtt{sum(dy * y)}$$
#
# If `y[h, w]` grows by 1, then `phi` grows by `dy[h, w]`: that is what an upstream gradient means. So the backward pass
# is right if it returns the gradient of `phi` with respect to `x`, and *that* can be measured.
#
# Move one pixel of `x`, and leave the eight others alone. For the pixel that holds 3, with a step of 0.1, the only term
# of `phi` that changes is $-1 \cdot x^2$. It is $-9.61$ at 3.1 and $-8.41$ at 2.9, and
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
# Doing this for each pixel in turn gives the whole *numerical gradient*. It has the shape of `x`, and costs two forward
# passes for each element.
#
# **Exercise 2.** Write it. `f` takes an array and returns a number; return an array of the shape of `x`, with the central
# difference for each element. Two things to mind: only one element may be moved at a time, and an element that you moved
# must be put back before the next one's turn. `np.ndindex(x.shape)` runs over all indices, whatever the number of axes.

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
# A difference of $10^{-7}$ is nothing beside a gradient of 1000, and everything beside a gradient of $10^{-8}$. So the
# difference is divided by the size of the gradient:
#
# `relative_error(a, b)` is the largest `abs(a - b)`, divided by the largest magnitude in `a` and `b`.
#
# By the largest in the *whole array*, and not element by element: an element whose true gradient is 0 comes out as
# $10^{-13}$ by rounding, and divided by itself that would be an error of 100 %.
#
# The cell compares three gradients with the numerical one: ours, ours with a factor of 2 forgotten, and ours with the
# sign of one single pixel turned. Expect something near $10^{-12}$ for the first, which is rounding.

# %%
numeric = numerical_gradient(phi, x, 1e-4)
one_sign_wrong = dx.copy()
one_sign_wrong[2, 1] *= -1
print(f"ours:               {relative_error(dx, numeric):.1e}")
print(f"factor 2 forgotten: {relative_error(dx / 2, numeric):.1e}")
print(f"one sign wrong:     {relative_error(one_sign_wrong, numeric):.1e}")

# %% [markdown]
# Between "right" and "wrong" lies a wide empty space: here from $10^{-12}$ to $10^{-1}$. As a rule of thumb for double
# precision and smooth functions, an error below $10^{-7}$ is rounding, and one above $10^{-4}$ is a mistake. This is why
# a gradient check seldom leaves room for argument.
#
# **Exercise 3.** Write the relative error of two arrays. Where both are zero everywhere, return 0.0.

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
# The error of the central difference shrinks with the square of the step. So a very small step should be very good.
# Try it on $f(x) = e^x$ at $x = 1$, whose slope is $e^1 = 2.71828...$ itself. Expect the error to fall at first, a
# ten thousandfold a line, and then to rise again. The last lines print the two numbers that were subtracted, at the
# smallest step.

# %%
for h in 10.0 ** np.arange(-1, -15, -2):
    slope = central_difference(np.exp, 1.0, h)
    print(f"step {h:.0e}   slope {slope:.12f}   error {abs(slope - np.exp(1)):.0e}")
print(f"f(x + step) = {np.exp(1 + h):.16f}")
print(f"f(x - step) = {np.exp(1 - h):.16f}")

# %% [markdown]
# A number in double precision (`float64`) holds about 16 digits. The two numbers agree in the first 12 of them, so the
# difference has only three or four digits left, and the last of these is rounded. Dividing by the tiny step does not
# bring back what was lost.
#
# In figures: each value of $f$ is off by up to `eps` times $|f|$, where `eps` = $2.2 \cdot 10^{-16}$ is the relative
# distance between neighbouring numbers. Divided by the step, this becomes an error of about $\mathtt{eps} \cdot |f| / h$.
# It *grows* as the step shrinks.
#
# So two errors compete. The *truncation error*, from the terms of Taylor's series that were cut off, grows with $h$
# (forward) or with $h^2$ (central). The *rounding error* grows with $1/h$. Let us see them both, over all steps from
# $10^{-16}$ to 1. To smooth the chance out of rounding, each dot is the root mean square over 200 points between 1 and 2.

# %%
points = np.linspace(1, 2, 200)


def slope_error(difference, h, dtype):
    """Return the relative error of a measured slope of exp, root mean square over the points."""
    x = points.astype(dtype)
    slope = difference(np.exp, x, dtype(h)).astype(np.float64)
    truth = np.exp(x.astype(np.float64))
    return np.sqrt(np.mean((slope / truth - 1) ** 2))


steps = 10.0 ** np.arange(-16, 0.1, 0.25)
forward_64 = np.array([slope_error(forward_difference, h, np.float64) for h in steps])
central_64 = np.array([slope_error(central_difference, h, np.float64) for h in steps])
for name, errors in (("forward", forward_64), ("central", central_64)):
    print(f"{name}: best step {steps[errors.argmin()]:.0e}, error there {errors.min():.0e}")

# %%
figure, axes = plt.subplots(figsize=(7, 4.5))
axes.loglog(steps, forward_64, ".-", color=ORANGE, label="forward difference")
axes.loglog(steps, central_64, ".-", color=BLUE, label="central difference")
axes.set(xlabel="step", ylabel="relative error of the slope", title="The error over the step, in float64")
axes.text(3e-13, 3e-7, "rounding\n~ eps / step", ha="center")
axes.text(3e-4, 3e-2, "truncation\n~ step (forward)", ha="center", color=ORANGE)
axes.text(3e-2, 2e-7, "~ step²\n(central)", ha="center", color=BLUE)
axes.legend(loc="lower left")
plt.show()

# %% [markdown]
# A V, as both axes are logarithmic: there, an error that is proportional to `step**k` is a straight line of slope $k$.
# The right arms are truncation: expect a slope of 1 for the forward difference (error $\sim h$) and of 2 for the central
# one (error $\sim h^2$). The left arm is rounding, the same for both: expect a slope of $-1$ (error $\sim 1/h$). Fit a
# line to each arm.

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
# The bottom of the V is where the two errors are equal. For the central difference that is
# $\mathtt{eps} / h = h^2$, so $h = \mathtt{eps}^{1/3} \approx 6 \cdot 10^{-6}$, and the error there is
# $\mathtt{eps}^{2/3} \approx 4 \cdot 10^{-11}$. For the forward difference it is $h = \mathtt{eps}^{1/2} \approx 10^{-8}$
# with an error of $10^{-8}$. The dots agree, to within a small factor.
#
# At the far left the curve is flat at an error of 1, which is 100 %. There `x + step` is rounded to `x` itself, and the
# measured slope is 0.
#
# Networks are trained in single precision (`float32`), whose `eps` is $1.2 \cdot 10^{-7}$. Put that into the same
# formula: the best step should be near $\mathtt{eps}^{1/3} = 5 \cdot 10^{-3}$, and the best error no better than about
# $\mathtt{eps}^{2/3} = 2 \cdot 10^{-5}$.

# %%
central_32 = np.array([slope_error(central_difference, h, np.float32) for h in steps])
print(f"float32: best step {steps[central_32.argmin()]:.0e}, error there {central_32.min():.0e}")
figure, axes = plt.subplots(figsize=(7, 4.5))
axes.loglog(steps, central_32, ".-", color=GREEN, label="central difference in float32")
axes.loglog(steps, central_64, ".-", color=BLUE, label="central difference in float64")
axes.axvline(1e-6, color=GREY, linestyle="--", label="step 1e-6")
axes.set(xlabel="step", ylabel="relative error of the slope", title="The same error in two precisions")
axes.legend(loc="lower left")
plt.show()

# %% [markdown]
# At a step of $10^{-6}$, which is excellent in float64, float32 is off by several percent. So **check in float64**, and
# train in float32: the code is the same, and a formula that is right stays right. This is why every layer of this
# library takes its precision from its input.
#
# The step is also meant *relative to the size of x*. Where the numbers in `x` are near 1000, a step of $10^{-6}$ is as
# small beside them as $10^{-9}$ beside 1, and lies on the left arm. `minunet.gradcheck`, below, multiplies $10^{-6}$ by
# the typical size of the argument.
#
# **Question 1.** Before you compute anything: what does the V of the central difference look like for the function
# `phi` above, a sum of squares of pixels? And for a convolution, which is linear in `x`? (Try it with
# `relative_error(dx, numerical_gradient(phi, x, h))` for some `h`.)

# %% [markdown] tags=["answer"]
# It has no right arm. The truncation error of the central difference comes from the third derivative, and that of a
# square is zero; for a linear function even the second is. So the larger the step, the better: at `h = 1` the error is
# $10^{-16}$. A gradient check of a layer that is linear in the argument could use an enormous step. One of a whole
# network, which is not linear, could not.
