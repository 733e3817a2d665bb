"""Slides on disk: what is written, going on after a crash or a lost worker, and what is refused."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import scipy

from minunet import flatten, init_unet, label_cells, load_network, predict, save_network
from minunet.cli.main import main
from minunet.data.colours import as_grey
from minunet.errors import InputError

pytest.importorskip("zarr", reason="needs Zarr: python -m pip install -e '.[scale]'")
pytest.importorskip("distributed", reason="needs Dask: python -m pip install -e '.[scale]'")

import zarr
from test_open_image import MICROMETRES, write_ome_zarr
from test_seams import assert_same_cells

from minunet.scale import slide
from minunet.scale.cluster import connected
from minunet.scale.ome_zarr import axis_of
from minunet.scale.slide import predict_slide
from minunet.training.folder_lock import LOCK, locked


@pytest.fixture
def path(tmp_path, image):
    scale = {"type": "scale", "scale": [1, 0.5, 0.25]}
    return write_ome_zarr(tmp_path / "image.ome.zarr", image, [axis_of("c"), *MICROMETRES], [scale])


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_probabilities_cells_and_metadata(tmp_path, path, image, network, client, monkeypatch):
    monkeypatch.setattr("minunet.scale.ome_zarr.SMALLEST_LEVEL", 50)
    predict_slide(network, path, tmp_path / "out.zarr", client, block=32)
    result = zarr.open_group(str(tmp_path / "out.zarr"), mode="r")
    probabilities = predict(network, image)
    assert np.abs(result["0"][:] - 255 * probabilities).max() < 0.51
    labels = result["labels/cells/0"][:]
    assert labels.max() > 5
    assert_same_cells(labels, scipy.ndimage.label(probabilities[0] < 0.5)[0])
    assert result["0"].chunks == (2, 32, 32) and "unfinished" not in result

    levels = result.attrs["multiscales"][0]
    assert [axis["name"] for axis in levels["axes"]] == ["c", "y", "x"]
    assert levels["axes"][1]["unit"] == "micrometer"
    scales = [level["coordinateTransformations"][0]["scale"] for level in levels["datasets"]]
    assert scales == [[1, 0.5, 0.25], [1, 1, 0.5], [1, 2, 1]]
    assert [result[level["path"]].shape for level in levels["datasets"]] == [(2, 150, 110), (2, 75, 55), (2, 37, 27)]
    np.testing.assert_allclose(result["1"][:], result["0"][:].reshape(2, 75, 2, 55, 2).mean(axis=(2, 4)), atol=1)
    assert result["labels"].attrs["labels"] == ["cells"]
    assert result["labels/cells"].attrs["image-label"] == {"source": {"image": "../../"}}
    np.testing.assert_array_equal(result["labels/cells/2"][:], labels[:148:4, :108:4])


def test_format_3_is_ome_zarr_0_5(tmp_path, image, network, client):
    path = write_ome_zarr(tmp_path / "image.zarr", image, [axis_of("c"), *MICROMETRES], zarr_format=3)
    predict_slide(network, path, tmp_path / "out.zarr", client, block=128)
    result = zarr.open_group(str(tmp_path / "out.zarr"), mode="r")
    assert result.attrs["ome"]["version"] == "0.5" and result.metadata.zarr_format == 3
    assert result["0"].metadata.dimension_names == ("c", "y", "x")
    assert result["labels/cells/0"].metadata.dimension_names == ("y", "x")
    assert result["labels"].attrs["ome"]["labels"] == ["cells"]


def test_cells_of_three_classes_are_those_of_predict(tmp_path, path, image, network, client, rng):
    """A pixel is of its most probable class, and cells of two classes that touch stay two, at a seam, too."""
    params = init_unet(rng, num_classes=3, base_channels=2, depth=1)
    flatten(params)["head.bias"][:] = 0
    network = network._replace(params=params, threshold=0.6)
    predict_slide(network, path, tmp_path / "out.zarr", client, block=64)
    labels = zarr.open_group(str(tmp_path / "out.zarr"), mode="r")["labels/cells/0"][:]
    expected = label_cells(predict(network, image), 0.6, split=1)
    assert labels.max() > 5
    assert_same_cells(labels, expected)


def test_colours_for_a_network_of_grey_values(tmp_path, network, client, rng):
    colours = rng.integers(0, 255, (3, 60, 70), dtype=np.uint8)
    path = write_ome_zarr(tmp_path / "image.zarr", colours, [axis_of("c"), *MICROMETRES])
    predict_slide(network, path, tmp_path / "out.zarr", client, block=64)
    result = zarr.open_group(str(tmp_path / "out.zarr"), mode="r")
    assert np.abs(result["0"][:] - 255 * predict(network, as_grey(colours))).max() < 0.51


@pytest.mark.parametrize("shape", [(1, 129, 65), (1, 1, 300)])
def test_levels_of_images_whose_last_block_is_one_pixel(tmp_path, network, client, monkeypatch, rng, shape):
    monkeypatch.setattr("minunet.scale.ome_zarr.SMALLEST_LEVEL", 50)
    image = rng.integers(0, 255, shape, dtype=np.uint8)
    path = write_ome_zarr(tmp_path / "image.zarr", image, [axis_of("c"), *MICROMETRES])
    predict_slide(network, path, tmp_path / "out.zarr", client, block=64)
    result = zarr.open_group(str(tmp_path / "out.zarr"), mode="r")
    levels = [result[level["path"]] for level in result.attrs["multiscales"][0]["datasets"]]
    assert all(min(level.shape) > 0 for level in levels)
    assert len(levels) == (3 if shape[1] > 1 else 1)


def test_a_finished_result_is_left_as_it_is(tmp_path, path, network, client, monkeypatch):
    predict_slide(network, path, tmp_path / "out.zarr", client, block=64)
    before = contents(tmp_path / "out.zarr")
    monkeypatch.setattr(slide, "write_block", None)
    predict_slide(network, path, tmp_path / "out.zarr", client, block=64)
    assert contents(tmp_path / "out.zarr") == before


written = []  # places of blocks: the workers are threads of this process
write_block = slide.write_block


def write_and_note(probabilities, out, place, threshold):
    written.append(place)
    return write_block(probabilities, out, place, threshold)


def crash_in_the_third_block(probabilities, out, place, threshold):
    if len(written) == 2:
        zarr.open_group(out, mode="r+")["0"][:, place[0] * 64, place[1] * 64] = 99
        raise RuntimeError("crash")
    return write_and_note(probabilities, out, place, threshold)


def test_blocks_that_are_done_are_not_computed_again(tmp_path, path, network, client, monkeypatch):
    predict_slide(network, path, tmp_path / "whole.zarr", client, block=64)
    written.clear()
    monkeypatch.setattr(slide, "write_block", crash_in_the_third_block)
    with pytest.raises(RuntimeError, match="crash"):
        predict_slide(network, path, tmp_path / "out.zarr", client, block=64)
    assert len(written) == 2
    monkeypatch.setattr(slide, "write_block", write_and_note)
    predict_slide(network, path, tmp_path / "out.zarr", client, block=64)
    assert len(written) == len(set(written)) == 6
    assert contents(tmp_path / "out.zarr") == contents(tmp_path / "whole.zarr")


def write_to_a_full_disk(probabilities, out, place, threshold):
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_one_line_with_a_remedy(tmp_path, path, network, client, monkeypatch):
    monkeypatch.setattr(slide, "write_block", write_to_a_full_disk)
    with pytest.raises(OSError, match=r"could not write .*out.zarr: No space left on device; put that right"):
        predict_slide(network, path, tmp_path / "out.zarr", client, block=64)


def test_nan_in_one_block_is_one_line_and_the_others_stay(tmp_path, image, network, client):
    bad = image.astype(np.float32)
    bad[0, 149, 109] = np.nan
    path = write_ome_zarr(tmp_path / "bad.zarr", bad, [axis_of("c"), *MICROMETRES])
    with pytest.raises(InputError, match="NaN or infinity in 1 values in or near the block that begins at row 128"):
        predict_slide(network, path, tmp_path / "out.zarr", client, block=64)
    result = zarr.open_group(str(tmp_path / "out.zarr"), mode="r")
    done = result["unfinished/count"][0]  # of the one class of cells
    assert done[2, 1] == slide.NOT_DONE
    good = predict(network, np.nan_to_num(bad))
    for i, j in np.argwhere(done != slide.NOT_DONE):
        window = slice(None), slice(64 * i, 64 * i + 64), slice(64 * j, 64 * j + 64)
        assert np.abs(result["0"][window] - 255 * good[window]).max() < 0.51


def refused(capsys, *arguments):
    """Run a command that must fail; return the one line that it prints."""
    assert main([str(argument) for argument in arguments]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and line.startswith("minunet predict: error: ")
    return line


def test_the_command_refuses_what_it_cannot_do(tmp_path, path, capsys, monkeypatch):
    monkeypatch.setattr("minunet.scale.cluster.PATIENCE", 0.5)
    out = tmp_path / "out.zarr"
    assert "one Zarr store, got 2 images" in refused(capsys, "predict", path, path, "--out", out)
    assert "--out predictions" in refused(capsys, "predict", path)
    assert "without rotations" in refused(capsys, "predict", path, "--out", out, "--rotations", 4)
    assert "in its Zarr store" in refused(capsys, "predict", path, "--out", out, "--only", "cells")
    assert "got no answer" in refused(capsys, "predict", path, "--out", out, "--scheduler", "tcp://127.0.0.1:1")
    assert "got no answer" in refused(capsys, "predict", path, "--out", out, "--scheduler", "nowhere")
    assert not out.exists()


def test_a_target_that_cannot_be_written(tmp_path, path, network, client):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("")
    for out in (tmp_path / "folder", path):
        before = contents(out)
        with pytest.raises(InputError, match="holds something else"):
            predict_slide(network, path, out, client, block=64)
        assert contents(out) == before
    with pytest.raises((InputError, OSError)):  # both are one line on the command line
        predict_slide(network, path, tmp_path / "file" / "out.zarr", client, block=64)
    with pytest.raises(InputError, match="--block must be at least 1"):
        predict_slide(network, path, tmp_path / "out.zarr", client, block=0)


def test_an_image_that_does_not_fit_leaves_no_folder(tmp_path, network, client):
    path = write_ome_zarr(tmp_path / "image.zarr", np.zeros((2, 20, 20)), [axis_of("c"), *MICROMETRES])
    with pytest.raises(InputError, match="image must have shape"):
        predict_slide(network, path, tmp_path / "out.zarr", client, block=64)
    assert not (tmp_path / "out.zarr").exists()


def test_two_processes_do_not_write_to_one_result(tmp_path, path, network, client):
    (tmp_path / "out.zarr").mkdir()
    with locked(tmp_path / "out.zarr"), pytest.raises(InputError, match="writes to it; wait until it ends"):
        predict_slide(network, path, tmp_path / "out.zarr", client, block=64)
    predict_slide(network, path, tmp_path / "out.zarr", client, block=64)  # an empty folder is as good as none
    assert zarr.open_group(str(tmp_path / "out.zarr"), mode="r").attrs["minunet"]["finished"]


def test_another_network_or_image_does_not_go_on_with_a_result(tmp_path, path, network, client):
    predict_slide(network, path, tmp_path / "out.zarr", client, block=64)
    with pytest.raises(InputError, match="or of the same network"):
        predict_slide(load_network("cells"), path, tmp_path / "out.zarr", client, block=64)
    with pytest.raises(InputError, match=r"or of the same block, got .* of 64 in place of 32"):
        predict_slide(network, path, tmp_path / "out.zarr", client, block=32)
    write_ome_zarr(path, np.zeros((1, 90, 90), np.uint8), [axis_of("c"), *MICROMETRES])
    with pytest.raises(
        InputError, match=r"or of the same state of the image, got .* of uint8 \(1, 150, 110\), written"
    ):
        predict_slide(network, path, tmp_path / "out.zarr", client, block=64)


@pytest.mark.slow
def test_a_command_that_is_killed_leaves_a_result_to_go_on_with(tmp_path, path, network, capsys):
    """While it runs, a second one is refused; the lock ends with the process, and the rest is computed."""
    save_network(tmp_path / "network.npz", network)
    command = ["predict", str(tmp_path / "network.npz"), str(path), "--block", "8", "--out"]
    out = tmp_path / "out.zarr"
    first = subprocess.Popen([sys.executable, "-m", "minunet", *command, str(out)], start_new_session=True)
    deadline = time.monotonic() + 60
    while not len(list(out.glob("unfinished/count/**/[0-9]*"))) > 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "must be free, but process " in refused(capsys, *command, out)
    first.kill()
    first.wait()
    count = zarr.open_group(str(out), mode="r")["unfinished/count"][:]
    assert 0 < (count != slide.NOT_DONE).sum() < count.size
    assert main([*command, str(out)]) == 0
    assert main([*command, str(tmp_path / "whole.zarr")]) == 0
    assert contents(out) == contents(tmp_path / "whole.zarr")
    assert not (out / LOCK).exists()


@pytest.mark.slow
def test_the_command_and_a_worker_that_is_killed(tmp_path, path, network, capsys):
    """One of two processes is killed again and again while the slide is computed; the result is the same."""
    save_network(tmp_path / "network.npz", network)
    command = ["predict", str(tmp_path / "network.npz"), str(path), "--block", "16", "--out"]
    assert main([*command, str(tmp_path / "whole.zarr")]) == 0
    with connected(workers=2) as client:
        pids = list(client.run(os.getpid).values())
        killer = threading.Timer(0.3, os.kill, (pids[0], signal.SIGKILL))
        killer.start()
        predict_slide(network, path, tmp_path / "out.zarr", client, block=16)
        killer.join()
        deadline = time.monotonic() + 30
        while len(client.run(os.getpid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert pids[0] not in client.run(os.getpid).values()
    assert contents(tmp_path / "out.zarr") == contents(tmp_path / "whole.zarr")
