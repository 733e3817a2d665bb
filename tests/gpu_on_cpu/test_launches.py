"""How many launches and bytes a training step of the paper's network takes at 572x572: so no launch creeps in."""

import numpy as np
import pytest

from minunet import init_unet
from minunet.backend import to_device
from minunet.data import AUGMENTATIONS, Normalisation, augmented_tile
from minunet.fast.cuda import loader
from minunet.network.running_averages import first_running
from minunet.network.sizes import output_size
from minunet.training.config import Config
from minunet.training.optimisers import OPTIMISERS
from minunet.training.train import Run, batch_step, train_step

pytestmark = pytest.mark.gpu
MOST = {  # launches and GB, by optimiser, CUPY_TF32 and MINUNET_CONVOLUTION
    ("sgd", "0", "auto"): (269, 19.54),
    ("adam", "0", "auto"): (269, 19.67),
    ("adam", "1", "winograd"): (269, 26.45),
    ("adam", "1", "auto"): (195, 8.87),  # on tensor cores
}


@pytest.mark.parametrize(("optimiser", "tf32", "convolution"), MOST)
def test_a_step_takes_no_more_launches_than_it_did(driver, step_at_572, monkeypatch, optimiser, tf32, convolution):
    monkeypatch.setenv("CUPY_TF32", tf32)
    monkeypatch.setenv("MINUNET_CONVOLUTION", convolution)
    params, tile = step_at_572()
    config = Config(tile=572, depth=4, optimiser=optimiser, device="gpu")
    with driver.counted(only_count=True) as counts:
        run = Run(config, params, OPTIMISERS[optimiser].init(params), Normalisation("image"), [], None, {}, np.zeros(2))
        train_step(run, tile, 0, 0.01)  # the first step compiles
        before = counts()
        train_step(run, tile, 1, 0.01)
        after = counts()
    launches = after.launches - before.launches + after.products - before.products
    size = (after.bytes - before.bytes) / 1e9
    print(f"{optimiser}, CUPY_TF32={tf32}, {convolution}: {launches} launches, {size:.2f} GB")
    for name, (times, size) in sorted(after.by_name.items(), key=lambda row: -row[1][1]):
        was, old = before.by_name.get(name, (0, 0))
        print(f"{times - was:>6} {(size - old) / 1e6:>10.1f} MB  {name}")
    most, most_bytes = MOST[optimiser, tf32, convolution]
    assert launches <= most and (after.bytes - before.bytes) / 1e9 <= most_bytes
    assert (after.waits, after.fills) == (before.waits, before.fills)


@pytest.mark.parametrize(
    ("base_channels", "depth", "tile", "most", "most_bytes"), [(16, 3, 220, 323, 1.34), (64, 4, 572, 412, 43.79)]
)
def test_a_step_with_batch_normalisation_takes_no_more_launches_than_it_did(
    driver, monkeypatch, base_channels, depth, tile, most, most_bytes
):
    """A step of `minunet train` as it is by default, and of the paper's network likewise: a pair of tiles, Adam."""
    kernel = loader._kernel
    monkeypatch.setattr(loader, "_kernel", lambda *key: driver.saying_sizes(kernel(*key)))
    output = output_size(tile, depth)
    config = Config(tile=tile, depth=depth, optimiser="adam", norm="batch", batch=2, device="gpu")
    with driver.counted(only_count=True) as counts:
        params = to_device(
            init_unet(np.random.default_rng(0), base_channels=base_channels, depth=depth, norm="batch"), "gpu"
        )
        x, labels = to_device((np.zeros((1, tile, tile), np.float32), np.zeros((output, output), np.uint8)), "gpu")
        state, running = OPTIMISERS["adam"].init(params), first_running(params)
        run = Run(config, params, state, Normalisation("image"), [], None, running, np.zeros(2))
        batch_step(run, [(x, labels, None)] * 2, 0, 0.01)
        before = counts()
        batch_step(run, [(x, labels, None)] * 2, 1, 0.01)
        after = counts()
    launches = after.launches - before.launches + after.products - before.products
    print(f"{base_channels} channels at {tile}: {launches} launches, {(after.bytes - before.bytes) / 1e9:.2f} GB")
    for name, (times, size) in sorted(after.by_name.items(), key=lambda row: -row[1][0]):
        was, old = before.by_name.get(name, (0, 0))
        print(f"{times - was:>6} {(size - old) / 1e6:>10.1f} MB  {name}")
    assert launches <= most and (after.bytes - before.bytes) / 1e9 <= most_bytes
    assert after.fills - before.fills <= 4 * depth + 2  # of each convolution's bias


def test_a_bent_tile_sends_its_positions_once(driver, rng):
    """Besides go two short arrays for each of three windows, two of CuPy's spline filter, a gain and an offset."""
    planes = (
        rng.random((1, 90, 80), np.float32),
        rng.integers(0, 2, (90, 80), np.uint8),
        rng.random((90, 80), np.float32),
    )
    planes = to_device(planes, "gpu")
    with driver.counted() as counts:
        augmented_tile(*planes, rng, (60, 52), (20, 12), AUGMENTATIONS["elastic"])
        assert counts().to_device == 1 + 3 * 2 + 2 + 2
