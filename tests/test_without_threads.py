"""minunet where no thread can start and no process either: in a browser (Pyodide, JupyterLite)."""

import signal
import subprocess
import threading

import pytest
from threadpoolctl import threadpool_limits

import minunet
from minunet import course
from minunet.course.exercises import all_exercises
from minunet.data import synthetic_cells, synthetic_dataset
from minunet.fast import layers as fast
from minunet.metrics import evaluate
from minunet.training.config import Config
from minunet.training.train import start, train_steps


@pytest.fixture(autouse=True)
def browser(monkeypatch):
    """Take away what Python in a browser lacks, with the errors that it gives there."""

    def no_thread(self):
        raise RuntimeError("can't start new thread")

    def no_process(*args, **options):
        raise OSError(138, "emscripten does not support processes.")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    monkeypatch.setattr(subprocess, "Popen", no_process)
    for name in ("setitimer", "alarm"):
        monkeypatch.delattr(signal, name, raising=False)
    with threadpool_limits(1):  # as many threads as BLAS has there
        yield


def test_this_file_would_notice_a_thread():
    with pytest.raises(RuntimeError):
        threading.Thread(target=int).start()


@pytest.mark.parametrize("layers", [minunet, fast], ids=["readable", "fast"])
def test_a_convolution_is_gradient_checked(rng, layers):
    args = rng.standard_normal((2, 2, 6, 5)), rng.standard_normal((3, 2, 3, 3)), rng.standard_normal(3)
    assert minunet.gradcheck(layers.conv2d_forward, layers.conv2d_backward, args, rng=rng)


def test_a_network_trains_and_is_measured_along_the_way():
    dataset = synthetic_dataset(num_train=1, num_validation=1, height=64, width=64)
    run = start(Config(base_channels=2, depth=1, tile=36, steps=20), dataset)
    rows = list(train_steps(run, dataset))
    assert len(rows) == 20 and "validation_error" in rows[-1]
    probabilities = [minunet.predict(run.network, sample.image, progress=True) for sample in dataset.validation]
    assert 0 <= evaluate(dataset.validation, probabilities, progress=True)["pixel_error"] <= 1


def test_train_is_one_call(rng):
    image, instances = synthetic_cells(rng, 64, 64)
    network = minunet.train([image], [instances > 0], base_channels=2, depth=1, tile=36, steps=2)
    assert minunet.predict(network, image).shape == (2, 64, 64)


def test_an_exercise_is_checked():
    assert course.check("conv2d_dx", all_exercises()["conv2d_dx"].solution)
