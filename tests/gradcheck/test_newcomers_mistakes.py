"""What newcomers get wrong is named, with what came and the remedy."""

import numpy as np
import pytest

from minunet import InputError, check_adjoint, gradcheck
from minunet.gradcheck.adapters.objects import object_pair
from minunet.gradcheck.report import Finding

x = np.random.default_rng(3).standard_normal((3, 4))
w = np.random.default_rng(4).standard_normal((4, 2))


class Square:
    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, dy):
        return 2 * self.x * dy


class Loss:
    def forward(self, x):
        self.x = x
        return 0.5 * float((x**2).sum())

    def backward(self):
        return self.x


class Called:
    def __call__(self, x):
        self.x = x
        return x * x

    def backward(self, dy):
        return 2 * self.x * dy


class WithAnotherName(Square):
    backward = None

    def grad(self, dy):
        return 2 * self.x * dy


def test_a_layer_whose_backward_takes_no_dy():
    with pytest.raises(InputError, match=r"layer\.backward must take dy, got backward\(\).*def backward\(self, dy=1"):
        object_pair(Loss(), (x,))


def test_a_layer_that_is_called():
    with pytest.raises(InputError, match=r"a Called, has no method 'forward'; name the one to use, forward='__call__'"):
        object_pair(Called(), (x,))
    assert gradcheck(*object_pair(Called(), (x,), forward="__call__"))


def test_a_method_of_another_name():
    with pytest.raises(InputError, match=r"has no method 'backward'; .* backward=\.\.\. \(it has forward, grad\)"):
        object_pair(WithAnotherName(), (x,))
    assert gradcheck(*object_pair(WithAnotherName(), (x,), backward="grad"))


def test_methods_of_an_object_that_keeps_its_cache():
    layer = Square()
    with pytest.raises(InputError, match=r"got backward\(dy\); .* use object_pair of minunet\.gradcheck\.adapters"):
        gradcheck(layer.forward, layer.backward, (x,))


@pytest.mark.parametrize("number", [1j, np.ones((3, 4)) * 1j])
def test_a_complex_gradient_of_real_numbers(number):
    with pytest.raises(InputError, match=r"the gradient of x must be real.*got complex numbers.*\.real"):
        gradcheck(lambda x: (np.fft.ifft(np.fft.fft(x)).real, None), lambda dy, cache: dy * number, (x,))


def test_a_forward_that_returns_more_than_two():
    with pytest.raises(InputError, match=r"must return \(y, cache\), got a tuple of 3"):
        gradcheck(lambda x: (x, x, x), lambda dy, cache: dy, (x,))


def test_empty_arrays():
    empty = np.zeros((0, 3))
    with pytest.raises(InputError, match=r"got only empty arrays: x \(0, 3\)"):
        gradcheck(lambda x: (x.sum(), x), lambda dy, x: np.full(x.shape, dy), (empty,))

    def keep_none(x):
        return x[x > 100], x

    (finding,) = gradcheck(keep_none, lambda dy, x: 0 * x, (x,)).findings
    assert finding.kind == "vacuous" and "an empty array of shape (0,)" in finding.hint
    with pytest.raises(InputError, match=r"got an empty array of shape \(0,\)"):
        check_adjoint(keep_none, lambda dy, x: 0 * x, (x,))


def product(x, w):
    return x @ w, (x, w)


def test_gradients_by_other_names():
    (finding,) = gradcheck(lambda x: (x * x, x), lambda dy, x: {"dx": 2 * x * dy}, (x,)).findings
    assert finding.kind == "shape" and "the keys dx, and not the arguments' names, x" in finding.hint
    (finding,) = gradcheck(product, lambda dy, c: {"x": dy @ c[1].T, "dw": c[0].T @ dy}, (x, w)).findings
    assert finding.kind == "shape" and "the keys x, dw, and not the arguments' names, x, w" in finding.hint


def test_gradients_of_parameters_by_other_names():
    def forward(x, params):
        return x @ params["W"] + params["b"], (x, params["W"])

    def backward(dy, cache):
        return dy @ cache[1].T, {"dW": cache[0].T @ dy, "b": dy.sum(0)}

    (finding,) = gradcheck(forward, backward, (x, {"W": w, "b": np.ones(2)})).findings
    assert (finding.kind, finding.argument) == ("shape", "params.W") and "the keys are dW, b;" in finding.hint


@pytest.mark.parametrize("mode", ["elements", "directions"])
def test_more_digits_than_float64_are_not_too_few(mode):
    def forward(x):
        return np.tanh(x.astype(np.longdouble)), x

    assert gradcheck(forward, lambda dy, x: dy * (1 - np.tanh(x) ** 2), (x,), mode=mode)
    assert not gradcheck(forward, lambda dy, x: dy * (1.01 - np.tanh(x) ** 2), (x,), mode=mode)


def test_two_numbers_that_differ_are_written_so():
    def values(a, b):
        return str(Finding("wrong", "x", "Why?", (0,), a, b, 1, 2)).partition(" (")[0].partition(": ")[2]

    assert values(12.7429, 12.7429001) == "analytic 12.7429, numeric 12.7429001"
    assert values(1.0, 1 + 2**-52) == "analytic 1, numeric 1.0000000000000002"
    assert values(1.0, 2.0) == "analytic 1, numeric 2" and values(1 / 3, 1 / 3) == "analytic 0.333333, numeric 0.333333"


def test_kinks_are_counted_in_elements_or_outputs():
    at_zero = x * (x > 0)
    count = int((at_zero == 0).sum())
    for mode, words in (("elements", f"({count} of 12 elements)"), ("directions", f"({count} of 12 outputs)")):
        report = gradcheck(lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * (x > 0), (at_zero,), mode=mode)
        assert report.ok and words in str(report), report


class TestRepeatedIndices:
    ids = np.array([0, 3, 3, 1, 3])
    table = np.random.default_rng(5).standard_normal((6, 2))

    @staticmethod
    def look_up(table, ids):
        return table[ids], (table, ids)

    @pytest.mark.parametrize("way", ["=", "+="])
    def test_they_are_named(self, way):
        def backward(dy, cache):
            table, ids = cache
            dtable = np.zeros_like(table)
            if way == "=":
                dtable[ids] = dy
            else:
                dtable[ids] += dy
            return dtable

        (finding,) = gradcheck(self.look_up, backward, (self.table, self.ids)).findings
        assert "only at index 3, which ids holds more than once" in finding.hint and "np.add.at" in finding.hint

    def test_another_mistake_is_not_put_down_to_them(self):
        def backward(dy, cache):
            dtable = np.zeros_like(cache[0])
            np.add.at(dtable, cache[1], dy)
            return -dtable

        (finding,) = gradcheck(self.look_up, backward, (self.table, self.ids)).findings
        assert finding.hint == "The sign is wrong."

    def test_where_the_indices_are_no_argument_they_are_a_guess(self):
        def backward(dy, cache):
            dtable = np.zeros_like(self.table)
            dtable[self.ids] = dy
            return dtable

        (finding,) = gradcheck(lambda table: (table[self.ids], None), backward, (self.table,)).findings
        assert "end early" in finding.hint and "does an index come twice there" in finding.hint
        assert "another branch" in finding.hint
