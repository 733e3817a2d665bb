"""Pages that are let go leave the memory, and what was written to them stays."""

from pathlib import Path

import numpy as np
import pytest

from minunet.prediction.memory_map import let_go

PAGES = Path("/proc/self/status")


def resident():
    """Return the pages of files in this process's memory, in MiB."""
    status = dict(line.split(":", 1) for line in PAGES.read_text().splitlines())
    return (int(status["RssFile"].split()[0]) + int(status["RssShmem"].split()[0])) / 1024


@pytest.mark.skipif(not PAGES.exists(), reason="only Linux tells which pages are in memory")
def test_pages_leave_the_memory(tmp_path):
    file = np.memmap(tmp_path / "file", np.uint8, "w+", shape=(64, 2**20))
    file[:] = 7
    before = resident()
    let_go(file[1:])
    assert resident() < before - 60
    assert (file == 7).all()


@pytest.mark.parametrize("mode", ["r+", "c"])
def test_what_was_written_stays(tmp_path, mode):
    (tmp_path / "file").write_bytes(bytes(10_000))
    file = np.memmap(tmp_path / "file", np.uint8, mode)
    file[5:9000] = 3
    let_go(file)
    np.testing.assert_array_equal(file, np.repeat([0, 3, 0], [5, 8995, 1000]))


def test_other_arrays_are_left_alone(rng):
    array = rng.standard_normal(5)
    let_go(array)
    let_go([1, 2])


def test_a_copy_of_a_file_is_left_alone(tmp_path):
    copy = np.memmap(tmp_path / "file", np.uint8, "w+", shape=(2, 2)).copy()
    let_go(copy)
    assert not copy.any()
