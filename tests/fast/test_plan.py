"""Which convolution is taken, how the cores share it, and the table that shows it for a whole network."""

import tracemalloc

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minunet import InputError
from minunet.fast import conv, thresholds
from minunet.fast.cpu import parallel
from minunet.fast.environment import graphs_are_wanted
from minunet.fast.plan import Plan, plan
from minunet.layers import conv as readable
from minunet.network.plan_table import plan_table


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.delenv("MINUNET_CONVOLUTION", raising=False)
    monkeypatch.setattr(parallel, "threads", lambda: 2)


def shapes(C, F, H, W, kernel=3):
    """Return x and weight of these shapes, which take no memory."""
    return np.broadcast_to(np.float32(0), (1, C, H, W)), np.broadcast_to(np.float32(0), (F, C, kernel, kernel))


@pytest.mark.parametrize(
    ("choice", "C", "size", "kernel", "expected"),
    [
        (None, 256, 22, 3, "winograd_deep"),
        (None, 256, 92, 3, "winograd_deep"),  # 90 * 90 pixels are fewer than 16 for each of 256 kernels and 2 cores
        (None, 256, 93, 3, "winograd"),
        (None, 255, 22, 3, "winograd_rows"),  # too few channels
        (None, 256, 21, 3, "winograd_rows"),  # too few tiles: 19 * 19 pixels are less than 24 * 16
        (None, 64, 200, 3, "winograd_rows"),
        (None, 64, 201, 3, "winograd"),  # so wide that it takes fewer channels
        (None, 63, 201, 3, "winograd_rows"),
        (None, 32, 22, 3, "winograd_rows"),
        (None, 31, 22, 3, "direct"),
        (None, 256, 18, 3, "im2col"),  # 16 * 16 pixels
        (None, 256, 19, 3, "winograd_rows"),
        (None, 5, 18, 3, "im2col"),
        (None, 4, 18, 3, "direct"),
        (None, 256, 18, 1, "direct"),
        (None, 256, 22, 1, "direct"),
        ("auto", 256, 22, 3, "winograd_deep"),
        ("direct", 256, 50, 3, "direct"),
        ("readable", 64, 50, 3, "readable"),
        ("im2col", 2, 40, 3, "im2col"),
        ("winograd_rows", 2, 10, 3, "winograd_rows"),
        ("winograd_rows", 2, 10, 1, "direct"),
        ("winograd", 2, 10, 3, "winograd"),
        ("winograd", 2, 6, 3, "winograd_deep"),
        ("winograd", 2, 6, 1, "direct"),
    ],
)
def test_which_way_is_taken(monkeypatch, choice, C, size, kernel, expected):
    if choice:
        monkeypatch.setenv("MINUNET_CONVOLUTION", choice)
    assert plan(*shapes(C, C, size, size, kernel), backward=False).way == expected


def test_backward_winograd_pays_when_there_are_many_channels_in_or_out():
    x, weight = shapes(31, 32, 60, 60)
    assert [plan(x, weight, backward).way for backward in (False, True)] == ["direct", "winograd_rows"]
    for C, F in ((31, 31), (4, 64)):
        assert plan(*shapes(C, F, 60, 60), backward=True).way == "direct"


@pytest.mark.parametrize(("C", "F", "way"), [(256, 128, "winograd"), (127, 256, "winograd_rows")])
def test_half_as_many_channels_on_one_side_are_enough(C, F, way):
    assert plan(*shapes(C, F, 100, 100), backward=False).way == way


@pytest.mark.parametrize(
    ("H", "W", "split"),
    [
        (66, 66, "rows"),
        (18, 66, "channels"),  # 16 * 64 pixels are fewer than 16 for each of 64 kernels and 2 cores
        (8, 18, "one part"),  # 5,308,416 multiplications
    ],
)
@pytest.mark.parametrize("backward", [False, True])
def test_how_the_cores_share_a_layer(monkeypatch, H, W, split, backward):
    monkeypatch.setattr(thresholds, "PARALLEL_MULTIPLICATIONS", 6 * 10**6)
    monkeypatch.setenv("MINUNET_CONVOLUTION", "winograd")
    assert plan(*shapes(64, 64, H, W), backward).split == split


def test_the_readable_convolution_is_in_one_part(monkeypatch):
    monkeypatch.setenv("MINUNET_CONVOLUTION", "readable")
    assert plan(*shapes(64, 64, 100, 100), backward=False) == Plan("readable", "one part")


def test_conv_does_what_the_plan_says(rng, monkeypatch):
    arrays = [rng.standard_normal(shape) for shape in ((1, 2, 9, 7), (3, 2, 3, 3), (3,))]
    y, _ = readable.conv2d_forward(*arrays)
    monkeypatch.setattr(conv, "plan", lambda x, weight, backward: Plan("winograd", "channels"))
    asked = []
    monkeypatch.setattr(conv.on_cpu, "parts_of", lambda size, multiple=1: asked.append(size) or [slice(0, size)])
    np.testing.assert_allclose(conv.conv2d_forward(*arrays)[0], y, rtol=1e-11)
    assert asked == [3]  # channels of y


def test_an_unknown_way_is_refused(rng, monkeypatch):
    monkeypatch.setenv("MINUNET_CONVOLUTION", "fft")
    with pytest.raises(
        InputError,
        match="MINUNET_CONVOLUTION must be one of auto, readable, direct, im2col, winograd_rows, winograd, got 'fft'; "
        "unset it",
    ):
        conv.conv2d_forward(*(rng.standard_normal(shape) for shape in ((1, 2, 6, 6), (3, 2, 3, 3), (3,))))


def test_the_table_has_every_convolution_of_fig_1_and_makes_no_arrays():
    tracemalloc.start()
    try:
        with threadpool_limits(2, user_api="blas"):
            lines = plan_table().splitlines()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10**6
    assert len(lines) == 1 + 18 + 1 + 1  # a heading, the convolutions, the head, the number of threads
    assert lines[1].split() == (["encode.0.conv1", "3x3", "1", "->", "64", "570x570"] + 2 * ["direct,", "bands"])
    assert lines[10].split()[-4:] == 2 * ["winograd_deep,", "channels"] and lines[10].startswith("bottom.conv2")
    assert lines[-2].startswith("head") and lines[-1] == "shared by 2 threads"


def test_the_table_of_a_small_network_that_is_not_square():
    lines = plan_table(60, 44, base_channels=2, depth=2).splitlines()
    assert "2 -> 4" in lines[3] and "26x18" in lines[3] and lines[3].endswith("direct, bands")


def test_cuda_graphs_are_off_unless_the_environment_asks_for_them(monkeypatch):
    monkeypatch.delenv("MINUNET_GRAPHS", raising=False)
    assert not graphs_are_wanted()
    monkeypatch.setenv("MINUNET_GRAPHS", "yes")
    with pytest.raises(InputError, match="MINUNET_GRAPHS must be one of off, on, got 'yes'; unset it for off"):
        graphs_are_wanted()
    monkeypatch.setenv("MINUNET_GRAPHS", "on")
    monkeypatch.setattr("minunet.fast.environment.sys.platform", "win32")
    with pytest.raises(InputError, match="MINUNET_GRAPHS=on works on Linux only, got win32; unset it"):
        graphs_are_wanted()
