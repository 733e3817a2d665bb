"""Where standard error is a file, a line every now and then tells how far the work is."""

import re

import pytest

from minunet import progress
from minunet.progress import ProgressBar


@pytest.fixture
def clock(monkeypatch):
    """Return a list that holds the time, which the test sets."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "_in_a_notebook", lambda: False)
    return now


def work(clock, seconds, total=100, **options):
    with ProgressBar(total=total, unit="step", **options) as bar:
        for _ in range(total):
            clock[0] += seconds
            bar.set_postfix({"loss": "0.21"}, refresh=False)
            bar.update()


def test_a_line_for_every_tenth_of_the_work(clock, capsys):
    work(clock, seconds=6, disable=None, desc="training")
    lines = capsys.readouterr().err.splitlines()
    assert [re.search(r"\d+ of 100", line)[0] for line in lines] == [f"{n} of 100" for n in range(10, 101, 10)]
    assert lines[0] == "training: 10 of 100 steps, 1.0 minutes, about 9.0 left, loss=0.21"


def test_not_more_than_a_line_in_half_a_minute(clock, capsys):
    work(clock, seconds=1, disable=None)
    assert len(capsys.readouterr().err.splitlines()) == 3  # in 100 seconds


def test_a_long_run_is_not_silent_for_an_hour(clock, capsys):
    work(clock, seconds=300, disable=None)
    assert len(capsys.readouterr().err.splitlines()) == 50  # every 600 seconds


def test_items_are_counted_when_they_are_done(clock, capsys):
    for _ in ProgressBar(range(4), disable=None, desc="measuring", unit="image"):
        clock[0] += 40
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "measuring: 1 of 4 images, 0.7 minutes, about 2.0 left" and len(lines) == 4


@pytest.mark.parametrize("place", ["silent", "notebook"])
def test_there_are_no_lines_where_nobody_asked_and_in_a_notebook(clock, capsys, monkeypatch, place):
    if place == "notebook":
        monkeypatch.setattr(progress, "_in_a_notebook", lambda: True)
    work(clock, seconds=60, disable=True if place == "silent" else None)
    assert capsys.readouterr().err == ""


def test_the_work_goes_on_when_the_log_is_closed(clock, monkeypatch):
    class Closed:
        def isatty(self):
            return False

        def write(self, text):
            raise OSError(32, "Broken pipe")

        flush = write

    monkeypatch.setattr(progress.sys, "stderr", Closed())
    work(clock, seconds=60, disable=None)
