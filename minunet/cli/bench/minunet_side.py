"""minunet's side of a comparison, on NumPy or CuPy: a layer, a training step, a prediction as functions to be timed."""

import itertools

import numpy as np

from minunet.backend import Array, array_module, to_device
from minunet.data.normalisation import Normalisation
from minunet.fast.conv import conv2d_backward, conv2d_forward
from minunet.fast.cpu.parallel import side_by_side
from minunet.fast.layers import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from minunet.gpu import allow_tf32_if_asked
from minunet.layers import SoftmaxCrossEntropyCache
from minunet.network.initialise import init_unet
from minunet.network.sizes import output_size
from minunet.network.tiles_at_once import tiles_at_once
from minunet.network.unet import UnetCache, unet_backward, unet_forward
from minunet.prediction.predict import predict
from minunet.training.config import Config
from minunet.training.optimisers import init_moments

RATE = 1e-4  # the learning rate: the labels are random, so there is nothing to learn


def layer_passes(arrays: dict, device: str) -> list:
    """Return the forward and the backward pass of a convolution; `arrays` as from `worker.arrays_of`."""
    arrays = to_device(arrays, device)
    allow_tf32_if_asked(arrays["x"])
    _, cache = conv2d_forward(arrays["x"], arrays["weight"], arrays["bias"])
    return [
        lambda: conv2d_forward(arrays["x"], arrays["weight"], arrays["bias"]),
        lambda: conv2d_backward(arrays["dy"], cache),
    ]


def step_passes(network: dict, device: str) -> list:
    """Return the two halves of a training step: forward with loss, and back to the gradient of every parameter."""
    params = init_unet(np.random.default_rng(0), 1, 2, network["base_channels"], network["depth"])
    x = np.random.default_rng(1).standard_normal(input_shape(network)).astype(np.float32)
    params, x = to_device([params, x], device)
    allow_tf32_if_asked(x)
    kept: list[tuple[Array, SoftmaxCrossEntropyCache, UnetCache]] = []

    def forward():
        logits, cache = unet_forward(params, x)
        labels = array_module(logits).zeros((len(x), *logits.shape[2:]), np.int64)
        loss, loss_cache = softmax_cross_entropy_forward(logits, labels)
        kept[:] = [(loss, loss_cache, cache)]

    def backward():
        loss, loss_cache, cache = kept.pop()
        unet_backward(softmax_cross_entropy_backward(loss * 0 + 1, loss_cache), cache)

    return [forward, backward]


def training_passes(network: dict, device: str) -> list:
    """Return what training and prediction do with some tiles: the network forward, and a whole step, Adam included."""
    from minunet.training.processes import Processes  # here, since `minunet doctor` needs none of it
    from minunet.training.train import Run, batch_step

    base_channels, depth, tile = network["base_channels"], network["depth"], network["height"]
    params = init_unet(np.random.default_rng(0), 1, 2, base_channels, depth)
    config = Config(base_channels=base_channels, depth=depth, tile=tile, optimiser="adam", norm="none")
    params, tiles = to_device([params, list(zip(*random_tiles(network), strict=True))], device)
    run = Run(config, params, init_moments(params), Normalisation("image"), [], None, {}, np.zeros(2))
    allow_tf32_if_asked(params["head"]["bias"])
    at_once, steps, share = tiles_at_once(params, tile, tile), itertools.count(), Processes(patience=0)
    return [
        lambda: side_by_side(lambda tile: unet_forward(params, tile[0][None]), tiles, at_once),
        lambda: batch_step(run, tiles, next(steps), RATE, share=share),
    ]


def image_passes(network: dict, device: str) -> list:
    """Return the prediction of an image, whose side is `image`."""
    params = to_device(init_unet(np.random.default_rng(0), 1, 2, network["base_channels"], network["depth"]), device)
    image = np.random.default_rng(1).standard_normal((network["image"], network["image"])).astype(np.float32)
    return [lambda: predict(params, image)]


def random_tiles(network: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a batch of x (N, 1, H, W), with labels and weights of the output's size (N, OH, OW)."""
    rng, shape = np.random.default_rng(1), input_shape(network)
    outputs = (shape[0], *(output_size(n, network["depth"]) for n in shape[2:]))
    x = rng.standard_normal(shape).astype(np.float32)
    return x, rng.integers(0, 2, outputs), rng.random(outputs, np.float32)


def input_shape(network: dict) -> tuple[int, int, int, int]:
    """Return the shape of the tiles of a training step; a batch of one, unless the network says `batch`."""
    return network.get("batch", 1), 1, network["height"], network["width"]


def product(n: int, device: str):
    """Return a product of two n x n matrices."""
    a, b = to_device(list(np.random.default_rng(0).standard_normal((2, n, n)).astype(np.float32)), device)
    return lambda: a @ b


def copy(count: int, device: str):
    """Return a copy of `count` numbers."""
    a = to_device(np.ones(count, np.float32), device)
    return a.copy


def wait(device: str) -> None:
    """Return when the device has done all it was given."""
    if device == "gpu":
        import cupy

        cupy.cuda.Device().synchronize()


def event():
    """Return an event of the GPU, which can tell the time between itself and another."""
    import cupy

    return cupy.cuda.Event()


def milliseconds(first, last) -> float:
    """Return the time from one event to another."""
    import cupy

    return cupy.cuda.get_elapsed_time(first, last)


def peak_bytes(device: str) -> int | None:
    """Return the most memory that the arrays on the GPU have taken; None on a CPU, where the process is asked."""
    if device == "cpu":
        return None
    import cupy

    return cupy.get_default_memory_pool().total_bytes()  # the pool keeps what was freed
