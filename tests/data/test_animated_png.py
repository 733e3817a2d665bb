"""The frames of animated PNGs, put together by PNG's rules; the files are written byte by byte in `odd_files.py`."""

import struct
import zlib

import numpy as np
import pytest
from odd_files import png

from minunet.data import read_pages


def frame(number, height, width, top, left, disposal, blend):
    """Return the chunk before the pixels of a frame of an animated PNG; `disposal` 2 takes it away again."""
    return b"fcTL", struct.pack(">5I2H2B", number, width, height, left, top, 1, 10, disposal, blend)


def pixels(number, rows):
    return b"fdAT", struct.pack(">I", number) + zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))


def test_a_frame_that_is_taken_away_is_not_below_the_next_one(tmp_path):
    """An animation of 3x4 pixels: 10 all over, a patch of 20 that is taken away again, and a pixel of 30."""
    before = [(b"acTL", struct.pack(">2I", 3, 0)), frame(0, 3, 4, 0, 0, 0, 1)]
    after = [frame(1, 2, 2, 0, 0, 2, 1), pixels(2, [[20, 20]] * 2), frame(3, 1, 1, 2, 3, 0, 1), pixels(4, [[30]])]
    path = png(tmp_path / "a.png", [bytes([10] * 4)] * 3, 8, 0, before, after)
    patch, point = np.full((2, 3, 4), 10)
    patch[:2, :2], point[2, 3] = 20, 30
    pages = [page[0] for _, page in read_pages(path)]
    np.testing.assert_array_equal(pages, [np.full((3, 4), 10), patch, point])


@pytest.mark.filterwarnings("ignore:.* left out. its alpha")
@pytest.mark.parametrize(
    ("disposal", "blend", "expected"),  # of the second frame; the third one mixes its pixel with what is left below
    [
        (0, 1, [[100, 100, 100], [120, 120, 100], [136, 120, 100]]),
        (0, 0, [[100, 100, 100], [200, 200, 100], [200, 200, 100]]),
        (1, 1, [[100, 100, 100], [120, 120, 100], [200, 0, 100]]),
        (2, 1, [[100, 100, 100], [120, 120, 100], [120, 100, 100]]),
    ],
)
def test_half_transparent_colours_of_a_palette_are_mixed_with_what_is_below(tmp_path, disposal, blend, expected):
    """An animation of 1x3 pixels: 100 all over, two pixels of 200, of which a fifth counts, and one more of these."""
    greys = [(b"PLTE", bytes([100] * 3 + [200] * 3)), (b"tRNS", bytes([255, 51]))]
    before = [*greys, (b"acTL", struct.pack(">2I", 3, 0)), frame(0, 1, 3, 0, 0, 0, 0)]
    after = [frame(1, 1, 2, 0, 0, disposal, blend), pixels(2, [[1, 1]]), frame(3, 1, 1, 0, 0, 0, 1), pixels(4, [[1]])]
    path = png(tmp_path / "a.png", [bytes(3)], 8, 3, before, after)
    pages = [page[0, 0] for _, page in read_pages(path)]
    np.testing.assert_array_equal(pages, expected)
