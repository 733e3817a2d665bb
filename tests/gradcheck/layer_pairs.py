"""What many tests of gradcheck need: pairs of minunet's layers, arguments for a convolution, and the modes."""

import minunet

MODES = ["elements", "directions"]
CONV = minunet.conv2d_forward, minunet.conv2d_backward
UP = minunet.up_conv_forward, minunet.up_conv_backward
RELU = minunet.relu_forward, minunet.relu_backward
POOL = minunet.max_pool_forward, minunet.max_pool_backward
LOSS = minunet.softmax_cross_entropy_forward, minunet.softmax_cross_entropy_backward


def kinds(report):
    return [finding.kind for finding in report.findings]


def conv_args(rng, scale=1.0):
    normal = rng.standard_normal
    return scale * normal((2, 3, 6, 5)), scale * normal((4, 3, 3, 2)), scale * normal(4)
