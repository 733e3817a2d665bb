"""The table of plans that `python -m minunet.network.plan_table` prints: a row for each convolution of Fig. 1."""

import subprocess
import sys

from minunet.network.plan_table import plan_table


def test_every_convolution_has_its_row(monkeypatch):
    monkeypatch.setenv("MINUNET_CONVOLUTION", "direct")
    lines = plan_table(76, 92, base_channels=4, depth=2).splitlines()
    names = [line.split()[0] for line in lines[1:-1]]
    assert "encode.0.conv1" in names and "decode.1.conv2" in names and names[-1] == "head"
    assert not [name for name in names if name.endswith(".up")]
    first, head = lines[1], lines[-2]
    assert first.split()[1:6] == ["3x3", "1", "->", "4", "74x90"]
    assert "direct, bands" in first
    assert head.split()[1:5] == ["1x1", "4", "->", "2"]
    assert lines[-1].startswith("shared by ")


def test_the_shapes_are_those_that_the_network_has(monkeypatch):
    """Each way depends on the sizes of x and of weight; swapped axes give another one somewhere."""
    seen = []
    monkeypatch.setattr(
        "minunet.network.plans.plan",
        lambda x, weight, backward: seen.append((x, weight, backward)) or ("way", "rows"),
    )
    monkeypatch.setattr("minunet.network.plan_table._in_words", lambda chosen: chosen[0])
    plan_table(44, 60, in_channels=3, base_channels=4, depth=1)
    shapes = [(x.shape, weight.shape) for x, weight, backward in seen if not backward]
    assert shapes[0] == ((1, 3, 44, 60), (4, 3, 3, 3))
    assert shapes[-1] == ((1, 4, 28, 44), (2, 4, 1, 1))
    assert [backward for _, _, backward in seen[:2]] == [False, True]


def test_it_can_be_printed():
    done = subprocess.run(
        [sys.executable, "-m", "minunet.network.plan_table", "188", "8"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "bottom.conv2" in done.stdout
