"""What every layer of a U-Net puts out, in the order in which the forward pass comes by."""

from minunet.backend import Array, Params
from minunet.network.unet import DoubleConvCache, unet_forward


def activations(params: Params, x: Array) -> dict[str, Array]:
    """Return {dotted name of the layer: its output (N, F, H, W)} for a batch of tiles, the first layer first.

    The output of conv1 and conv2 is that after the ReLU; the head's are the logits.

    Parameters
    ----------
    params : as from `init_unet`
    x : array, (N, C, H, W)
    """
    logits, cache = unet_forward(params, x)
    outputs: dict[str, Array] = {}

    def add(level: str, conv: DoubleConvCache) -> None:
        outputs[f"{level}.conv1"] = conv.relu1.y
        outputs[f"{level}.conv2"] = conv.relu2.y

    for i, encode in enumerate(cache.encode):
        add(f"encode.{i}", encode.conv)
    add("bottom", cache.bottom)
    for i in reversed(range(len(cache.decode))):
        features = params["decode"][i]["up"]["bias"].size
        skip_and_up = cache.decode[i].conv.conv1.x  # (N, 2F, H, W)
        outputs[f"decode.{i}.up"] = skip_and_up[:, -features:]
        add(f"decode.{i}", cache.decode[i].conv)
    outputs["head"] = logits
    return outputs
