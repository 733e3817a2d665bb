"""Small arguments for every pair of minunet, for `minunet gradcheck`: non-square, batch of two, biases not zero."""

import numpy as np

import minunet


def cases(seed: int = 1) -> dict[str, tuple]:
    """Return {name: (forward, backward, args)}."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal
    labels = rng.integers(0, 3, (2, 5, 4))
    weights = rng.random((2, 5, 4))
    params = minunet.init_unet(rng, in_channels=1, num_classes=2, base_channels=2, depth=1, dtype=np.float64)
    for name, array in minunet.flatten(params).items():
        if name.endswith("bias"):
            array += np.abs(normal(array.shape))  # above 0, so that no ReLU is dead: its gradients would all be 0
    return {
        "conv2d": (
            minunet.conv2d_forward,
            minunet.conv2d_backward,
            (normal((2, 3, 6, 5)), normal((4, 3, 3, 2)), normal(4)),
        ),
        "relu": (minunet.relu_forward, minunet.relu_backward, (normal((2, 3, 6, 5)),)),
        "max_pool": (minunet.max_pool_forward, minunet.max_pool_backward, (normal((2, 3, 6, 4)),)),
        "up_conv": (
            minunet.up_conv_forward,
            minunet.up_conv_backward,
            (normal((2, 3, 4, 5)), normal((3, 2, 2, 2)), normal(2)),
        ),
        "crop_concat": (
            minunet.crop_concat_forward,
            minunet.crop_concat_backward,
            (normal((2, 3, 8, 7)), normal((2, 2, 4, 5))),
        ),
        "dropout": (minunet.dropout_forward, minunet.dropout_backward, (normal((2, 3, 6, 5)), 0.5, rng)),
        "batch_norm": (
            minunet.batch_norm_forward,
            minunet.batch_norm_backward,
            (normal((2, 3, 5, 4)), normal(3), normal(3)),
        ),
        "softmax_cross_entropy": (
            minunet.softmax_cross_entropy_forward,
            minunet.softmax_cross_entropy_backward,
            (normal((2, 3, 5, 4)), labels, weights),
        ),
        "unet": (minunet.unet_forward, _unet_backward_with_dx, (params, normal((1, 1, 20, 18)))),
    }


def _unet_backward_with_dx(dlogits, cache):
    return minunet.unet_backward(dlogits, cache, with_dx=True)
