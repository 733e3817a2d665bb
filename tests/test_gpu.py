"""The same lines on CuPy: all that trains and predicts gives there what it gives on the CPU, and a run trains there."""

import copy

import numpy as np
import pytest
from gpu_on_cpu.device import no_trips

from minunet import flatten, init_unet, predict, to_device
from minunet.backend import array_module, map_tree, to_host
from minunet.cli.gradcheck_cases import cases
from minunet.cli.main import main
from minunet.data import load_data
from minunet.fast import conv
from minunet.fast.plan import plan
from minunet.layers import conv as readable
from minunet.training.config import Config
from minunet.training.optimisers import adam_step, init_moments, init_velocity, sgd_step
from minunet.training.run_folder import resume_run, save_run
from minunet.training.train import draw_tile, start, train_step, train_steps

pytestmark = pytest.mark.gpu
COPIES = {"symmetries": 8, "elastic": 13}  # to the GPU for a tile: which pixels, and by how much they move


@pytest.fixture
def config(cells_folder):
    small = {"base_channels": 2, "depth": 1, "tile": 36, "dropout_rate": 0.2}
    return Config(data=f"folder:{cells_folder}", steps=6, augmentation="elastic", weights="map", **small)


def to_gpu(args):
    """Move the arrays of a tuple of arguments; generators and numbers stay."""
    return to_device(args, "gpu")


def assert_equal_on_both(on_cpu, on_gpu, tolerance=1e-10):
    on_cpu, on_gpu = flatten(on_cpu), flatten(on_gpu)
    assert list(on_cpu) == list(on_gpu)
    for name, x in on_cpu.items():
        if hasattr(x, "dtype"):
            assert array_module(on_gpu[name]).__name__ == "cupy", f"{name} has left the GPU"
            assert on_gpu[name].dtype == x.dtype
            np.testing.assert_allclose(to_host(on_gpu[name]), x, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("name", cases())
def test_forward_and_backward_equal_those_on_the_cpu(name):
    forward, backward, args = copy.deepcopy(cases()[name])
    on_gpu = to_gpu(copy.deepcopy(args))
    y, cache = forward(*args)
    with no_trips(copies=int(name == "dropout")):  # its mask is drawn on the host
        y_gpu, cache_gpu = forward(*on_gpu)
    assert_equal_on_both([y, cache], [y_gpu, cache_gpu])
    dy = np.random.default_rng(2).standard_normal(np.shape(y))
    dy_gpu = to_device(dy, "gpu")
    with no_trips():
        gradients = backward(dy_gpu, cache_gpu)
    assert_equal_on_both(backward(dy, cache), gradients)


@pytest.mark.parametrize("kernels", ["auto", "readable"])
@pytest.mark.parametrize("way", ["auto", "winograd", "readable"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 7, 6), (1, 4, 3, 3, 3), (3, 2, 5, 22, 9)])
def test_every_way_of_convolution(rng, monkeypatch, way, kernels, shape):
    monkeypatch.setenv("MINUNET_CONVOLUTION", way)
    monkeypatch.setenv("MINUNET_KERNELS", kernels)
    N, C, F, H, W = shape
    sizes = (N, C, H, W), (F, C, 3, 3), (F,), (N, F, H - 2, W - 2)
    x, weight, bias, dy = (rng.standard_normal(size) for size in sizes)
    y, cache = readable.conv2d_forward(x, weight, bias)
    on_gpu = to_gpu((x, weight, bias))
    dy_gpu = to_device(dy, "gpu")
    with no_trips(copies=6 if (way, kernels) == ("winograd", "readable") else 0):  # Winograd's matrices
        y_gpu, cache_gpu = conv.conv2d_forward(*on_gpu)
        gradients = conv.conv2d_backward(dy_gpu, cache_gpu)
    assert_equal_on_both([y, readable.conv2d_backward(dy, cache)], [y_gpu, gradients], 1e-12)


@pytest.mark.parametrize("choice", ["auto", "readable", "direct", "winograd"])
def test_every_choice_of_convolution_runs_there_without_kernels(rng, monkeypatch, choice):
    monkeypatch.setenv("MINUNET_CONVOLUTION", choice)
    monkeypatch.setenv("MINUNET_KERNELS", "readable")
    x, weight = to_gpu((rng.standard_normal((1, 64, 50, 50)), rng.standard_normal((64, 64, 3, 3))))
    way = plan(x, weight, backward=False).way
    assert way in ("winograd", "winograd_deep") if choice == "winograd" else way == "readable"


def test_an_optimiser_step_equals_that_on_the_cpu(rng):
    params = {"head": {"weight": rng.standard_normal((2, 3)), "bias": rng.standard_normal(2)}}
    grads = map_tree(lambda x: rng.standard_normal(x.shape), params)
    on_gpu = to_gpu(copy.deepcopy([params, grads]))
    velocity, velocity_gpu = init_velocity(params), init_velocity(on_gpu[0])
    moments, moments_gpu = init_moments(params), init_moments(on_gpu[0])
    for step in (1, 2):
        sgd_step(params, grads, velocity, 0.1, 0.9)
        adam_step(params, grads, moments, 0.1, 0.9, step)
        with no_trips():
            sgd_step(*on_gpu, velocity_gpu, 0.1, 0.9)
            adam_step(*on_gpu, moments_gpu, 0.1, 0.9, step)
    assert_equal_on_both([params, velocity, moments], [on_gpu[0], velocity_gpu, moments_gpu])


@pytest.mark.parametrize("rotations", [1, 7, 8])
def test_prediction_equals_that_on_the_cpu(rng, rotations):
    params = init_unet(rng, base_channels=2, depth=1)
    image = rng.standard_normal((40, 52))
    on_gpu = predict(to_device(params, "gpu"), image, 44, rotations)
    np.testing.assert_allclose(on_gpu, predict(params, image, 44, rotations), atol=1e-5)


def test_an_image_on_the_gpu_is_predicted_too(rng):
    params, image = init_unet(rng, base_channels=2, depth=1), rng.standard_normal((50, 40))
    np.testing.assert_array_equal(predict(params, to_device(image, "gpu")), predict(params, image))


@pytest.mark.parametrize("augmentation", ["symmetries", "elastic"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_tile_drawn_there_equals_that_drawn_on_the_cpu(rng, config, augmentation, weighted):
    config = config._replace(augmentation=augmentation)
    image, labels = rng.standard_normal((2, 50, 60)).astype(np.float32), rng.integers(0, 3, (50, 60)).astype(np.uint8)
    weights = np.where(rng.random((50, 60)) < 0.2, 0, rng.random((50, 60))).astype(np.float32) if weighted else None
    planes = [(image, labels, weights)]
    planes_gpu = to_gpu(planes)
    for step in range(3):
        with no_trips(copies=COPIES[augmentation]):
            tile = draw_tile(config, planes_gpu, step)
        assert_equal_on_both(draw_tile(config, planes, step), tile, 1e-4)  # a GPU weighs in float32


@pytest.mark.parametrize(
    ("augmentation", "kernels"), [("symmetries", "auto"), ("elastic", "auto"), ("symmetries", "readable")]
)
def test_a_training_step_never_waits_for_the_gpu(config, monkeypatch, augmentation, kernels):
    if kernels == "readable":
        monkeypatch.setenv("MINUNET_KERNELS", "readable")
    config = config._replace(augmentation=augmentation)
    dataset = load_data(config.data)
    run, run_gpu = (start(config._replace(device=device), dataset) for device in ("cpu", "gpu"))
    planes = [(sample.image, sample.labels, np.ones(sample.labels.shape, np.float32)) for sample in dataset.train]
    planes_gpu = to_gpu(planes)
    for step in range(2):
        with no_trips(copies=COPIES[augmentation] + 7):  # masks of dropout, and addresses
            loss_gpu = train_step(run_gpu, draw_tile(config, planes_gpu, step), step, 0.01)
        loss = train_step(run, draw_tile(config, planes, step), step, 0.01)
        assert float(loss_gpu) == pytest.approx(float(loss), rel=1e-4)
    assert_equal_on_both([run.params, run.optimiser_state], [run_gpu.params, run_gpu.optimiser_state], 1e-4)


def test_a_run_draws_its_tiles_on_the_gpu(config, monkeypatch):
    config, tiles = config._replace(device="gpu", steps=2), []

    def note(run, batch, *others):
        tiles.extend(batch)
        return 1.0

    monkeypatch.setattr("minunet.training.train.batch_step", note)
    dataset = load_data(config.data)
    list(train_steps(start(config, dataset), dataset))
    assert {array_module(x).__name__ for tile in tiles for x in tile} == {"cupy"} and len(tiles) == 4


def test_a_run_there_gives_the_losses_of_one_on_the_cpu_and_can_be_resumed(tmp_path, config):
    dataset = load_data(config.data)
    losses = [row["loss"] for row in train_steps(start(config, dataset), dataset)]
    run = start(config._replace(device="gpu"), dataset)
    for row in train_steps(run, dataset):
        if row["step"] == 3:
            break
    save_run(run, tmp_path)
    run = resume_run(tmp_path)
    assert array_module(run.params["head"]["bias"]).__name__ == "cupy"
    list(train_steps(run, dataset))
    np.testing.assert_allclose([row["loss"] for row in run.history], losses, rtol=1e-4)
    assert all(type(row["loss"]) is float for row in run.history)


@pytest.mark.usefixtures("no_pictures")
def test_train_on_the_gpu(tmp_path, cells_folder):
    small = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--steps", "3"]
    out = ["--device", "gpu", "--out", str(tmp_path / "run")]
    assert main(["train", "--data", f"folder:{cells_folder}", *small, *out]) == 0
    assert (tmp_path / "run" / "metrics.json").exists()
