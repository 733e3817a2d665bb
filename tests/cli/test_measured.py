"""Which images are measured, how data are read again, and what is said about both."""

import json

import numpy as np
import pytest
from cells_on_disk import write_cells
from PIL import Image

from minunet.cli.main import main
from minunet.data import load_data
from minunet.errors import InputError
from minunet.training.config import Config
from minunet.training.measured import data_to_measure
from minunet.training.run_folder import resume_run

SMALL = ["--base-channels", "2", "--depth", "1", "--tile", "36", "--steps", "2"]


def names(dataset):
    return [sample.name for sample in dataset.validation]


def test_all_images_of_other_data_and_the_held_out_ones_of_the_same(tmp_path, monkeypatch):
    train, test = write_cells(tmp_path / "train"), write_cells(tmp_path / "test")
    for i in range(3):
        for kind in ("images", "masks"):
            (test / kind / f"cell{i}.png").unlink()  # one image is enough to measure
    config = Config(data=f"folder:{train}", hold_out="cell0,cell2")
    dataset, which = data_to_measure(config, f"folder:{test}", {})
    assert names(dataset) == ["cell3"]
    assert which == f"all 1 image of folder:{test}, other data than the network was trained on"
    (tmp_path / "link").symlink_to(train)
    monkeypatch.chdir(tmp_path)
    for same in (f"folder:{train}", "folder:./train", "folder:link"):
        dataset, which = data_to_measure(config, same, {})
        assert names(dataset) == ["cell0", "cell2"]
        assert which == f"the 2 held-out images of {same}; on the other 2 the network was trained"


def test_of_masks_that_are_not_those_of_the_run_nothing_is_guessed(tmp_path):
    """A run of version 0.2.0 reads its own masks as it did then: of 3 values, 2 are cells."""
    train, test = write_cells(tmp_path / "train"), write_cells(tmp_path / "test")
    for path in [*(train / "masks").iterdir(), *(test / "masks").iterdir()]:
        mask = np.array(Image.open(path))
        mask[30:36, 10:14] = 128
        Image.fromarray(mask).save(path)
    config = Config(data=f"folder:{train}", labels="guess")
    assert len(np.unique(data_to_measure(config, config.data, {})[0].validation[0].instances)) == 3
    with pytest.raises(InputError, match="say what they mean"):
        data_to_measure(config, f"folder:{test}", {})


def test_a_sequence_that_was_trained_on_is_not_measured(tmp_path):
    cells = np.zeros((24, 30), np.uint16)
    cells[4:10, 4:12] = 1
    for sequence in ("01", "02"):
        for folder in (tmp_path / sequence, tmp_path / f"{sequence}_GT" / "SEG"):
            folder.mkdir(parents=True)
            for i in range(3):
                name = f"t{i:03d}.tif" if folder.name == sequence else f"man_seg{i:03d}.tif"
                Image.fromarray(cells + 100 * (folder.name == sequence)).save(folder / name)
    config = Config(data=f"ctc:{tmp_path / '01'}")
    dataset, which = data_to_measure(config, f"ctc:{tmp_path}", {})
    assert names(dataset) == ["01-t002", "02-t000", "02-t001", "02-t002"]
    assert which.startswith(f"4 images of ctc:{tmp_path}, on which the network was not trained")


@pytest.mark.slow
def test_evaluate_reads_as_the_run_did_and_resume_holds_out_the_same(tmp_path, capsys):
    data = write_cells(tmp_path / "cells")
    for i, path in enumerate(sorted((data / "masks").iterdir())):
        mask = np.array(Image.open(path))
        mask[8 + i : 12, 10:14] = 128
        Image.fromarray(mask).save(path)
    run = tmp_path / "run"
    train = ["train", "--data", f"folder:{data}", *SMALL, "--out", str(run)]
    assert main(train) == 2
    error = capsys.readouterr().err
    assert "say what they mean: --labels classes (" in error and "--labels instances (" in error
    (tmp_path / "names.txt").write_text("cell1\ncell0\n")
    assert main([*train, "--labels", "classes", "--hold-out", str(tmp_path / "names.txt")]) == 0
    assert "3 classes: 0 is 0 (" in capsys.readouterr().out
    config = json.loads((run / "config.json").read_text())
    assert (config["labels"], config["classes"], config["hold_out"]) == ("classes", "0,128,255", "cell1\ncell0\n")

    assert main(["evaluate", str(run), "--out", str(tmp_path / "out")]) == 0
    assert f"the 2 held-out images of folder:{data}" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert [row["name"] for row in metrics["images"]] == ["cell0", "cell1"]
    assert [row["class"] for row in metrics["classes"]] == [0, 1, 2]
    assert main(["train", "--resume", str(run), "--steps", "3"]) == 0
    assert json.loads((run / "metrics.json").read_text())["images"][0]["name"] == "cell0"
    assert resume_run(run).config.classes == "0,128,255"

    test = write_cells(tmp_path / "test")  # masks of 0 and 255: 128 is missing
    assert main(["evaluate", str(run), "--data", f"folder:{test}", "--out", str(tmp_path / "test-out")]) == 0
    out = capsys.readouterr().out
    assert f"all 4 images of folder:{test}, other data" in out and "128 is 1 (0.0 %)" in out
    share = np.mean(
        [sample.labels > 0 for sample in load_data(f"folder:{test}").train + load_data(f"folder:{test}").validation]
    )
    measured = json.loads((tmp_path / "test-out" / "metrics.json").read_text())["classes"]
    assert measured[1]["share"] == 0 and measured[2]["share"] == pytest.approx(share)
    as_cells = ["--labels", "binary", "--out", str(tmp_path / "as-cells")]  # of whatever class
    assert main(["evaluate", str(run), "--data", f"folder:{test}", *as_cells]) == 0
    binary = json.loads((tmp_path / "as-cells" / "metrics.json").read_text())
    assert "classes" not in binary and "wrong class" not in capsys.readouterr().out
    best = binary["best_over_thresholds"]["pixel_error"]["score"]
    assert binary["majority_pixel_error"] == pytest.approx(min(share, 1 - share), abs=0.1) and best < 1
    assert main(["evaluate", "--data", f"folder:{data}", "--labels", "classes", "--out", str(tmp_path / "x")]) == 2
    assert "expected data of 2 classes, as the network has, got 3; name the classes" in capsys.readouterr().err


@pytest.mark.slow
def test_inverted_masks_are_inverted_again(tmp_path, capsys):
    data = f"folder:{write_cells(tmp_path / 'cells')}"
    assert main(["train", "--data", data, *SMALL, "--invert", "--out", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["invert"] is True
    config = resume_run(tmp_path / "run").config
    inverted = data_to_measure(config, data, {})[0].validation[0].labels
    np.testing.assert_array_equal(inverted, 1 - load_data(data).validation[0].labels)
    assert main(["train", "--data", data, *SMALL, "--hold-out", "9", "--out", str(tmp_path / "x")]) == 2
    assert "--hold-out must be from 1 to 3 of the 4 images, got 9" in capsys.readouterr().err


@pytest.mark.usefixtures("no_pictures")
def test_a_class_that_no_training_image_has_is_told(tmp_path, capsys):
    folder = write_cells(tmp_path / "cells")
    for path in sorted((folder / "masks").iterdir()):
        mask = np.array(Image.open(path)) // 255
        mask[30:36, 10:14] = 2 * (path.stem == "cell3")  # which is held out
        Image.fromarray(mask).save(path)
    words = ["train", "--data", f"folder:{folder}", "--labels", "classes", *SMALL, "--out", str(tmp_path / "run")]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "warning: no training image has a pixel of class 2, which held-out images have" in err
    assert "\nthreshold 0.5: of more than two classes the most probable one is taken\n" in out
    assert "pixel_error counts pixels of a wrong class" in out


def test_masks_with_other_values_than_the_classes_of_a_run(tmp_path, cells_folder):
    """Whoever names no classes is not told that they are misspelt, but which the run has and which the masks."""
    colours = Config(data="folder:elsewhere", labels="classes", classes="#000000,#ff0000,#e0e0c0")
    of_run = "; these classes are the run's, classes=... names those of these masks"
    with pytest.raises(InputError) as caught:
        data_to_measure(colours, f"folder:{cells_folder}", {})
    assert "expected the classes #000000, #ff0000, #e0e0c0, got also 1 value: #ffffff (" in str(caught.value)
    assert str(caught.value).endswith('redo the masks; void="#ffffff" leaves out what is of no class' + of_run)
    numbers = colours._replace(classes="0,1,2")
    with pytest.raises(InputError, match=r"the classes 0, 1, 2, got also 1 value: 255 \(.*" + of_run):
        data_to_measure(numbers, f"folder:{cells_folder}", {})
    void = colours._replace(labels="auto", classes=None, void="255")
    dataset, _ = data_to_measure(void, f"folder:{cells_folder}", {"labels": "binary"})
    assert dataset.validation[0].known is None and dataset.validation[0].labels.any()
    with pytest.raises(InputError, match="void=255 is for masks of classes, and binary ones, got instances"):
        data_to_measure(void._replace(labels="instances"), f"folder:{cells_folder}", {})
    for path in (cells_folder / "masks").iterdir():
        Image.fromarray(np.array(Image.open(path))[..., None] * np.array([1, 0, 0], np.uint8)).save(path)
    with pytest.raises(InputError, match=r"the classes 0, 1, 2, got colours, 2 values: #000000 \(.*" + of_run):
        data_to_measure(numbers, f"folder:{cells_folder}", {})
    with pytest.raises(InputError, match=r"expected the classes 0, 1, got colours, .* order of classes$"):
        data_to_measure(numbers, f"folder:{cells_folder}", {"classes": "0,1"})
    assert data_to_measure(colours, f"folder:{cells_folder}", {})[0].num_classes == 3
