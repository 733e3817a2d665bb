"""A PyTorch function, module or `torch.autograd.Function`, as a pair of NumPy arrays in and out.

gradcheck(*torch_pair(MyFunction, (x, weight)))
check_second_order(*torch_second_order(MyFunction, (x, weight)))
"""

import copy
import inspect
from collections.abc import Sequence

import numpy as np
import torch

from minunet.backend import flatten, map_tree
from minunet.errors import InputError
from minunet.gradcheck.adapters.names import argument_names, set_argument_names


def torch_pair(function, args: tuple, *, device: str = "cpu"):
    """Return (forward, backward, args) for `gradcheck`; everything runs in float64.

    Parameters
    ----------
    function : subclass of torch.autograd.Function, torch.nn.Module or callable
        The parameters of a module become one more argument, `parameters`. The output may be a tensor, or several:
        those of floating-point numbers are checked.
    args : tuple
        NumPy arrays or tensors, nested dicts and lists of them, or anything else. Floating-point arrays are
        differentiated; the rest is passed as it is.
    device : str
        Where the function runs: "cuda" for an extension that is written for the GPU.
    """
    forward, backward, _, args = torch_second_order(function, args, device=device)
    return forward, backward, args


def torch_second_order(function, args: tuple, *, device: str = "cpu"):
    """Return (forward, backward, hvp, args) for `check_second_order`; see `torch_pair`.

    The product is what torch says when it differentiates the backward pass. What torch takes for a constant there, such
    as a detached tensor or all of a `once_differentiable` backward pass, counts as zero.
    """
    args = tuple(map_tree(_to_numpy, tuple(args)))
    call, args, names = _as_plain_function(function, args, device)

    def run(args):
        """Return the floating-point outputs, and the tensors that stand for args."""
        tensors = map_tree(lambda x: torch.tensor(x, device=device).requires_grad_(x.dtype.kind == "f"), args)
        outputs = call(*map_tree(torch.clone, tensors))  # a copy: leaves must not be written to, copies may
        return [y for y in flatten(outputs).values() if isinstance(y, torch.Tensor) and y.is_floating_point()], tensors

    def forward(*args):
        outputs = [_to_numpy(y) for y in run(args)[0]]
        return outputs[0] if len(outputs) == 1 else tuple(outputs), args

    def backward(dy, args):
        outputs, tensors = run(args)
        gradients = _pull_back(outputs, tensors, flatten(dy).values())
        return _restore(tensors, gradients)

    def hvp(dy, args, direction):
        outputs, tensors = run(args)
        gradients = _pull_back(outputs, tensors, flatten(dy).values(), create_graph=True)
        directions = [u for u in flatten(direction).values() if u is not None]
        return _restore(tensors, _pull_back(gradients, tensors, directions))

    set_argument_names(forward, names)
    return forward, backward, hvp, args


def _is_autograd_function(function) -> bool:
    """Tell a subclass of torch.autograd.Function, which is not called but applied."""
    return inspect.isclass(function) and issubclass(function, torch.autograd.Function)


def _as_plain_function(function, args, device):
    """Return a function of all args, the args, and their names."""
    if isinstance(function, torch.nn.Module):
        module = copy.deepcopy(function).to(device=device, dtype=torch.float64)
        parameters = {name: _to_numpy(value) for name, value in module.named_parameters()}

        def call(*inputs):
            return torch.func.functional_call(module, inputs[-1], inputs[:-1])

        return call, (*args, parameters), [*argument_names(module.forward, len(args)), "parameters"]
    if _is_autograd_function(function):
        has_context = function.setup_context is torch.autograd.Function.setup_context  # its forward takes ctx first
        names = argument_names(function.forward, len(args) + has_context)[has_context:]
        return function.apply, args, names
    return function, args, argument_names(function, len(args))


def _pull_back(outputs, tensors, dys, create_graph=False):
    """Return the gradients of all floating-point tensors: zeros where torch finds no way from the outputs."""
    wanted = [x for x in flatten(tensors).values() if isinstance(x, torch.Tensor) and x.requires_grad]
    dys = [torch.tensor(np.array(dy), dtype=y.dtype, device=y.device) for dy, y in zip(dys, outputs, strict=True)]
    reached = [(y, dy) for y, dy in zip(outputs, dys, strict=True) if y.requires_grad]
    gradients: Sequence[torch.Tensor | None] = [None] * len(wanted)
    if reached:
        try:
            ys, dys = zip(*reached, strict=True)
            gradients = torch.autograd.grad(ys, wanted, dys, create_graph=create_graph, allow_unused=True)
        except RuntimeError as error:
            raise InputError(f"the backward pass failed in torch: {error}") from error
    return [torch.zeros_like(x) if g is None else g for x, g in zip(wanted, gradients, strict=True)]


def _restore(tensors, gradients):
    """Return one gradient for each of args, in a tuple: None where there is none."""
    remaining = iter(gradients)

    def gradient_of(x):
        return _to_numpy(next(remaining)) if x.requires_grad else None

    return tuple(map_tree(gradient_of, x) if _holds_tensors(x) else None for x in tensors)


def _holds_tensors(tree) -> bool:
    return any(isinstance(x, torch.Tensor) for x in flatten(tree).values())


def _to_numpy(x):
    return x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else x
