"""How many launches and bytes a training step of the paper's network takes at 572x572: so no launch creeps in."""

import numpy as np
import pytest

from minunet.data import Normalisation
from minunet.training.config import Config
from minunet.training.optimisers import OPTIMISERS
from minunet.training.train import Run, train_step

pytestmark = pytest.mark.gpu
LAUNCHES = {("sgd", "0"): 269, ("adam", "0"): 269, ("adam", "1"): 269}  # at most, by optimiser and CUPY_TF32


@pytest.mark.parametrize(("optimiser", "tf32"), LAUNCHES)
def test_a_step_takes_no_more_launches_than_it_did(driver, step_at_572, monkeypatch, optimiser, tf32):
    monkeypatch.setenv("CUPY_TF32", tf32)
    params, tile = step_at_572()
    config = Config(tile=572, depth=4, optimiser=optimiser, device="gpu")
    with driver.counted(only_count=True) as counts:
        run = Run(config, params, OPTIMISERS[optimiser].init(params), Normalisation("image"), [], None, {}, np.zeros(2))
        train_step(run, tile, 0, 0.01)  # the first step compiles
        before = counts()
        train_step(run, tile, 1, 0.01)
        after = counts()
    launches = after.launches - before.launches + after.products - before.products
    print(f"{optimiser}, CUPY_TF32={tf32}: {launches} launches, {(after.bytes - before.bytes) / 1e9:.2f} GB")
    for name, (times, size) in sorted(after.by_name.items(), key=lambda row: -row[1][1]):
        was, old = before.by_name.get(name, (0, 0))
        print(f"{times - was:>6} {(size - old) / 1e6:>10.1f} MB  {name}")
    assert launches <= LAUNCHES[optimiser, tf32]
    assert after.waits == before.waits
