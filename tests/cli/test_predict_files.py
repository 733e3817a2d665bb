"""`minunet predict` holds one file at a time, and says what a large one needs before it reads it."""

import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image

from minunet import Network, init_unet
from minunet.cli import predict_files
from minunet.cli.main import main
from minunet.cli.predict_files import predict_and_write, readable_images
from minunet.cli.predict_inputs import names_of
from minunet.data import Normalisation
from minunet.data.readers.page_sizes import page_sizes
from minunet.fast.cpu import limits, memory


@pytest.fixture
def network(rng):
    return Network(init_unet(rng, base_channels=2, depth=1), Normalisation("image"))


def save(path, shape, **more):
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    Image.fromarray(image).save(path, **more)
    return str(path)


@pytest.fixture
def pages(monkeypatch):
    """Return a list that says, for each page that is looked for, how many of those before are still in memory."""
    each_page, as_taken, earlier, alive = predict_files.each_page, predict_files._as_taken, [], []

    def reading(*args, **options):
        pages = each_page(*args, **options)
        while True:
            alive.append(sum(ref() is not None for ref in earlier))
            page = [next(pages, None)]
            if page[0] is None:
                return
            earlier.append(weakref.ref(page[0]))
            yield page.pop()

    def taking(page, channels):
        image = as_taken(page, channels)
        if image is not page:
            earlier.append(weakref.ref(image))
        return image

    monkeypatch.setattr(predict_files, "each_page", reading)
    monkeypatch.setattr(predict_files, "_as_taken", taking)
    return alive


def predict_all(paths, network, out):
    """Predict the files as the command does; return how many images there were."""
    errors = []
    out.mkdir()
    images = readable_images(
        names_of(paths)[0], network, SimpleNamespace(tile=None, rotations=1, any_size=False), errors
    )
    count = predict_and_write(images, network, out)
    assert errors == [] and len(list(out.iterdir())) == 5 * count
    return count


def test_no_image_is_held_while_the_next_file_is_read(tmp_path, network, pages):
    paths = [save(tmp_path / f"{name}.png", (30, 40)) for name in "abc"]
    assert predict_all(paths, network, tmp_path / "out") == 3
    assert pages == [0, 1] * 3  # it looks for a second page while it holds the first


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_no_page_is_held_while_the_next_one_is_read(tmp_path, network, pages, rng, dtype):
    """A stack is read twice: first all pages are checked, then each is predicted."""
    tifffile.imwrite(tmp_path / "stack.tif", rng.integers(0, 99, (4, 30, 40)).astype(dtype), photometric="minisblack")
    assert predict_all([str(tmp_path / "stack.tif")], network, tmp_path / "out") == 4
    assert pages == [0] * 10


def test_of_a_stack_with_a_bad_page_nothing_is_written(tmp_path, network, capsys, rng):
    stack = rng.standard_normal((3, 30, 40)).astype(np.float32)
    stack[2, 5, 5] = np.nan
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    assert main(["predict", str(tmp_path / "stack.tif"), "--out", str(tmp_path / "out")]) == 2
    assert "expected finite grey values, got NaN or infinity in 1 pixels" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_sizes_are_read_without_the_pixels(tmp_path):
    assert page_sizes(save(tmp_path / "grey.png", (30, 40))) == [(1, 30, 40, 1200, 0)]
    assert page_sizes(save(tmp_path / "colour.png", (30, 40, 3))) == [(3, 30, 40, 4800, 0)]  # Pillow has four bytes
    more = [Image.fromarray(np.zeros((7, 9), np.uint8))]
    stack = save(tmp_path / "stack.tif", (30, 40), save_all=True, append_images=more)
    assert page_sizes(stack) == [(1, 30, 40, 1200, 0), (1, 7, 9, 63, 0)]
    assert names_of([stack, save(tmp_path / "grey.png", (3, 4))])[1] == ["stack_000", "stack_001", "grey"]
    (tmp_path / "none.png").write_bytes(b"no image")
    assert page_sizes(tmp_path / "none.png") == [] and names_of([str(tmp_path / "none.png")])[1] == ["none"]


def test_all_samples_of_a_pixel_and_all_their_bytes_count(tmp_path):
    deep = np.zeros((5, 6, 4), np.float64)
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb", extrasamples=["unassalpha"])
    assert page_sizes(tmp_path / "deep.tif") == [(3, 5, 6, deep.nbytes, 0)]
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((7, 5, 6), np.uint16), imagej=True)  # seven pages, or one
    assert [size.shape for size in page_sizes(tmp_path / "stack.tif")] == 7 * [(1, 5, 6)]
    tifffile.imwrite(tmp_path / "volume.tif", np.zeros((7, 5, 6), np.uint16), volumetric=True, photometric="minisblack")
    assert page_sizes(tmp_path / "volume.tif") == 7 * [(1, 5, 6, 60, 420)]


def test_a_large_image_is_announced_or_refused_before_it_is_read(tmp_path, monkeypatch, capsys):
    """The file has 4 KB, and the image 400 million pixels."""
    path = tmp_path / "large.png"
    path.write_bytes(png_header(20000, 20000))
    monkeypatch.setattr(memory, "freed_bytes", lambda: 0)  # earlier tests have left none
    monkeypatch.setattr(limits, "memory", lambda: limits.Memory(64 * 10**9, 3 * 10**9))
    assert main(["predict", str(path), "--any-size", "--out", str(tmp_path / "out")]) == 2
    assert "large.png: 20000x20000 pixels: this needs about 15." in (line := capsys.readouterr().err)
    assert (
        "and 3.0 GB are free; no tile fits: close other programs, or cut the image up, or write --only probability"
        in line
    )
    monkeypatch.setattr(limits, "memory", lambda: limits.Memory(64 * 10**9, 32 * 10**9))
    assert main(["predict", str(path), "--any-size", "--out", str(tmp_path / "out")]) == 2  # it has no pixels after all
    said, error = capsys.readouterr().err.splitlines()
    assert said.startswith(f"{path}: 20000x20000 pixels: this needs about 15.") and said.endswith("32.0 GB are free")
    assert error.startswith("minunet predict: error: ")
    small = ["predict", str(path), "--any-size", "--out", str(tmp_path / "out"), "--only", "probability"]
    assert main(small) == 2
    assert ": this needs about 6." in capsys.readouterr().err


def png_header(height, width):
    import struct
    import zlib

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
