"""Arrays of a stranger's .npz file: what is there, or one line, and never more memory than the file accounts for."""

import tracemalloc

import numpy as np
import pytest
from fuzz.npz_writer import Member, npz_bytes

from minunet.data.npz import read_npz
from minunet.errors import InputError

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def written(path, *members):
    path.write_bytes(npz_bytes(list(members)))
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("x", [X, np.asfortranarray(X), X.astype(">f8"), X[:0], X[0, 0], np.array("text"), X > 2])
def test_an_array_comes_back_in_this_machines_order(tmp_path, x, packed):
    found = read_npz(written(tmp_path / "a.npz", Member("x", np.asarray(x), packed=packed)))["x"]
    np.testing.assert_array_equal(found, x)
    assert found.flags.c_contiguous and found.flags.writeable and found.dtype.isnative and found.shape == x.shape


def header(descr="'<f4'", shape="(2, 3)", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (header(shape="(1000000000000,)"), r"a header for the 24 bytes of 'x', got one for float32 \(1000000000000,\)"),
        (header(shape="(-2, -3)"), r"got one for float32 \(-2, -3\)"),
        (header(shape="(0, 9)"), "a header for the 24 bytes"),
        (header(descr="'<f8'"), r"got one for float64 \(2, 3\)"),
        (header(descr="'|O'"), "expected numbers in 'x', got object"),
        (header(descr="'<M8[s]'"), r"expected numbers in 'x', got datetime64\[s\]"),
        (header(descr="'<c8'", shape="(3,)"), "expected numbers in 'x', got complex64"),
        (header(order="2"), "truncated or of another kind"),
        ("[" * 5000, "truncated or of another kind"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L)}", "truncated or of another kind"),
    ],
)
def test_a_header_that_lies_is_told_before_anything_is_taken(tmp_path, text, message):
    path = written(tmp_path / "a.npz", Member("x", X, text))
    tracemalloc.start()
    with pytest.raises(InputError, match=message):
        read_npz(path)
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


def test_a_bomb_is_told_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x=np.zeros(10**7, np.uint8))
    assert read_npz(path)["x"].size == 10**7  # so much a small file may always hold
    monkeypatch.setattr("minunet.data.npz.ALWAYS", 10**6)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"at most 20 times the size of their file, got 10,000,128 bytes in"):
        read_npz(path)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_a_name_twice_is_told(tmp_path):
    with pytest.raises(InputError, match=r"a.npz: expected each array once, got 'x' 2 times"):
        read_npz(written(tmp_path / "a.npz", Member("x", X), Member("y", X), Member("x", X)))


def test_pickles_are_not_read(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="expected numbers in 'x', got object"):
        read_npz(tmp_path / "a.npz")
