"""Labels that lie beside what they outline: the offset is found, and the reader moves the images by it."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from minunet.cli.main import main
from minunet.data import read_isbi, read_stack
from minunet.data.readers.isbi_registration import label_offset, moved


def blobs(rng, pages=4, size=(72, 60)):
    """Return labels, (pages, H, W) of 0 and 1, and images in which the blobs lie exactly there, (pages, H, W)."""
    hills = ndimage.gaussian_filter(rng.standard_normal((pages, *size)), (0, 4, 4))
    labels = (hills > 0).astype(np.uint8)
    images = 90 + 60 * ndimage.gaussian_filter(labels.astype(np.float32), (0, 1, 1))
    return labels, images + rng.normal(0, 4, images.shape).astype(np.float32)


def displaced(images, dy, dx):
    """Return the images moved by a fraction of a pixel, by another way than `moved`: in the Fourier domain."""
    transforms = np.fft.fft2(np.pad(images, ((0, 0), (8, 8), (8, 8)), mode="edge"))
    back = np.fft.ifft2([ndimage.fourier_shift(transform, (dy, dx)) for transform in transforms]).real
    return back[:, 8:-8, 8:-8].astype(np.float32)


def write_stack(folder, images, labels):
    for name, pages in (
        ("train-volume", np.clip(np.round(images), 0, 255).astype(np.uint8)),
        ("train-labels", 255 * labels),
    ):
        first, *others = [Image.fromarray(page) for page in pages]
        first.save(folder / f"{name}.tif", save_all=True, append_images=others)


@pytest.mark.parametrize("cells_are_dark", [False, True])
@pytest.mark.parametrize("offset", [(-0.6, 0.3), (0.4, 0.4), (1, -1), (-1.3, 0), (0, 0.5)])
def test_an_offset_is_found_and_undone(rng, offset, cells_are_dark):
    labels, images = blobs(rng)
    images = 255 - images if cells_are_dark else images
    beside = displaced(images, -offset[0], -offset[1])
    found = label_offset(beside, labels)
    np.testing.assert_allclose(found, offset, atol=0.12)
    back = np.stack([moved(image, found) for image in beside])
    assert label_offset(back, labels) == (0, 0)
    inner = np.s_[:, 6:-6, 6:-6]
    assert np.abs(back - images)[inner].mean() < 0.5 * np.abs(beside - images)[inner].mean()
    assert back.dtype == np.float32


@pytest.mark.parametrize("offset", [(0, 0), (0.1, -0.15)])
def test_what_fits_is_left_alone(rng, offset):
    labels, images = blobs(rng)
    images = displaced(images, *offset)
    first = images[0]
    assert label_offset(images, labels) == (0, 0) and moved(first, (0, 0)) is first


def test_nothing_stands_out(rng):
    labels, images = blobs(rng)
    for _ in range(10):  # the best of chance lies at the rim, or not
        assert label_offset(rng.standard_normal(labels.shape), labels) == (0, 0)
    assert label_offset(displaced(images, 4, 0), labels) == (0, 0)  # it grows up to the rim of what is tried
    assert label_offset(np.full(labels.shape, 7.0), labels) == (0, 0)
    assert label_offset(images, np.ones_like(labels)) == (0, 0)
    assert label_offset(images[:, :4], labels[:, :4]) == (0, 0)  # too small to be moved by 2 pixels


def test_the_reader_moves_the_images_by_the_offset_of_the_training_slices(tmp_path, rng):
    labels, images = blobs(rng, pages=12)
    images[:10], images[10:] = displaced(images[:10], 0.6, -0.4), displaced(images[10:], -0.5, -0.5)
    write_stack(tmp_path, images, labels)
    dataset = read_isbi(tmp_path)
    samples = dataset.train + dataset.validation
    assert [len(dataset.train), len(dataset.validation)] == [10, 2]
    dy, dx = label_offset(np.stack(np.round(images[:10])), labels[:10])
    np.testing.assert_allclose((dy, dx), (-0.6, 0.4), atol=0.12)
    for sample, image, label in zip(samples, np.round(images), labels, strict=True):
        np.testing.assert_allclose(sample.image[0], moved(image, (dy, dx)), atol=1e-3)
        np.testing.assert_array_equal(sample.labels, label)
    assert dataset.note == (
        f"the labels lie {-dy:.2f} px above and {dx:.2f} px right of what they outline: "
        "the images are moved to match them"
    )


def test_a_stack_that_fits_keeps_its_grey_values(tmp_path, rng):
    labels, images = blobs(rng)
    write_stack(tmp_path, images, labels)
    dataset = read_isbi(tmp_path)
    assert dataset.note == ""
    np.testing.assert_array_equal(dataset.validation[0].image[0], np.round(images[-1]))


@pytest.mark.slow
def test_the_real_stack(real_data):
    folder = real_data("isbi2012")
    images, labels = (read_stack(folder / f"train-{name}.tif") for name in ("volume", "labels"))
    offsets = np.array([label_offset(image[None], label[None]) for image, label in zip(images, labels, strict=True)])
    assert (abs(offsets - [-0.6, -0.15]) < 0.3).all()  # every slice says the same, those held out, too
    dataset = read_isbi(folder)
    assert "above" in dataset.note and "left" in dataset.note
    moved_images = np.stack([sample.image[0] for sample in dataset.validation])
    assert label_offset(moved_images, labels[25:]) == (0, 0)


@pytest.mark.slow
def test_the_commands_say_so(tmp_path, rng, capsys):
    labels, images = blobs(rng)
    write_stack(tmp_path, displaced(images, 0, 0.5), labels)
    run = ["--base-channels", "2", "--depth", "1", "--tile", "20", "--steps", "2", "--out", str(tmp_path / "run")]
    note = "isbi: the labels lie 0.0"
    assert main(["train", "--data", f"isbi:{tmp_path}", *run]) == 0
    assert note in capsys.readouterr().out
    assert main(["evaluate", str(tmp_path / "run" / "checkpoint.npz"), "--out", str(tmp_path / "evaluation")]) == 0
    assert note in capsys.readouterr().out
