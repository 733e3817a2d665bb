"""An optimiser's step as training takes it.

It is that of `optimisers.py`, done to all parameters at once: they become views of one flat array. On a CPU that array
is worked on chunk by chunk, in the cores' caches, with the same bits as a result. On a GPU one kernel does it: launched
for each parameter and operation, the paper's network would take 600 kernels a step with Adam, most on a few numbers.
"""

from minunet.backend import Params, flatten
from minunet.fast.choose import choose
from minunet.fast.cpu import optimisers as on_cpu
from minunet.fast.cuda import optimisers as kernels
from minunet.fast.one_array import in_one_array
from minunet.training import optimisers as readable
from minunet.training.optimisers import DECAY, EPSILON, OPTIMISERS


def take_step(
    name: str, params: Params, grads: Params, state: Params, learning_rate: float, momentum: float, step: int
) -> None:
    """Update `params` and `state` in place by the optimiser of this name; `step` counts from 1.

    The arrays of `params` and `state` become views of one array each.
    """
    gradients, weights = flatten(grads), flatten(params)
    first = next(iter(weights.values()))
    are_alike = all(x.dtype == first.dtype for x in [*weights.values(), *gradients.values()])
    way = choose(readable, first, kernels=kernels, on_cpu=on_cpu)
    if not are_alike or way is readable:
        OPTIMISERS[name].step(params, grads, state, learning_rate, momentum, step)
        return
    gradient = in_one_array({parameter: gradients[parameter] for parameter in weights})
    whole = in_one_array(params)
    if name == "adam":
        moments = in_one_array(state["mean"]), in_one_array(state["square"])
        way.adam_step(whole, *moments, gradient, learning_rate, momentum, DECAY, EPSILON, step)
    else:
        way.sgd_step(whole, in_one_array(state), gradient, learning_rate, momentum)
