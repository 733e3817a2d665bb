"""The folders of the Cell Tracking Challenge: which frames have truth, which truth comes first, and what is unknown."""

import numpy as np
import pytest
from PIL import Image

from minunet.data import load_data, loss_weights, read_ctc
from minunet.data.readers.ctc_truth import gold_over_silver, known_pixels, largest_diagonal
from minunet.errors import InputError

H, W = 24, 30


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint16)).save(path, compression="tiff_lzw")


def cells(*boxes, shape=(H, W)):
    """Return cells, each a box (label, top, bottom, left, right)."""
    array = np.zeros(shape, np.uint16)
    for label, top, bottom, left, right in boxes:
        array[top:bottom, left:right] = label
    return array


GOLD = cells((300, 2, 6, 3, 8))
SILVER = cells((7, 2, 7, 3, 8), (9, 10, 16, 10, 16))  # gold's cell, less exact, and another


def frames(folder, count, sequence="01", shape=(H, W), digits=3):
    rng = np.random.default_rng(0)
    images = rng.integers(900, 1100, (count, *shape))
    for number, image in enumerate(images):
        save(folder / sequence / f"t{number:0{digits}d}.tif", image)
    return images


def gold(folder, number, array, sequence="01"):
    save(folder / f"{sequence}_GT" / "SEG" / f"man_seg{number:03d}.tif", array)


def silver(folder, number, array, sequence="01"):
    save(folder / f"{sequence}_ST" / "SEG" / f"man_seg{number:03d}.tif", array)


def markers(folder, number, array, sequence="01"):
    save(folder / f"{sequence}_GT" / "TRA" / f"man_track{number:03d}.tif", array)


def test_frames_without_truth_are_skipped(tmp_path):
    images = frames(tmp_path, 9)
    frames(tmp_path, 4, "02")
    frames(tmp_path, 2, "03")  # no truth at all
    for number in (1, 3, 8):
        gold(tmp_path, number, GOLD)
    silver(tmp_path, 4, SILVER)
    gold(tmp_path, 2, GOLD, "02")
    dataset = load_data(f"ctc:{tmp_path}")
    assert dataset.name == "ctc" and dataset.num_classes == 2
    assert [s.name for s in dataset.train] == ["01-t001", "01-t003", "01-t004", "01-t008"]
    assert [s.name for s in dataset.validation] == ["02-t002"]
    sample = dataset.train[1]
    np.testing.assert_array_equal(sample.image, images[3][None])
    np.testing.assert_array_equal(sample.instances, GOLD)  # the labels keep their values
    np.testing.assert_array_equal(sample.labels, GOLD > 0)
    assert (sample.image.dtype, sample.labels.dtype, sample.instances.dtype) == (np.float32, np.uint8, np.int32)
    assert sample.known is None  # no markers tell of other cells


@pytest.mark.parametrize("annotated, held_out", [(2, 1), (9, 1), (10, 2)])
def test_the_last_fifth_is_held_out(tmp_path, annotated, held_out):
    frames(tmp_path, annotated)
    for number in range(annotated):
        gold(tmp_path, number, GOLD)
    dataset = read_ctc(tmp_path)
    assert len(dataset.validation) == held_out and len(dataset.train) == annotated - held_out


def test_one_sequence_and_four_digits(tmp_path, monkeypatch):
    frames(tmp_path, 3, "01", digits=4)
    frames(tmp_path, 3, "02")
    for number in range(3):
        gold(tmp_path, number, GOLD)
        gold(tmp_path, number, GOLD, "02")
    assert len(read_ctc(tmp_path).train) == 5
    assert [s.name for s in load_data(f"ctc:{tmp_path / '01'}").train] == ["01-t0000", "01-t0001"]
    monkeypatch.chdir(tmp_path / "02")
    assert [s.name for s in read_ctc(".").train] == ["02-t000", "02-t001"]


def test_frames_of_the_usual_size(tmp_path):
    frames(tmp_path, 2, shape=(520, 696))
    for number in range(2):
        gold(tmp_path, number, cells((1, 500, 520, 690, 696), shape=(520, 696)))
    sample = read_ctc(tmp_path).train[0]
    assert sample.image.shape == (1, 520, 696) and sample.labels.sum() == 20 * 6


def test_gold_comes_before_silver(tmp_path):
    frames(tmp_path, 2)
    for number in range(2):
        silver(tmp_path, number, SILVER)
    gold(tmp_path, 0, GOLD)
    first, second = (*read_ctc(tmp_path).train, *read_ctc(tmp_path).validation)
    np.testing.assert_array_equal(first.labels, (GOLD > 0) | (SILVER == 9))  # and not where only silver's 7 was
    assert first.known is None and len(np.unique(first.instances)) == 3
    np.testing.assert_array_equal(second.instances, SILVER)


def test_what_gold_leaves_of_silver():
    gold = cells((2, 0, 4, 0, 10))
    silver = cells((1, 0, 6, 0, 5), (2, 2, 8, 6, 10), (5, 10, 14, 0, 4))  # 20/30, 8/24 and 0 of their pixels in gold
    merged = gold_over_silver(gold, silver)
    assert merged.dtype == np.int32
    np.testing.assert_array_equal(merged == 2, gold == 2)  # silver's 2 is another cell
    left = cells((1, 4, 8, 6, 10), (2, 10, 14, 0, 4))
    np.testing.assert_array_equal(merged > 0, (gold > 0) | (left > 0))
    assert len(np.unique(merged[left == 1])) == len(np.unique(merged[left == 2])) == 1
    assert len(np.unique(merged)) == 4


def test_a_silver_cell_half_in_gold_stays_and_more_than_half_goes():
    silver = cells((1, 0, 2, 0, 10))
    assert (gold_over_silver(cells((1, 0, 2, 0, 5)), silver) > 0).sum() == 20
    assert (gold_over_silver(cells((1, 0, 2, 0, 6)), silver) > 0).sum() == 12


def test_the_surroundings_of_a_marker_without_outline_are_unknown(tmp_path):
    frames(tmp_path, 2)
    spots = cells((1, 3, 5, 4, 6), (2, 14, 15, 20, 21))
    for number in range(2):
        gold(tmp_path, number, GOLD)
        markers(tmp_path, number, spots)
    sample = read_ctc(tmp_path).train[0]
    y, x = np.indices((H, W))
    is_near = np.hypot(y - 14, x - 20) <= np.hypot(4, 5)  # as far as the longest cell, a box of 4x5, is long
    np.testing.assert_array_equal(sample.known, ~is_near)
    assert 0 < is_near.sum() < H * W / 2
    weights = loss_weights([sample])[0]
    assert not weights[is_near].any() and weights[~is_near].all()


def test_known_pixels_against_brute_force(rng):
    outlines, spots = np.zeros((2, 20, 26), np.int32)
    for label, (top, left) in enumerate(rng.integers(0, 18, (6, 2)), start=1):
        if label % 2:
            outlines[top : top + 4, left : left + 5] = label
        spots[top : top + 2, left : left + 3] = 10 * label
    lacking = [s for s in np.unique(spots[spots > 0]) if (outlines[spots == s] > 0).mean() < 0.5]
    assert 0 < len(lacking) < len(np.unique(spots)) - 1
    pixels = np.argwhere(np.isin(spots, lacking))
    expected = np.array(
        [[outlines[y, x] > 0 or np.hypot(*(pixels - (y, x)).T).min() > 4.5 for x in range(26)] for y in range(20)]
    )
    np.testing.assert_array_equal(known_pixels(outlines, spots, 4.5), expected)
    assert known_pixels(outlines, np.where(np.isin(spots, lacking), 0, spots), 4.5) is None


def test_a_marker_half_in_a_cell_has_an_outline():
    outlines = cells((1, 4, 8, 4, 8))
    assert known_pixels(outlines, cells((1, 5, 6, 6, 10)), 4) is None  # 2 of 4 pixels
    assert known_pixels(outlines, cells((1, 5, 6, 7, 11)), 4) is not None  # 1 of 4


def test_markers_without_any_outline_leave_nothing_known():
    assert largest_diagonal([np.zeros((3, 4), int)]) == np.inf
    assert not known_pixels(np.zeros((3, 4), int), np.eye(3, 4, dtype=int), np.inf).any()
    assert largest_diagonal([cells((4, 0, 3, 0, 4)), cells((1, 0, 1, 0, 2))]) == 5


def test_a_marker_in_silver_is_known(tmp_path):
    frames(tmp_path, 2)
    for number in range(2):
        gold(tmp_path, number, GOLD)
        silver(tmp_path, number, SILVER)
        markers(tmp_path, number, cells((1, 3, 5, 4, 6), (2, 12, 13, 12, 13)))
    assert read_ctc(tmp_path).train[0].known is None


def test_touching_cells_are_separated(tmp_path):
    frames(tmp_path, 2)
    for number in range(2):
        gold(tmp_path, number, cells((1, 2, 8, 2, 8), (2, 2, 8, 8, 12)))
    expected = cells((1, 2, 8, 2, 7), (2, 2, 8, 8, 12))  # the larger gives way
    np.testing.assert_array_equal(read_ctc(tmp_path).train[0].instances, expected)


def test_the_band_outside_the_field_of_interest_is_unknown_but_cells_that_reach_out_of_it_are_whole(tmp_path):
    shape = (120, 130)
    truth = cells((1, 10, 40, 60, 90), (2, 5, 20, 100, 115), (3, 60, 70, 60, 75), shape=shape)
    touching = cells((1, 60, 70, 60, 75), (2, 60, 70, 75, 90), shape=shape)
    folders = {name: tmp_path / name for name in ("BF-C2DL-HSC", "phc-c2dh-u373", "mine")}
    for folder in folders.values():
        frames(folder, 2, shape=shape)
        gold(folder, 0, truth)
        gold(folder, 1, touching)
    y, x = np.indices(shape)
    for name, band in [("BF-C2DL-HSC", 25), ("phc-c2dh-u373", 50)]:  # from the challenge's list
        dataset = read_ctc(folders[name])
        inside = (y >= band) & (y < 120 - band) & (x >= band) & (x < 130 - band)
        np.testing.assert_array_equal(dataset.train[0].known, inside)
        assert f"a band of {band} px" in dataset.note
        assert not loss_weights(dataset.train)[0][~inside].any()
    sample = load_data(f"ctc:{folders['BF-C2DL-HSC'] / '01'}").train[0]
    np.testing.assert_array_equal(sample.uncut, np.where(truth == 2, 0, truth))  # 1 is whole, 2 lies in the band alone
    assert len(np.unique(sample.labels[5:20, 100:115])) == 1
    mine = read_ctc(folders["mine"])
    assert mine.train[0].known is None and "no band at the border is left out" in mine.note
    assert not read_ctc(folders["mine"], field_of_interest=30).train[0].known[29].any()
    asked = read_ctc(folders["BF-C2DL-HSC"], field_of_interest=0)
    assert asked.train[0].known is None and asked.note == ""
    np.testing.assert_array_equal(mine.validation[0].uncut, touching)
    with pytest.raises(InputError, match=r"01-t000: expected a frame of more than 120 pixels each way, .* got 120x130"):
        read_ctc(folders["mine"], field_of_interest=60)


def test_folder_errors(tmp_path):
    with pytest.raises(InputError, match=r"expected a folder with sequences .* found no folder .*nowhere; check"):
        read_ctc(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"found no folder 01 with t000.tif; check the path"):
        read_ctc(tmp_path)
    frames(tmp_path, 2)
    for path in (tmp_path, tmp_path / "01"):
        with pytest.raises(InputError, match=r"in 01_GT/SEG/man_seg000.tif or 01_ST/SEG.*, found none for any .* test"):
            read_ctc(path)
    gold(tmp_path, 1, GOLD)
    with pytest.raises(InputError, match=r"ctc: expected at least 2 images with truth, .*, got 1; add more"):
        read_ctc(tmp_path)
    gold(tmp_path, 5, GOLD)
    with pytest.raises(InputError, match=r"man_seg005.tif: expected its frame in .*01, found none of number 5; add it"):
        read_ctc(tmp_path)


def test_file_errors(tmp_path):
    frames(tmp_path, 2)
    gold(tmp_path, 0, GOLD)
    gold(tmp_path, 1, GOLD[:, :20])
    with pytest.raises(InputError, match=r"man_seg001.tif: .* size of its frame, got 24x30 and 24x20; take both from"):
        read_ctc(tmp_path)
    gold(tmp_path, 1, np.arange(1, H * W + 1).reshape(H, W))
    with pytest.raises(InputError, match=r"truth of .*t001.tif: expected cells that .* no room for cell \d+ \(size 1"):
        read_ctc(tmp_path)
    pages = [Image.fromarray(GOLD)] * 3
    pages[0].save(tmp_path / "01" / "t001.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match=r"t001.tif: expected a frame of one page, got 3, a three-dimensional"):
        read_ctc(tmp_path)
