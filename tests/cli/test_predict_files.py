"""`minunet predict` holds one file at a time, and says what a large one needs before it reads it."""

import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from minunet import Network, init_unet
from minunet.cli import predict_files
from minunet.cli.main import main
from minunet.cli.predict_files import predict_and_write, readable_images
from minunet.cli.predict_inputs import names_of
from minunet.data import Normalisation
from minunet.data.readers.page_sizes import page_sizes
from minunet.fast.cpu import limits


@pytest.fixture
def network(rng):
    return Network(init_unet(rng, base_channels=2, depth=1), Normalisation("image"))


def save(path, shape, **more):
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    Image.fromarray(image).save(path, **more)
    return str(path)


def test_no_image_is_held_while_the_next_file_is_read(tmp_path, network, monkeypatch):
    paths = [save(tmp_path / f"{name}.png", (30, 40)) for name in "abc"]
    read, earlier, alive = predict_files.read_pages, [], []

    def reading(path, any_size):
        alive.append([ref() is not None for ref in earlier])
        pages = read(path, any_size)
        earlier.extend(weakref.ref(image) for _, image in pages)
        return pages

    monkeypatch.setattr(predict_files, "read_pages", reading)
    errors = []
    (tmp_path / "out").mkdir()
    images = readable_images(names_of(paths)[0], network, SimpleNamespace(tile=None, any_size=False), errors)
    assert predict_and_write(images, network, tmp_path / "out") == 3
    assert errors == [] and len(list((tmp_path / "out").iterdir())) == 3 * 5
    assert alive == [[], [False], [False, False]]


def test_sizes_are_read_without_the_pixels(tmp_path):
    assert page_sizes(save(tmp_path / "grey.png", (30, 40))) == [(1, 30, 40)]
    assert page_sizes(save(tmp_path / "colour.png", (30, 40, 3))) == [(3, 30, 40)]
    more = [Image.fromarray(np.zeros((7, 9), np.uint8))]
    stack = save(tmp_path / "stack.tif", (30, 40), save_all=True, append_images=more)
    assert page_sizes(stack) == [(1, 30, 40), (1, 7, 9)]
    assert names_of([stack, save(tmp_path / "grey.png", (3, 4))])[1] == ["stack_000", "stack_001", "grey"]
    (tmp_path / "none.png").write_bytes(b"no image")
    assert page_sizes(tmp_path / "none.png") == [] and names_of([str(tmp_path / "none.png")])[1] == ["none"]


def test_a_large_image_is_announced_or_refused_before_it_is_read(tmp_path, monkeypatch, capsys):
    """The file has 4 KB, and the image 400 million pixels."""
    path = tmp_path / "large.png"
    path.write_bytes(png_header(20000, 20000))
    monkeypatch.setattr(limits, "memory", lambda: limits.Memory(64 * 10**9, 3 * 10**9))
    assert main(["predict", str(path), "--any-size", "--out", str(tmp_path / "out")]) == 2
    assert "large.png: 20000x20000 pixels: this needs about 9." in (line := capsys.readouterr().err)
    assert (
        "and 3.0 GB are free; no tile fits: close other programs, or cut the image up, or write --only probability"
        in line
    )
    monkeypatch.setattr(limits, "memory", lambda: limits.Memory(64 * 10**9, 32 * 10**9))
    assert main(["predict", str(path), "--any-size", "--out", str(tmp_path / "out")]) == 2  # it has no pixels after all
    said, error = capsys.readouterr().err.splitlines()
    assert said.startswith(f"{path}: 20000x20000 pixels: this needs about 9.") and said.endswith("32.0 GB are free")
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
