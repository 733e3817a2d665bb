"""The estimate of a step's memory, beside what CuPy's pool takes."""

import numpy as np
import pytest

from minunet import init_unet
from minunet.backend import to_device
from minunet.data import Normalisation
from minunet.training.config import Config
from minunet.training.optimisers import OPTIMISERS
from minunet.training.out_of_memory import SHARE, step_bytes
from minunet.training.train import Run, train_step

pytestmark = pytest.mark.gpu


@pytest.fixture
def pool(driver):
    import cupy

    pool = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc):
        yield pool


@pytest.mark.parametrize(
    ("optimiser", "tf32", "base_channels", "tile"),
    [("sgd", "0", 64, 572), ("adam", "1", 64, 572), ("adam", "0", 64, 348), ("adam", "0", 32, 572)],
)
def test_the_estimate_is_about_what_the_pool_takes(driver, pool, monkeypatch, optimiser, tf32, base_channels, tile):
    monkeypatch.setenv("CUPY_TF32", tf32)
    with driver.counted(only_count=True):
        params = to_device(init_unet(np.random.default_rng(0), base_channels=base_channels), "gpu")
        x, labels = to_device((np.zeros((1, tile, tile), np.float32), np.zeros((tile - 184,) * 2, np.uint8)), "gpu")
        state = OPTIMISERS[optimiser].init(params)
        config = Config(tile=tile, depth=4, optimiser=optimiser, device="gpu")
        run = Run(config, params, state, Normalisation("image"), [], None, {}, np.zeros(2))
        for step in range(2):
            train_step(run, (x, labels, None), step, 0.01)
    network = {"in_channels": 1, "num_classes": 2, "base_channels": base_channels, "depth": 4}
    estimate = step_bytes(tile, optimiser, **network) / SHARE
    print(f"pool {pool.total_bytes() / 1e9:.2f} GB, estimate {estimate / 1e9:.2f} GB")
    assert 0.95 * pool.total_bytes() < estimate < 1.35 * pool.total_bytes()
