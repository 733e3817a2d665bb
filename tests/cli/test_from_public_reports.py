"""What users of other training programs have brought, by their public reports: each ends right, or in one line.

Each test names the report that it follows, as owner/repository#number of GitHub.
"""

import os
import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image

from minunet.cli.main import main

QUICK = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--steps", "2"]


@pytest.fixture
def command(capsys):
    """Return a function that runs a command; it returns the exit code, what was printed, and the lines on stderr."""

    def run(*arguments):
        code = main(list(map(str, arguments)))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err.splitlines()

    return run


@pytest.fixture
def train(command, cells_folder, tmp_path, no_pictures):
    """Return a function that trains for two steps on the folder of cells."""
    return lambda *more, out="run": command(
        "train", "--data", f"folder:{cells_folder}", *QUICK, *more, "--out", tmp_path / out
    )


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)


def test_files_that_windows_and_macos_leave_in_folders(train, command, cells_folder, finished_run, tmp_path):
    """soft-matter/trackpy#87: a batch of 840 images ended at Thumbs.db, which its owner cannot even see."""
    for folder in ("images", "masks"):
        for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._cell0.png"):
            (cells_folder / folder / name).write_bytes(b"\xd0\xcf\x11\xe0")
    assert train()[0] == 0
    code, out, err = command(
        "predict", finished_run, cells_folder / "images", "--min-area", 6, "--out", tmp_path / "out"
    )
    assert (code, len(out.splitlines()), len(err)) == (0, 4, 1) and "a pixel is cell above" in err[0]


def test_a_folder_that_is_called_like_an_image(train, command, cells_folder, finished_run, tmp_path):
    """kawalain/stable-diffusion-webui-wd14-tagger#79."""
    (cells_folder / "images" / "forest.png").mkdir()
    assert train()[0] == 0
    code, out, err = command(
        "predict", finished_run, cells_folder / "images", "--min-area", 6, "--out", tmp_path / "out"
    )
    assert (code, len(out.splitlines()), len(err)) == (0, 4, 1) and "a pixel is cell above" in err[0]


def test_names_that_are_not_ascii(train, command, cells_folder, tmp_path):
    """MouseLand/cellpose#1150: nothing below a folder with an ø could be read.

    And macOS may write the same letters in another way, so that an image and its mask have names of other bytes.
    """
    there = tmp_path / "Københavns Åse 細胞 🔬"
    shutil.copytree(cells_folder, there)
    composed, apart = (unicodedata.normalize(form, "zellä.png") for form in ("NFC", "NFD"))
    (there / "images" / "cell0.png").rename(there / "images" / composed)
    (there / "masks" / "cell0.png").rename(there / "masks" / apart)
    code, _, err = train("--data", f"folder:{there}", out="Ø/run")
    assert (code, err) == (0, [])
    code, out, _ = command(
        "predict", tmp_path / "Ø" / "run", there / "images" / composed, "--out", tmp_path / "Ø" / "p"
    )
    assert code == 0 and "zell" in out


def test_names_with_spaces_brackets_and_quotes(command, finished_run, tmp_path, monkeypatch):
    """pleonard212/pix-plot#15 failed at the end of 26,000 images, at AstaCykelSt'tteben.jpg and at parentheses."""
    monkeypatch.chdir(tmp_path)
    names = ["a b", "a (1)", "a [2]", "St'tteben", "50% # & $HOME", "-rf", "a.b.c"]
    if os.name != "nt":
        names += ['"', "a*", "line\nbreak", "<a>:|?"]
    for name in names:
        Image.fromarray(noise((20, 24))).save(f"./{name}.png")
    code, _, err = command("predict", finished_run, ".", "--out", "out", "--only", "table")
    assert code == 0 and "left out" not in " ".join(err)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(f"{name}_cells.csv" for name in names)


def test_images_and_masks_with_alpha(train, cells_folder):
    """divamgupta/image-segmentation-keras#370 and Cheng-Lin-Li/SegCaps#16: images, or masks, of four channels."""
    for folder in ("images", "masks"):
        for path in (cells_folder / folder).iterdir():
            Image.open(path).convert("RGBA").save(path)
    code, out, err = train()
    assert (code, err) == (0, [])


def test_masks_as_jpeg(train, cells_folder):
    """divamgupta/image-segmentation-keras#204: masks by the name of their image, all JPEG. Their values are blurred."""
    for folder in ("images", "masks"):
        for path in (cells_folder / folder).iterdir():
            Image.open(path).save(path.with_suffix(".jpg"))
            path.unlink()
    code, _, (line,) = train()
    assert code == 2 and "expected a mask with exact values, got JPEG" in line


def test_masks_with_more_values_than_somebody_thought(train, cells_folder):
    """biomag-lab/hypocotyl-UNet#9: "mismatch in length of strides and shape", as a bitmap had more values."""
    mask = np.zeros((40, 48), np.uint8)
    mask[5:20, 5:20], mask[20:30, 20:40] = 100, 200
    for path in (cells_folder / "masks").iterdir():
        Image.fromarray(mask).save(path)
    assert train("--labels", "classes")[0] == 0
    code, _, (line,) = train("--labels", "classes", "--classes", "0,100", out="other")
    assert code == 2 and "200" in line


def test_a_run_that_is_resumed_by_a_wrong_name_does_not_begin_anew(command, tmp_path):
    """birdnet-team/geomodel#13: a mistyped --resume was taken for a damaged checkpoint, and trained from scratch."""
    code, out, (line,) = command("train", "--resume", tmp_path / "rnu")
    assert (code, out) == (2, "") and "rnu" in line
    assert not (tmp_path / "rnu").exists()


@pytest.mark.parametrize("size", [0, *(pytest.param(size, marks=pytest.mark.slow) for size in (1, 1000)), -8])
def test_a_checkpoint_that_is_cut_off(command, finished_run, cells_folder, tmp_path, size):
    """r9y9/deepvoice3_pytorch#67: empty; zylo117/Yet-Another-EfficientDet-Pytorch#101: the last 8 bytes are missing."""
    shutil.copytree(finished_run, tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:size])
    image = cells_folder / "images" / "cell0.png"
    for arguments in (
        ["train", "--resume", path.parent],
        ["predict", path.parent, image, "--out", tmp_path / "out"],
        ["evaluate", path.parent],
    ):
        code, _, (line,) = command(*arguments)
        assert code == 2 and "checkpoint.npz" in line


def test_resuming_with_other_settings(command, finished_run):
    """ultralytics/yolov5#1412: --resume with arguments ended in sizes that did not match."""
    code, _, (line,) = command("train", "--resume", finished_run, "--base-channels", 4, "--tile", 44)
    assert code == 2 and "--base-channels, --tile; leave it out, or start a new run" in line


def test_one_damaged_image_among_others(command, finished_run, cells_folder, tmp_path):
    """cosanlab/py-feat#96: one corrupt image threw away the results of the whole batch."""
    (cells_folder / "images" / "cell1.png").write_bytes((cells_folder / "images" / "cell1.png").read_bytes()[:300])
    (cells_folder / "images" / "cell2.png").write_bytes(b"")
    code, out, err = command(
        "predict", finished_run, cells_folder / "images", "--min-area", 6, "--out", tmp_path / "out"
    )
    assert (code, len(out.splitlines()), len(err)) == (1, 2, 4)
    assert "cell1.png" in err[0] and "cell2.png" in err[1] and "2 of 4 files left out" in err[3]
    assert "a pixel is cell above" in err[2]


def test_masks_without_a_cell(train, cells_folder):
    """MouseLand/cellpose#341: images without cells teach where there are none, but could not be trained on."""
    for name in ("cell1", "cell3"):
        Image.fromarray(np.zeros((40, 48), np.uint8)).save(cells_folder / "masks" / f"{name}.png")
    assert train()[0] == 0


def test_images_of_odd_and_of_different_sizes(train, command, cells_folder, finished_run, tmp_path):
    """milesial/Pytorch-UNet#5: "Got 92 and 91 in dimension 2"."""
    for number, shape in enumerate([(91, 92), (37, 61), (7, 5), (1, 1)]):
        Image.fromarray(noise(shape)).save(cells_folder / "images" / f"cell{number}.png")
        Image.fromarray((noise(shape, 1) > 99).astype(np.uint8) * 255).save(
            cells_folder / "masks" / f"cell{number}.png"
        )
    assert train()[0] == 0
    code, out, _ = command("predict", finished_run, cells_folder / "images", "--min-area", 6, "--out", tmp_path / "out")
    assert (code, len(out.splitlines())) == (0, 4) or code == 1  # of one pixel, the contrast may be missing


def test_the_folder_for_the_run_is_made_with_all_above_it(train, tmp_path):
    """MouseLand/cellpose#671: after the training, "Parent directory ... does not exist"."""
    assert train(out="not/there/yet/run")[0] == 0
    assert (tmp_path / "not" / "there" / "yet" / "run" / "checkpoint.npz").exists()
