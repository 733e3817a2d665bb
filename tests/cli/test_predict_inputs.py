"""Files, folders and patterns as input of `minunet predict`, and names that keep results apart."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusal import assert_refused

from minunet import InputError, Network, Normalisation, init_unet, save_network
from minunet.cli.main import main
from minunet.cli.predict_inputs import files_in, names_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Go to a folder with A/cell.png, A/other.png, B/cell.png and B/notes.txt, and the network net.npz."""
    monkeypatch.chdir(tmp_path)
    for path in ("A/cell.png", "A/other.png", "B/cell.png"):
        save(path)
    Path("B/notes.txt").write_text("no image")
    params = init_unet(np.random.default_rng(0), base_channels=2, depth=1)
    params["head"]["bias"][1] = 99  # all is cell
    save_network("net.npz", Network(params, Normalisation("image")))
    return tmp_path


def save(path, **more):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(len(path)).integers(0, 255, (20, 24), dtype=np.uint8)
    Image.fromarray(image).save(path, **more)


def posix(paths):
    return [Path(path).as_posix() for path in paths]


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def test_a_pattern_stands_for_its_files(folder):
    assert posix(files_in(["*/cell.png"])) == ["A/cell.png", "B/cell.png"]
    assert posix(files_in(["A/*.png", "B/*"])) == ["A/cell.png", "A/other.png", "B/cell.png", "B/notes.txt"]
    save("A/deep/deeper/other.png")
    assert posix(files_in(["**/o*.png"])) == ["A/deep/deeper/other.png", "A/other.png"]
    assert posix(files_in(["[AB]"])) == ["A/cell.png", "A/other.png", "B/cell.png"]  # folders, and the images in them
    with pytest.raises(InputError, match=r"expected files that match A/\*.tif, found none; check the path"):
        files_in(["A/cell.png", "A/*.tif"])


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (["D/b/x.png", "D/images/x.png", "D/masks/x.png"], "D/images"),
        (["D/c/x.png", "D/b/x.png", "D/a/.x.png", "D/.a/x.png"], "D/b"),
        (["D/a/x/1/x.png", "D/b/masks/x.png", "D/b/images/x.png"], "D/b/images"),  # as the Data Science Bowl's
    ],
)
def test_a_folder_with_images_in_its_folders_is_refused_with_the_one_to_pass(folder, files, named):
    for file in files:
        save(file)
    there = f"pass its folder {Path(named)}, which has some"
    assert_refused(lambda: files_in(["D"]), f"expected image files in the folder D, found none; {there}")


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    save("A/cell[1].png")
    save("A/cell1.png")
    assert files_in(["A/cell[1].png"]) == ["A/cell[1].png"]
    assert files_in(["A/nothing.png"]) == ["A/nothing.png"]  # to be named as missing, beside others that are there


def test_a_file_that_is_named_twice_is_predicted_once(folder):
    assert posix(files_in(["A/cell.png", "A", "./A/cell.png", "A/*.png"])) == ["A/cell.png", "A/other.png"]


def test_equal_names_keep_their_folders_and_others_need_none(folder):
    names, pages = names_of(["A/cell.png", "A/other.png"])
    assert list(names.values()) == pages == ["cell", "other"]
    names, pages = names_of(["A/cell.png", "A/other.png", "B/cell.png"])
    assert list(names.values()) == pages == ["A/cell", "A/other", "B/cell"]
    save("cell.png")
    assert names_of(["cell.png", "A/cell.png"])[1] == ["cell", "A/cell"]


def test_pages_count_as_names(folder):
    page = Image.fromarray(np.zeros((9, 8), np.uint8))
    page.save("A/b.tif", save_all=True, append_images=[page])
    save("B/b_001.png")
    assert names_of(["A/b.tif", "B/b_001.png"])[1] == ["A/b_000", "A/b_001", "B/b_001"]
    save("A/b_001.png")
    assert names_of(["A/b.tif", "A/b_001.png", "A/cell.png"])[1] == ["b_tif_000", "b_tif_001", "b_001_png", "cell"]


def test_equal_names_in_one_folder_keep_their_extensions(folder):
    for path in ("A/cell.bmp", "A/cell.GIF"):
        save(path)
    words = ["predict", "net.npz", "A", "--out", "out", "--only", "table"]
    assert main(words) == 0
    assert files_below("out") == [f"{name}_cells.csv" for name in ("cell_GIF", "cell_bmp", "cell_png", "other")]
    assert main(words) == 2  # nothing is replaced
    _, pages = names_of(["A/cell.bmp", "A/cell.png", "B/cell.png"])
    assert pages == ["A/cell_bmp", "A/cell_png", "B/cell"]


def test_equal_names_even_with_their_extensions_are_refused_before_anything_is_written(folder, capsys):
    for path in ("A/cell.bmp", "A/cell_bmp.png"):
        save(path)
    assert main(["predict", "net.npz", "A", "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert f"{os.path.join('A', 'cell.bmp')} and {os.path.join('A', 'cell_bmp.png')}" in error
    assert not Path("out").exists()


def test_results_of_equal_names_lie_in_their_folders(folder, capsys):
    assert main(["predict", "net.npz", "*/cell.png", "--out", "out", "--only", "cells,table"]) == 0
    assert files_below("out") == ["A/cell_cells.csv", "A/cell_cells.tif", "B/cell_cells.csv", "B/cell_cells.tif"]
    assert "A/cell,1,480," in Path("out/A/cell_cells.csv").read_text()
    assert main(["predict", "net.npz", "A", "B/cell.png", "--out", "out"]) == 2
    assert "cell_cells.tif; choose another --out" in capsys.readouterr().err


def test_what_a_killed_process_has_left_in_a_folder_is_removed(folder):
    left = Path("out/A/.minunet-0123456789abcdef.png")
    left.parent.mkdir(parents=True)
    left.write_text("half a picture")
    assert main(["predict", "net.npz", "*/cell.png", "--out", "out", "--only", "table"]) == 0
    assert files_below("out") == ["A/cell_cells.csv", "B/cell_cells.csv"]


def test_a_bad_file_among_others_is_named_and_the_status_says_so(folder, capsys):
    Path("A/bad.png").write_bytes(Path("A/cell.png").read_bytes()[:60])
    (folder / "away.png").symlink_to("gone.png") if sys.platform != "win32" else None
    assert main(["predict", "net.npz", "A", "B/*", "away.png", "--out", "out", "--only", "table"]) == 1
    out, error = capsys.readouterr()
    assert posix(out.splitlines()) == [f"out/{name}_cells.csv" for name in ("A/cell", "A/other", "B/cell")]
    named = [line.split(":")[2].strip() for line in error.splitlines()[:-2]]
    assert posix(named) == ["A/bad.png", "B/notes.txt", "away.png"]
    assert error.splitlines()[-2].startswith("minunet predict: net.npz: a pixel is cell above ")
    assert error.splitlines()[-1] == "minunet predict: 3 of 6 files left out, see above"
