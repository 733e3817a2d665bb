"""Every fast function has the arguments, type hints and docstring of the readable one that it equals."""

import inspect

import pytest

import minunet.layers as readable_layers
from minunet import gradcheck
from minunet.backend import Constant
from minunet.fast import conv, layers
from minunet.fast.cpu import crop_concat, pool, up_conv
from minunet.fast.cuda import conv as cuda_conv
from minunet.fast.cuda import conv_1x1 as cuda_conv_1x1
from minunet.fast.cuda import crop_concat as cuda_crop_concat
from minunet.fast.cuda import loss as cuda_loss
from minunet.fast.cuda import pool as cuda_pool
from minunet.fast.cuda import relu as cuda_relu
from minunet.fast.cuda import up_conv as cuda_up_conv

MODULES = [
    *(conv, layers, crop_concat, pool, up_conv),
    *(cuda_conv, cuda_conv_1x1, cuda_crop_concat, cuda_loss, cuda_pool, cuda_relu, cuda_up_conv),
]
FUNCTIONS = [
    pytest.param(function, id=f"{function.__module__}.{name}")
    for module in MODULES
    for name, function in vars(module).items()
    if name.endswith(("_forward", "_backward")) and not name.startswith("_") and function.__module__ == module.__name__
]


def test_there_are_pairs_in_every_module():
    assert len(FUNCTIONS) == 6 + 10 + 3 * 2 + 4 + 6 * 2


@pytest.mark.parametrize("function", FUNCTIONS)
def test_arguments_and_docstring_are_those_of_the_readable_function(function):
    readable = getattr(readable_layers, function.__name__)
    assert inspect.signature(function) == inspect.signature(readable)
    first, rest = inspect.getdoc(function).split("\n\n", 1)
    assert first == f"Do what `{readable.__module__}.{readable.__name__}` does: same arguments, results and errors."
    assert rest == inspect.getdoc(readable)
    assert inspect.getsource(function) != inspect.getsource(readable)  # `course.show_source` shows the fast one


def test_weights_stay_a_constant_that_needs_no_gradient(rng):
    assert inspect.signature(layers.softmax_cross_entropy_forward).parameters["weights"].annotation == Constant
    args = rng.standard_normal((2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5)), rng.random((2, 4, 5))
    assert gradcheck(layers.softmax_cross_entropy_forward, layers.softmax_cross_entropy_backward, args).ok
