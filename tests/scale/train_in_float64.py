"""A run in float64, alone or under mpirun: python train_in_float64.py DATA BATCH NORM OUT.npz."""

import sys

import numpy as np

from minunet import flatten
from minunet.backend import map_tree
from minunet.data import load_data
from minunet.scale.ranks import join_ranks
from minunet.training import train
from minunet.training.config import Config

_, data, batch, norm, out = sys.argv
ranks = join_ranks()
in_float32 = train.normalise
train.normalise = lambda image, normalisation: in_float32(image, normalisation).astype(np.float64)
dataset = load_data(data)
config = Config(
    base_channels=2, depth=1, tile=36, batch=int(batch), steps=5, dropout_rate=0.2, weights="none", norm=norm
)
run = train.start(config, dataset)
params, state, running = map_tree(lambda x: x.astype(np.float64), [run.params, run.optimiser_state, run.running])
run = run._replace(params=params, optimiser_state=state, running=running)
losses = [row["loss"] for row in train.train_steps(run, dataset._replace(validation=[]), ranks=ranks)]
if ranks.rank == 0:
    arrays = {**flatten(run.params), **(flatten({"running": running}) if running else {})}
    assert all(x.dtype == np.float64 for x in arrays.values())
    np.savez(out, losses=losses, **arrays)
