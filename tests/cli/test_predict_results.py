"""The files that `minunet predict` writes for an image: what is in them, and which of them are asked for."""

import csv
import functools

import numpy as np
import pytest
import tifffile
from PIL import Image

from minunet import InputError, label_cells, load_network, measure_cells, predict, read_image
from minunet.cli.main import main
from minunet.cli.predict import if_many_specks
from minunet.cli.predict_files import predict_and_write
from minunet.cli.predict_results import ENDINGS, result_paths, write_results
from minunet.data import synthetic_cells


@pytest.fixture
def image(tmp_path):
    """Return the path of a 16-bit image of cells, wider than it is high."""
    grey, _ = synthetic_cells(np.random.default_rng(3), 90, 140)
    path = tmp_path / "image.png"
    Image.fromarray((300 * grey + 500).astype(np.uint16)).save(path)
    return str(path)


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_numbers_outlines_and_table_agree(image, tmp_path):
    out = tmp_path / "out"
    assert main(["predict", image, "--out", str(out), "--probabilities", "npy"]) == 0
    pixels = read_image(image)
    network = load_network("cells")
    probabilities = predict(network, pixels)
    np.testing.assert_array_equal(np.load(out / "image_probabilities.npy"), probabilities)
    labels = tifffile.imread(out / "image_cells.tif")
    assert labels.dtype == np.uint16 and labels.max() > 3
    np.testing.assert_array_equal(labels, label_cells(probabilities, network.threshold, network.split))
    rows = rows_of(out / "image_cells.csv")
    expected = measure_cells(labels, pixels)
    assert list(rows[0]) == ["image", *expected]
    assert {row["image"] for row in rows} == {"image"}
    for name, column in expected.items():
        np.testing.assert_allclose([float(row[name]) for row in rows], column, rtol=1e-6)
    overlay = np.asarray(Image.open(out / "image_overlay.png"))
    assert overlay.shape == (90, 140, 3)
    coloured = overlay[..., 0] != overlay[..., 2]
    assert coloured.any() and (labels[coloured] > 0).all()


def test_only_what_is_asked_for_is_written(image, tmp_path):
    out = tmp_path / "out"
    only = ["--only", "table,probability", "--probabilities", "tiff"]
    assert main(["predict", image, "--out", str(out), *only]) == 0
    names = ["image_cells.csv", "image_probabilities.tif", "image_probability.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    with tifffile.TiffFile(out / "image_probabilities.tif") as file:
        assert [page.shape for page in file.pages] == [(90, 140)] * 2
        assert file.pages[1].dtype == np.float32
        np.testing.assert_allclose(file.asarray().sum(axis=0), 1, atol=1e-6)


def test_an_unknown_result_is_refused(image, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["predict", image, "--only", "cells,outlines"])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert "argument --only: expected some of probability, classes, cells, overlay, table, with commas" in said
    assert "got 'outlines'" in said


def test_more_cells_than_16_bits_can_number(tmp_path):
    p = np.zeros((514, 514), np.float32)
    p[::2, ::2] = 1  # 257 * 257 = 66,049 cells of one pixel
    paths = result_paths(tmp_path, "many", ["cells", "table"])
    write_results(paths, "many", np.ones((1, 514, 514)), np.stack([1 - p, p]))
    labels = tifffile.imread(paths["cells"])
    assert labels.dtype == np.uint32 and labels.max() == 66_049
    assert len(rows_of(paths["table"])) == 66_049


def test_with_several_classes_the_table_names_them(tmp_path):
    classes = np.zeros((20, 30), int)
    classes[2:6, 3:9], classes[2:6, 9:15] = 1, 2  # side by side
    p = np.full((3, 20, 30), 0.1)
    np.put_along_axis(p, classes[None], 0.8, axis=0)
    paths = result_paths(tmp_path, "image")
    write_results(paths, "image", np.arange(600.0).reshape(1, 20, 30), p)
    assert [(row["label"], row["class"], row["area"]) for row in rows_of(paths["table"])] == [
        ("1", "1", "24"),
        ("2", "2", "24"),
    ]
    assert np.unique(Image.open(paths["classes"])).tolist() == [0, 128, 255]
    assert len(np.unique(np.asarray(Image.open(paths["overlay"]))[3, 4:14], axis=0)) > 3


def test_nothing_is_replaced_and_nothing_is_left_half_written(tmp_path, monkeypatch):
    p = np.full((2, 8, 8), 0.5)
    paths = result_paths(tmp_path, "image", ENDINGS)
    paths["table"].write_text("mine")
    with pytest.raises(InputError, match=r"image_cells\.csv is there already"):
        write_results(paths, "image", np.ones((1, 8, 8)), p)
    assert [path.name for path in tmp_path.iterdir()] == ["image_cells.csv"]
    paths["table"].unlink()

    def full(path, *_, **__):
        with open(path, "wb") as file:
            file.write(b"II*")
        raise OSError("disk full")

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(OSError, match="disk full"):
        write_results(paths, "image", np.ones((1, 8, 8)), p)
    assert [path.name for path in tmp_path.iterdir()] == ["image_probability.png"]


@pytest.fixture
def specks(tmp_path, monkeypatch):
    """Return the path of an image that has a cell of 100 pixels, one of 6 and one of 5: a network as good as can be."""
    grey = np.zeros((30, 40), np.uint8)
    grey[2:12, 2:12], grey[20:22, 2:5], grey[20:21, 20:25] = 200, 200, 200

    def as_it_is(network, images, **_):
        return (np.stack([1 - image[0] / 200, image[0] / 200]) for image in images)

    monkeypatch.setattr(
        "minunet.cli.predict.predict_and_write", functools.partial(predict_and_write, predict_all=as_it_is)
    )
    Image.fromarray(grey).save(tmp_path / "specks.png")
    return str(tmp_path / "specks.png")


def test_small_cells_are_counted_in_one_line_and_left_out_if_asked(specks, tmp_path, capsys):
    told = (
        "minunet predict: 1 of 3 cells have 5 pixels or fewer; --min-area 6 leaves them out, and a larger number more"
    )
    for options, areas in (([], [100, 6, 5]), (["--min-area", "6"], [100, 6]), (["--min-area", "7"], [100])):
        out = tmp_path / f"out{len(areas)}"
        assert main(["predict", specks, "--out", str(out), *options]) == 0
        assert (told in capsys.readouterr().err.splitlines()) == (not options)
        assert [int(row["area"]) for row in rows_of(out / "specks_cells.csv")] == areas
        labels = tifffile.imread(out / "specks_cells.tif")
        assert np.bincount(labels.ravel())[1:].tolist() == areas
        outlined = np.asarray(Image.open(out / "specks_overlay.png"))
        coloured = outlined[..., 0] != outlined[..., 2]
        assert coloured.any() and (labels[coloured] > 0).all()
    assert main(["predict", specks, "--out", str(tmp_path / "p"), "--only", "probability"]) == 0
    assert "pixels or fewer" not in capsys.readouterr().err


def test_specks_are_said_only_where_they_are_more_than_a_tenth():
    assert if_many_specks(np.array([5] + [6] * 9)) is None and if_many_specks(np.empty(0, int)) is None
    assert if_many_specks(np.array([5] + [6] * 8)).startswith("1 of 9 cells have 5 pixels or fewer")


def test_the_cells_of_a_slide_stay_whatever_their_size(tmp_path, capsys):
    assert main(["predict", "slide.zarr", "--min-area", "6", "--out", str(tmp_path / "out.zarr")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "a slide's cells stay whatever their size, got --min-area 6; leave it out" in line
