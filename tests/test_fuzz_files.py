"""Damaged and made-up files are read right, or refused in one line; `benchmarks/fuzz_files.py` is the long form."""

import numpy as np
import pytest
from fuzz import run_folders
from fuzz.images import Images
from fuzz.kinds import COUNTS
from fuzz.notebooks import Notebooks
from fuzz.run_folders import RunFolder
from fuzz.watch import outcome_of


def check(maker, kind, count):
    """Read mutants as the long form with another seed makes them; some must be read, some refused, and no more."""
    generators = [np.random.default_rng([2026, list(COUNTS).index(kind), number]) for number in range(count)]
    outcomes = [outcome_of(getattr(maker, kind)(rng)) for rng in generators]
    assert [outcome for outcome in outcomes if outcome.what not in ("right", "refused")] == []
    assert {outcome.what for outcome in outcomes} == {"right", "refused"}


def test_a_mutant_of_a_run_is_read_right_or_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folders, "BY_COMMAND", 0)
    run = RunFolder(tmp_path)
    for kind in ("checkpoint", "configuration", "log"):
        check(run, kind, 25)


def test_a_mutant_of_an_image_or_a_notebook_is_read_right_or_refused_in_one_line(tmp_path):
    check(Images(tmp_path), "image", 25)
    check(Notebooks(tmp_path), "notebook", 25)


@pytest.mark.slow
def test_a_command_reads_a_mutant_of_a_run_right_or_refuses_it_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folders, "BY_COMMAND", 1)
    run = RunFolder(tmp_path)
    for kind in ("checkpoint", "configuration", "log"):
        check(run, kind, 40)
