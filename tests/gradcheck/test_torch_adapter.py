"""PyTorch functions as pairs: right ones pass, wrong ones fail for the right reason."""

import numpy as np
import pytest

from minunet import InputError, check_second_order, gradcheck

torch = pytest.importorskip("torch", reason="the adapter for PyTorch needs PyTorch")
torch_function = pytest.importorskip("minunet.gradcheck.adapters.torch_function")
torch_pair = torch_function.torch_pair


def found(report):
    return [(finding.kind, finding.argument) for finding in report.findings]


class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * y


class ExpOfTheWrongTensor(Exp):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.exp()


class Linear(torch.autograd.Function):
    """The style with `setup_context`, and a bias that may be missing."""

    @staticmethod
    def forward(x, weight, bias):
        return x @ weight.T if bias is None else x @ weight.T + bias

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, weight, _ = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        return dy @ weight, dy.T @ x, dy.sum(0) if ctx.needs_input_grad[2] else None


class LinearThatForgetsTheBias(Linear):
    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        return dy @ weight, dy.T @ x, None


class LinearWithATransposedWeightGradient(Linear):
    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        return dy @ weight, x.T @ dy, dy.sum(0)


class LinearInSinglePrecision(Linear):
    @staticmethod
    def forward(x, weight, bias):
        return Linear.forward(x.float(), weight.float(), bias.float()).double()


class Clamp(torch.autograd.Function):
    """A number that is no tensor, kept on ctx."""

    @staticmethod
    def forward(ctx, x, limit):
        ctx.limit = limit
        ctx.save_for_backward(x)
        return x.clamp(-limit, limit)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * (x.abs() <= ctx.limit), None


class ClampWithoutTheMask(Clamp):
    @staticmethod
    def backward(ctx, dy):
        return dy, None


class InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(3)

    @staticmethod
    def backward(ctx, dy):
        return 3 * dy


class RecurrentCell(torch.autograd.Function):
    """Two outputs, as a cell of an LSTM has them; written as extensions in C++ are."""

    @staticmethod
    def forward(ctx, x, weight, bias, h, c):
        gates = torch.cat([h, x], 1) @ weight.T + bias
        i, o, g = gates.chunk(3, 1)
        i, o, g = torch.sigmoid(i), torch.sigmoid(o), torch.tanh(g)
        new_c = c + i * g
        ctx.save_for_backward(weight, torch.cat([h, x], 1), i, o, g, new_c)
        return o * torch.tanh(new_c), new_c

    @staticmethod
    def backward(ctx, dh, dc):
        weight, hx, i, o, g, new_c = ctx.saved_tensors
        tanh_c = torch.tanh(new_c)
        dc = RecurrentCell.through_h(dh, dc, o, tanh_c)
        dgates = torch.cat([dc * g * i * (1 - i), dh * tanh_c * o * (1 - o), dc * i * (1 - g**2)], 1)
        dhx = dgates @ weight
        size = dh.shape[1]
        return dhx[:, size:], dgates.T @ hx, dgates.sum(0), dhx[:, :size], dc

    @staticmethod
    def through_h(dh, dc, o, tanh_c):
        return dc + dh * o * (1 - tanh_c**2)


class RecurrentCellThatForgetsACell(RecurrentCell):
    """The gradient of the second output is not used."""

    @staticmethod
    def backward(ctx, dh, dc):
        return RecurrentCell.backward(ctx, dh, torch.zeros_like(dc))


def cell_args(rng):
    normal = rng.standard_normal
    return normal((2, 3)), normal((12, 7)), normal(12), normal((2, 4)), normal((2, 4))


def affine_args(rng):
    return rng.standard_normal((5, 4)), rng.standard_normal((3, 4)), rng.standard_normal(3)


def test_functions(rng):
    x = rng.standard_normal((2, 3))
    for function, args in (
        (Exp, (x,)),
        (Linear, affine_args(rng)),
        (Linear, (*affine_args(rng)[:2], None)),
        (Clamp, (x, 0.5)),
        (InPlace, (x,)),
        (torch.nn.functional.softplus, (x,)),
        (lambda params, x: torch.tanh(x @ params["w"]), ({"w": rng.standard_normal((3, 2))}, x)),
        (torch.nn.functional.cross_entropy, (x, rng.integers(0, 3, 2))),
    ):
        report = gradcheck(*torch_pair(function, args))
        assert report.ok and not report.findings, report


@pytest.mark.parametrize(
    "function, args, expected, words",
    [
        (ExpOfTheWrongTensor, lambda rng: (rng.standard_normal((2, 3)),), ("wrong", "x"), ""),
        (LinearThatForgetsTheBias, affine_args, ("wrong", "bias"), "zero everywhere"),
        (LinearInSinglePrecision, affine_args, ("precision", "y"), "precision"),
        (ClampWithoutTheMask, lambda rng: (rng.standard_normal((2, 3)), 0.5), ("wrong", "x"), ""),
    ],
)
def test_wrong_functions(rng, function, args, expected, words):
    report = gradcheck(*torch_pair(function, args(rng)))
    assert not report.ok and expected in found(report), report
    assert words in str(report)


def test_a_gradient_of_a_wrong_shape_is_named(rng):
    with pytest.raises(InputError, match=r"failed in torch: .*LinearWithATransposedWeightGradient.* index 1"):
        gradcheck(*torch_pair(LinearWithATransposedWeightGradient, affine_args(rng)))


def test_two_outputs(rng):
    assert gradcheck(*torch_pair(RecurrentCell, cell_args(rng))).ok
    report = gradcheck(*torch_pair(RecurrentCellThatForgetsACell, cell_args(rng)))
    assert ("wrong", "c") in found(report), report


def test_a_module_with_its_parameters(rng):
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(2, 3, 3)
            self.norm = torch.nn.BatchNorm2d(3, affine=False)  # its running mean is a buffer, not a parameter

        def forward(self, x):
            return Exp.apply(0.3 * self.norm(self.conv(x)))

    module = Scaled().eval()
    report = gradcheck(*torch_pair(module, (rng.standard_normal((2, 2, 5, 4)),)))
    assert report.ok, report
    assert [row.argument for row in report.rows] == ["x", "parameters.conv.weight", "parameters.conv.bias"]
    assert module.conv.weight.dtype == torch.float32 and module.conv.weight.grad is None


def test_tensors_and_low_precision_are_taken_as_float64(rng):
    x = torch.randn(2, 3, requires_grad=True)
    report = gradcheck(*torch_pair(Exp, (x,)))
    assert report.ok and report.rows[0].error < 1e-7, report
    assert gradcheck(*torch_pair(Exp, (np.ones((2, 3), np.float32),))).ok


class Square(torch.autograd.Function):
    """Its backward pass may be differentiated again."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 2 * x * dy


class SquareThatHidesItsInput(Square):
    """torch does not see where the detached tensor comes from, and takes it for a constant."""

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 2 * x.detach() * dy


class SquareOnce(Square):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 2 * x * dy


def test_second_order(rng):
    args = (rng.standard_normal((2, 3)),)
    for function in (Square, Exp, torch.nn.functional.softplus):
        report = check_second_order(*torch_function.torch_second_order(function, args))
        assert report.ok and not report.findings, report
    for function in (SquareThatHidesItsInput, SquareOnce):
        report = check_second_order(*torch_function.torch_second_order(function, args))
        assert found(report) == [("wrong", "x")] and "zero everywhere" in str(report), report
