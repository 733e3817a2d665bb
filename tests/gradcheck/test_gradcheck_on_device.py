"""gradcheck on arrays of a GPU: right pairs, wrong ones and kinks."""

import numpy as np
import pytest

from minunet import conv2d_backward, conv2d_forward, gradcheck, relu_backward, relu_forward, to_device
from minunet.cli.gradcheck_cases import cases

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("mode", ["elements", "directions"])
@pytest.mark.parametrize("name", [name for name in cases() if name != "unet"])
def test_right_pairs(name, mode):
    forward, backward, args = cases()[name]
    report = gradcheck(forward, backward, to_device(args, "gpu"), mode=mode)
    assert report.ok, report


@pytest.mark.parametrize("mode", ["elements", "directions"])
def test_a_right_and_a_wrong_pair(rng, mode):
    args = tuple(to_device(rng.standard_normal(shape), "gpu") for shape in [(1, 2, 4, 3), (2, 2, 3, 3), (2,)])
    assert gradcheck(conv2d_forward, conv2d_backward, args, mode=mode)

    def wrong(dy, cache):
        dx, dweight, dbias = conv2d_backward(dy, cache)
        return dx, 2 * dweight, dbias

    (finding,) = gradcheck(conv2d_forward, wrong, args, mode=mode).findings
    assert (finding.kind, finding.argument) == ("wrong", "weight")


@pytest.mark.parametrize("mode", ["elements", "directions"])
def test_kinks(mode):
    report = gradcheck(relu_forward, relu_backward, (to_device(np.array([1.0, 0, -2, 3]), "gpu"),), mode=mode)
    assert report and [finding.kind for finding in report.findings] == ["kink"]
