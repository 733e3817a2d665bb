"""The metadata of OME-Zarr (NGFF): which arrays of a store are one image at several resolutions, and its axes.

    multiscales: [{axes:     [{name: y, type: space, unit: micrometer}, ...],
                   datasets: [{path: 0, coordinateTransformations: [{type: scale, scale: [0.5, 0.5]}]}, ...]}]

Version 0.4 stores it in the attributes of a group of Zarr format 2; version 0.5, of format 3, under their key "ome".
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minunet.errors import InputError
from minunet.scale.extras import need

SMALLEST_LEVEL = 512  # pixels: an image with longer sides gets a level of half the size
VERSIONS = {2: "0.4", 3: "0.5"}  # of OME-Zarr, by the format of Zarr


class Geometry(NamedTuple):
    """What the axes of an image are, and where its pixels lie in space."""

    axes: list[dict]  # {"name": "y", "type": "space", "unit": "micrometer"}, ...
    scale: list[float]  # of each axis
    translation: list[float]

    @classmethod
    def of_pixels(cls, axes: list[dict]) -> "Geometry":
        return cls(axes, [1.0] * len(axes), [0.0] * len(axes))

    def only(self, names: str) -> "Geometry":
        """Return the geometry of these axes, in this order."""
        order = [[axis["name"] for axis in self.axes].index(name) for name in names]
        axes, scale, translation = self
        return Geometry([axes[i] for i in order], [scale[i] for i in order], [translation[i] for i in order])

    def with_classes(self) -> "Geometry":
        """Return the geometry with an axis c in front."""
        return Geometry([axis_of("c"), *self.axes], [1.0, *self.scale], [0.0, *self.translation])

    def halved(self) -> "Geometry":
        """Return the geometry of the image with a pixel for each 2 x 2 pixels."""
        space = [axis["type"] == "space" for axis in self.axes]
        scale = [s * 2 if is_space else s for s, is_space in zip(self.scale, space, strict=True)]
        moved = zip(self.translation, self.scale, space, strict=True)  # to the middle of the 2 x 2
        return Geometry(self.axes, scale, [t + s / 2 if is_space else t for t, s, is_space in moved])


def axis_of(name: str) -> dict:
    """Return what OME-Zarr says of an axis without a unit."""
    kind = {"t": "time", "c": "channel"}.get(name, "space")
    return {"name": name, "type": kind}


def multiscale_attributes(group) -> dict:
    """Return the attributes of OME-Zarr that a group has: all of them or, in version 0.5, those below "ome"."""
    attributes = group.attrs.asdict()
    inner = attributes.get("ome")
    return inner if isinstance(inner, dict) else attributes


def read_multiscale(group, path: Path) -> tuple[str, Geometry] | None:
    """Return the array of the highest resolution and its geometry; None if the group has no such metadata."""
    multiscales = multiscale_attributes(group).get("multiscales")
    if not multiscales:
        return None
    try:
        image, dataset = multiscales[0], multiscales[0]["datasets"][0]
        is_old = "axes" not in image and "coordinateSystems" not in image  # 0.1 and 0.2: always these five
        axes = [_with_type(axis) for axis in ("tczyx" if is_old else image["axes"])]
        geometry = Geometry.of_pixels(axes)
        for transformation in dataset.get("coordinateTransformations", []) + image.get("coordinateTransformations", []):
            geometry = _transformed(geometry, transformation)
        name = dataset["path"]
        if name not in group:
            raise KeyError(name)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: expected the metadata of an OME-Zarr image, got some that are incomplete ({error!r}); "
            "write the store again"
        ) from error
    return name, geometry


def _with_type(axis: str | dict) -> dict:
    """Return an axis with its type, which may be left out; version 0.3 has only names."""
    return axis_of(axis) if isinstance(axis, str) else {**axis_of(axis["name"]), **axis}


def _transformed(geometry: Geometry, transformation: dict) -> Geometry:
    if transformation["type"] == "scale":
        factors = transformation["scale"]
        scale = [s * f for s, f in zip(geometry.scale, factors, strict=True)]
        translation = [t * f for t, f in zip(geometry.translation, factors, strict=True)]
        return geometry._replace(scale=scale, translation=translation)
    if transformation["type"] == "translation":
        moved = [t + by for t, by in zip(geometry.translation, transformation["translation"], strict=True)]
        return geometry._replace(translation=moved)
    return geometry


def write_multiscale(group, name: str, geometry: Geometry, levels: int, **more) -> None:
    """Store the metadata of an image whose arrays are called 0, 1, ..., each half as large as the one before."""
    datasets = []
    for level in range(levels):
        transformations = [{"type": "scale", "scale": geometry.scale}]
        if any(geometry.translation):
            transformations.append({"type": "translation", "translation": geometry.translation})
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
        axes, geometry = geometry.axes, geometry.halved()
    version = VERSIONS[group.metadata.zarr_format]
    content = {"multiscales": [{"name": name, "axes": axes, "datasets": datasets}], **more}
    if version == "0.4":
        content["multiscales"][0]["version"] = version
        group.attrs.update(content)
    else:
        group.attrs["ome"] = {"version": version, **content}


def create_array(group, name: str, shape: tuple, chunks: tuple, dtype, fill_value: int = 0):
    """Make an array, in place of an old one. All its chunks will be written, also those of the fill value only."""
    quick = {"cname": "lz4", "clevel": 5}
    if group.metadata.zarr_format == 2:
        compressor = need("numcodecs").Blosc(**quick)
        asked: dict[str, Any] = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}  # by OME-Zarr 0.4
    else:
        compressor = need("zarr.codecs").BloscCodec(**quick)
        asked = {"dimension_names": "cyx"[-len(shape) :]}  # by OME-Zarr 0.5
    return group.create_array(
        name,
        shape=shape,
        chunks=tuple(min(n, length) for n, length in zip(chunks, shape, strict=True)),
        dtype=dtype,
        fill_value=fill_value,
        compressors=compressor,
        overwrite=True,
        config={"write_empty_chunks": True},
        **asked,
    )


def write_smaller_levels(group, shrink) -> int:
    """Write the levels 1, 2, ... of an image whose level 0 is there; return how many levels there are.

    ``shrink(level)`` returns a Dask array of half the size. The active scheduler computes it, chunk by chunk.
    """
    da, levels = need("dask.array"), 1
    while max((larger := group[str(levels - 1)]).shape[-2:]) > SMALLEST_LEVEL and min(larger.shape[-2:]) > 1:
        smaller = shrink(da.from_array(larger, larger.chunks)).rechunk(larger.chunks)
        target = create_array(group, str(levels), smaller.shape, larger.chunks, larger.dtype)
        da.store(smaller, target, lock=False)
        levels += 1
    return levels


def means_of_four(level):
    """Return a Dask array (C, H, W) of bytes at half the resolution: means of 2 x 2 pixels."""
    chunks = [tuple(n // 2 for n in lengths) for lengths in level.chunks[1:]]
    return level.map_blocks(_mean_of_four, chunks=(level.chunks[0], *chunks), dtype=np.uint8)


def _mean_of_four(x: np.ndarray) -> np.ndarray:
    """Return the mean of 2 x 2 bytes, rounded: of neighbouring rows first, as they lie one after the other."""
    H, W = (n // 2 * 2 for n in x.shape[1:])
    two = x[:, 0:H:2].astype(np.uint16) + x[:, 1:H:2]
    four = two[:, :, 0:W:2] + two[:, :, 1:W:2]
    return ((four + 2) // 4).astype(np.uint8)


def first_of_four(level):
    """Return a Dask array (H, W) of labels at half the resolution: one of 2 x 2 pixels, as labels have no mean."""
    H, W = (n // 2 * 2 for n in level.shape)
    return level[:H:2, :W:2]
