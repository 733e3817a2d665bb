"""A network remembers what its training images look like; `minunet predict` and `evaluate` say so of others."""

import json
import re

import numpy as np
import pytest
import tifffile
from PIL import Image

from minunet import Network, load_network, predict, save_network, train
from minunet.cli.main import main
from minunet.network.trained.checkpoint import load_checkpoint
from minunet.training.run_folder import resume_run

pytestmark = pytest.mark.usefixtures("no_pictures")
HOW = re.compile("minunet predict: .*: a pixel is cell above .*\n")  # the one line where nothing is foreign


def squares(seed, background=60):
    """Return a grey image (40, 48) of a square on noise, like those of `finished_run`, and its labels."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((40, 48), np.uint8)
    mask[6:26, 9:32] = 1
    image = np.where(mask, 255 - background, background) + 10 * rng.standard_normal(mask.shape)
    return image.clip(0, 255).astype(np.uint8), mask


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Go to a folder with usual.png, bright.png (dark on bright) and a stack of both, both.tif."""
    monkeypatch.chdir(tmp_path)
    usual, bright = (squares(1, background)[0] for background in (60, 195))
    Image.fromarray(usual).save("usual.png")
    Image.fromarray(bright).save("bright.png")
    tifffile.imwrite("both.tif", np.stack([usual, bright]), photometric="minisblack")


def test_a_run_keeps_what_its_images_look_like_and_predict_warns_of_others(finished_run, images, capsys):
    stored = load_checkpoint(finished_run / "checkpoint.npz").network.statistics
    assert {"median", "brightness", "detail"} < set(stored) and {len(column) for column in stored.values()} == {3}
    assert resume_run(finished_run).network.statistics == stored
    assert main(["predict", str(finished_run), "usual.png", "--min-area", "6", "--out", "out"]) == 0
    assert HOW.fullmatch(capsys.readouterr().err)
    assert main(["predict", str(finished_run), "bright.png", "both.tif", "--min-area", "6", "--out", "out"]) == 0
    *warnings, how = capsys.readouterr().err.splitlines(keepends=True)
    assert HOW.fullmatch(how)
    for name, line in zip(["bright", "both_001"], warnings, strict=True):
        start = f"minunet predict: warning: {name} is unlike the images that this network was trained on, so what"
        assert line.startswith(start)
        assert "more of it bright (median 0." in line and " in the training image most like it)" in line


def test_evaluate_warns_once_of_all_foreign_images(finished_run, tmp_path, capsys):
    backgrounds = {"usual": 60, "bright": 195, "white": 215}
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name, background in backgrounds.items():
        image, mask = squares(1, background)
        Image.fromarray(image).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(255 * mask).save(tmp_path / "masks" / f"{name}.png")
    command = ["evaluate", str(finished_run), "--data", f"folder:{tmp_path}", "--out"]
    assert main([*command, str(tmp_path / "all")]) == 0
    start = "minunet evaluate: warning: 2 of 3 images are unlike the images that this network was trained on, so what "
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith(start + "is found in them may be wrong: bright: ")
    for name in ("bright", "white"):
        (tmp_path / "images" / f"{name}.png").unlink()
        (tmp_path / "masks" / f"{name}.png").unlink()
    assert main([*command, str(tmp_path / "one")]) == 0
    assert capsys.readouterr().err == ""


def test_a_network_of_arrays_keeps_it_too(tmp_path):
    pairs = [squares(seed) for seed in range(4)]
    network = train(*zip(*pairs, strict=True), steps=1, progress=False, base_channels=2, depth=1, tile=36)
    assert len(network.statistics["median"]) == 4
    save_network(tmp_path / "a.npz", network)
    assert load_network(tmp_path / "a.npz").statistics == network.statistics
    assert predict(network, pairs[0][0]).shape == (2, 40, 48)


def test_an_older_network_has_none_and_nothing_is_said(finished_run, images, tmp_path, capsys):
    network = load_network(finished_run / "checkpoint.npz")
    save_network("old.npz", Network(network.params, network.normalisation))
    with np.load("old.npz") as archive:
        assert "statistics" not in json.loads(str(archive["about"]))
    assert load_network("old.npz").statistics is None
    assert main(["predict", "old.npz", "bright.png", "--min-area", "6", "--out", "out"]) == 0
    assert HOW.fullmatch(capsys.readouterr().err)


def test_statistics_that_cannot_be_are_refused(finished_run, images, capsys):
    with np.load(finished_run / "checkpoint.npz") as archive:
        arrays = dict(archive)
    about = json.loads(str(arrays["about"]))
    arrays["about"] = np.array(json.dumps({**about, "statistics": {"median": [2, None]}}))
    np.savez("wrong.npz", **arrays)
    assert main(["predict", "wrong.npz", "usual.png"]) == 2
    assert "wrong.npz: statistics must have the numbers of each training image" in capsys.readouterr().err
