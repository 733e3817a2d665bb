"""The contest: right scores, a table with the best first, and no entry that stops the others."""

import csv

import numpy as np
import pytest
from PIL import Image

from minunet.cli.main import main
from minunet.course import contest
from minunet.data import read_folder, read_labels, synthetic_dataset
from minunet.errors import InputError
from minunet.metrics import components, seg_score

SAMPLES = synthetic_dataset(18, num_train=0, num_validation=3, height=64, width=64).validation


@pytest.fixture
def held_out(tmp_path):
    contest.write_held_out(SAMPLES, tmp_path / "held_out")
    return tmp_path / "held_out"


@pytest.fixture
def enter(tmp_path):
    """Return a function that writes an entry: what it makes of each sample's cells."""

    def write(name, propose):
        for sample in SAMPLES:
            contest.write_labels(tmp_path / "entries" / name / f"{sample.name}.png", propose(sample.instances))
        return tmp_path / "entries" / name

    return write


def leaderboard(tmp_path, held_out):
    out = tmp_path / "leaderboard.csv"
    assert main(["grade", str(tmp_path / "entries"), "--contest", str(held_out), "--out", str(out)]) == 0
    with open(out, newline="") as file:
        return list(csv.DictReader(file))


def joined(cells):
    """Return the cells as a mask whose thin gaps are closed."""
    return components(np.pad(cells, 1)[2:, 1:-1] + cells > 0)


def test_the_folder_of_a_contest_is_one_to_train_on(held_out):
    dataset = read_folder(held_out, labels="instances")
    read = [*dataset.train, *dataset.validation]
    assert [sample.name for sample in read] == [sample.name for sample in SAMPLES]
    for sample, written in zip(read, SAMPLES, strict=True):
        assert np.array_equal(sample.image, written.image)
        assert np.array_equal(sample.instances, written.instances)


def test_more_cells_than_8_bits_hold_are_kept(tmp_path):
    labels = np.arange(600).reshape(20, 30)
    contest.write_labels(tmp_path / "a.png", labels)
    assert np.array_equal(read_labels(tmp_path / "a.png"), labels)


def test_the_score_is_seg_of_each_image(held_out, enter):
    rows = contest.score(enter("anna", joined), held_out)
    assert [row["seg"] for row in rows] == [seg_score(s.instances, joined(s.instances)) for s in SAMPLES]
    assert 0 < contest.mean_seg(rows) < 1
    assert contest.mean_seg(contest.score(enter("truth", lambda cells: cells), held_out)) == 1


def test_the_best_entry_is_first_and_equal_ones_share_a_rank(tmp_path, held_out, enter, capsys):
    enter("anna", joined)
    enter("ben", lambda cells: cells)
    enter("cleo", lambda cells: cells * 3)
    enter("dora", lambda cells: 0 * cells)
    rows = leaderboard(tmp_path, held_out)
    assert [(row["rank"], row["entry"]) for row in rows] == [("1", "ben"), ("1", "cleo"), ("3", "anna"), ("4", "dora")]
    assert [rows[0]["seg"], rows[-1]["seg"]] == ["1.0000", "0.0000"]
    assert "4 entries, the best ben with SEG 1.000" in capsys.readouterr().out


def test_an_unusable_label_image_counts_0_and_is_remarked_on(tmp_path, held_out, enter):
    first, second, third = (f"{sample.name}.png" for sample in SAMPLES)
    entry = enter("anna", lambda cells: cells)
    (entry / first).unlink()
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(entry / second)
    (entry / third).write_bytes(b"no image")
    enter("ben", lambda cells: 255 * (cells > 0))
    by_name = {row["entry"]: row for row in leaderboard(tmp_path, held_out)}
    remarks = by_name["anna"]["remark"].split("; ")
    assert by_name["anna"]["seg"] == "0.0000"
    assert remarks[:2] == ["cells-00: no label image", "cells-01: expected (64, 64), got (5, 5)"]
    assert remarks[2].startswith("cells-02: expected an image, got ")
    assert str(tmp_path) not in by_name["anna"]["remark"]
    assert by_name["ben"]["remark"].startswith("cells-00: one number for all cells")


def test_a_contest_without_truth_or_entries_is_refused(tmp_path, held_out):
    with pytest.raises(InputError, match=r"expected the truth of each image in .*masks, found none"):
        contest.score(tmp_path, tmp_path)
    with pytest.raises(InputError, match="found no folder"):
        contest.write_leaderboard(held_out / "masks", held_out, tmp_path / "out.csv")
    with pytest.raises(InputError, match=r"expected labels \(H, W\) from 0 to 65535, got \(1, 2, 3\)"):
        contest.write_labels(tmp_path / "a.png", np.zeros((1, 2, 3)))
