"""One wrong element among many, and what a check of a large network costs."""

import numpy as np
import pytest

from minunet import conv2d_backward, conv2d_forward, flatten, gradcheck, init_unet, unet_backward, unet_forward


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("factor", [1.01, -1, 0])
def test_one_wrong_element_among_ten_thousand_is_found_and_named(seed, factor):
    rng = np.random.default_rng(seed)
    x, weight, bias = rng.standard_normal((1, 25, 12, 12)), rng.standard_normal((44, 25, 3, 3)), rng.standard_normal(44)
    index = tuple(int(rng.integers(n)) for n in weight.shape)

    def backward(dy, cache):
        dx, dweight, dbias = conv2d_backward(dy, cache)
        dweight[index] *= factor
        return dx, dweight, dbias

    assert weight.size == 9900
    report = gradcheck(conv2d_forward, backward, (x, weight, bias), rng=rng)
    assert report.mode == "directions"
    (finding,) = report.findings
    assert (finding.kind, finding.argument, finding.index) == ("wrong", "weight", index), report
    assert finding.analytic == pytest.approx(factor * finding.numeric, rel=1e-4, abs=1e-4)


def passes_for(base_channels):
    rng = np.random.default_rng(0)
    params = init_unet(rng, base_channels=base_channels, depth=2, dtype=np.float64)
    for name, array in flatten(params).items():
        if name.endswith("bias"):
            array += 0.1 * rng.standard_normal(array.shape)
    report = gradcheck(unet_forward, unet_backward, (params, rng.standard_normal((1, 1, 60, 56))))
    assert report.ok and report.mode == "directions", report
    return report.forward_passes


def test_forward_passes_do_not_grow_with_the_number_of_parameters():
    assert max(passes_for(2), passes_for(16)) <= 40  # 7,000 and 460,000 parameters
