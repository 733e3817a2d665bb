"""Synthetic cells, the EM challenge, data by the word on the command line, and their error messages."""

import itertools

import numpy as np
import pytest
from PIL import Image

from minunet.data import load_data, read_isbi, synthetic_cells, synthetic_dataset
from minunet.errors import InputError


def save_stack(path, pages):
    pages = [Image.fromarray(page) for page in pages]
    pages[0].save(path, save_all=True, append_images=pages[1:])


def isbi_folder(path, pages=12, size=(8, 6), values=(0, 255), label_pages=None):
    rng = np.random.default_rng(0)
    save_stack(path / "train-volume.tif", rng.integers(0, 256, (pages, *size), np.uint8))
    save_stack(path / "train-labels.tif", rng.choice(np.uint8(values), (label_pages or pages, *size)))
    return path


def test_synthetic_cells_touch_and_do_not_depend_on_chance():
    image, instances = synthetic_cells(np.random.default_rng(3), 160, 200)
    again = synthetic_cells(np.random.default_rng(3), 160, 200)
    np.testing.assert_array_equal(image, again[0])
    np.testing.assert_array_equal(instances, again[1])
    assert image.dtype == np.float32 and instances.dtype == np.int32 and image.shape == instances.shape == (160, 200)
    assert 0 <= image.min() and image.max() <= 1
    left, right = instances[:, :-1], instances[:, 1:]
    assert np.count_nonzero((left != right) & (left > 0) & (right > 0)) > 20  # cells without background between them
    np.testing.assert_array_equal(np.unique(instances), np.arange(instances.max() + 1))
    assert image[instances > 0].mean() > 1.5 * image[instances == 0].mean()  # and they can be seen
    assert not np.array_equal(image, synthetic_cells(np.random.default_rng(4), 160, 200)[0])


@pytest.mark.parametrize("size, count", [((256, 256), 5), ((20, 300), None), ((8, 8), None), ((40, 40), 0)])
def test_synthetic_cells_of_any_size_and_count(size, count):
    image, instances = synthetic_cells(np.random.default_rng(0), *size, count)
    assert image.shape == instances.shape == size and np.isfinite(image).all()
    assert instances.max() == count or count is None


def test_synthetic_dataset():
    dataset = synthetic_dataset(seed=1, num_train=2, num_validation=1, height=96, width=80)
    assert (dataset.name, len(dataset.train), len(dataset.validation), dataset.num_classes) == ("synthetic", 2, 1, 2)
    sample = dataset.train[0]
    assert sample.image.shape == (1, 96, 80) and sample.labels.dtype == np.uint8
    np.testing.assert_array_equal(sample.labels, sample.instances > 0)
    assert not np.array_equal(sample.image, dataset.validation[0].image)


@pytest.mark.parametrize("pages, held_out", [(2, 1), (12, 2), (30, 5)])
def test_isbi(tmp_path, pages, held_out):
    dataset = load_data(f"isbi:{isbi_folder(tmp_path, pages)}")
    assert dataset.name == "isbi" and len(dataset.train) == pages - held_out and len(dataset.validation) == held_out
    last = dataset.validation[-1]
    assert last.image.shape == (1, 8, 6) and last.image.dtype == np.float32 and last.instances is last.known is None
    with Image.open(tmp_path / "train-labels.tif") as file:
        file.seek(pages - 1)
        np.testing.assert_array_equal(last.labels, np.array(file) == 255)


@pytest.mark.slow
def test_real_isbi(real_data):
    dataset = read_isbi(real_data("isbi2012"))
    assert len(dataset.train) == 25 and dataset.validation[0].name == "slice-25"
    assert all(sample.image.shape == (1, 512, 512) for sample in dataset.train)
    assert np.mean([sample.labels.mean() for sample in dataset.train]) == pytest.approx(0.78, abs=0.02)  # 22 % membrane


def test_isbi_errors(tmp_path):
    with pytest.raises(
        InputError, match=r"expected a folder with train-volume.tif .* found no folder .*nowhere; check"
    ):
        read_isbi(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"255 cell.*, found no train-volume.tif; put it there"):
        read_isbi(tmp_path)
    isbi_folder(tmp_path, pages=4, label_pages=3)
    with pytest.raises(InputError, match=r"one shape .*volume \(4, 8, 6\) and labels \(3, 8, 6\); take both"):
        read_isbi(tmp_path)
    isbi_folder(tmp_path, values=(0, 128, 255))
    with pytest.raises(InputError, match="expected two values, 0 membrane and 255 cell, got 0, 128, 255; threshold"):
        read_isbi(tmp_path)
    isbi_folder(tmp_path, pages=1)
    with pytest.raises(InputError, match=r"isbi: expected at least 2 images with truth, .* got 1; add more"):
        read_isbi(tmp_path)


@pytest.mark.parametrize("spec", ["", "isbi", "folder:", "synthetic:here", "coco:here"])
def test_unknown_data(spec):
    forms = "synthetic, isbi:DIR, ctc:DIR, dsb2018:DIR, folder:DIR"
    with pytest.raises(InputError, match=f"forms {forms}, got '{spec}'; write the folder"):
        load_data(spec)


FILES = {"isbi": "train-volume.tif", "ctc": "01/t000.tif", "dsb2018": "a/images/a.png", "folder": "images/a.png"}


@pytest.mark.parametrize("kind, given", list(itertools.permutations(FILES, 2)))
def test_a_folder_of_another_kind(tmp_path, kind, given):
    (tmp_path / FILES[kind]).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / FILES[kind]).touch()
    with pytest.raises(InputError, match=f"of kind {given}, got one of kind {kind}; write {kind}:{tmp_path}"):
        load_data(f"{given}:{tmp_path}")


@pytest.mark.parametrize("kind", FILES)
def test_a_folder_that_is_not_there(tmp_path, kind):
    with pytest.raises(InputError, match=r"expected a folder with .*, found no folder .*nowhere; check the path"):
        load_data(f"{kind}:{tmp_path / 'nowhere'}")


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "em").mkdir()
    isbi_folder(tmp_path / "em")
    assert len(load_data("isbi:~/em").train) == 10


@pytest.mark.slow
def test_the_default_data():
    dataset = load_data("synthetic", seed=2)
    assert len(dataset.train) == 24 and len(dataset.validation) == 6
    np.testing.assert_array_equal(dataset.train[0].image[0], synthetic_cells(np.random.default_rng(2))[0])
