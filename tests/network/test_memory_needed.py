"""The memory that is predicted from shapes is what is measured, within 30 %; what cannot fit is refused in a line."""

import functools
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_limits

from minunet import Network, load_network, predict, save_network, train
from minunet.cli.main import main
from minunet.data import Normalisation
from minunet.errors import InputError
from minunet.fast.cpu import limits, memory
from minunet.fast.cpu.parallel import side_by_side
from minunet.network.initialise import init_unet
from minunet.network.memory_needed import backward_bytes, check_memory, forward_bytes, network_of
from minunet.network.running_averages import first_running
from minunet.network.sizes import output_size
from minunet.prediction.predict import tile_probabilities
from minunet.training.config import Config
from minunet.training.optimisers import init_moments
from minunet.training.train import Run, batch_step

NETWORKS = [
    ({"in_channels": 1, "num_classes": 2, "base_channels": 16, "depth": 3}, 220),
    ({"in_channels": 3, "num_classes": 3, "base_channels": 8, "depth": 2}, 140),
    ({"in_channels": 1, "num_classes": 2, "base_channels": 4, "depth": 3}, 348),
]
LARGE = [
    ({"in_channels": 1, "num_classes": 2, "base_channels": 64, "depth": 4}, 572),
    ({"in_channels": 1, "num_classes": 2, "base_channels": 32, "depth": 1}, 516),
    ({"in_channels": 1, "num_classes": 2, "base_channels": 16, "depth": 3}, 604),
]
WITH_NORM = ({"in_channels": 1, "num_classes": 2, "base_channels": 16, "depth": 3, "norm": "batch"}, 220)
CASES = [*NETWORKS, *(pytest.param(*case, marks=pytest.mark.slow) for case in LARGE)]
GB = 10**9


def peak(work):
    """Return the most bytes that Python and NumPy have taken during the work, beyond those before it."""
    memory.give_back()  # or the work would use what the last one has left
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def check(what, predicted, work, least=None):
    """Compare the measured peak with the predicted one, and print both; `pytest -rP` shows them.

    Of tiles at once the peaks need not coincide: then it takes at least what they take in turn, `least`.
    """
    measured = peak(work)
    print(f"{what}: predicted {predicted / 1e6:.0f} MB, measured {measured / 1e6:.0f} MB")
    assert 0.7 * (least or predicted) <= measured <= 1.3 * predicted


@pytest.fixture
def free(monkeypatch):
    """Return a function that sets how much memory is free, of 64 GB; earlier tests have left none."""
    monkeypatch.setattr(memory, "freed_bytes", lambda: 0)
    return lambda count: monkeypatch.setattr(limits, "memory", lambda: limits.Memory(64 * GB, int(count)))


@pytest.mark.parametrize(("network", "tile"), CASES)
def test_a_prediction_takes_what_is_predicted(rng, network, tile):
    params = init_unet(rng, **network)
    assert network_of(params) == {"norm": None, **network}
    x = rng.standard_normal((network["in_channels"], tile, tile)).astype(np.float32)
    check(
        f"forward, {network}, tile {tile}", forward_bytes(tile, tile, **network), lambda: tile_probabilities(params, x)
    )


@pytest.mark.parametrize(("network", "tile"), [*CASES, WITH_NORM])
def test_a_training_step_takes_what_is_predicted(rng, network, tile):
    run, draw = run_and_tile(rng, network, tile)
    step = functools.partial(batch_step, run, [draw()], 0, 0.001)
    check(f"step, {network}, tile {tile}", backward_bytes(tile, **network), step)


def run_and_tile(rng, network, tile):
    """Return a fresh run, and a function that returns a random tile."""
    params = init_unet(rng, **network)
    output = output_size(tile, network["depth"])
    config = Config(tile=tile, depth=network["depth"], optimiser="adam", learning_rate=0.001)
    run = Run(
        config, params, init_moments(params), Normalisation("image"), [], None, first_running(params), np.zeros(2)
    )

    def draw():
        x = rng.standard_normal((network["in_channels"], tile, tile)).astype(np.float32)
        return x, rng.integers(0, 2, (output, output)), None

    return run, draw


@pytest.mark.parametrize("count", [1, 3])
def test_several_tiles_take_what_is_predicted(rng, count):
    network, tile = NETWORKS[0]
    params = init_unet(rng, **network)
    x = rng.standard_normal((3, 1, tile, tile)).astype(np.float32)
    with threadpool_limits(count, "blas"):
        predicted = forward_bytes(tile, tile, count, **network)
        work = functools.partial(side_by_side, functools.partial(tile_probabilities, params), list(x), count)
        check(f"forward, 3 tiles, {count} at once", predicted, work, forward_bytes(tile, tile, **network))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("network", "tile"), [NETWORKS[0], WITH_NORM])  # in smaller ones the peaks seldom coincide
def test_a_batch_takes_what_is_predicted(rng, network, tile, count):
    run, draw = run_and_tile(rng, network, tile)
    tiles = [draw() for _ in range(3)]
    with threadpool_limits(count, "blas"):
        predicted = backward_bytes(tile, count, batch=3, **network)
        in_turn = backward_bytes(tile, 1, batch=3, **network)
        step = functools.partial(batch_step, run, tiles, 0, 0.001)
        check(f"step, {network}, 3 tiles, {count} at once", predicted, step, in_turn)


def test_what_is_free_may_be_taken_and_what_the_process_has_left(free, monkeypatch):
    free(2 * GB)
    check_memory("this", 1.7 * GB, None)
    monkeypatch.setattr(memory, "freed_bytes", lambda: GB // 2)
    check_memory("this", 2.2 * GB, None)
    monkeypatch.setattr(memory, "freed_bytes", lambda: 0)
    with pytest.raises(InputError, match=r"this needs about 1\.9 GB of memory, and 2\.0 GB are free; 1800000000"):
        check_memory("this", 1.9 * GB, lambda budget: f"{budget:.0f}")


def test_where_nobody_knows_what_is_free_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(limits, "memory", lambda: None)
    check_memory("this", 1e18, None)


def refused(capsys, *arguments):
    assert main(list(map(str, arguments))) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    return err.strip()


def test_predict_names_the_largest_tile_that_fits(free, tmp_path, capsys):
    Image.fromarray(np.arange(512 * 512, dtype=np.uint8).reshape(512, 512)).save(tmp_path / "a.png")
    predict = ["predict", tmp_path / "a.png", "--out", tmp_path / "out"]
    free(0.06 * GB)
    line = refused(capsys, *predict)
    assert (
        f"{tmp_path / 'a.png'}: 512x512 pixels: this needs about 0.3 GB of memory, and 0.1 GB are free; --tile" in line
    )
    tile = int(line.split("--tile ")[1].split()[0])
    assert main(list(map(str, [*predict, "--tile", tile]))) == 0
    larger = [*predict[:-1], tmp_path / "other", "--tile", tile + 8]
    assert f"--tile {tile} would fit" in refused(capsys, *larger) if capsys.readouterr() else None
    free(10**6)
    assert "no tile fits: close other programs, or cut the image up" in refused(capsys, *larger)


def test_train_and_evaluate_name_the_largest_tile_that_fits(free, cells_folder, tmp_path, capsys):
    free(0.2 * GB)
    data = ["--data", f"folder:{cells_folder}"]
    train = ["train", *data, "--base-channels", "32", "--depth", "3", "--steps", "1", "--out", tmp_path / "run"]
    line = refused(capsys, *train, "--tile", 348)  # which would run for long, if it were not refused
    assert line.startswith("minunet train: error: a run with tile 348 needs about 0.")
    tile = int(line.split("--tile ")[1].split()[0])
    assert f"--tile {tile} would fit" in refused(capsys, *train, "--tile", tile + 8)
    assert not (tmp_path / "run").exists()
    free(10**7)
    assert "no tile fits: try fewer --base-channels" in refused(capsys, *train, "--tile", 348)
    assert "the evaluation needs about" in refused(capsys, "evaluate", *data, "--out", tmp_path / "evaluated")


def test_images_that_cannot_be_held_are_refused_before_they_are_read(free, cells_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("minunet.data.readers.folder.read_image", None)
    data = ["--data", f"folder:{cells_folder}", "--out", tmp_path / "out"]
    free(4 * 40 * 48 * 5)  # what they take, but not what is decoded meanwhile
    for command in ("train", "evaluate"):
        line = refused(capsys, command, *data)
        assert line.startswith(
            f"minunet {command}: error: reading folder:{cells_folder}, 4 images of up to 40x48, needs about 0.1 GB of "
            "memory, and 0.1 GB are free; take fewer or smaller images"
        )


def test_training_and_prediction_on_arrays_name_the_largest_tile_that_fits(free, rng):
    image = rng.standard_normal((200, 200)).astype(np.float32)
    free(0.1 * GB)
    settings = {"base_channels": 32, "depth": 3, "batch": 1, "steps": 1, "progress": False}
    with pytest.raises(InputError, match=r"a run with tile 348 needs about .*; tile=") as error:
        train([image], [image > 0], tile=348, **settings)
    tile = int(str(error.value).split("tile=")[1].split()[0])
    with pytest.raises(InputError, match=f"tile={tile} would fit"):
        train([image], [image > 0], tile=tile + 8, **settings)
    params = init_unet(rng, base_channels=32, depth=3)
    with pytest.raises(InputError, match=r"the prediction needs about .*; tile=") as error:
        predict(params, image)
    tile = int(str(error.value).split("tile=")[1].split()[0])
    assert predict(params, image, tile=tile).shape == (2, 200, 200)
    out = np.zeros((2, 200, 200))
    free(10**6)
    with pytest.raises(InputError, match="no tile fits: predict a part of it"):
        predict(params, image, out=out)


RUN = """
import sys
from minunet.cli.main import main

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

before = peak()
code = main(sys.argv[1:])
print("PEAK", peak() - before)
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone keeps the peak in a file")
@pytest.mark.parametrize(("kind", "side", "is_small"), [("png", 4000, True), ("png", 1500, False), ("tif", 3000, True)])
def test_predict_says_what_it_will_take(tmp_path, rng, kind, side, is_small):
    """A file of few bytes, with large images of one value but for some: one of 4000x4000, and two pages of 3000x3000.

    Their pixels take the memory, with a small network, which is quick. Of the smaller image the included network does.
    """
    from minunet.cli.predict_results import ALWAYS, result_bytes
    from minunet.prediction.memory import predict_bytes

    image = np.zeros((side, side), np.uint8)
    image[:200, :200] = rng.integers(0, 255, (200, 200))
    path = tmp_path / f"small.{kind}"
    pages = [Image.fromarray(image)] * (2 if kind == "tif" else 1)
    more = {"save_all": True, "append_images": pages[1:], "compression": "tiff_lzw"} if kind == "tif" else {}
    pages[0].save(path, **more)
    files, network = [str(path)], load_network("cells")
    if is_small:
        network = Network(init_unet(rng, base_channels=2, depth=1), Normalisation("image"))
        save_network(tmp_path / "small.npz", network)
        files.insert(0, str(tmp_path / "small.npz"))
    command = [sys.executable, "-c", RUN, "predict", *files, "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured = int(done.stdout.split("PEAK ")[1])
    shapes = [(1, side, side)] * len(pages)
    predicted = predict_bytes(network.params, shapes, writing=result_bytes(ALWAYS))
    print(f"{path.stat().st_size} bytes, predicted {predicted / 1e6:.0f} MB, measured {measured / 1e6:.0f} MB")
    assert measured == pytest.approx(predicted, rel=0.3)
