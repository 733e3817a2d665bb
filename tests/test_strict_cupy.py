"""The stand-in is strict: each thing that CuPy refuses, or that makes it wait for the GPU, is refused."""

import sys

import numpy as np
import pytest
import strict_cupy

HOST = np.ones((2, 3))


@pytest.fixture
def cp():
    with strict_cupy.installed() as cupy:
        yield cupy


@pytest.fixture
def a(cp):
    return cp.asarray(np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda cp, a: np.asarray(a), "Implicit conversion to a NumPy array is not allowed"),
        (lambda cp, a: np.array([a[0, 0], 1.0]), "Implicit conversion"),
        (lambda cp, a: a + HOST, "Unsupported type .*numpy.ndarray.* for cupy.ndarray.__add__"),
        (lambda cp, a: HOST + a, "Unsupported type .* for cupy.add"),
        (lambda cp, a: a.__iadd__(HOST), "Unsupported type"),
        (lambda cp, a: HOST.__iadd__(a), "Unsupported type"),
        (lambda cp, a: a @ HOST.T, "Unsupported type"),
        (lambda cp, a: a - [1, 2, 3], "Unsupported type .*list"),
        (lambda cp, a: cp.maximum(a, HOST), "Unsupported type .* for cupy.maximum"),
        (lambda cp, a: cp.add(a, [1, 2, 3]), "Unsupported type .*list"),
        (lambda cp, a: cp.add(a, 1, out=HOST), "Unsupported type"),
        (lambda cp, a: np.add(HOST, 1, out=a), "Unsupported type"),
        (lambda cp, a: cp.concatenate([a, HOST]), "Unsupported type .* for cupy.concatenate"),
        (lambda cp, a: np.vdot(a, HOST), "Unsupported type"),
        (lambda cp, a: a.__setitem__(0, HOST[0]), "Unsupported type"),
        (lambda cp, a: a[HOST > 0], "index .* of the host"),
        (lambda cp, a: a[:, np.array([0, 2])], "index .* of the host"),
        (lambda cp, a: a[[0, 1]], "index .* of the host"),
        (lambda cp, a: a.__setitem__(HOST > 0, 1), "index .* of the host"),
        (lambda cp, a: a.max(initial=0), "cupy.ndarray.max of CuPy 14.2 has no argument 'initial'"),
        (lambda cp, a: cp.sum(a, where=a > 1), "has no argument 'where'"),
        (lambda cp, a: a.sum(0, None, None, False, 0), "takes 4 arguments, got 5"),
    ],
)
def test_what_cupy_refuses_is_a_type_error(cp, a, attempt, message):
    with pytest.raises(TypeError, match=message):
        attempt(cp, a)


def test_windows_to_write_to_are_refused_as_by_cupy(cp, a):
    windows = cp.lib.stride_tricks.sliding_window_view
    assert windows(a, 2, axis=1).shape == (2, 2, 2)
    with pytest.raises(NotImplementedError):
        windows(a, 2, axis=1, writeable=True)


@pytest.mark.parametrize(
    ("attempt", "name"),
    [
        (lambda cp, a: cp.block([a]), "cupy.block"),
        (lambda cp, a: np.insert(a, 0, 0), "cupy.insert"),
        (lambda cp, a: cp.errstate, "cupy.errstate"),
        (lambda cp, a: a.setflags(write=False), "cupy.ndarray.setflags"),
        (lambda cp, a: cp.ndarray.__index__, "__index__"),
    ],
)
def test_names_that_cupy_lacks(cp, a, attempt, name):
    with pytest.raises(AttributeError, match=name):
        attempt(cp, a)


def read_in_a_condition(cp, a):
    if a.any():
        return 1


@pytest.mark.parametrize(
    "read",
    [
        lambda cp, a: float(a.sum()),
        lambda cp, a: int(a.sum()),
        read_in_a_condition,
        lambda cp, a: max(a[0]),
        lambda cp, a: a.get(),
        lambda cp, a: a.tolist(),
        lambda cp, a: a[0, 0].item(),
        lambda cp, a: cp.asnumpy(a),
        lambda cp, a: f"{a.sum()}",
        lambda cp, a: a[a > 1],
        lambda cp, a: a.__setitem__(a > 1, 0),
        lambda cp, a: a.nonzero(),
        lambda cp, a: cp.unique(a),
        lambda cp, a: cp.where(a > 1),
        lambda cp, a: np.argwhere(a > 1),
    ],
)
def test_a_trip_to_the_host_is_refused_where_it_is_forbidden_and_only_there(cp, a, read):
    with strict_cupy.no_trips(), pytest.raises(strict_cupy.HiddenTripError):
        read(cp, a)
    read(cp, a)


def test_no_trip_is_seen_where_there_is_none(cp, a):
    with strict_cupy.no_trips():
        a[0] += 2 * a[1].sum()
        b = cp.where(a > 1, a, 0) @ cp.asarray(HOST.T)
        assert b.shape == (2, 2) and len(b) == 2 and b.dtype == np.float64
        assert [row.ndim for row in b] == [1, 1]


def test_it_computes_what_numpy_computes(cp, a):
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal((np.float64(2) * a @ a.T - 1).get(), 2 * x @ x.T - 1)
    np.testing.assert_array_equal(np.exp(a).get(), np.exp(x))
    np.testing.assert_array_equal(cp.pad(a, 1).get(), np.pad(x, 1))
    assert type(a.sum()) is type(a[0, 0]) is cp.ndarray


def test_an_element_is_a_view_and_a_copy_is_none(cp, a):
    a[0, 1].fill(7)
    there, host = cp.asarray(HOST), HOST.copy()
    there += 1
    assert float(a[0, 1]) == 7 and (host == HOST).all()


def test_new_memory_is_not_zero(cp):
    assert bool(cp.isnan(cp.empty(3)).all()) and bool((cp.empty_like(cp.zeros(2, int)) == 77).all())


def test_ndimage_is_there(cp, a):
    import cupyx.scipy.ndimage

    assert float(cupyx.scipy.ndimage.map_coordinates(a, cp.full((2, 1), 0.5), order=1)[0]) == 2
    with pytest.raises(AttributeError, match=r"CuPy 14\.2 has no cupyx\.scipy\.ndimage\.geometric_transform"):
        _ = cupyx.scipy.ndimage.geometric_transform
    with pytest.raises(TypeError, match="an array of the host"):
        cupyx.scipy.ndimage.map_coordinates(a, np.zeros((2, 1)))


def test_it_goes_as_it_came():
    before = {name: module for name, module in sys.modules.items() if name.startswith("cupy")}
    with strict_cupy.installed() as cupy:
        assert sys.modules["cupy"] is cupy is not before.get("cupy")
    assert {name: module for name, module in sys.modules.items() if name.startswith("cupy")} == before
