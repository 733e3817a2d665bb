"""PNG files, in the depth of the file."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from minunet.data.readers.other_kinds import orientation_of, pages_of
from minunet.data.readers.planes import GREY_STEPS, TRANSPARENT_COLOUR, Pages, as_planes, split_extra, upright

GREY, PALETTE, GREY_ALPHA = 0, 3, 4  # numbers that PNG gives to the kinds of colour
TAKEN_AWAY = b"\2"  # in byte 24 of the chunk fcTL: this frame of an animation is gone before the next one is drawn
RAW_MODES = {2: ("RGB;16B", "RGB;16L"), 6: ("RGBA;16B", "RGBA;16L")}  # see `_sixteen_bits`


def read_png(path, keep_palette: bool) -> Pages:
    """Return the pages of a PNG file: one, or the frames of an animation."""
    content = Path(path).read_bytes()
    if len(content) < 26:
        raise ValueError("the file ends within its header")
    chunks = list(_chunks(memoryview(content)))
    bits, kind = content[24:26]  # of a sample; the kind of colour
    if bits == 16 and kind != GREY:
        return _sixteen_bits(path, kind)
    is_half_transparent = any(name == b"tRNS" and set(data) - {0, 255} for name, data in chunks)
    if kind == PALETTE and not keep_palette and is_half_transparent and any(name == b"fcTL" for name, _ in chunks):
        return _mixed_frames(path)
    is_taken_away = any(name == b"fcTL" and data[24:25] == TAKEN_AWAY for name, data in chunks)
    pages = _frames(path, keep_palette) if is_taken_away else pages_of(path, keep_palette)
    if kind == GREY and bits in GREY_STEPS:
        return pages._replace(arrays=[array // np.uint8(GREY_STEPS[bits]) for array in pages.arrays])
    return pages


def _frames(path, keep_palette: bool) -> Pages:
    """Return the frames of an animation of which some are taken away again.

    Pillow forgets what was below such a frame when it is loaded, but not when it is passed over on the way to another
    one. So the file is opened for each frame.
    """
    with Image.open(path) as image:
        count = getattr(image, "n_frames", 1)
    arrays, left_out = [], []
    for number in range(count):
        with Image.open(path) as image:
            image.seek(number)
            planes, without = as_planes(image, keep_palette)
            arrays.append(upright(planes, orientation_of(image)))
            left_out += without
    return Pages(arrays, left_out)


def _mixed_frames(path) -> Pages:
    """Return the frames of an animation whose palette has half-transparent colours.

    Pillow mixes the numbers of such colours with the numbers below them. So it gives each frame alone here, and the
    colours are mixed.
    """
    arrays, left_out = [], []
    with Image.open(path) as image:
        below = Image.new("RGBA", image.size)
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.blend_op = PngImagePlugin.Blend.OP_SOURCE  # the frame alone
            shown, box = image.convert("RGBA"), image.info.get("bbox")
            if box:  # else it is no frame, but what is shown where nothing moves
                frame, shown = shown.crop(box), below.copy()
                put = shown.alpha_composite if image.info["blend"] == PngImagePlugin.Blend.OP_OVER else shown.paste
                put(frame, box[:2])
                if image.info["disposal"] == PngImagePlugin.Disposal.OP_NONE:
                    below = shown
                elif image.info["disposal"] == PngImagePlugin.Disposal.OP_BACKGROUND:
                    below.paste((0, 0, 0, 0), box)
            planes, without = as_planes(shown, keep_palette=False)
            arrays.append(upright(planes, orientation_of(image)))
            left_out += without
    return Pages(arrays, left_out)


def _chunks(content: memoryview) -> Iterator[tuple[memoryview, memoryview]]:
    """Yield (name, data) of each chunk.

    Raises
    ------
    ValueError
        If a chunk with pixels is damaged: Pillow decodes those without a look at their checksums.
    """
    start = 8  # after the signature; a chunk is its length, its name, its data and their checksum
    while start + 12 <= len(content):
        end = start + 8 + int.from_bytes(content[start : start + 4], "big")
        name, checksum = content[start + 4 : start + 8], content[end : end + 4]
        if name in (b"IDAT", b"fdAT") and zlib.crc32(content[start + 4 : end]).to_bytes(4, "big") != checksum:
            raise ValueError(f"the checksum of the pixels at byte {start} is wrong")
        yield name, content[start + 8 : end]
        start = end + 4


def _sixteen_bits(path, kind: int) -> Pages:
    """Return an image with 16 bits for each colour or alpha.

    Pillow keeps 8 of them. Of a file that begins with the high byte it keeps the first byte, of one that begins with
    the low byte the second. So the file is read twice, as the one and as the other. Grey with alpha is read at once,
    as if its four bytes were four samples.
    """
    if kind == GREY_ALPHA:
        parts, image = _as_raw(path, "RGBA")  # (H, W, 4): both bytes of grey, both of alpha
        high, low = parts[..., ::2], parts[..., 1::2]
    else:
        high, image = _as_raw(path, RAW_MODES[kind][0])
        low, _ = _as_raw(path, RAW_MODES[kind][1])
    samples = (high.astype(np.uint16) << 8) | low  # (H, W, samples)
    planes, left_out = split_extra(samples.transpose(2, 0, 1), 1 if kind == GREY_ALPHA else 3)
    if getattr(image, "n_frames", 1) > 1:
        left_out.append("all frames but the first")
    if "transparency" in image.info:
        left_out.append(TRANSPARENT_COLOUR)
    return Pages([upright(planes, orientation_of(image))], left_out)


def _as_raw(path, raw_mode: str) -> tuple[np.ndarray, Image.Image]:
    """Return the samples of 8 bits that Pillow makes of the file in this raw mode of Pillow, and its image."""
    with Image.open(path) as image:
        decoder, box, offset, _ = image.tile[0]
        image.tile = [(decoder, box, offset, raw_mode)]
        return np.array(image), image
