"""A thousand training steps, and a thousand predictions, in one process take no more memory than the first ones."""

import subprocess
import sys

import pytest

psutil = pytest.importorskip("psutil", reason="tells how much memory a process takes")
CODE = """
import sys
import numpy as np
import psutil
from minunet.data import Dataset, Sample
from minunet.fast.cpu.memory import keep_freed_memory
from minunet.prediction.predict import predict
from minunet.training.config import Config
from minunet.training.train import start, train_steps

keep_freed_memory()
rng = np.random.default_rng(0)
labels = np.zeros((60, 60), np.uint8)
labels[20:40, 10:50] = 1
image = (labels + rng.standard_normal(labels.shape)).astype(np.float32)[None]
data = Dataset("squares", [Sample("a", image, labels, None)], [], 2)
run = start(Config(base_channels=2, depth=1, tile=36, steps=1300), data)

def work():
    for _ in train_steps(run, data):
        yield
    for _ in range(1300):
        predict(run.network, image[0, :40, :40])
        yield

taken = []
for step, _ in enumerate(work()):
    if step % 1300 in (299, 1299):
        taken.append(psutil.Process().memory_info().rss)
print(taken[1] - taken[0], taken[3] - taken[2])
"""
FEW = 2_000_000  # bytes: a row of the log for each step, and what the C library keeps; an image more a step is 15 MB


@pytest.mark.slow
def test_a_thousand_steps_and_predictions_take_no_more_memory():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    training, predicting = map(int, done.stdout.split())
    print(f"grew by {training / 1e6:.2f} MB in 1,000 steps, and by {predicting / 1e6:.2f} MB in 1,000 predictions")
    assert training < FEW and predicting < FEW
