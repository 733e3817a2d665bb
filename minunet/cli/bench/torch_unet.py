"""The U-Net of minunet in PyTorch calls: the other side of the comparison, for the tests and `minunet bench`."""

import torch

F = torch.nn.functional


def forward(params, x):
    """Return the logits (N, K, OH, OW) of x (N, C, H, W); `params` is {dotted name: tensor}, as from `flatten`."""
    depth = sum(name.startswith("encode.") and name.endswith(".conv1.weight") for name in params)
    skips = []
    for level in range(depth):
        x = double_conv(params, f"encode.{level}", x)
        skips.append(x)
        x = F.max_pool2d(x, 2)
    x = double_conv(params, "bottom", x)
    for level in reversed(range(depth)):
        x = F.conv_transpose2d(x, params[f"decode.{level}.up.weight"], params[f"decode.{level}.up.bias"], stride=2)
        x = crop_concat(skips.pop(), x)
        x = double_conv(params, f"decode.{level}", x)
    return F.conv2d(x, params["head.weight"], params["head.bias"])


def double_conv(params, name, x):
    """Twice a valid 3x3 convolution and a ReLU."""
    for conv in ("conv1", "conv2"):
        x = F.relu(F.conv2d(x, params[f"{name}.{conv}.weight"], params[f"{name}.{conv}.bias"]))
    return x


def crop_concat(skip, up):
    """[the centre of skip, up] along the channels."""
    (SH, SW), (H, W) = skip.shape[2:], up.shape[2:]
    top, left = (SH - H) // 2, (SW - W) // 2
    return torch.cat([skip[:, :, top : top + H, left : left + W], up], dim=1)
