"""Is the backward pass itself differentiated rightly? Hessian-vector products, held against differences of gradients.

A pair is the derivative of  phi(args) = sum(dy * forward(args)).  Its gradient moves with the arguments: by  H u  along
a direction u, where H is phi's Hessian. A pair that offers this product brings a third function:

    gradients = backward(dy, cache)
    product = hvp(dy, cache, direction)        # d/dt backward(dy, cache at args + t * direction), at t = 0

H is symmetric, so  H u  is also the gradient of  sum(u * gradients).  Hence gradcheck can do the work: to it, the
backward pass is the function, and hvp is that function's backward pass.
"""

from dataclasses import replace

from minunet.backend import array_module, flatten, map_tree
from minunet.gradcheck.adapters.names import argument_names, set_argument_names
from minunet.gradcheck.check import gradcheck
from minunet.gradcheck.foreign import check_function
from minunet.gradcheck.report import Report
from minunet.gradcheck.seed import generator, seed_of_this_test


def check_second_order(forward, backward, hvp, args: tuple, **options) -> Report:
    """Check `hvp` by differences of the gradients that `backward` returns.

    The pair itself is checked first, by `gradcheck`. If that fails, its report comes back, since the derivative of a
    wrong gradient means nothing.

    Parameters
    ----------
    forward, backward, args
        As in `gradcheck`.
    hvp : function
        ``product = hvp(dy, cache, direction)``. `direction` and `product` are of the form of what `backward` returns:
        one array for each gradient, in the same order.
    **options
        As in `gradcheck`. dy stays the same in all passes.

    Returns
    -------
    report : Report
        As from `gradcheck`: "analytic" is what hvp says, "numeric" what differences of gradients say. An argument that
        no gradient depends on, such as a bias, has a product of zeros; a check of nothing else is `vacuous`.
    """
    check_function(hvp, "hvp", 3, "(dy, cache, direction)")
    first_order = gradcheck(forward, backward, args, **options)
    if not first_order.ok:
        return first_order
    dy = first_order.dy

    def gradient_forward(*args):
        _, cache = forward(*args)
        gradients = backward(dy, cache)
        return _to_vector(gradients), (cache, gradients)

    def gradient_backward(direction, cache):
        cache, gradients = cache
        return hvp(dy, cache, _from_vector(direction, gradients))

    set_argument_names(gradient_forward, argument_names(forward, len(args)))
    options.pop("dy", None)
    if options.get("rng") is None:  # with that of dy, the direction would be dy where they are of one size
        seed = options.pop("seed", None)
        options["rng"] = generator(seed_of_this_test() if seed is None else seed, purpose=2)
    report = gradcheck(gradient_forward, gradient_backward, args, **options)
    findings = report.findings
    if any(row.compared for row in report.rows):
        findings = [finding for finding in findings if finding.kind != "vacuous"]
    return replace(report, findings=findings, mode=f"{report.mode}, second order", dy=dy, dy_from=first_order.dy_from)


def _to_vector(gradients):
    """Return all numbers of a tree of gradients in one vector; None has none."""
    arrays = [x for x in flatten(gradients).values() if x is not None]
    return array_module(arrays[0]).concatenate([x.reshape(-1) for x in arrays])


def _from_vector(vector, gradients):
    """Return the numbers of a vector in the form of `gradients`."""
    position = 0

    def take(x):
        nonlocal position
        position += x.size
        return vector[position - x.size : position].reshape(x.shape).copy()

    return map_tree(take, gradients)
