"""Images too large for memory: OME-Zarr, Zarr and TIFF, their axes, and what is refused."""

import json
import shutil

import numpy as np
import pytest
import tifffile

from minunet.errors import InputError

pytest.importorskip("zarr", reason="needs Zarr: python -m pip install -e '.[scale]'")
pytest.importorskip("dask", reason="needs Dask: python -m pip install -e '.[scale]'")

import zarr

from minunet.scale.ome_zarr import Geometry, axis_of
from minunet.scale.open_image import open_image

MICROMETRES = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]


def write_ome_zarr(path, array, axes, transformations=(), zarr_format=2, name="0"):
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    group.create_array("0", data=array, chunks=tuple(min(16, n) for n in array.shape))
    dataset = {"path": name, "coordinateTransformations": list(transformations)}
    content = {"multiscales": [{"version": "0.4", "axes": axes, "datasets": [dataset]}]}
    group.attrs.update(content if zarr_format == 2 else {"ome": {"version": "0.5", **content}})
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_ome_zarr_keeps_axes_and_scale(tmp_path, rng, zarr_format):
    array = rng.integers(0, 255, (1, 3, 1, 20, 30), dtype=np.uint8)
    axes = [axis_of("t"), axis_of("c"), axis_of("z"), *MICROMETRES]
    transformations = [
        {"type": "scale", "scale": [1, 1, 5, 0.5, 0.25]},
        {"type": "translation", "translation": [0, 0, 0, 7, 9]},
    ]
    path = write_ome_zarr(tmp_path / "image.ome.zarr", array, axes, transformations, zarr_format)
    image = open_image(path)
    np.testing.assert_array_equal(image.pixels.compute(), array[0, :, 0])
    assert image.geometry == Geometry(MICROMETRES, [0.5, 0.25], [7, 9])
    assert image.zarr_format == zarr_format


def test_axes_in_another_order(tmp_path, rng):
    array = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    path = write_ome_zarr(tmp_path / "image.zarr", array, [*MICROMETRES, axis_of("c")])
    np.testing.assert_array_equal(open_image(path).pixels.compute(), array.transpose(2, 0, 1))


@pytest.mark.parametrize(
    "axes",
    [
        [{"name": name} for name in "tczyx"],  # their types may be left out
        list("tczyx"),  # version 0.3
        None,  # 0.1 and 0.2
    ],
)
def test_older_metadata(tmp_path, rng, axes):
    array = rng.integers(0, 255, (1, 3, 1, 20, 30), dtype=np.uint8)
    path = write_ome_zarr(tmp_path / "image.zarr", array, axes)
    if axes is None:
        group = zarr.open_group(str(path), mode="r+")
        group.attrs["multiscales"] = [{"datasets": [{"path": "0"}], "version": "0.1"}]
    image = open_image(path)
    np.testing.assert_array_equal(image.pixels.compute(), array[0, :, 0])
    assert image.geometry.halved().scale == [2, 2]


def test_an_image_within_a_group_as_bioformats2raw_writes_it(tmp_path, rng):
    array = rng.integers(0, 255, (20, 30), dtype=np.uint8)
    outside = zarr.open_group(str(tmp_path / "image.zarr"), mode="w", zarr_format=2)
    outside.attrs["bioformats2raw.layout"] = 3
    outside.create_group("OME").attrs["series"] = ["0"]
    write_ome_zarr(tmp_path / "image.zarr" / "0", array, MICROMETRES)
    np.testing.assert_array_equal(open_image(tmp_path / "image.zarr").pixels.compute(), array[None])
    write_ome_zarr(tmp_path / "image.zarr" / "1", array, MICROMETRES)
    with pytest.raises(InputError, match="got a group with no arrays and the images 0, 1; name one"):
        open_image(tmp_path / "image.zarr")
    outside.attrs["plate"] = {"wells": [{"path": "A/1"}]}
    with pytest.raises(InputError, match="got a plate of them; name one of its fields"):
        open_image(tmp_path / "image.zarr")


def test_a_zipped_store(tmp_path, rng):
    array = rng.integers(0, 255, (20, 30), dtype=np.uint8)
    folder = write_ome_zarr(tmp_path / "image.zarr", array, MICROMETRES)
    zipped = shutil.make_archive(str(folder), "zip", folder)
    np.testing.assert_array_equal(open_image(zipped).pixels.compute(), array[None])


def test_small_chunks_are_read_many_at_a_time(tmp_path, rng):
    array = rng.integers(0, 255, (3, 100, 5000), dtype=np.uint8)
    zarr.create_array(str(tmp_path / "image.zarr"), data=array, chunks=(1, 64, 500))
    pixels = open_image(tmp_path / "image.zarr").pixels
    assert pixels.chunks == ((3,), (100,), (2000, 2000, 1000))
    np.testing.assert_array_equal(pixels.compute(), array)


def test_another_image_in_the_place_of_one_that_was_read(tmp_path):
    states = []
    for value in (1, 2):  # a worker lives for many runs
        tifffile.imwrite(tmp_path / "slide.tif", np.full((32, 32), value, np.uint8), tile=(16, 16))
        image = open_image(tmp_path / "slide.tif")
        assert (image.pixels.compute() == value).all()
        states.append(image.state)
        (tmp_path / "slide.tif").unlink()  # else it would be written into the file that is open
    assert states[0] != states[1] and all(state.startswith("uint8 (32, 32), written 20") for state in states)


@pytest.mark.parametrize("shape", [(20, 30), (2, 20, 30)])
def test_a_plain_array_alone_or_in_a_group(tmp_path, rng, shape):
    array = rng.random(shape)
    zarr.save_array(str(tmp_path / "array.zarr"), array)
    zarr.save_group(str(tmp_path / "group.zarr"), pixels=array)
    for name in ("array.zarr", "group.zarr"):
        np.testing.assert_array_equal(open_image(tmp_path / name).pixels.compute(), array.reshape(-1, 20, 30))


@pytest.mark.parametrize(("shape", "options"), [((70, 50), {}), ((70, 50, 3), {"photometric": "rgb"})])
def test_tiled_tiff(tmp_path, rng, shape, options):
    array = rng.integers(0, 255, shape, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "slide.tif", array, tile=(32, 32), **options)
    pixels = open_image(tmp_path / "slide.tif").pixels
    assert pixels.chunks[1:] == ((70,), (50,))  # several tiles at a time
    np.testing.assert_array_equal(pixels.compute(), array.reshape(70, 50, -1).transpose(2, 0, 1))


def test_a_tiff_of_a_slide_scanner_without_its_alpha(tmp_path, rng):
    array = rng.integers(0, 255, (70, 50, 4), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "slide.tif", array, tile=(32, 32), photometric="rgb", extrasamples=["unassalpha"])
    (tmp_path / "slide.tif").rename(tmp_path / "slide.svs")
    np.testing.assert_array_equal(
        open_image(tmp_path / "slide.svs").pixels.compute(), array[..., :3].transpose(2, 0, 1)
    )


def test_one_bit_for_each_pixel_is_refused(tmp_path):
    tifffile.imwrite(
        tmp_path / "slide.tif", np.zeros((32, 32), bool), photometric="minisblack"
    )  # `predict` makes 0 and 255 of it
    with pytest.raises(InputError, match="got one bit for each pixel"):
        open_image(tmp_path / "slide.tif")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"photometric": "miniswhite"}, "got MINISWHITE"),
        ({"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)}, "got PALETTE"),
        ({"extratags": [(274, 3, 1, 6, True)]}, "got an orientation tag"),
    ],
)
def test_a_tiff_whose_numbers_are_not_what_is_seen_is_refused(tmp_path, options, words):
    tifffile.imwrite(tmp_path / "slide.tif", np.zeros((32, 32), np.uint8), tile=(16, 16), **options)
    with pytest.raises(InputError, match=f"{words}; images that fit in memory"):
        open_image(tmp_path / "slide.tif")


def test_what_is_no_image_is_refused_in_one_line(tmp_path):
    zarr.open_group(str(tmp_path / "empty.zarr"), mode="w")
    zarr.save_group(str(tmp_path / "two.zarr"), a=np.zeros((4, 4)), b=np.zeros((4, 4)))
    (tmp_path / "folder.zarr").mkdir()
    (tmp_path / "broken.tif").write_bytes(b"II*\0nothing")
    (tmp_path / "text.tif").write_text("no image")
    zarr.save_array(str(tmp_path / "stack.zarr"), np.zeros((2, 3, 4, 4)))
    zarr.save_array(str(tmp_path / "line.zarr"), np.zeros(9))
    write_ome_zarr(tmp_path / "time.zarr", np.zeros((5, 4, 4)), [axis_of("t"), *MICROMETRES])
    write_ome_zarr(tmp_path / "lost.zarr", np.zeros((4, 4)), MICROMETRES, name="9")
    write_ome_zarr(tmp_path / "wrong.zarr", np.zeros((4, 4)), [axis_of("c"), *MICROMETRES])
    for name, words in {
        "missing.zarr": "found none",
        "empty.zarr": "a group with no arrays",
        "two.zarr": "a group with the arrays a, b",
        "folder.zarr": "a file or folder of another kind",
        "broken.tif": "expected a TIFF file",
        "text.tif": "expected a TIFF file",
        "stack.zarr": "expected the axes y, x or c, y, x, got z, c, y, x",
        "line.zarr": "expected the axes y, x or c, y, x, got x",
        "time.zarr": "expected the axes y, x or c, y, x, got t, y, x",
        "lost.zarr": "incomplete",
        "wrong.zarr": "expected 3 axes",
    }.items():
        with pytest.raises(InputError, match=words) as error:
            open_image(tmp_path / name)
        assert "\n" not in str(error.value) and name in str(error.value)


def test_damaged_stores_are_refused_in_one_line(tmp_path):
    stores = {
        name: write_ome_zarr(tmp_path / f"{name}.zarr", np.ones((4, 4), np.uint8), MICROMETRES)
        for name in ("codec", "group", "text", "array", "chunk", "missing")
    }
    content = json.loads((stores["codec"] / "0" / ".zarray").read_text())
    (stores["codec"] / "0" / ".zarray").write_text(json.dumps({**content, "compressor": {"id": "of_tomorrow"}}))
    zarr.open_group(str(stores["group"]), mode="r+").create_group("0", overwrite=True)
    zarr.open_group(str(stores["text"]), mode="r+").attrs["multiscales"] = ["a", "b"]
    (stores["array"] / "0" / ".zarray").write_text("{")
    (stores["missing"] / "0" / ".zarray").unlink()
    (chunk,) = (file for file in (stores["chunk"] / "0").rglob("0*") if file.is_file())
    chunk.write_bytes(b"damaged")
    for name, path in stores.items():
        with pytest.raises(InputError) as error:
            open_image(path).pixels.compute(scheduler="sync")
        assert "\n" not in str(error.value) and f"{name}.zarr: expected" in str(error.value)
        assert ("got a damaged one in the window 0 to 4, 0 to 4" in str(error.value)) == (name == "chunk")
