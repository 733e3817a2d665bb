"""Which images are held out, by number, share, name and file, and what is said of those that cannot be."""

import pytest
from cells_on_disk import write_cells

from minunet.data import load_data
from minunet.data.readers.hold_out import held_out_names, names_in_file
from minunet.errors import InputError

NAMES = [f"im{i}" for i in range(10)]


@pytest.mark.parametrize(
    ("hold_out", "expected"),
    [
        (None, NAMES[-2:]),
        ("3", NAMES[-3:]),
        (3, NAMES[-3:]),
        ("0.4", NAMES[-4:]),
        ("0.01", NAMES[-1:]),
        ("im4", ["im4"]),
        ("im4, im7.png", ["im4", "im7"]),
        ("im1\nim2\n", ["im1", "im2"]),
        ("0", []),
    ],
)
def test_the_last_ones_or_those_named(hold_out, expected):
    assert held_out_names("folder", NAMES, 5, hold_out) == set(expected)


@pytest.mark.parametrize(
    ("hold_out", "message"),
    [
        ("10", "hold_out must be from 1 to 9 of the 10 images, got 10"),
        ("-1", "hold_out must be from 1 to 9 of the 10 images, got -1"),
        ("1.5", "hold_out must be a number of images, a share below 1 or names, got 1.5"),
        ("0.99", "hold_out must be from 1 to 9"),
        ("nan", "hold_out must be names of images, such as im9, .* got 'nan'; check"),
        ("im4,cell7,cell8", "got 'cell7' and 1 more; check the spelling"),
        ("nosuch.txt", "or a file with such names, .* got 'nosuch.txt', and there is no such file; check the spelling"),
        ("cell7", "got 'cell7'; check the spelling"),
        (",".join(NAMES), "hold_out must leave an image to train on, got all 10"),
        (",", "got none; check"),
    ],
)
def test_what_cannot_be_held_out_is_named(hold_out, message):
    with pytest.raises(InputError, match=message):
        held_out_names("folder", NAMES, 5, hold_out)


def test_names_in_a_file(tmp_path):
    file = tmp_path / "test.txt"
    file.write_text("cell0.png\r\n\n  cell2 \n", "utf-8")
    assert names_in_file("im4") == "im4"
    data = load_data(f"folder:{write_cells(tmp_path / 'cells')}", hold_out=names_in_file(str(file)))
    assert [s.name for s in data.validation] == ["cell0", "cell2"] and len(data.train) == 2
    file.write_text(" \n")
    with pytest.raises(InputError, match=r"test.txt: expected the names of images, one a line, got none"):
        names_in_file(str(file))
    file.write_bytes(b"\x89PNG\xff")
    with pytest.raises(InputError, match=r"test.txt: expected a text file"):
        names_in_file(str(file))


def test_a_name_in_a_file_may_be_a_number(tmp_path):
    (tmp_path / "test.txt").write_text("7\n")
    assert held_out_names("folder", ["5", "6", "7", "8"], 5, names_in_file(str(tmp_path / "test.txt"))) == {"7"}
