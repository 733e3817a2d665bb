"""Make tests/layers/references/*.npz: inputs, outputs and gradients that PyTorch computed in float64.

    PYTHONPATH=. python tests/layers/make_torch_references.py

Run it from the top of the repository, where PyTorch is installed. It is needed again only for new references: the
files are committed, and tests/layers/test_references.py reads them without PyTorch. Every file holds the arguments by
name,
dy, y and the gradients (dx, dweight, ...). Inputs are multiples of 1/64, which are exact and pack well.
"""

from pathlib import Path

import numpy as np
import torch

from minunet import flatten, init_unet
from minunet.cli.bench import torch_unet

F = torch.nn.functional
FOLDER = Path(__file__).parent / "references"


def main() -> None:
    rng = np.random.default_rng(2015)
    FOLDER.mkdir(exist_ok=True)
    for KH, KW in [(3, 3), (1, 1), (2, 5)]:
        arguments = {"x": draw(rng, 2, 3, 7, 9), "weight": draw(rng, 4, 3, KH, KW), "bias": draw(rng, 4)}
        save_layer(rng, f"conv2d_{KH}x{KW}", F.conv2d, arguments)
    with_zeros = draw(rng, 2, 3, 4, 5) * (rng.random((2, 3, 4, 5)) < 0.8)
    save_layer(rng, "relu", F.relu, {"x": with_zeros})
    with_ties = rng.integers(-2, 2, (2, 3, 6, 8)).astype(float)
    save_layer(rng, "max_pool", lambda x: F.max_pool2d(x, 2), {"x": with_ties})
    arguments = {"x": draw(rng, 2, 3, 4, 5), "weight": draw(rng, 3, 4, 2, 2), "bias": draw(rng, 4)}
    save_layer(rng, "up_conv", lambda x, weight, bias: F.conv_transpose2d(x, weight, bias, stride=2), arguments)
    save_layer(rng, "crop_concat", torch_unet.crop_concat, {"skip": draw(rng, 2, 3, 8, 11), "x": draw(rng, 2, 4, 4, 7)})
    save_loss(rng)
    save_unet(rng)
    arguments = {"x": draw(rng, 2, 3, 4, 5), "gamma": draw(rng, 3), "beta": draw(rng, 3)}
    save_layer(rng, "batch_norm", batch_norm, arguments)


def draw(rng, *shape):
    """Return Gaussian numbers, rounded to multiples of 1/64."""
    return np.round(64 * rng.standard_normal(shape)) / 64


def save_layer(rng, name, function, arguments):
    tensors = {key: torch.tensor(array, requires_grad=True) for key, array in arguments.items()}
    y = function(*tensors.values())
    dy = draw(rng, *y.shape)
    y.backward(torch.tensor(dy))
    save(name, dy=dy, y=y, **tensors, **{f"d{key}": tensor.grad for key, tensor in tensors.items()})


def batch_norm(x, gamma, beta):
    return F.batch_norm(x, None, None, gamma, beta, training=True)


def save_loss(rng):
    """Weighted cross-entropy: a mean over all pixels, of which some have weight 0 and one of those has no label."""
    logits = torch.tensor(draw(rng, 2, 3, 4, 5), requires_grad=True)
    labels, weights = rng.integers(0, 3, (2, 4, 5)), np.abs(draw(rng, 2, 4, 5))
    weights[rng.random(weights.shape) < 0.3] = 0
    surprise = F.cross_entropy(logits, torch.tensor(labels), reduction="none")
    loss = (torch.tensor(weights) * surprise).mean()
    loss.backward(torch.tensor(1.75, dtype=torch.float64))
    labels[tuple(np.argwhere(weights == 0)[0])] = 255  # PyTorch never saw it; minunet must not look at it
    save("loss", logits=logits, labels=labels, weights=weights, dy=np.array(1.75), y=loss, dlogits=logits.grad)


def save_unet(rng):
    params = flatten(init_unet(rng, in_channels=2, num_classes=3, base_channels=3, depth=2, dtype=np.float64))
    params = {name: np.round(64 * array) / 64 for name, array in params.items()}
    params |= {name: draw(rng, *array.shape) / 2 for name, array in params.items() if name.endswith("bias")}
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in params.items()}
    x = torch.tensor(draw(rng, 2, 2, 44, 48), requires_grad=True)
    y = torch_unet.forward(tensors, x)
    dy = draw(rng, *y.shape)
    y.backward(torch.tensor(dy))
    grads = {f"grads.{name}": tensor.grad for name, tensor in tensors.items()}
    save("unet", x=x, dy=dy, y=y, dx=x.grad, **{f"params.{name}": array for name, array in params.items()}, **grads)


def save(name, **arrays):
    arrays = {key: a.detach().numpy() if isinstance(a, torch.Tensor) else a for key, a in arrays.items()}
    path = FOLDER / f"{name}.npz"
    np.savez_compressed(path, made_by=f"torch {torch.__version__}", **arrays)
    print(f"{path.name:<16} {path.stat().st_size / 1e3:6.1f} kB")


if __name__ == "__main__":
    main()
