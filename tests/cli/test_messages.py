"""What the command line says to those who try something else: in its own words, and with a way on."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from minunet.cli.gradcheck_cases import cases
from minunet.cli.main import main
from minunet.cli.predict_results import ALWAYS, ENDINGS

SMALL = ["--base-channels", "2", "--depth", "1", "--tile", "36"]


@pytest.fixture
def images(tmp_path, monkeypatch, rng):
    """Go to a folder with three images, of which the second is damaged, and one of colours; return their names."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "c.png"):
        image = rng.normal(60, 10, (20, 24))
        image[5:15, 6:18] += 127  # a bright square, as in the images of `finished_run`
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(name)
    (tmp_path / "b.png").write_text("no image")
    Image.fromarray(rng.integers(0, 255, (20, 24, 3), np.uint8)).save("colour.png")
    return ["a.png", "b.png", "c.png", "colour.png"]


def call(capsys, *arguments):
    """Run a command; return its exit code, and what it prints on either stream."""
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def pictures(folder):
    return sorted(path.name for path in folder.iterdir())


def results_of(*names):
    return [f"{name}{ending}" for name in names for ending in sorted(ENDINGS[kind] for kind in ALWAYS)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--base-channels", 0], "--base-channels must be a whole number of at least 1, got 0; the"),
        (["train", "--dropout-rate", 2], "--dropout-rate must be a number in [0, 1), got 2.0"),
        (["train", "--learning-rate", "nan"], "--learning-rate must be a number above 0, got nan"),
        (["train", "--batch", 0], "--batch must be a whole number"),
        (["train", "--steps", 0], "--steps must be a whole number"),
        (["summary", "--in-channels", 0], "--in-channels must be a whole number"),
        (["summary", "--depth", 0], "--depth must be a whole number"),
        (["bench", "--rounds", 0], "--rounds must be at least 1, got 0; the default is 5"),
        (
            ["predict", "a.png", "--tile", 8],
            "--tile must be at least 100 pixels, got 8; to average over 8 versions of the image write --rotations 8",
        ),
        (
            ["predict", "a.png", "--tile", 3],
            "--tile 3: input size 3 does not fit depth 3; the smallest valid size is 92",
        ),
        (
            ["train", "--data", "folder:a.png"],
            "expected a folder with the folders images and masks, got the file a.png; name",
        ),
        (["predict", "a.png", "--out", "b.png"], "--out must be a folder, got the file b.png; choose another --out"),
        (["predict", "a.png", "--out", "b.png/c"], "--out must be a folder, got the file b.png"),
        (["predict", "b.png"], "b.png: expected an image, got a file of another kind"),
        (["predict", "empty"], "expected image files in the folder empty, found none"),
        (
            ["predict", "net.pth", "a.png"],
            "expected images, or one checkpoint of minunet (.npz) and then images, got net",
        ),
        (
            ["predict", "a.png", "net.npz"],
            "expected images, or one checkpoint of minunet (.npz) and then images, got net",
        ),
        (
            ["train", "--data", "empty"],
            "expected data in one of the forms synthetic, isbi:DIR, ctc:DIR, dsb2018:DIR, fo",
        ),
        (["bench", "--out", "no/x.png"], "--out must be in a folder that exists, found no folder no for x.png; make"),
        (["train", "--resume", "x", "--out", "y"], "--resume continues one run, got x and --out y; name one of them"),
    ],
)
def test_a_message_is_in_the_words_of_the_command_line(arguments, message, images, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    code, out, err = call(capsys, *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"minunet {arguments[0]}: error: {message}")


def test_the_help_of_gradcheck_names_every_layer(capsys):
    with pytest.raises(SystemExit):
        main(["gradcheck", "--help"])
    text = capsys.readouterr().out
    assert [name for name in cases() if name not in text] == []


def test_grades_of_another_folder_do_not_replace_those_of_last_week(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    for week in ("week1", "week2"):
        (tmp_path / week).mkdir()
        (tmp_path / week / "a.ipynb").write_text(json.dumps(notebook))
    assert call(capsys, "grade", "week1")[0] == 0
    assert call(capsys, "grade", "week1")[0] == 0  # it goes on
    status, _, error = call(capsys, "grade", "week2")
    assert status == 2 and f"grades is that of {tmp_path / 'week1'}" in error
    assert call(capsys, "grade", "week2", "--out", "second")[0] == 0


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        (["--epochs", "5"], "; did you mean --steps?"),
        (["--optimizer=adam"], "; did you mean --optimiser?"),
        (["--jobs", "5"], ""),  # of another command
        (["more"], ""),
    ],
)
def test_an_argument_that_a_command_does_not_have_shows_those_that_it_has(unknown, meant, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", *unknown])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert "--steps N" in message
    assert message.splitlines()[-1] == f"minunet train: error: unrecognized arguments: {' '.join(unknown)}{meant}"


def test_a_folder_as_data_is_told_how_to_be_written(tmp_path, capsys):
    assert f"; write folder:{tmp_path}" in call(capsys, "train", "--data", tmp_path)[2]


def test_no_command_prints_the_help(capsys):
    code, out, err = call(capsys)
    assert (code, err) == (0, "")
    assert "usage: minunet" in out and "find cells" in out and "gradcheck" in out


def test_predicting_again_replaces_nothing_and_needs_no_option(images, run, tmp_path, capsys):
    for _ in range(3):
        assert call(capsys, "predict", run, "a.png")[0] == 0
    assert call(capsys, "predict", run, "c.png")[0] == 0
    assert pictures(tmp_path / "predictions") == results_of("a", "c")
    for folder in ("predictions-2", "predictions-3"):
        assert pictures(tmp_path / folder) == results_of("a")


def test_a_bad_image_is_named_and_the_others_are_predicted(images, run, tmp_path, capsys):
    code, out, err = call(capsys, "predict", run, *images, "nothing.png", "--out", "out")
    assert code == 1
    assert [line.partition("_")[0] for line in out.splitlines()] == ["out/a", "out/c", "out/colour"]  # as grey
    *each, last = err.splitlines()
    each = [line for line in each if "left out" in line]  # and not the warning that colours are foreign to it
    assert [line.split(":")[2].strip() for line in each] == ["b.png", "nothing.png"]
    assert last == "minunet predict: 2 of 5 files left out, see above"
    code, out, err = call(capsys, "predict", run, "b.png", "nothing.png", "--out", "none")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].endswith("expected an image that can be predicted, got none among 2 files; see above")
    assert not (tmp_path / "none").exists()


def test_a_folder_stands_for_the_images_in_it(images, run, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "c.png"):
        shutil.copy(name, tmp_path / "in")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    code, _, error = call(capsys, "predict", run, "in", "--min-area", 6, "--out", "out")
    assert code == 0 and error.startswith(f"minunet predict: {run / 'checkpoint.npz'}: a pixel is cell above ")
    assert len(error.splitlines()) == 1
    assert pictures(tmp_path / "out") == results_of("a", "c")


@pytest.mark.slow
def test_the_folder_of_a_run_stands_for_its_checkpoint(run, tmp_path, capsys):
    code, out, _ = call(capsys, "evaluate", run, "--out", tmp_path / "out")
    assert code == 0 and "majority" in out
    assert "expected images after the checkpoint" in call(capsys, "predict", run)[2]
    for given in (["--resume", run], ["--resume", "--out", run / "checkpoint.npz"]):
        code, out, _ = call(capsys, "train", *given)
        assert code == 0
        assert "nothing to train: the run is over, after step 10; a larger --steps or --minutes goes on" in out


@pytest.mark.slow
def test_a_run_that_is_over_says_so_and_one_that_goes_on_does_not(run, capsys):
    assert "nothing to train" in call(capsys, "train", "--resume", run, "--steps", "10")[1]
    assert "nothing to train" not in call(capsys, "train", "--resume", run, "--steps", "11")[1]


def test_a_command_imports_only_what_it_needs():
    """`minunet predict` waited for the grading of notebooks, and for the training, to be imported."""
    code = "import sys; from minunet.cli.main import main; main(sys.argv[1:]); print(*sys.modules)"
    arguments = ["summary", "--input", "60", "--base-channels", "2", "--depth", "1"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    others = {"minunet.course", *(f"minunet.cli.{name}" for name in ("train", "predict", "evaluate", "grade", "bench"))}
    assert not others & set(done.stdout.split())


@pytest.mark.filterwarnings("always")
def test_a_warning_is_one_line(capsys, images, rng):
    Image.fromarray(rng.integers(0, 255, (20, 24, 2), np.uint8), "LA").save("alpha.png")
    code, _, errors = call(capsys, "predict", "alpha.png")
    assert code == 0
    assert "minunet predict: warning: alpha.png: left out: its alpha\n" in errors


def test_what_a_reader_notes_is_in_the_words_of_the_command_line(cells_folder, tmp_path, capsys):
    data = f"folder:{cells_folder}"
    for option, end in (((), "0 background; --invert swaps them"), (("--invert",), "255 background; as --invert says")):
        out = call(capsys, "evaluate", "--data", data, "--out", tmp_path / f"binary{end[0]}", *option)[1]
        assert out.splitlines()[0].startswith("folder: ") and out.splitlines()[0].endswith(f" of pixels), {end}")
    for path in (cells_folder / "masks").iterdir():
        cells = np.zeros((40, 48), np.uint8)
        for number in range(12):
            cells[3 * number : 3 * number + 2, 5:9] = number + 1
        Image.fromarray(cells).save(path)
    out = call(capsys, "evaluate", "--data", data, "--out", tmp_path / "numbers")[1]
    assert out.startswith("folder: the masks are read as instances, each number one cell; --labels says what else they")


def test_an_image_of_any_size_where_it_is_wanted(capsys, images, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    code, _, errors = call(capsys, "predict", "a.png")
    assert code == 2 and "if you trust the file, --any-size reads it" in errors
    assert call(capsys, "predict", "a.png", "--any-size")[0] == 0


def test_memory_that_is_not_enough_is_told_in_one_line(monkeypatch, capsys):
    def allocate(*sizes, **network):
        raise MemoryError("Unable to allocate 16.0 GiB for an array")

    monkeypatch.setattr("minunet.cli.summary.summary", allocate)
    code, out, err = call(capsys, "summary")
    assert (code, out) == (2, "")
    assert err.startswith("minunet summary: error: not enough memory: Unable to allocate 16.0 GiB for an array; try a ")
