"""A GPU that runs out of memory names the tile that would fit, by an estimate that a measured step bears out."""

import numpy as np
import pytest
from gpu_on_cpu import device

from minunet.backend import to_device
from minunet.cli.main import main
from minunet.data import Normalisation, load_data
from minunet.network.initialise import init_unet
from minunet.network.sizes import output_size
from minunet.network.summary import layer_rows
from minunet.training.config import Config
from minunet.training.optimisers import init_velocity
from minunet.training.out_of_memory import SHARE, data_bytes, largest_tile, step_bytes
from minunet.training.train import Run, train_step
from minunet.training.validation import prediction_tile

NETWORK = {"in_channels": 1, "num_classes": 2, "base_channels": 16, "depth": 3}


@pytest.fixture
def peak_of(cupy):
    """Return a function that calls a function, and returns how many bytes of the device its arrays take at most."""
    pool = cupy.cuda.MemoryPool()

    class Peak(cupy.cuda.MemoryHook):
        bytes = 0

        def malloc_postprocess(self, **kwargs):
            self.bytes = max(self.bytes, pool.used_bytes())

    def peak_of(function):
        with cupy.cuda.using_allocator(pool.malloc), Peak() as peak, device.only_counting():
            function()
        return peak.bytes

    return peak_of


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("network", "tile"),
    [
        (NETWORK, 220),
        (dict(in_channels=3, num_classes=3, base_channels=8, depth=2), 140),
        ({**NETWORK, "depth": 1}, 132),
    ],
)
@pytest.mark.parametrize("tf32", ["0", "1"])
def test_the_estimate_is_the_peak_of_a_step_or_up_to_a_third_more(peak_of, rng, monkeypatch, network, tile, tf32):
    monkeypatch.setenv("CUPY_TF32", tf32)
    output = output_size(tile, network["depth"])
    x = rng.standard_normal((network["in_channels"], tile, tile)).astype(np.float32)
    labels = rng.integers(0, network["num_classes"], (output, output))
    x, labels = to_device([x, labels], "gpu")

    def step():
        params = to_device(init_unet(rng, **network), "gpu")
        config = Config(tile=tile, depth=network["depth"], optimiser="sgd")
        run = Run(config, params, init_velocity(params), Normalisation("image"), [], None, {}, np.zeros(2))
        train_step(run, (x, labels, None), 0, 0.01)

    peak = peak_of(step)
    assert peak <= step_bytes(tile, **network) <= 4 / 3 * peak


def test_adam_needs_one_more_array_for_each_parameter():
    parameters = sum(row.parameters for row in layer_rows(220, 220, **NETWORK))
    assert step_bytes(220, "adam", **NETWORK) - step_bytes(220, "sgd", **NETWORK) == 4 * parameters


def test_the_largest_tile_is_the_largest():
    tile = largest_tile(572, step_bytes(348, **NETWORK), **NETWORK)
    assert tile == 348 and step_bytes(356, **NETWORK) > step_bytes(348, **NETWORK)
    assert largest_tile(348, step_bytes(348, **NETWORK), **NETWORK) == 340
    assert largest_tile(572, 1000, **NETWORK) is None


def train_out_of_memory(monkeypatch, cupy, cells_folder, free, where="minunet.training.gradient.unet_forward"):
    """Let an allocation fail while `free` bytes are free; return the exit code."""

    def allocate(*args, **kwargs):
        raise cupy.cuda.memory.OutOfMemoryError(1234, 0)

    monkeypatch.setattr(where, allocate)
    monkeypatch.setattr(cupy.cuda.runtime, "memGetInfo", lambda: (free, 2 * free))
    monkeypatch.setattr(cupy, "get_default_memory_pool", cupy.cuda.MemoryPool)  # which holds nothing
    small = ["--base-channels", "16", "--depth", "2", "--tile", "140", "--steps", "3", "--device", "gpu"]
    return main(["train", "--data", f"folder:{cells_folder}", *small, "--out", str(cells_folder / "run")])


@pytest.mark.gpu
@pytest.mark.parametrize("where", ["minunet.training.gradient.unet_forward", "minunet.cli.train.start"])
def test_train_names_a_tile_that_fits_in_one_line(cupy, monkeypatch, capsys, cells_folder, where):
    network = {**NETWORK, "depth": 2, "norm": "batch", "tiles": 2}
    data = data_bytes(load_data(f"folder:{cells_folder}"))
    free = int(step_bytes(108, "adam", **network) / SHARE) + data + 10
    assert train_out_of_memory(monkeypatch, cupy, cells_folder, free, where) == 2
    error = capsys.readouterr().err.strip().split("\n")[-1]
    needed = (step_bytes(140, "adam", **network) / SHARE + data) / 1e9
    expected = (
        f"with tile 140 a run needs about {needed:.1f} GB, and {free / 1e9:.1f} GB are free; --tile 108 would fit"
    )
    assert error == f"minunet train: error: the GPU ran out of memory: {expected}"


@pytest.mark.gpu
def test_train_says_so_where_no_tile_fits(cupy, monkeypatch, capsys, cells_folder):
    assert train_out_of_memory(monkeypatch, cupy, cells_folder, 10**5) == 2
    assert "no tile fits: try fewer --base-channels, or --device cpu" in capsys.readouterr().err


@pytest.mark.gpu
def test_the_memory_of_the_host_is_another_matter(monkeypatch, cells_folder, capsys):
    def allocate(*args):
        raise MemoryError("the host's")

    monkeypatch.setattr("minunet.training.gradient.unet_forward", allocate)
    small = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--device", "gpu"]
    assert main(["train", "--data", f"folder:{cells_folder}", *small, "--out", str(cells_folder / "run")]) == 2
    assert "not enough memory: the host's; try a smaller --tile" in capsys.readouterr().err


def test_what_trains_on_the_gpu_predicts_there():
    assert prediction_tile(Config(tile=140, device="gpu")) == 140 and prediction_tile(Config(tile=140)) is None
