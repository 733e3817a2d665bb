"""What many tests need: a random generator, small networks, small data on disk."""

import os
from pathlib import Path

import numpy as np
import pytest
from cells_on_disk import write_cells
from on_device import move_the_layers_to_the_device
from threadpoolctl import threadpool_limits

from minunet import flatten, init_unet
from minunet.cli.main import main
from minunet.gpu import gpu_is_there

SMALL = ["--base-channels", "2", "--depth", "1", "--tile", "36"]
THERE_IS_A_GPU = gpu_is_there()

REAL_DATA = Path(os.environ.get("MINUNET_DATA") or Path(__file__).parents[2] / "shared" / "data")


def pytest_configure():
    """Let BLAS have one thread in each process: the tests run in several, which would wait for each other's threads.

    The processes of pytest-xdist, and those that tests start, take it from the environment. This one, which runs the
    tests itself with -n 0, has loaded NumPy by now.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    threadpool_limits(1, "blas")


def pytest_runtest_setup(item):
    """Leave out what is marked `gpu` where there is no GPU."""
    if item.get_closest_marker("gpu") and not THERE_IS_A_GPU:
        pytest.skip("needs CuPy and a GPU, or python tests/gpu_on_cpu/run.py")


@pytest.fixture(autouse=True)
def as_many_threads_as_a_test_asks_for(monkeypatch):
    """Let `threadpool_limits(4)` give four threads on a machine of two cores, too."""
    monkeypatch.setattr("minunet.fast.cpu.parallel.cores", lambda: 64)


@pytest.fixture
def real_data():
    """Return a function that gives the folder of a data set by its name, or skips the test where it is missing."""

    def folder(name):
        if not (REAL_DATA / name).is_dir():
            pytest.skip(f"no {name} in {REAL_DATA}; set MINUNET_DATA to the folder that holds it")
        return REAL_DATA / name

    return folder


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def full_precision(monkeypatch):
    """Let a GPU multiply float32 in full, whatever the environment says: results are compared to the last digits."""
    monkeypatch.delenv("CUPY_TF32", raising=False)


@pytest.fixture
def cupy():
    """Return CuPy; tests that ask for it are marked `gpu`."""
    import cupy

    return cupy


DEVICES = ["cpu", pytest.param("gpu", marks=pytest.mark.gpu)] if THERE_IS_A_GPU else ["cpu"]


@pytest.fixture(params=DEVICES)
def device(request, monkeypatch):
    """Run a test once on the CPU and, where there is a GPU, once more there; return the name: "cpu" or "gpu".

    The test calls `minunet.conv2d_forward` and the like with NumPy's arrays, and gets NumPy's arrays back, everywhere.
    """
    if request.param == "gpu":
        move_the_layers_to_the_device(monkeypatch)
    return request.param


@pytest.fixture
def small_unet(rng):
    """Return float64 parameters of a U-Net of depth 2, for one channel and three classes, with biases that count."""
    params = init_unet(rng, num_classes=3, base_channels=2, depth=2, dtype=np.float64)
    for name, array in flatten(params).items():
        if name.endswith("bias"):
            array += np.abs(rng.standard_normal(array.shape))
    return params


@pytest.fixture
def cells_folder(tmp_path):
    """Return a folder with four images of a bright square each, 40x48, and their binary masks."""
    return write_cells(tmp_path / "cells")


def draw_no_pictures(monkeypatch):
    """Leave out the pictures of a run: to draw them takes longer than all the rest of a short run."""
    for name in ("plot_curves", "plot_predictions", "plot_contact_sheet"):
        monkeypatch.setattr(f"minunet.training.run_folder.{name}", lambda *args, **options: None)


@pytest.fixture
def no_pictures(monkeypatch):
    """Let the commands of a test draw no pictures of a run."""
    draw_no_pictures(monkeypatch)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """Return the folder of a short run that is over, without pictures; copy it before changing it."""
    folder = tmp_path_factory.mktemp("finished")
    data = f"folder:{write_cells(folder / 'cells')}"
    with pytest.MonkeyPatch.context() as patch:
        draw_no_pictures(patch)
        assert main(["train", "--data", data, *SMALL, "--steps", "10", "--out", str(folder / "run")]) == 0
    return folder / "run"
